"""The tables of the ablations: each way of scoring with each metric, over seeds and with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.ablation_runs import COLUMNS, Array, Part
from benchmarks.common import table
from gatling.evaluate.bootstrap import Bootstrap, Estimate
from gatling.evaluate.metrics import auc, recall_at

FULL, ANALYTIC, PEER = "full", "analytic terms", "TF-IDF"
ALONE, JOINED = "network alone", "joined"
BUDGET = 0.01
SEED = 7
"""Of the bootstrap."""

Scorings: TypeAlias = Mapping[str, Sequence[Array]]
"""By column, the scores of its runs by each seed."""
Lines: TypeAlias = Mapping[tuple[str, str], Scorings]
"""By variant, and by what of it scores (empty for guards without the network)."""

Metric: TypeAlias = Callable[[Array, Array, Array, Array], Array]
METRICS: dict[str, Metric] = {
    "AUC": auc,
    f"recall at {BUDGET:.0%} false positives": lambda bad, good, *weights: recall_at(
        bad, good, BUDGET, *weights
    ),
}


class Cell(NamedTuple):
    """A figure over seeds."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def shown(self) -> str:
        if np.isnan(self.mean):
            return "–"
        spread = f" ({self.low:.4f}–{self.high:.4f})" if self.seeds > 1 else ""
        return f"{self.mean:.4f}{spread}"


def cell(metric: Metric, violating: NDArray[np.bool_], scores: Sequence[Array]) -> Cell:
    """A metric's mean, lowest and highest over scorings of the same runs."""
    sides = [(one[violating], one[~violating]) for one in scores]
    found = [
        float(metric(bad, good, np.ones((1, len(bad))), np.ones((1, len(good))))[0])
        for bad, good in sides
        if len(bad) and len(good)
    ]
    return (
        Cell(float(np.mean(found)), min(found), max(found), len(found))
        if found
        else Cell(np.nan, np.nan, np.nan, 0)
    )


def interval(
    metric: Metric, part: Part, scores: Sequence[Array], less: Sequence[Array] | None = None
) -> Estimate:
    """A metric's mean over scorings, less that over others, with a bootstrap over groups."""
    if not scores:
        return Estimate(value=None, low=None, high=None)
    bad, good = (np.flatnonzero(part.violating == side) for side in (True, False))

    def mean(scorings: Sequence[Array], *weights: Array) -> Array:
        found: Array = np.mean([metric(one[bad], one[good], *weights) for one in scorings], axis=0)
        return found

    def measured(*weights: Array) -> Array:
        return mean(scores, *weights) - (mean(less, *weights) if less is not None else 0.0)

    return Bootstrap([run.group for run in part.encoded.runs], SEED).estimate(measured, bad, good)


def shown(estimate: Estimate, sign: str = "") -> str:
    if estimate["value"] is None:
        return "–"
    value, low, high = (
        f"{one:{sign}.4f}" if one is not None else "–"
        for one in (estimate["value"], estimate["low"], estimate["high"])
    )
    return f"{value} [{low}, {high}]"


def verdict(name: str, metric: Metric, parts: Mapping[str, Part], ours: Scorings, theirs: Scorings) -> str:
    """A sentence on whether `ours` beats the analytic terms by more than its spread over seeds, by column."""
    sides: dict[str, list[str]] = {"more": [], "neither": [], "less": []}
    for column, title in COLUMNS.items():
        one, other = (cell(metric, parts[column].violating, said[column]) for said in (ours, theirs))
        won, spread = one.mean - other.mean, one.high - one.low
        if np.isnan(won):
            continue
        side = "more" if won > spread else "less" if -won > spread else "neither"
        sides[side].append(f"{title} ({won:+.4f}, spread {spread:.4f})")
    listed = {side: ", ".join(columns) or "no column" for side, columns in sides.items()}
    return (
        f"{name}: full, joined, beats the {ANALYTIC} by more than its spread over seeds on {listed['more']}; "
        f"is beaten by more than that on {listed['less']}; "
        f"differs by no more than that on {listed['neither']}."
    )


def counts(parts: Mapping[str, Part]) -> str:
    """A table of how many runs of each side, and groups, the columns have."""
    body = (
        ("violating runs", lambda part: part.violating.sum()),
        ("benign runs", lambda part: (~part.violating).sum()),
        ("groups", lambda part: len({run.group for run in part.encoded.runs})),
    )
    return table(
        ["n", *COLUMNS.values()],
        [[what, *(f"{count(part):,}" for part in parts.values())] for what, count in body],
    )


def means(metric: Metric, parts: Mapping[str, Part], lines: Lines) -> str:
    """A table of a metric over seeds."""
    body = [
        [variant, how, *(cell(metric, parts[c].violating, scores[c]).shown for c in COLUMNS)]
        for (variant, how), scores in lines.items()
    ]
    return table(["variant", "scored by", *COLUMNS.values()], body)


def intervals(metric: Metric, parts: Mapping[str, Part], lines: Lines) -> str:
    """A table of a metric's intervals: the full network, the analytic terms, and what lies between them."""
    ours, theirs = lines[FULL, JOINED], lines[ANALYTIC, ""]
    named = {
        f"{FULL}, {ALONE}": lines[FULL, ALONE],
        f"{FULL}, {JOINED}": ours,
        ANALYTIC: theirs,
    }
    body = [
        [name, *(shown(interval(metric, parts[c], scores[c])) for c in COLUMNS)]
        for name, scores in named.items()
    ]
    less = (shown(interval(metric, parts[c], ours[c], theirs[c]), "+") for c in COLUMNS)
    return table(["", *COLUMNS.values()], [*body, [f"{FULL}, {JOINED}, less {ANALYTIC}", *less]])
