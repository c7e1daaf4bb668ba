"""The stages: what each reads, what decides its output, and how it is made.

A stage's function may be killed at any point and is called again with the same folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.presets import OFFLINE
from gatling.data.shards import Manifest, read_manifest, write_file
from gatling.data.validate import CATEGORIES
from gatling.data.validate import validate as check
from gatling.energy.calibration import Threshold
from gatling.evaluate import ScoredRun, summary, write
from gatling.evaluate import evaluate as measure
from gatling.evaluate.assembly import assemble, thresholds
from gatling.evaluate.scoring import score
from gatling.mining.rounds import mine as dig
from gatling.model.bundle import Bundle, load
from gatling.model.corpus import gather
from gatling.model.train import Standing
from gatling.model.train import train as fit
from gatling.pipeline.recipe import Recipe
from gatling.pipeline.state import PipelineError

BUNDLE = "bundle.safetensors"

TWINS = frozenset({"clean", "resisted", "authorised"})
"""The benign twins of attacks: on these, the hardest benign runs, thresholds are set."""

Found: TypeAlias = dict[str, Any]
"""What is to be told of a stage: plain values, the same on every run."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage is made from."""

    name: str
    """The recipe's."""
    recipe: Recipe
    home: Path
    """The run's folder; every stage has one of its own in it."""
    found: Mapping[str, Found]
    """What the stages before have to tell."""
    workers: int
    threads: int
    told: Callable[[str], None]
    """Hears how it goes."""

    def of(self, stage: str) -> Path:
        """A stage's folder."""
        return self.home / stage


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage."""

    name: str
    reads: tuple[str, ...]
    """The stages whose output decides its own."""
    settings: Callable[[Work], Any]
    """What else does, as plain values."""
    outputs: tuple[str, ...]
    """Patterns of the files that it leaves to others."""
    make: Callable[[Work], Found]


def build(work: Work) -> Found:
    """Samples from the preset."""
    wanted = work.recipe.build
    return _built(work, work.of("build"), wanted.size, wanted.seed, wanted.preset)


def _built(work: Work, out: Path, size: int, seed: int, preset: str) -> Found:
    manifest, standing = GatlingDatasetBuilder(
        preset,
        size=size,
        seed=seed,
        workers=work.workers,
        told=lambda standing: work.told(f"{standing.samples:,} of {standing.size:,} samples"),
    ).build(out)
    return {"samples": manifest.rows, "dropped": dict(standing.dropped), "splits": _splits(manifest)}


def _splits(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Split -> category -> samples."""
    return {
        split: {category: sum(counts.get(category, {}).values()) for category in CATEGORIES}
        for split, counts in manifest.counts.items()
    }


def validate(work: Work) -> Found:
    """Every row checked, and the leakage audit; what does not pass stops the run."""
    found = _valid(work, work.of("build"))
    write_file(work.of("validate") / "validation.json", (json.dumps(found, indent=1) + "\n").encode())
    return found


def _valid(work: Work, folder: Path) -> Found:
    work.told("checking every row, then what a label could be read off")
    report = check(folder)
    if not report.passed:
        leaks = [str(shortcut) for shortcut in report.shortcuts if not shortcut.passed]
        remedy = f"see gatling validate {folder}"
        raise PipelineError("\n".join([*report.problems, *leaks, f"the build is not valid: {remedy}"]))
    return {
        "rows": report.rows,
        "shortcuts": [str(shortcut) for shortcut in report.shortcuts],
        "highest": max((s.auc for s in report.shortcuts if s.measured), default=None),
    }


def train(work: Work) -> Found:
    """The network."""
    torch.set_num_threads(work.threads)
    plans = work.of("build")
    work.told("encoding")
    corpus = gather([plans], cache=plans / ".encoded", told=work.told)
    trained = fit(
        work.recipe.train.whole,
        corpus.training,
        corpus.validation,
        work.of("train"),
        data=corpus.data,
        told=lambda standing: work.told(_step(standing)),
    )
    return {
        "runs": len(corpus.training),
        "steps": trained.step,
        "best_step": trained.best_step,
        **asdict(trained.measured),
    }


def _step(standing: Standing) -> str:
    return f"step {standing.step:,} of {standing.steps:,} ({standing.stage}), loss {standing.loss:.3f}"


def mine(work: Work) -> Found:
    """Samples that hit where the network errs, and the network trained on with them; all checked again."""
    torch.set_num_threads(work.threads)
    wanted = work.recipe.mine
    mined = dig(
        work.of("train"),
        work.of("build"),
        work.of("mine"),
        rounds=wanted.rounds,
        budget=wanted.budget,
        recipe=wanted.train.whole,
        seed=wanted.seed,
        workers=work.workers,
        told=work.told,
    )
    manifest = read_manifest(mined.data)
    return {
        "data": mined.data.relative_to(work.home).as_posix(),
        "model": mined.model.relative_to(work.home).as_posix(),
        "samples": manifest.rows,
        "splits": _splits(manifest),
        "rounds": [str(found) for found in mined.rounds],
        "stopped": mined.stopped,
        "valid": _valid(work, mined.data),
    }


