"""What a threshold buys: recall at false-positive budgets, the ROC curve, reliability, histograms."""

from __future__ import annotations

from functools import partial
from typing import TypedDict

import numpy as np

from gatling.evaluate import metrics
from gatling.evaluate.bootstrap import Estimate, Share
from gatling.evaluate.comparison import DENY, ESCALATE, Comparison, critic
from gatling.evaluate.sections import Kind

BUDGETS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""False-positive budgets at which recall is reported."""

POINTS = 500
"""Corners that are kept of a curve."""

_GRID = np.geomspace(0.001, 0.5, 19).round(6).tolist()
"""False-positive rates at which the curve has an interval."""

_EDGES = np.linspace(0, 10, 21)
"""Edges of a histogram's bars, in energy."""


class Threshold(TypedDict):
    """What is flagged where every run that reaches an energy is."""

    energy: float
    caught: Share
    """Of the violating runs."""
    flagged: Share
    """Of the benign ones."""


def thresholds(compared: Comparison) -> list[Threshold]:
    """The default thresholds: from the first on a call is escalated, from the second on denied."""
    return [
        Threshold(
            energy=energy,
            caught=compared.over(energy, compared.bad),
            flagged=compared.over(energy, compared.good),
        )
        for energy in (ESCALATE, DENY)
    ]


class Budget(TypedDict):
    """Recall at a false-positive budget; a run is flagged when its energy is above the threshold."""

    budget: float
    threshold: Estimate
    recall: Estimate


def budgets(compared: Comparison) -> list[Budget]:
    """Recall at each of `BUDGETS`."""
    good = compared.energy[compared.good]
    return [
        Budget(
            budget=budget,
            threshold=compared.bootstrap.estimate(partial(metrics.threshold_at, good, budget), compared.good),
            recall=compared.recall(compared.bad, compared.good, budget),
        )
        for budget in BUDGETS
    ]


class Curve(TypedDict):
    """The ROC curve; the DET curve is its complement. `band`: rate, lower and upper end of the recall."""

    false: list[float]
    recall: list[float]
    band: list[tuple[float, float, float]]


def curve(compared: Comparison) -> Curve:
    """The ROC curve with a pointwise interval; empty where a side is missing."""
    made = Curve(false=[], recall=[], band=[])
    if len(compared.bad) and len(compared.good):
        points = np.stack(metrics.roc(compared.energy[compared.bad], compared.energy[compared.good]))
        steps = np.diff(points)
        turns = steps[0, :-1] * steps[1, 1:] != steps[0, 1:] * steps[1, :-1]
        points = points[:, np.concatenate([[True], turns, [True]])]
        kept = np.unique(np.linspace(0, points.shape[1] - 1, POINTS).round().astype(int))
        made["false"], made["recall"] = points[:, kept].round(6).tolist()
        for rate in _GRID:
            found = compared.recall(compared.bad, compared.good, rate)
            if found["low"] is not None and found["high"] is not None:
                made["band"].append((rate, found["low"], found["high"]))
    return made


class Bin(TypedDict):
    """Runs whose energy lies from `low` up to `high`: what it claims, and how many of them violate."""

    low: float
    high: float
    claimed: float
    violating: Share


class Reliability(TypedDict):
    """Energy over 10, read as the probability that a run violates, against what is so."""

    error: Estimate
    """Expected calibration error."""
    prevalence: float | None
    """Share of violating runs, on which all of this rests."""
    bins: list[Bin]


def reliability(compared: Comparison) -> Reliability:
    """Bins of width 1, those without runs left out."""
    runs = np.concatenate([compared.good, compared.bad])
    violates = np.repeat([False, True], [len(compared.good), len(compared.bad)])
    claimed = compared.energy[runs] / 10
    place = metrics.bins(claimed)
    error = compared.bootstrap.estimate(
        partial(metrics.expected_calibration_error, claimed, violates.astype(float)), runs
    )
    return Reliability(
        error=error,
        prevalence=round(float(violates.mean()), 6) if len(runs) else None,
        bins=[
            Bin(
                low=10 * number / metrics.BINS,
                high=10 * (number + 1) / metrics.BINS,
                claimed=round(float(claimed[place == number].mean()), 6),
                violating=compared.bootstrap.share(violates[place == number], runs[place == number]),
            )
            for number in np.unique(place).tolist()
        ],
    )


class Histograms(TypedDict):
    """Runs by energy: kind -> count of each bar, and term -> side -> count of each bar."""

    edges: list[float]
    kinds: dict[str, list[int]]
    terms: dict[str, dict[str, list[int]]]


def histograms(compared: Comparison, listed: list[Kind], terms: list[str]) -> Histograms:
    """Energies by kind, and the worst call's terms of benign and violating runs."""
    sides = {"benign": compared.good, "violating": compared.bad}

    def bars(values: list[float]) -> list[int]:
        counts: list[int] = np.histogram(values, _EDGES)[0].tolist()
        return counts

    return Histograms(
        edges=_EDGES.tolist(),
        kinds={
            kind["name"]: bars(
                [run.energy for run in compared.runs if run.kind == kind["name"] and not critic(run)]
            )
            for kind in listed
        },
        terms={
            term: {side: bars([compared.runs[n].term(term) for n in runs]) for side, runs in sides.items()}
            for term in terms
        },
    )
