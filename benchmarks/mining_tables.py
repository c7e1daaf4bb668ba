"""The tables and the plot of mined against random samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from benchmarks.ablation_runs import COLUMNS, Array, Part
from benchmarks.ablation_tables import METRICS, Metric, cell, interval, shown
from benchmarks.common import table
from gatling.evaluate.plots import BENIGN, VIOLATING, subplots, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOW = {"alone": "network alone", "joined": "joined"}
"""Fields of `Scores`."""

PLOTTED = ("heldout_family", "agentdyn_dailylife_plain")


class Scores(NamedTuple):
    """What a model says of the runs of every column: column -> (runs,)."""

    alone: Mapping[str, Array]
    joined: Mapping[str, Array]


Results: TypeAlias = Mapping[str, Sequence[Sequence[Scores]]]
"""By arm and seed, the models: that it began with, then that of every round."""


def of(found: Results, arm: str, number: int, what: str, column: str) -> list[Array]:
    """By seed, the scores after a round."""
    return [getattr(models[number], what)[column] for models in found[arm]]


def curves(metric: Metric, what: str, parts: Mapping[str, Part], found: Results) -> str:
    """A table of a metric by round and arm, and what mining wins in the last."""
    last = len(found["mined"][0]) - 1
    body = []
    for number in range(last + 1):
        for arm in found if number else ("mined",):
            cells = (cell(metric, parts[c].violating, of(found, arm, number, what, c)).shown for c in COLUMNS)
            body.append([f"{arm}, round {number}" if number else "before", *cells])
    sides = {c: [of(found, arm, last, what, c) for arm in ("mined", "random")] for c in COLUMNS}
    less = (shown(interval(metric, parts[c], *sides[c]), "+") for c in COLUMNS)
    wins = (won(metric, parts[c], *sides[c]) for c in COLUMNS)
    body += [["mined less random, 95% interval", *less], ["mined less random, over seeds", *wins]]
    return table(["", *COLUMNS.values()], body)


def won(metric: Metric, part: Part, mined: Sequence[Array], random: Sequence[Array]) -> str:
    """What mining wins, seed by seed."""
    pairs = zip(mined, random, strict=True)
    each = [
        cell(metric, part.violating, [one]).mean - cell(metric, part.violating, [other]).mean
        for one, other in pairs
    ]
    return f"{np.mean(each):+.4f} ({min(each):+.4f}–{max(each):+.4f})"


def drawn(samples: Sequence[int], parts: Mapping[str, Part], found: Results) -> str:
    """The learning curves of the network alone, as SVG: training samples against recall, by arm."""
    name, metric = [*METRICS.items()][1]
    colours = dict(zip(("mined", "random"), (VIOLATING, BENIGN), strict=True))

    def figure() -> Figure:
        made, places = subplots(5.6, len(PLOTTED))
        for axes, column in zip(places, PLOTTED, strict=True):
            for arm, colour in colours.items():
                cells = [
                    cell(metric, parts[column].violating, of(found, arm, number, "alone", column))
                    for number in range(len(samples))
                ]
                axes.plot(samples, [c.mean for c in cells], color=colour, marker="o", label=arm)
                axes.fill_between(
                    samples, [c.low for c in cells], [c.high for c in cells], color=colour, alpha=0.2
                )
            axes.set_title(f"{COLUMNS[column]}: {name}")
        places[0].legend()
        places[-1].set_xlabel("training samples; bands are the spread over seeds")
        return made

    return svg("mining", figure)