def bundle(work: Work) -> Found:
    """One file of the network: gains chosen, and first thresholds set, on its validation runs."""
    found = work.found["mine"]
    made = assemble(
        work.home / found["model"],
        [work.home / found["data"]],
        name=work.name,
        command=f"gatling run {work.name}",
        budget=work.recipe.calibrate.budget,
        workers=work.workers,
        told=_scored(work),
    )
    made.save(work.of("bundle") / BUNDLE)
    return {"sha256": made.sha256, "gains": dict(made.weights.gains)}


def calibrate(work: Work) -> Found:
    """The same bundle with thresholds set on the benign twins of a build whose groups nothing has seen.

    It is of worlds alone, for another seed would read the same public rows.
    """
    wanted, out = work.recipe.calibrate, work.of("calibrate")
    _built(work, out / "data", wanted.size, wanted.seed, OFFLINE)
    given = load(work.of("bundle") / BUNDLE)
    runs = _judged(work, out / "data", given, "train")
    twins = [run for run in runs if run.kind in TWINS or run.kind == "hijacked"]
    made = given.calibrated(thresholds(twins, given.weights, wanted.budget))
    made.save(out / BUNDLE)
    fitted = made.weights.calibration
    return {
        "sha256": made.sha256,
        "escalate": _threshold(fitted.escalate),
        "deny": _threshold(fitted.deny),
    }


def _threshold(found: Threshold) -> Found:
    benign, caught = found.false_positives, found.detected
    return {
        "budget": found.budget,
        "raw": found.raw,
        "benign": benign.value,
        "runs": benign.runs,
        "hijacked": caught.value if caught is not None else None,
    }


def evaluate(work: Work) -> Found:
    """What the calibrated bundle does on splits that nothing was trained or chosen on: a report for each.

    They hold no times, so that they are the same on every run.
    """
    given = load(work.of("calibrate") / BUNDLE)
    facts = {"name": given.card.name, "sha256": given.sha256, "gatling": given.card.gatling}
    found: Found = {}
    for split in work.recipe.evaluate.splits:
        runs = _judged(work, work.of("build"), given, split)
        measured = measure(runs, model=facts, seed=0)
        measured["latency"] = []
        write(measured, work.of("evaluate") / split)
        found[split] = {
            "runs": len(runs),
            "auc": measured["auc"],
            "flagged": measured["thresholds"][0]["flagged"],
            "caught": {k["name"]: k["flagged"] for k in measured["kinds"] if k["violation"]},
            "summary": summary(measured),
        }
    return found


def _judged(work: Work, data: Path, given: Bundle, split: str) -> list[ScoredRun]:
    """A split's runs under a bundle that was not trained on any of their groups."""
    runs = score([data], given, split=split, workers=work.workers, told=_scored(work, split))
    given.refuse(run.group for run in runs)
    return runs


def _scored(work: Work, split: str = "validation") -> Callable[[int], None]:
    return lambda runs: work.told(f"{runs:,} runs of {split} scored")


_DATA = ("manifest.json", "*.parquet")
_MODEL = ("model.safetensors", "data.json", "groups.txt", "inherited.txt", "recipe.toml")

STAGES = (
    Stage("build", (), lambda work: work.recipe.build.model_dump(), _DATA, build),
    Stage("validate", ("build",), lambda work: {}, ("validation.json",), validate),
    Stage(
        "train",
        ("build", "validate"),
        lambda work: [work.recipe.train.whole.model_dump(mode="json"), work.threads],
        _MODEL,
        train,
    ),
    Stage(
        "mine",
        ("build", "train"),
        lambda work: [work.recipe.mine.model_dump(mode="json"), work.threads],
        ("report.*", *(f"data/{name}" for name in _DATA), *(f"*/model/{name}" for name in _MODEL)),
        mine,
    ),
    Stage(
        "bundle",
        ("mine",),
        lambda work: [work.name, work.recipe.calibrate.budget],
        (BUNDLE,),
        bundle,
    ),
    Stage(
        "calibrate",
        ("bundle",),
        lambda work: work.recipe.calibrate.model_dump(),
        (BUNDLE,),
        calibrate,
    ),
    Stage(
        "evaluate",
        ("build", "calibrate"),
        lambda work: work.recipe.evaluate.model_dump(),
        ("*/evaluation.*",),
        evaluate,
    ),
)
"""In order. A bundle must exist before it can be calibrated and measured, so it comes before both."""
