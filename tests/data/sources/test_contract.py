"""What every source promises, over rows in its exact form and over rows that were damaged."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fsspec.utils import glob_translate  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.data import ExecutionPlanAdapter
from gatling.data.run import TERMS
from gatling.data.sources import SOURCES, Material, Rejected, Source, Talk, Text, UnknownSource, source
from gatling.plan import ExecutionPlan
from gatling.tools import read_tools

Rows = Callable[[Source], list[dict[str, Any]]]
Made = Callable[[Source, dict[str, Any]], list[Material] | None]

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)

KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "any": (object,),
}

LONG = ("x" * 2_000_000, "[" * 200_000, "f(" * 100_000, "[f(a=" * 50_000, '"' * 100_001, "<tools>" * 20_000)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["[", "{}", "[f(", "<tool_call>", '{"name": "f", "arguments": {}}', "[f(a=1)]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@each_source
def test_the_facts_are_stated(source: Source) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", source.name)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repo) or (source.name == "logs" and not source.repo)
    assert source.files and not any(file.startswith("/") or ".." in file for file in source.files)
    assert re.fullmatch(r"unknown|[A-Za-z0-9.-]+", source.licence)
    assert source.terms and source.terms <= set(TERMS)
    assert source.meaning.endswith(".") and (not source.note or source.note.endswith("."))
    assert source.size is None or source.size > 0


def test_a_source_is_found_by_its_name() -> None:
    assert [source(each.name) for each in SOURCES] == list(SOURCES)
    with pytest.raises(UnknownSource, match=r"no source 'deapset'; there are deepset, llmail"):
        source("deapset")


def test_agentharm_is_for_evaluation_alone() -> None:
    assert {each.name for each in SOURCES if "AgentHarm" in each.repo} == {
        each.name for each in SOURCES if each.role == "evaluation"
    }


@pytest.mark.parametrize(
    ("name", "path", "read"),
    [
        ("deepset", "data/train-00000-of-00001.parquet", True),
        ("deepset", "data/test-00000-of-00001.parquet", False),
        ("llmail", "data/raw_submissions_phase2.jsonl", True),
        ("llmail", "data/labelled_unique_submissions_phase1.json", False),
        ("agentharm", "benchmark/harmful_behaviors_validation.json", True),
        ("agentharm", "benchmark/benign_behaviors_validation.json", False),
        ("agentharm_benign", "benchmark/benign_behaviors_validation.json", True),
        ("rubrichub", "RuRL/medical.parquet", True),
        ("rubrichub", "sft_RuFT/medical.parquet", False),
        ("agent_reward_bench", "cleaned/webarena/agent/run/webarena.1.json", True),
        ("agent_reward_bench", "judgments/webarena/agent/webarena.1.json", False),
        *(("hermes", f"data/train.{kind}", True) for kind in ("json", "jsonl", "parquet")),
        *(("hermes", f"page.{kind}", False) for kind in ("md", "png", "py", "jpg")),
        *(("logs", path, True) for path in ("a.jsonl", "2026/05/a.jsonl.gz", "b.json")),
    ],
)
def test_the_data_files_of_a_source_are_those_of_its_form(name: str, path: str, read: bool) -> None:
    patterns = source(name).files
    assert any(re.compile(glob_translate(pattern)).match(path) for pattern in patterns) is read


@each_source
def test_the_columns_stand_in_the_fixture_and_hold_what_they_should(source: Source, rows: Rows) -> None:
    first = rows(source)[0]
    for column, kind in source.columns.items():
        assert isinstance(first[column], KINDS[kind]), column


@each_source
def test_a_fixture_row_becomes_materials_or_says_why_not(source: Source, rows: Rows, made: Made) -> None:
    results = [made(source, row) for row in rows(source)]
    assert results[0], "the first row is in order"
    assert all(result is None or result for result in results), "no row gives nothing without a reason"
    assert None in results, "an awkward row is among them"
    kinds = {type(material) for result in results if result for material in result}
    assert kinds == {Text} if source.form == "text" else Talk in kinds


@each_source
def test_materials_are_plain_json_that_can_be_encoded(source: Source, rows: Rows, made: Made) -> None:
    for row in rows(source):
        for material in made(source, row) or []:
            if isinstance(material, Text):
                assert material.text.strip()
                (material.text + material.system).encode()
                continue
            plain = [[m.content, [[c.tool, c.arguments] for c in m.calls]] for m in material.messages]
            json.dumps([plain, material.tools], allow_nan=False, ensure_ascii=False).encode()


@each_source
def test_conversations_have_calls_a_request_and_tools_that_can_be_read(
    source: Source, rows: Rows, made: Made
) -> None:
    for row in rows(source):
        for material in made(source, row) or []:
            if isinstance(material, Text):
                continue
            calls = [call for message in material.messages for call in message.calls]
            assert calls and len({call.id for call in calls}) == len(calls)
            assert all(isinstance(call.arguments, dict) or call.problem for call in calls)
            assert source.name == "logs" or any(m.role == "user" for m in material.messages)
            answered = {m.call_id for m in material.messages if m.call_id is not None}
            assert answered <= {call.id for call in calls}
            for schema in material.tools:
                assert len(read_tools([dict(schema)])) == 1


@each_source
def test_no_label_reaches_the_materials(source: Source, rows: Rows, made: Made) -> None:
    """Rows that differ in their labels alone make the same."""
    known = rows(source)

    @given(st.data())
    def differ(data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(known))
        twin = {**row}
        for column in sorted(source.labels):
            elsewhere = [other.get(column) for other in known]
            twin[column] = data.draw(st.sampled_from(elsewhere) | json_values)
        try:
            parted = source.part(row)[0], source.part(twin)[0]
        except Rejected:
            return
        assert not parted[1].columns.keys() & source.labels
        assert parted[0].columns.keys() - source.labels == parted[1].columns.keys()
        assert made(source, row) == made(source, twin)

    if source.labels:
        differ()


def planned(adapter: ExecutionPlanAdapter, materials: list[Material] | None) -> list[ExecutionPlan] | None:
    """The plans of a row's materials; None where it gives none."""
    try:
        return None if materials is None else [adapter.adapt(one, "1") for one in materials]
    except Rejected:
        return None


