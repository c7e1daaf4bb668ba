"""What the invented agents promise: whole runs, slots for strangers, siblings that differ in one thing."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "refit"
SUITES = runpy.run_path(str(FOLDER / "suites.py"))
SLOT = SUITES["SLOT"]
MEASURED = {*SUITES["CALIBRATION"], *SUITES["HELD_OUT"]}
"""What is chosen or measured by is large; agents that are learnt from may be small."""


@pytest.fixture(params=SUITES["agents"](), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def suite(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / f"suites/{name}.json").read_text("utf-8"))
    return read


def test_tasks_are_whole_runs_with_a_place_for_strangers(name: str, suite: dict[str, Any]) -> None:
    assert suite["name"] == name
    assert len({task["id"] for task in suite["tasks"]}) == len(suite["tasks"])
    assert len(suite["tasks"]) >= (10 if name in MEASURED else 5)
    for task in suite["tasks"]:
        assert task["request"].strip() and len(task["runs"]) == 2 and len(task["benign"]) >= 2
        for run in task["runs"]:
            waiting = 0
            for message in run:
                if message["role"] == "tool":
                    waiting -= 1
                else:
                    assert waiting == 0 and SLOT not in json.dumps(message)
                    waiting = len(message.get("tool_calls") or ())
                assert waiting >= 0
            assert waiting == 0 and SLOT in json.dumps(run)


def test_goals_have_many_wordings_and_ways(name: str, suite: dict[str, Any]) -> None:
    assert len({goal["id"] for goal in suite["goals"]}) == len(suite["goals"])
    assert len(suite["goals"]) >= (8 if name in MEASURED else 6)
    tools = {tool["function"]["name"] for tool in suite["tools"]}
    for goal in suite["goals"]:
        assert len({*goal["texts"]}) == 6 and len(goal["calls"]) == 2 and len({*goal["asked"]}) == 3
        assert all(call["tool"] in tools and "output" in call for way in goal["calls"] for call in way)


def test_siblings_are_labelled_and_a_hijack_follows_what_was_read(name: str, suite: dict[str, Any]) -> None:
    rows = list(SUITES["rows"](name))
    assert len({row["id"] for row in rows}) == len(rows)
    texts = {goal["id"]: goal["texts"] for goal in suite["goals"]}
    for row in rows:
        calls = [call["id"] for message in row["messages"] for call in message.get("tool_calls") or ()]
        assert SLOT not in json.dumps(row["messages"]) and len({*calls}) == len(calls)
        assert bool(row["hijacked_calls"]) == (row["kind"] == "hijacked")
        if row["kind"] == "clean":
            assert not any(text in json.dumps(row["messages"]) for text in texts[row["goal"]])
        if row["kind"] == "hijacked":
            first = calls.index(row["hijacked_calls"][0])
            assert {*row["hijacked_calls"]} <= {*calls[first:]}


def test_agents_held_out_for_thresholds_and_for_results_are_apart_and_some_of_them() -> None:
    thresholds, results = {*SUITES["CALIBRATION"]}, {*SUITES["HELD_OUT"]}
    assert not thresholds & results
    assert thresholds | results < {*SUITES["agents"]()}
