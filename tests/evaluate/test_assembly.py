"""What assembling promises: a bundle of what was trained, tuned on nothing that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gatling
from gatling.energy.weights import analytic
from gatling.evaluate import EvaluationError, ScoredRun
from gatling.evaluate.assembly import LIMITS, assemble, thresholds
from gatling.evaluate.fusion import fused
from gatling.evaluate.scoring import score
from gatling.model.bundle import Bundle, BundleError, group_code, load
from gatling.model.calibrate import groups_needed
from gatling.model.network import LATENT
from tests.model.tiny import DATA, SIZES, arrays, build, traces, trained

Make = Callable[..., ScoredRun]
MakeMany = Callable[..., list[ScoredRun]]

LEARNT = [f"fair {number}" for number in range(6)]
"""Groups of the traces below that training saw."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("inputs")
    plans = build(folder / "plans", train=range(2), validation=range(2, 8))
    return [plans, traces(folder / "fairs.jsonl", range(18))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    groups = [*LEARNT, "offline-7/w0000000", "offline-7/w0000001"]
    return trained(tmp_path_factory.mktemp("trained") / "model", groups)


@pytest.fixture(scope="module")
def made(folder: Path, inputs: list[Path]) -> Bundle:
    return assemble(folder, inputs, name="ours", command="gatling bundle model", budget=0.5)


def test_it_holds_what_was_trained(made: Bundle) -> None:
    card = made.card
    assert (card.name, card.command, card.gatling) == ("ours", "gatling bundle model", gatling.__version__)
    assert (card.network, card.data, card.limits) == (SIZES, (DATA,), LIMITS)
    assert made.arrays.keys() == arrays().keys()
    assert all(np.array_equal(made.arrays[name], array) for name, array in arrays().items())
    assert made.terms[-1] == LATENT


def test_the_analytic_weights_stay_and_the_new_term_gets_a_gain(made: Bundle) -> None:
    assert made.weights.hierarchy == analytic().hierarchy
    assert made.weights.gains.keys() == {*analytic().gains, LATENT}
    assert made.weights.gains.items() > analytic().gains.items()
    assert 0.0 <= made.weights.gains[LATENT] <= 0.5
    assert made.weights.source == (*analytic().source, "gatling bundle model")
    assert analytic().gains.keys() == {"hierarchy", "provenance", "scope", "flow"}


def test_it_knows_what_it_was_trained_on(made: Bundle, inputs: list[Path]) -> None:
    assert made.groups.tolist() == sorted(
        map(group_code, [*LEARNT, "offline-7/w0000000", "offline-7/w0000001"])
    )
    for run in score(inputs, made, split="train"):
        learnt = run.dataset == "plans" or run.group in LEARNT
        if learnt:
            with pytest.raises(BundleError, match="are in the model's training data"):
                made.refuse([run.group])
        else:
            made.refuse([run.group])


def test_runs_that_the_model_before_a_fine_tuning_learnt_from_set_nothing(tmp_path: Path) -> None:
    folder, path = trained(tmp_path / "model"), traces(tmp_path / "fairs.jsonl", range(12))
    inherited = [group_code(f"fair {number}") for number in range(3)]
    (folder / "inherited.txt").write_text("".join(f"{code}\n" for code in inherited))
    made = assemble(folder, [path], name="", command="", budget=0.5)
    assert made.groups.tolist() == sorted(inherited)
    shares = [level.false_positives for level in made.weights.calibration.benign]
    assert {share.groups for share in shares} == {9}
    with pytest.raises(BundleError, match="fair 1"):
        made.refuse(["fair 1", "fair 5"])


def test_a_groups_name_may_hold_any_blank(tmp_path: Path) -> None:
    names = ["a\u2028b", "c\x0cd", "e f", "g\rh"]
    folder = trained(tmp_path / "model", names)
    made = assemble(folder, [traces(tmp_path / "a.jsonl", range(12))], name="", command="", budget=0.5)
    assert made.groups.tolist() == sorted(map(group_code, names))


def test_gains_and_thresholds_come_from_runs_that_it_was_not_trained_on(
    made: Bundle, inputs: list[Path]
) -> None:
    unseen = [run for run in score(inputs, made, split="validation") if run.group not in LEARNT]
    benign = [run for run in unseen if run.violation is False]
    share = made.weights.calibration.escalate.false_positives
    of_kind = [run for run in benign if made.weights.calibration.escalate.kind in (run.kind, "all")]
    assert (share.runs, share.groups) == (len(of_kind), len({run.group for run in of_kind}))
    assert made.weights.gains == fused(unseen, analytic().gains)
    flagged = sum(run.energy >= 2.0 for run in of_kind)
    assert flagged == round(share.value * share.runs)
    assert share.value <= 0.5


def test_the_same_again_and_with_two_workers_gives_the_same_bytes(
    made: Bundle, folder: Path, inputs: list[Path], tmp_path: Path
) -> None:
    heard: list[int] = []
    again = assemble(
        folder,
        inputs,
        name="ours",
        command="gatling bundle model",
        budget=0.5,
        workers=2,
        told=heard.append,
    )
    for name, one in (("a", made), ("b", again)):
        one.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load(tmp_path / "a").sha256 == made.sha256
    assert heard == list(range(1, len(heard) + 1))


# What is refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors: no such file; name a folder"),
        (lambda f: (f / "model.safetensors").write_bytes(b"no"), r"model\.safetensors: holds no network"),
        (lambda f: save_file(arrays(), f / "model.safetensors"), r"holds no network \(KeyError\); train"),
        (
            lambda f: save_file(arrays(), f / "model.safetensors", {"gatling": "{"}),
            "holds no network .*; train it again",
        ),
        (
            lambda f: save_file(arrays(), f / "model.safetensors", {"gatling": "3"}),
            r"model\.safetensors: .*; train it again",
        ),
        (
            lambda f: save_file(arrays(), f / "model.safetensors", {"gatling": '{"hidden": 8}'}),
            r"model\.safetensors: network: .* is None, needs .*; train it again",
        ),
        (
            lambda f: save_file(
                {**arrays(), "offset": np.array(np.nan, np.float32)},
                f / "model.safetensors",
                {"gatling": json.dumps(SIZES)},
            ),
            r"model\.safetensors: network: array offset holds what is no finite number; train it again",
        ),
        (lambda f: (f / "data.json").write_text("{"), r"data\.json: does not say what .*; train it again"),
        (lambda f: (f / "data.json").write_text("[]"), r"data\.json: does not say what .*; train it again"),
        (lambda f: (f / "data.json").write_text('{"data": [{"name": 3}]}'), r"data\.json: does not say"),
        (lambda f: (f / "data.json").write_bytes(b"\xff"), r"data\.json: does not say"),
    ],
)
def test_a_folder_that_is_none_of_training_is_refused(
    change: Any, words: str, inputs: list[Path], tmp_path: Path
) -> None:
    folder = trained(tmp_path / "model")
    change(folder)
    with pytest.raises(BundleError, match=words):
        assemble(folder, inputs, name="ours", command="", budget=0.5)