@each_source
def test_rows_that_differ_in_their_labels_alone_give_the_same_plans(
    source: Source, rows: Rows, made: Made, adapter: ExecutionPlanAdapter
) -> None:
    """Of a source without labels: rows that differ in a column called one."""
    known = rows(source)

    @settings(max_examples=25)
    @given(st.data())
    def differ(data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(known))
        twin = {**row}
        for column in sorted(source.labels or {"label"}):
            elsewhere = [other.get(column) for other in known]
            twin[column] = data.draw(st.sampled_from(elsewhere) | json_values)
        try:
            source.part(row), source.part(twin)
        except Rejected:  # a label that is none says nothing about the plans
            return
        assert planned(adapter, made(source, row)) == planned(adapter, made(source, twin))

    differ()


@each_source
def test_a_damaged_row_is_rejected_or_read_and_breaks_nothing(source: Source, rows: Rows, made: Made) -> None:
    known = rows(source)

    @given(st.data())
    def damage(data: st.DataObject) -> None:
        row = copy.deepcopy(data.draw(st.sampled_from(known)))
        at: Any = row
        for _ in range(data.draw(st.integers(0, 4))):
            inner = list(at.values()) if isinstance(at, dict) else at
            inner = [value for value in inner if isinstance(value, dict | list) and value]
            if not inner:
                break
            at = data.draw(st.sampled_from(inner))
        place = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        value = at[place]
        cut = st.integers(0, len(value)).map(lambda end: value[:end]) if isinstance(value, str) else st.none()
        at[place] = data.draw(cut | json_values)
        for material in made(source, row) or []:
            if isinstance(material, Talk):
                json.dumps([m.content for m in material.messages], ensure_ascii=False).encode()

    damage()


@each_source
@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "[" * 200_000, "f(" * 100_000, '"' * 100_001, "\\u0041" * 99]
)
def test_a_text_of_any_length_is_read_or_rejected(source: Source, text: str, rows: Rows, made: Made) -> None:
    row = rows(source)[0]
    for column, value in row.items():
        if isinstance(value, str):
            made(source, {**row, column: text})
    for column in ("messages", "conversations", "conversation", "prompt", "steps"):
        if isinstance(row.get(column), list):
            for index, turn in enumerate(row[column]):
                for name in turn:
                    turns = [*row[column]]
                    turns[index] = {**turn, name: text}
                    made(source, {**row, column: turns})


def test_flags_of_single_turns_do_not_reach_the_materials(rows: Rows, made: Made) -> None:
    wildchat = source("wildchat")
    for row in rows(wildchat):
        if isinstance(row["conversation"], list) and all(isinstance(t, dict) for t in row["conversation"]):
            turns = [{**turn, "toxic": True, "redacted": True} for turn in row["conversation"]]
            assert made(wildchat, row) == made(wildchat, {**row, "conversation": turns})
