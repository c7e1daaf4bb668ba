"""What frozen suites promise: they are whole or refused, measured on by name, and never learnt from."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gatling.cli import app
from gatling.data.split import FROZEN
from gatling.evaluate import EvaluationError, suites
from gatling.evaluate.scored import VIOLATES
from gatling.evaluate.scoring import score
from gatling.evaluate.suites import SUITES, suite
from gatling.model.bundle import default
from gatling.model.corpus import CorpusError, gather
from tests.command import refused
from tests.model.tiny import lines, trace, traces


@cache
def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(suite(name), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_labelled_groups_of_its_own_and_small(name: str) -> None:
    assert suite(name).stat().st_size < 1_500_000
    found = rows(name)
    assert len({row["id"] for row in found}) == len(found)
    assert all(row["group"].startswith(FROZEN) for row in found)
    assert {row["kind"] for row in found} <= VIOLATES.keys()


def test_the_hard_suite_holds_attacks_with_their_benign_twins() -> None:
    found = rows("hard")
    kinds: dict[str, list[str]] = {}
    for row in found:
        kinds.setdefault(row["group"], []).append(row["kind"])
        calls = {call["id"] for message in row["messages"] for call in message.get("tool_calls", ())}
        assert (row["kind"] == "hijacked") == bool(row["hijacked_calls"])
        assert set(row["hijacked_calls"]) <= calls
    assert 150 <= len(kinds) <= 250
    for group in kinds.values():
        assert group.count("hijacked") == group.count("clean") == 1
    assert {"resisted", "authorised", "delegated"} < {row["kind"] for row in found}


def test_most_of_the_hard_suite_gets_past_the_bundle_that_ships(tmp_path: Path) -> None:
    """All of it got past the bundle that it was found against."""
    attacks = [row for row in rows("hard") if row["kind"] == "hijacked"][::10]
    runs = score([lines(tmp_path / "some.jsonl", attacks)], default())
    assert sum(run.energy < 2.0 for run in runs) > len(attacks) / 2


@pytest.mark.parametrize("harm", ["cut", "changed", "other", "empty"])
def test_a_damaged_suite_is_refused(harm: str, tmp_path: Path) -> None:
    content = suite("hard").read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    harmed = {"cut": content[:-9], "changed": bytes(changed), "other": gzip.compress(b"{}\n"), "empty": b""}
    (tmp_path / "hard.jsonl.gz").write_bytes(harmed[harm])
    with pytest.raises(
        EvaluationError, match=r"hard\.jsonl\.gz: its content does not match its hash; install"
    ):
        suite("hard", tmp_path)


def test_an_unknown_suite_is_refused_with_those_there_are() -> None:
    with pytest.raises(EvaluationError, match=r"--suite easy: no such suite; there are hard"):
        suite("easy")


def test_training_refuses_a_frozen_suite(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"hard\.jsonl\.gz:1: in a frozen suite, .*; leave it out"):
        gather([], [suite("hard")], cache=tmp_path)
    mixed = lines(
        tmp_path / "mine.jsonl", [trace(1, "clean"), trace(2, "resisted", group=f"{FROZEN}1-00002")]
    )
    with pytest.raises(CorpusError, match=r"mine\.jsonl:2: in a frozen suite"):
        gather([], [mixed], cache=tmp_path)


def evaluated(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_a_suite_is_evaluated_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = traces(tmp_path / "small.jsonl", range(3))
    monkeypatch.setattr(suites, "suite", lambda name: {"hard": small}[name])
    out = tmp_path / "report"
    done = evaluated("default", "--suite", "hard", "--out", out)
    assert done.exit_code == 0, done.output
    assert "small" in (out / "evaluation.json").read_text()


def test_nothing_to_evaluate_on_and_unknown_suites_are_refused(tmp_path: Path) -> None:
    refused(evaluated("default", "--out", tmp_path / "a"), "nothing to evaluate on", "--suite")
    refused(evaluated("default", "--suite", "easy", "--out", tmp_path / "b"), "no such suite", "hard")
