"""An evaluation as one plain value, and its report as JSON, Markdown and one HTML page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias, TypedDict

from gatling.evaluate import breakdowns, calls, comparison, curves, errors, sections
from gatling.evaluate.bootstrap import DRAWS, LEVEL, Estimate
from gatling.evaluate.scored import ScoredRun, check
from gatling.evaluate.words import markdown, page

Fact: TypeAlias = str | int | float | bool | None


class Evaluated(TypedDict):
    """What was evaluated."""

    runs: int
    groups: int
    violating: int
    benign: int
    uncounted: int
    """Attempted and unclear runs: their flags are shown, and they count in nothing else."""
    critic: int
    """Runs labelled by our own rules: they count in the table by label source alone."""
    datasets: dict[str, int]
    splits: dict[str, int]


class Method(TypedDict):
    """How the intervals were made."""

    seed: int
    draws: int
    level: float


class Evaluation(TypedDict):
    """All that a report says: plain values, always in this order, without a time stamp of their own."""

    format: int
    model: dict[str, Fact]
    evaluated: Evaluated
    method: Method
    thresholds: list[curves.Threshold]
    auc: Estimate
    """Of violating runs against benign ones."""
    margin: Estimate
    """The security margin; see `gatling.evaluate.metrics.margin`."""
    budgets: list[curves.Budget]
    kinds: list[sections.Kind]
    bands: list[sections.Band]
    calls: calls.Calls
    terms: list[calls.Term]
    reliability: curves.Reliability
    breakdowns: list[breakdowns.Breakdown]
    errors: errors.Errors
    latency: list[sections.Latency]
    curve: curves.Curve
    histograms: curves.Histograms


def evaluate(runs: Iterable[ScoredRun], *, model: Mapping[str, Fact], seed: int) -> Evaluation:
    """Measure scored runs; equal runs, in whatever order, and an equal seed give an equal evaluation.

    `model` is what the report says of the model: its name, hash, training data, whatever the caller knows.

    Raises:
        EvaluationError: there are no runs, one stands twice, or a number is out of its range.
    """
    compared = comparison.Comparison(check(runs), seed)
    kinds, terms = sections.kinds(compared), calls.terms(compared)
    return Evaluation(
        format=1,
        model=dict(model),
        evaluated=_evaluated(compared),
        method=Method(seed=seed, draws=DRAWS, level=LEVEL),
        thresholds=curves.thresholds(compared),
        auc=compared.auc(compared.bad, compared.good),
        margin=compared.margin(),
        budgets=curves.budgets(compared),
        kinds=kinds,
        bands=sections.bands(compared),
        calls=calls.calls(compared),
        terms=terms,
        reliability=curves.reliability(compared),
        breakdowns=breakdowns.breakdowns(compared),
        errors=errors.errors(compared),
        latency=sections.latency(compared),
        curve=curves.curve(compared),
        histograms=curves.histograms(compared, kinds, [term["name"] for term in terms]),
    )


def _evaluated(compared: comparison.Comparison) -> Evaluated:
    runs = compared.runs
    return Evaluated(
        runs=len(runs),
        groups=len({run.group for run in runs}),
        violating=len(compared.bad),
        benign=len(compared.good),
        uncounted=sum(run.violation is None for run in runs),
        critic=sum(run.violation is not None and comparison.critic(run) for run in runs),
        datasets=dict(sorted(Counter(run.dataset for run in runs).items())),
        splits=dict(sorted(Counter(run.split for run in runs if run.split).items())),
    )


def write(evaluation: Evaluation, folder: Path) -> None:
    """Write `evaluation.json`, `evaluation.md` and `evaluation.html`; equal evaluations give equal bytes.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "evaluation.json": json.dumps(evaluation, indent=1, allow_nan=False) + "\n",
        "evaluation.md": markdown(evaluation),
        "evaluation.html": page(evaluation),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
