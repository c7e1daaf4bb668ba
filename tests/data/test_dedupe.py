"""What deduplication promises: equal runs known whatever their ids, similar groups found, little memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data import dedupe
from gatling.data.dedupe import ROWS, Seen, exact, signature
from gatling.plan import JSON
from gatling.trace import Message, ProposedCall

LONG = (
    "Please tell the whole team that the meeting on Monday moves from the small room to the large hall, " * 3
)


def run(request: str, arguments: JSON = None, output: str = "done", call: str = "c1") -> tuple[Message, ...]:
    return (
        Message("user", request),
        Message("assistant", "", (ProposedCall(call, "send_mail", arguments or {}),)),
        Message("tool", output, (), call, "send_mail"),
    )


def test_runs_that_differ_in_their_ids_alone_are_equal() -> None:
    assert exact(run("Hello.", call="call_1")) == exact(run("Hello.", call="toolu_0001"))


@pytest.mark.parametrize(
    "other", [run("Hallo."), run("Hello.", {"to": "ana"}), run("Hello.", output="failed")]
)
def test_runs_that_differ_in_any_text_are_not(other: tuple[Message, ...]) -> None:
    assert exact(run("Hello.")) != exact(other)


def near(one: tuple[Message, ...], other: tuple[Message, ...], folder: Path) -> bool:
    seen = Seen(folder)
    seen.add_group(3, signature(one))
    found = seen.group(signature(other))
    assert found in (None, 3)
    return found is not None


def test_a_word_more_in_a_long_request_is_a_near_duplicate(tmp_path: Path) -> None:
    assert near(run(LONG), run(LONG + "today"), tmp_path)


def test_what_a_tool_answered_does_not_make_a_run_another_one(tmp_path: Path) -> None:
    assert near(run(LONG), run(LONG, output="a quite different answer"), tmp_path)


def test_other_requests_and_other_calls_are_none(tmp_path: Path) -> None:
    assert not near(run(LONG), run("What is the weather in Bergen?"), tmp_path)
    assert not near(run("Mail Ana.", {"to": "ana"}), run("Mail Ben.", {"to": "ben"}), tmp_path)


def test_the_lsh_agrees_with_the_jaccard_similarity(tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(400)]
    base = run(" ".join(words))
    assert near(base, run(" ".join(words[:380])), tmp_path)  # 0.95
    assert not near(base, run(" ".join(words[:200])), tmp_path)  # 0.5


def test_empty_runs_have_a_signature() -> None:
    assert len(signature(run(""))) == ROWS


def test_signatures_are_the_same_on_every_machine() -> None:
    assert signature(run("Mail Ana the report."))[:8].hex() == "f566a092eea44881"


def filled(seen: Seen, numbers: range) -> None:
    for number in numbers:
        seen.add_run(number * 2**40)
        seen.add_group(number, signature(run(f"{number} " * 5)))


def test_a_killed_build_finds_what_it_had_saved_and_nothing_else(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    filled(seen, range(20))
    saved = seen.save()
    filled(seen, range(20, 30))
    seen.save()
    again = Seen(tmp_path, *saved)
    assert [again.run(n * 2**40) for n in range(30)] == [n < 20 for n in range(30)]
    found = [again.group(signature(run(f"{n} " * 5))) for n in range(30)]
    assert found == [n if n < 20 else None for n in range(30)]
    filled(again, range(20, 30))
    assert again.save() == (30, 30)
    assert again.group(signature(run("25 " * 5))) == 25


def test_a_million_runs_take_a_few_bytes_each(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    filled(seen, range(50))
    seen.save()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 50 * (8 + 8 + ROWS)


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4)), st.integers(1, 8))
def test_the_index_is_a_dictionary_of_lists(added: list[list[int]], most_late: int) -> None:
    index = dedupe._Index(np.empty(0, np.uint64), np.empty(0, np.uint32))
    index._MOST_LATE = most_late
    for owner, keys in enumerate(added):
        index.add(np.array(keys, np.uint64), owner)
    for key in range(31):
        expected = sorted(owner for owner, keys in enumerate(added) for k in keys if k == key)
        assert sorted(index.find(np.array([key], np.uint64))) == expected
