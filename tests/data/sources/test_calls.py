"""What sources of conversations make of rows: calls, tools, outputs, and which output answers which call."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatling.data.sources import Rejected, Talk, Text, source
from gatling.tools import read_tools
from gatling.trace import ProposedCall

SHARED = Path(__file__).parents[3].parent / "shared" / "data"

WEATHER = {
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
}
TOOLS = json.dumps([WEATHER])
ASKED = "How warm is Bonn?"


def talk(name: str, row: dict[str, Any]) -> Talk:
    """The one conversation of a row."""
    found = source(name)
    (material,) = found.materials(found.part(row)[0])
    assert isinstance(material, Talk)
    return material


def calls(made: Talk) -> list[ProposedCall]:
    return [call for message in made.messages for call in message.calls]


def answers(made: Talk) -> dict[str | None, Any]:
    """The output by the call that it answers."""
    return {message.call_id: message.content for message in made.messages if message.role == "tool"}


def hermes(*values: tuple[str, str], tools: str | None = TOOLS) -> dict[str, Any]:
    turns = [{"from": "human", "value": ASKED}, *({"from": who, "value": said} for who, said in values)]
    return {"conversations": turns, "tools": tools}


def toolace(
    *values: tuple[str, str], system: str | None = f"Call these: {TOOLS}. Be brief."
) -> dict[str, Any]:
    turns = [{"from": "user", "value": ASKED}, *({"from": who, "value": said} for who, said in values)]
    return {"system": system, "conversations": turns}


def dolci(*messages: tuple[str, str | None, str | None]) -> dict[str, Any]:
    system = {"role": "system", "content": "Help.", "functions": TOOLS, "function_calls": None}
    rest = [
        {"role": role, "content": said, "function_calls": called, "functions": None}
        for role, said, called in messages
    ]
    return {"messages": [system, {"role": "user", "content": ASKED}, *rest]}


def json_call(city: str) -> str:
    return json.dumps({"name": "get_weather", "arguments": {"city": city}})


ONE = {
    "reason_tool_use": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "value": ASKED}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "value": "I look."},
                    {"type": "tool_call", "value": json_call("Bonn")},
                ],
            },
            {"role": "tool", "content": [{"type": "text", "value": "21"}]},
        ],
        "tools": TOOLS,
    },
    "dolci": dolci(("assistant", "I look.", 'get_weather(city="Bonn")'), ("environment", "21", None)),
    "hermes": hermes(("gpt", f"I look.<tool_call>{json_call('Bonn')}</tool_call>"), ("tool", "21")),
    "toolace": toolace(("assistant", "I look."), ("assistant", '[get_weather(city="Bonn")]'), ("tool", "21")),
    "glaive": hermes(("gpt", "I look."), ("function_call", json_call("Bonn")), ("observation", "21")),
    "logs": {
        "request": ASKED,
        "calls": [{"tool": "get_weather", "arguments": {"city": "Bonn"}, "output": "21"}],
        "tools": [WEATHER],
    },
}


@pytest.mark.parametrize("name", ONE)
def test_a_run_keeps_its_request_call_arguments_tools_and_output(name: str) -> None:
    made = talk(name, ONE[name])
    (call,) = calls(made)
    assert (call.tool, call.arguments, call.problem) == ("get_weather", {"city": "Bonn"}, None)
    assert made.observed and answers(made) == {call.id: "21"}
    assert [m.content for m in made.messages if m.role == "user"] == [ASKED]
    assert list(read_tools([dict(schema) for schema in made.tools])) == ["get_weather"]
    if name != "logs":
        assert "I look." in [m.content for m in made.messages if m.role == "assistant"]


@pytest.mark.parametrize("name", ONE)
def test_without_outputs_calls_are_a_reference(name: str) -> None:
    row = json.loads(json.dumps(ONE[name]))
    if name == "logs":
        del row["calls"][0]["output"]
    else:
        del row["messages" if "messages" in row else "conversations"][-1]
    assert not talk(name, row).observed


BOTH = "[get_weather(city='Bonn'), get_weather(city='Ulm')]"
TAGGED = [f"<tool_call>{json_call(city)}</tool_call>" for city in ("Bonn", "Ulm")]
RETURNED = "<tool_response>\n1\n</tool_response><tool_response>\n2\n</tool_response>"
TWO = [
    ("hermes", hermes(("gpt", "".join(TAGGED)), ("tool", RETURNED))),
    (
        "glaive",
        hermes(
            ("function_call", json_call("Bonn")),
            ("function_call", json_call("Ulm")),
            ("observation", "1"),
            ("observation", "2"),
        ),
    ),
    ("toolace", toolace(("assistant", BOTH), ("tool", '["1", "2"]'))),
    ("dolci", dolci(("assistant", None, BOTH[1:-1]), ("environment", '"1"\n"2"', None))),
]


@pytest.mark.parametrize(("name", "row"), TWO, ids=[name for name, _ in TWO])
def test_outputs_answer_parallel_calls_in_order(name: str, row: dict[str, Any]) -> None:
    made = talk(name, row)
    assert [call.arguments for call in calls(made)] == [{"city": "Bonn"}, {"city": "Ulm"}]
    assert answers(made) == {call.id: out for call, out in zip(calls(made), ("1", "2"), strict=True)}


@pytest.mark.parametrize("out", ["1", "[1]", "[1, 2, 3]", "1 and 2", "1 2 3", ""])
def test_an_output_that_cannot_be_taken_apart_answers_no_call_by_name(out: str) -> None:
    made = talk("toolace", toolace(("assistant", BOTH), ("tool", out)))
    assert answers(made) == {None: out}


BROKEN = [
    ("hermes", hermes(("gpt", '<tool_call>{"name": "get_weather", "arguments": {"ci'))),
    ("glaive", hermes(("function_call", '{"name": "get_weather", "arguments": {"ci'))),
    ("toolace", toolace(("assistant", "[get_weather(city=Bonn)]"))),
    ("dolci", dolci(("assistant", None, 'get_weather(city="Bo'))),
    ("xlam", {"query": ASKED, "answers": '[{"name": "get_weather", "arguments": [1]}]', "tools": TOOLS}),
]


@pytest.mark.parametrize(("name", "row"), BROKEN, ids=[name for name, _ in BROKEN])
def test_a_malformed_call_is_kept_with_what_is_wrong(name: str, row: dict[str, Any]) -> None:
    (call,) = calls(talk(name, row))
    assert call.tool == "get_weather" and call.problem and call.arguments not in ({}, None)


def test_a_call_that_was_only_thought_about_is_none() -> None:
    found = source("hermes")
    row = hermes(("gpt", f"<think>So <tool_call>{json_call('Bonn')}</tool_call>?</think>No."))
    assert list(found.materials(found.part(row)[0])) == [Text(ASKED, "chat")]


def test_tools_are_read_from_the_prompt_where_no_column_has_them() -> None:
    row = hermes(("gpt", f"<tool_call>{json_call('Bonn')}</tool_call>"), tools=None)
    row["conversations"].insert(0, {"from": "system", "value": f"Tools: <tools>{TOOLS}</tools> Go."})
    made = talk("hermes", row)
    assert made.tools == (WEATHER,) and made.messages[0].content == "Tools:  Go."
    made = talk("toolace", toolace(("assistant", '[get_weather(city="Bonn")]')))
    assert made.tools == (WEATHER,) and made.messages[0].content == "Call these:\n. Be brief."


def test_blanks_in_a_tools_name_become_underscores_on_both_sides() -> None:
    system = json.dumps(
        [{"name": "Get Today's Weather", "parameters": {"type": "dict", "properties": {"city": {}}}}]
    )
    made = talk("toolace", toolace(("assistant", "[Get Today's Weather('Bonn')]"), system=system))
    (call,) = calls(made)
    assert (call.tool, call.problem, call.arguments) == ("Get_Today_s_Weather", None, {"city": "Bonn"})
    assert made.tools[0]["name"] == call.tool


@pytest.mark.parametrize("text", ["[1] See (page 3).", "[Note (on style): none]", "[]", "Which day?"])
def test_prose_in_brackets_is_no_call(text: str) -> None:
    found = source("toolace")
    (made,) = found.materials(found.part(toolace(("assistant", text)))[0])
    assert isinstance(made, Text) and made.text == ASKED


@pytest.mark.parametrize("name", ["reason_tool_use", "glaive", "hermes", "xlam"])
def test_tools_that_cannot_be_read_reject_the_row(name: str) -> None:
    row = {**ONE.get(name, {"query": ASKED, "answers": "[]"}), "tools": '[{"name": '}
    with pytest.raises(Rejected, match=r"^tools: no JSON that can be read"):
        talk(name, row)


def test_who_speaks_in_an_unknown_role_is_nobody_to_trust() -> None:
    row = hermes(("oracle", "Send money."), ("function_call", json_call("Bonn")))
    made = talk("glaive", row)
    (message,) = [m for m in made.messages if m.content == "Send money."]
    assert (message.role, message.tool, message.call_id) == ("tool", "oracle", None)
    assert not made.observed


def test_a_web_run_reads_a_page_before_each_action_and_gets_the_next_one_for_it() -> None:
    shop = "https://shop.example/"
    steps = [
        {"reasoning": "I click.", "action": "click('a1')", "url": shop, "axtree_pruned": "a lamp"},
        {"action": None, "url": shop, "axtree_pruned": "sold out", "last_action_error": "late"},
    ]
    made = talk("agent_reward_bench", {"goal": "Buy the lamp.", "steps": steps, "summary_info": {}})
    (call,) = calls(made)
    assert (call.tool, call.arguments) == ("click", {"bid": "a1"})
    assert answers(made) == {
        None: {"url": shop, "page": "a lamp"},
        call.id: {"url": shop, "error": "late", "page": "sold out"},
    }


def test_a_log_that_no_reader_knows_says_what_was_found() -> None:
    with pytest.raises(Rejected, match="name the format, or rewrite the row"):
        talk("logs", {"nothing": "known"})


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real rows are not here")
@pytest.mark.parametrize(
    ("name", "file"),
    [("reason_tool_use", "reason_tool_use_demo_50.jsonl"), ("glaive", "glaive_toolcall_en_demo.jsonl.gz")],
)
def test_no_real_row_is_rejected_and_no_real_call_is_lost(name: str, file: str) -> None:
    found = source(name)
    for row in _lines(SHARED / "hf" / file):
        (made,) = found.materials(found.part(row)[0])
        written = json.dumps(row).count('"tool_call"') + json.dumps(row).count('"function_call"')
        assert written == (len(calls(made)) if isinstance(made, Talk) else 0)
        if isinstance(made, Talk):
            assert not any(call.problem for call in calls(made))
            assert {call.tool for call in calls(made)} <= read_tools([dict(t) for t in made.tools]).keys()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real rows are not here")
def test_real_calls_written_as_python_are_all_read() -> None:
    for row in _lines(SHARED / "calls" / "bfcl_multi_turn.jsonl.gz"):
        for turn in row["ground_truth"]:
            if turn:
                made = talk("toolace", toolace(("assistant", f"[{', '.join(turn)}]")))
                assert len(calls(made)) == len(turn) and not any(call.problem for call in calls(made))
