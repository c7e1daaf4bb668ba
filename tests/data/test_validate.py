"""What validation promises: a build in order has no problem, and whatever is wrong is told with its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gatling.data.columns import Energies, Row
from gatling.data.run import TERMS
from gatling.data.shards import MANIFEST, ShardError
from gatling.data.validate import CATEGORIES, SHOWN, problems, stats, validate
from gatling.plan import Edge, Explanation, Origin

Save = Callable[[Path, list[Row]], None]


def test_a_build_in_order_has_no_problem(built: list[Row], folder: Path) -> None:
    report = validate(folder)
    assert report.problems == []
    assert (report.rows, report.found) == (len(built), 0)


def test_no_sample_of_the_worlds_has_a_problem(built: list[Row]) -> None:
    assert {row.id: found for row in built if (found := list(problems(row)))} == {}


def called(built: list[Row]) -> Row:
    """A benign sample whose first call has arguments and reads, and whose later calls cite texts."""
    return next(
        row
        for row in built
        if row.category == "benign" and len(row.calls) > 2 and row.edges and row.calls[0].provenance
    )


def recited(row: Row, index: int, span: int) -> Row:
    """The row, with a call that cites another span."""
    call = row.calls[index]
    argument = replace(call.provenance[0], origins=(Origin(span, 1.0, "exact"),))
    calls = (*row.calls[:index], replace(call, provenance=(argument,)), *row.calls[index + 1 :])
    return replace(row, calls=calls)


def explained(row: Row, span: int) -> Row:
    found = Explanation(
        *(span, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, False, 0, False, False, 0, False, 0, 0, False, 0)
    )
    return replace(row, calls=(replace(row.calls[0], explanations=(found,)), *row.calls[1:]))


def answer(row: Row, call: int) -> int:
    """The first span of a call's output."""
    return next(span.id for span in row.spans if span.call == call)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda row: replace(row, category="mutated"), "kind 'gold' in the category 'mutated'"),
        (lambda row: replace(row, tools="{"), "tools: no JSON array"),
        (lambda row: replace(row, calls=row.calls[1:]), "the plan's calls are not those that"),
        (lambda row: replace(row, energies=row.energies[1:]), "energies: "),
        (lambda row: replace(row, opinions=()), "opinions: 0 entries for"),
        (lambda row: replace(row, energy=1.0), "energy: 1.0 is not that of the worst call"),
        (lambda row: replace(row, spans=row.spans[::-1]), "the ids do not count from 0"),
        (lambda row: replace(row, edges=(Edge(1, 1, "x"),)), "edges: 1 -> 1; data flows from a call"),
        (lambda row: recited(row, 0, 10**6), "cites span 1000000; there are"),
        (lambda row: recited(row, 0, answer(row, 0)), "which was read after the call was proposed"),
        (lambda row: recited(row, 0, len(row.spans) - 1), "which was read after the call was proposed"),
        (lambda row: explained(row, answer(row, 0)), "which was read after the call was proposed"),
    ],
)
def test_what_cannot_be_true_of_a_sample_is_told(
    built: list[Row], wrong: Callable[[Row], Row], what: str
) -> None:
    row = replace(called(built), kind="gold")
    assert list(problems(row)) == []
    assert what in "\n".join(problems(wrong(row)))


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan")])
@pytest.mark.parametrize("table", ["energies", "opinions"])
def test_energies_out_of_range_are_told(built: list[Row], table: str, value: float) -> None:
    row = built[0]
    entries = getattr(row, table)
    wrong: Any = {table: (entries[0]._replace(flow=value), *entries[1:])}
    assert any(f"{table}[0].flow: {value} is not within" in what for what in problems(replace(row, **wrong)))


def test_labels_on_the_wrong_side_of_the_threshold_are_told(built: list[Row]) -> None:
    def at(row: Row, energy: float) -> str:
        entries = tuple(Energies(entry.call, *[energy] * len(TERMS)) for entry in row.energies)
        return "\n".join(problems(replace(row, energies=entries, energy=energy)))

    benign = next(row for row in built if row.category == "benign")
    attack = next(row for row in built if row.category == "mutated")
    assert at(benign, 1.9) == at(attack, 2.0) == ""
    assert "energy: 2.0 by construction; a benign plan's is under 2" in at(benign, 2.0)
    assert "energy: 1.9 by construction; an attack's is at least 2" in at(attack, 1.9)


