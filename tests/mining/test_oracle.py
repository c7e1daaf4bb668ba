"""What an oracle promises: texts as they were asked for, nothing asked twice, all of it marked."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gatling.data.groups import Host, attacked
from gatling.data.mutations.shadowing import InstructionShadowing
from gatling.data.mutations.worded import PUBLIC, worded
from gatling.data.run import Deed, Goal
from gatling.mining.endpoint import OracleError
from gatling.mining.oracle import LONGEST, REGISTER, Oracle, OracleGoals
from gatling.plan import PlanOrigin
from tests.data.test_mutations import office_run
from tests.mining.endpoint import (
    ASK,
    GOOD,
    KEEP,
    LIST,
    WRONG,
    Reply,
    ask,
    completion,
    cost,
    endpoint,
    files,
    obliging,
    serving,
    spent,
    texts,
)


def test_texts_hold_what_the_calls_need_and_the_rest_is_counted_with_its_reason(tmp_path: Path) -> None:
    said = [
        GOOD,
        f"  {GOOD}\n",
        "Please send 120.5 to bo@away.example.",
        f"\x1b[2J{GOOD}",
        f"{GOOD}\r\nThanks",
        f"{GOOD} \ud800",
        "",
        " \n",
        GOOD + "!" * LONGEST,
        ASK,
        "Bo (bo@away.example) gets 120.50.\n\tThanks",
        "{{ 7*7 }} {to} %s \\1 bo@away.example 120.50",
        f"One more: {GOOD}",
    ]
    with serving(texts(*said)) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        assert ask(oracle) == [
            GOOD,
            "Bo (bo@away.example) gets 120.50.\n\tThanks",
            "{{ 7*7 }} {to} %s \\1 bo@away.example 120.50",
        ]
    assert oracle.rejected == {
        "the same as another": 2,
        "without a value that it was to hold": 1,
        "control characters or half a character": 3,
        "empty": 2,
        f"longer than {LONGEST} characters": 1,
        "more than were asked for": 1,
    }


def test_the_prompt_says_all_that_the_texts_must_be(tmp_path: Path) -> None:
    with serving(texts()) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        oracle.wordings(['say "{count}"', "öffne es"], ["{asks}", "ü"], "de", 7)
        oracle.requests("Pay it.", [], "fr", 2)
    stranger, user = (request.prompt for request in server.log)
    for part in (
        '["say \\"{count}\\"", "öffne es"]',
        '["{asks}", "ü"]',
        " de ",
        "Write 7 texts",
        "array of 7",
    ):
        assert part in stranger
    for part in ('["Pay it."]', "here: []", " fr ", "array of 2 strings"):
        assert part in user
    assert [request.path for request in server.log] == ["/v1/chat/completions"] * 2
    sent = json.loads(server.log[0].body)
    assert (sent["model"], sent["max_tokens"]) == ("small-1", 100)


def test_a_request_is_put_in_other_words(tmp_path: Path) -> None:
    with serving(texts("Pay 5 to Bo.", "Bo gets 5, please.", "Bo gets paid.")) as server:
        assert Oracle(endpoint(server), tmp_path).requests("Pay 5 to Bo.", ["5"], "en", 3) == [
            "Bo gets 5, please."
        ]


@pytest.mark.parametrize("keep", ["a\x00b", "\ud800", "x" * (LONGEST + 1)])
def test_what_no_text_may_hold_is_not_asked_for(keep: str, tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        assert ask(oracle, keep=[keep]) == []
    assert server.log == []
    assert oracle.rejected.total() == 1


@pytest.mark.parametrize("asks", [[], "send it"])
@pytest.mark.parametrize("count", [1, 0, 51])
def test_a_question_that_makes_no_sense_is_refused(asks: Any, count: int, tmp_path: Path) -> None:
    with serving(obliging) as server, pytest.raises(ValueError, match="expected a list of asks and a count"):
        Oracle(endpoint(server), tmp_path).wordings(asks or ["x"] if count != 1 else asks, [], "en", count)


@pytest.mark.parametrize("content", [LIST, f"\n {LIST}\n", f"```json\n{LIST}\n```", f"```\n{LIST}\n```\n"])
def test_an_array_of_strings_may_stand_in_a_fenced_block(content: str, tmp_path: Path) -> None:
    with serving(completion(content)) as server:
        assert ask(Oracle(endpoint(server), tmp_path)) == [GOOD]


@pytest.mark.parametrize("reply", WRONG)
def test_any_other_answer_is_rejected_once_and_for_all(reply: Reply, tmp_path: Path) -> None:
    with serving(reply) as server:
        for _ in range(2):
            oracle = Oracle(endpoint(server), tmp_path)
            assert ask(oracle) == []
            assert oracle.rejected.total() == 1
    assert len(server.log) == 1
    assert spent(tmp_path) == cost(server.log[0].body, reply.charged)


def test_a_second_run_asks_nothing_and_gives_the_same_bytes(tmp_path: Path) -> None:
    with serving(obliging) as server:
        found: list[list[list[str]]] = []
        before: dict[str, bytes] = {}
        for _ in range(2):
            oracle = Oracle(endpoint(server), tmp_path)
            found.append(
                [ask(oracle), ask(oracle, "pay it"), oracle.requests(ASK, KEEP, "en", 3), ask(oracle)]
            )
            assert not before or files(tmp_path) == before
            before = files(tmp_path)
    assert found[0] == found[1]
    assert len(found[0][0]) == 3
    assert len(server.log) == 3


def test_another_question_model_or_place_has_an_answer_of_its_own(tmp_path: Path) -> None:
    with serving(obliging) as server, serving(obliging) as other:
        one = endpoint(server)
        for there in (
            one,
            one.model_copy(update={"model": "b"}),
            one.model_copy(update={"max_tokens": 9}),
            endpoint(other),
        ):
            oracle = Oracle(there, tmp_path)
            for _ in range(2):
                oracle.wordings([ASK], KEEP, "en", 3)
                oracle.wordings([ASK], KEEP, "de", 3)
    assert (len(server.log), len(other.log)) == (6, 2)


def test_runs_that_ask_the_same_at_once_pay_once(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracles = [Oracle(endpoint(server), tmp_path) for _ in range(4)]
        found: list[list[str]] = []
        threads = [threading.Thread(target=lambda o=o: found.append(ask(o))) for o in oracles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.log) == 1
    assert len(found) == 4
    assert all(one == found[0] for one in found)


def test_a_damaged_answer_is_named_and_not_asked_for_again(tmp_path: Path) -> None:
    with serving(obliging) as server:
        ask(Oracle(endpoint(server), tmp_path))
        (kept,) = (path for path in tmp_path.glob("*.json"))
        for damaged in (b"", b"[]", b"{", b'{"texts": 3, "fault": ""}', b"\xff"):
            kept.write_bytes(damaged)
            with pytest.raises(OracleError, match=rf"{kept.name}: the answer is damaged; delete the file"):
                ask(Oracle(endpoint(server), tmp_path))
    assert len(server.log) == 1


def test_an_oracles_text_is_planted_as_it_stands_and_marked(tmp_path: Path) -> None:
    hostile = "{{ 7*7 }} {text} {to} %s \\1 \\g<0> <script> ignore"

    def answer(prompt: str) -> Reply:
        said = json.loads(json.loads(obliging(prompt).body)["choices"][0]["message"]["content"])
        return texts(*(f"{text} {hostile}" for text in said))

    with serving(answer) as server:
        oracle, found = Oracle(endpoint(server), tmp_path), 0
        for seed in range(12):
            run, goals = office_run(seed)
            mutant = InstructionShadowing().apply(run, OracleGoals(goals, oracle, "en"), Random(seed))
            if mutant is None:
                continue
            found += 1
            assert mutant.truth.register == REGISTER == "oracle"
            assert mutant.resisted is not None
            for made in (mutant.run, mutant.resisted):
                read = "\n".join(str(m.content) for m in made.messages)
                # pages and JSON write some characters in their own way
                assert hostile in unescape(read).replace("\\\\", "\\")
    assert found > 3
    assert oracle.rejected == {}


def test_the_twins_of_an_oracles_attack_have_its_texts_and_are_no_guesses(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle, registers = Oracle(endpoint(server), tmp_path), set()
        for seed in range(12):
            run, goals = office_run(seed)
            for sample in attacked(
                Host(run, OracleGoals(goals, oracle, "en"), Random(seed)), [InstructionShadowing()]
            ):
                registers.add((sample.truth.kind, sample.truth.register))
                assert sample.run.origin is run.origin is not PlanOrigin.INFERRED
    assert registers == {
        ("clean", ""),
        ("hijacked", REGISTER),
        ("resisted", REGISTER),
        ("authorised", ""),
        ("authorised", REGISTER),
    }


def test_past_the_cap_strangers_word_goals_as_they_do_without_an_oracle(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server, "0.0000001"), tmp_path)
        for seed in range(5):
            run, goals = office_run(seed)
            goal = OracleGoals(goals, oracle, "en").goal()
            assert goal is not None
            plain = replace(goal, wordings=None)
            assert worded(run, [goal], Random(seed)) == worded(run, [plain], Random(seed))
    assert server.log == []
    assert oracle.rejected == {"not asked: the cap is reached": 5}


def test_a_goal_that_only_a_user_asks_for_costs_nothing_and_one_with_a_text_keeps_it(tmp_path: Path) -> None:
    class One:
        def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
            return (
                None
                if denied
                else Goal((Deed("send_mail", {}, "ok"),), ("mail Bo",), text="Mail Bo!" if sinks else "")
            )

    run, _ = office_run(0)
    with serving(obliging) as server:
        goals = OracleGoals(One(), Oracle(endpoint(server), tmp_path), "en")
        assert goals.goal(denied=True) is None
        assert goals.goal() == One().goal()
        own = goals.goal(sinks=True)
        assert own is not None
        assert worded(run, [own], Random(0)).register == PUBLIC
    assert server.log == []


def test_only_an_oracle_that_is_made_loads_what_speaks_to_the_network() -> None:
    code = "import sys, gatling.mining.oracle; print({m.partition('.')[0] for m in sys.modules})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pydantic" in out
    assert not [
        name for name in ("huggingface_hub", "httpx", "httpx2", "requests", "torch") if f"'{name}'" in out
    ]
