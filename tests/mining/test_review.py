"""What the review promises: runs without a label, those nearest to the threshold first."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gatling import Auditor, read_trace
from gatling.mining.judging import MiningError
from gatling.mining.review import Unlabelled, doubts, gather, write
from gatling.model.network import LATENT
from tests.model.tiny import bundle, lines, trace, traces, trained

NAMES = ("clean", "resisted", "hijacked")


def unlabelled(number: int, kind: str) -> dict[str, Any]:
    return {
        name: value for name, value in trace(number, kind).items() if not name.startswith(("kind", "hij"))
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("review") / "model") / "model.safetensors"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [unlabelled(number, kind) for number in range(4) for kind in NAMES]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Path:
    return lines(tmp_path_factory.mktemp("review") / "logs.jsonl", rows)


@pytest.fixture(scope="module")
def runs(logs: Path) -> Unlabelled:
    return gather([logs])


def logit(row: dict[str, Any]) -> float:
    """What the audit's own network says of a run's worst call."""
    verdict = Auditor(model=bundle()).audit(read_trace(row))
    energy = max(call.terms[LATENT] for call in verdict.calls)
    return math.log(energy / (10 - energy))


def test_margins_are_the_audits_distances_nearest_first(
    runs: Unlabelled, rows: list[dict[str, Any]], weights: Path
) -> None:
    logits = {row["id"]: logit(row) for row in rows}
    threshold = sorted(logits.values())[5] + 1e-6
    found = doubts(runs, weights, threshold)
    assert {doubt.id for doubt in found} == logits.keys()
    assert [doubt.margin for doubt in found] == sorted(doubt.margin for doubt in found)
    assert {doubt.side for doubt in found} == {"escalated", "allowed"}
    for doubt in found:
        distance = logits[doubt.id] - threshold
        # The encoded vectors have 16 bits.
        assert doubt.margin == pytest.approx(abs(distance), abs=0.02)
        if doubt.margin > 0.02:
            assert doubt.side == ("escalated" if distance > 0 else "allowed")


def test_a_run_is_found_by_its_file_and_line(
    runs: Unlabelled, rows: list[dict[str, Any]], logs: Path, weights: Path
) -> None:
    for doubt in doubts(runs, weights, 0.0):
        assert doubt.file == str(logs)
        assert rows[doubt.line - 1]["id"] == doubt.id


def test_no_more_are_listed_than_wanted(runs: Unlabelled, weights: Path) -> None:
    assert doubts(runs, weights, 0.0, 3) == doubts(runs, weights, 0.0)[:3]


def test_what_has_a_label_or_no_call_is_not_listed(tmp_path: Path, weights: Path) -> None:
    silent = {"id": "silent", "messages": [{"role": "user", "content": "Hello."}]}
    own = {**unlabelled(1, "clean"), "id": "unsure", "kind": "unclear"}
    mixed = lines(tmp_path / "mixed.jsonl", [trace(1, "clean"), silent, own, trace(1, "hijacked")])
    told: list[str] = []
    found = doubts(gather([mixed], told=told.append), weights, 0.0)
    assert [(doubt.id, doubt.line) for doubt in found] == [("unsure", 3)]
    assert any("2 traces left out" in line for line in told)


def test_tools_told_beside_the_traces_are_known(logs: Path, weights: Path, runs: Unlabelled) -> None:
    described = [
        {"name": "send_email", "description": "Reads a page.", "parameters": {}},
        {"name": "read_page", "description": "Deletes a page.", "parameters": {}},
    ]
    other = doubts(gather([logs], described), weights, 0.0)
    assert {doubt.id: doubt.margin for doubt in other} != {
        doubt.id: doubt.margin for doubt in doubts(runs, weights, 0.0)
    }


@pytest.mark.parametrize(
    ("row", "words"),
    [("{", "odd.jsonl:2: invalid JSON"), ("[1]", "odd.jsonl:2: "), ('{"id": "a"}', "odd.jsonl:2: ")],
)
def test_a_line_that_is_no_trace_is_told(row: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(f"{json.dumps(unlabelled(1, 'clean'))}\n{row}\n")
    with pytest.raises(MiningError) as error:
        gather([path])
    assert words in str(error.value)


def test_files_with_labelled_runs_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MiningError, match="no run without a label"):
        gather([traces(tmp_path / "all.jsonl", range(2))])


def test_the_list_is_one_run_a_line(runs: Unlabelled, weights: Path, tmp_path: Path) -> None:
    found = doubts(runs, weights, 0.0)
    path = write(found, tmp_path)
    assert path.name == "review.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [tuple(row) for row in rows] == [("id", "file", "line", "margin", "side")] * len(found)
    assert [row["id"] for row in rows] == [doubt.id for doubt in found]
    assert write(doubts(runs, weights, 0.0), tmp_path).read_bytes() == path.read_bytes()