def test_a_problem_is_told_with_file_row_and_id(built: list[Row], tmp_path: Path, save: Save) -> None:
    train = [row for row in built if row.split == "train"]
    at = train.index(row := train[3])
    save(tmp_path, [replace(r, tools="{") if r is row else r for r in built])
    report = validate(tmp_path)
    assert report.problems == [
        f"{tmp_path / 'train-00000.parquet'}: row {at} ({row.id!r}): tools: no JSON array"
    ]
    assert not report.passed


def test_an_id_twice_and_a_group_in_two_splits_are_told(built: list[Row], tmp_path: Path, save: Save) -> None:
    train, other = (next(row for row in built if (row.split == "train") is there) for there in (True, False))
    moved = replace(other, id=train.id, group=train.group)
    save(tmp_path, [moved if row is other else row for row in built])
    report = validate(tmp_path)
    assert report.found >= 2
    assert any("the id stands twice" in problem for problem in report.problems)
    assert any(f"group {train.group!r} is in the split" in problem for problem in report.problems)


def test_a_mix_that_is_off_is_told(built: list[Row], tmp_path: Path, save: Save) -> None:
    save(tmp_path, [row for row in built if row.category != "mutated"])
    told = "\n".join(validate(tmp_path).problems)
    assert "0.0% of the rows are mutated; the mix wants 20% within 1%" in told
    assert "75.0% of the rows are benign" in told


def test_counts_that_are_off_are_told(folder: Path) -> None:
    path = folder / MANIFEST
    held = json.loads(path.read_bytes())
    held["counts"]["train"]["benign"]["gold"] += 1
    shard = held["shards"][0]
    shard["rows"] += 1
    path.write_text(json.dumps(held))
    report = validate(folder)
    rows, gold = shard["rows"], held["counts"]["train"]["benign"]["gold"]
    assert report.problems == [
        f"{folder / shard['file']}: {rows - 1} readable rows; manifest.json names {rows}",
        f"{path}: counts {gold} of 'train/benign/gold'; the shards hold {gold - 1}",
    ]


@pytest.mark.parametrize("value", ["{", "[" * 100_000])
def test_arguments_that_are_no_json_are_told_with_their_row(folder: Path, value: str) -> None:
    path = folder / "train-00000.parquet"
    held = pq.read_table(path)
    calls = held["calls"].to_pylist()
    calls[2][0]["arguments"] = value
    at = held.schema.get_field_index("calls")
    column = held.schema.field(at)
    pq.write_table(held.set_column(at, column, pa.array(calls, column.type)), path)
    report = validate(folder)
    assert any(problem.startswith(f"{path}: row 2: a value that no row has: ") for problem in report.problems)
    assert report.rows == 59


def test_damaged_files_are_told_and_the_others_are_read(folder: Path) -> None:
    path = folder / "train-00000.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    report = validate(folder)
    assert 0 < report.rows < 60
    told = "\n".join(report.problems)
    assert f"{path}: cut short" in told
    assert f"{path}: cannot be read" in told
    path.unlink()
    assert f"{path}: missing" in validate(folder).problems[0]


def test_the_first_problems_are_spelled_out_and_all_are_counted(
    built: list[Row], tmp_path: Path, save: Save
) -> None:
    save(tmp_path, [replace(row, tools="") for row in built])
    report = validate(tmp_path)
    assert len(report.problems) == SHOWN
    assert report.found == len(built)


def test_a_folder_that_is_no_build_cannot_be_validated(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: not there"):
        validate(tmp_path)


def test_statistics_count_every_sample_once(built: list[Row], folder: Path) -> None:
    found = stats(folder)
    assert found.rows == len(built)
    assert found.mix == Counter(row.category for row in built)
    once = (found.splits, found.kinds, found.sources, found.languages)
    lengths = (found.calls, found.messages, found.energies, found.opinions)
    for counts in (*once, *lengths):
        assert sum(counter.total() for counter in counts.values()) == len(built)
    assert found.disputed.total() == sum(row.disputed for row in built)
    assert set(found.families) == {row.family for row in built} - {""}
    assert {n: c.total() for n, c in found.messages.items()} == Counter(len(row.messages) for row in built)
    assert {n: c.total() for n, c in found.calls.items()} == Counter(len(row.calls) for row in built)


def test_terms_move_by_construction_in_attacks_and_in_the_audit_for_benign_samples(
    built: list[Row], folder: Path
) -> None:
    found = stats(folder).terms
    for term in TERMS:
        for category in CATEGORIES:
            mine = [row for row in built if row.category == category]
            moved = [
                any(getattr(entry, term) >= 0.5 for entry in row.opinions)
                if category == "benign"
                else any(getattr(entry, term) >= 2.0 for entry in row.energies)
                for row in mine
            ]
            assert found[term][category] == sum(moved)