@pytest.mark.parametrize("missing", ["groups.txt", "data.json"])
def test_a_file_that_is_missing_is_an_os_error(missing: str, inputs: list[Path], tmp_path: Path) -> None:
    folder = trained(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(OSError, match=missing):
        assemble(folder, inputs, name="ours", command="", budget=0.5)


def test_too_few_runs_that_it_was_not_trained_on_are_refused(folder: Path, tmp_path: Path) -> None:
    path = traces(tmp_path / "fairs.jsonl", range(9))
    with pytest.raises(
        BundleError, match=r"3 groups of benign validation runs, and a budget of 0\.5 needs 6"
    ):
        assemble(folder, [path], name="ours", command="", budget=0.5)


def test_a_build_without_validation_is_refused(folder: Path, tmp_path: Path) -> None:
    plans = build(tmp_path / "plans", train=range(1))
    with pytest.raises(EvaluationError, match="plans: no split validation; there are train"):
        assemble(folder, [plans], name="ours", command="", budget=0.5)


# Thresholds


def test_thresholds_hold_their_budgets(runs: MakeMany) -> None:
    some = runs(600)
    weights = analytic()
    found = thresholds(some, weights, 0.1)
    assert found.escalate.budget == 0.1
    assert found.deny.budget == pytest.approx(0.02)
    chosen = weights.model_copy(update={"calibration": found})
    benign = [run for run in some if run.violation is False]
    for level, budget in ((2.0, 0.1), (6.0, 0.02)):
        flagged = [run for run in benign if max(chosen.energy(call.terms) for call in run.calls) >= level]
        assert len(flagged) <= budget * len(benign)
    assert [name for name, _ in found.terms] == ["flow", "hierarchy", "latent", "provenance", "scope"]
    for name, alone in found.terms:
        assert np.mean([run.term(name) >= alone.raw for run in benign]) <= 0.1 == alone.budget
    assert found.escalate.detected is not None
    assert found.escalate.detected.runs == sum(run.violation is True for run in some)


def test_the_denials_budget_is_what_the_groups_support(runs: MakeMany) -> None:
    some = [replace(run, group=f"g{n // 2}") for n, run in enumerate(runs(100, ("clean",)))]
    assert thresholds(some, analytic(), 0.2).deny.budget == pytest.approx(3 / 50)
    assert thresholds(some, analytic(), 0.06).deny.budget == pytest.approx(0.06)


def test_without_violating_runs_nothing_is_said_of_detection(runs: MakeMany) -> None:
    assert thresholds(runs(200, ("clean",)), analytic(), 0.1).escalate.detected is None


def test_the_groups_that_are_missing_are_counted(runs: MakeMany) -> None:
    some = runs(30, ("clean",))
    assert groups_needed(0.01) == 300
    with pytest.raises(BundleError, match=r"10 groups .* a budget of 0\.01 needs 300; .* a larger --budget"):
        thresholds(some, analytic(), 0.01)


def test_a_run_without_calls_is_benign_at_no_energy(run: Make, runs: MakeMany) -> None:
    some = runs(90, ("clean",))
    more = [run(f"e{n}", "clean", 0.0, calls=()) for n in range(910)]
    found = thresholds([*some, *more], analytic(), 0.05)
    assert found.escalate.false_positives.runs == 1000
