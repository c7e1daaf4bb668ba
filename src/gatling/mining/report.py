"""The report of a mining: every round's decisions as JSON, Markdown and one HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatling.data.shards import write_file
from gatling.evaluate.bootstrap import Estimate
from gatling.evaluate.plots import BENIGN, VIOLATING, subplots, svg
from gatling.evaluate.words import between, interval, markdown_of, page_of, percent, plain
from gatling.mining.judging import BUDGET, Judgement
from gatling.mining.regions import NEAR
from gatling.terminal import NAME_LIMIT, safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gatling.mining.results import Mined

JSON, MARKDOWN, PAGE = "report.json", "report.md", "report.html"

SAID = {
    "family": "family {}",
    "term": "highest term {}",
    "domain": "domain {}",
    "wording": "worded as {}",
    "language": "in {}",
}
"""Trait of a region -> how it is said. A benign run's family is its kind."""

NONE = {"term": "no term above 0", "wording": "no poison"}
"""Trait -> how its value `none` is said."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the learning curve."""

    after: int
    """Rounds."""
    samples: int
    """Of training."""
    measured: Judgement


def write(mined: Mined, out: Path) -> None:
    """Write `report.json`, `report.md` and `report.html`; an equal mining gives equal bytes in any folder.

    Raises:
        OSError: the folder cannot be written to.
    """
    from markupsafe import Markup

    report = {
        "format": 1,
        **asdict(mined),
        "data": mined.data.relative_to(out).as_posix(),
        "model": mined.model.relative_to(out).as_posix(),
    }
    points = curve(mined)
    more = {
        "points": points,
        "changes": list(pairwise(points)),
        "verdicts": [Markup(verdict(found.gain, found.helped)) for found in mined.rounds],
        "region": region,
        "signed": signed,
        "budget": BUDGET,
        "near": NEAR,
    }
    plots = {"curve": Markup(svg("curve", partial(_drawn, points)))}
    texts = {
        JSON: json.dumps(report, indent=1, allow_nan=False) + "\n",
        MARKDOWN: markdown_of(__package__, report, summary=[*map(Markup, summary(mined))], **more),
        PAGE: page_of(__package__, report, summary=summary(mined), plots=plots, **more),
    }
    for name, text in texts.items():
        write_file(out / name, text.encode())


def curve(mined: Mined) -> list[Point]:
    """The learning curve, from before the first round on."""
    samples = accumulate((sum(found.added.values()) for found in mined.rounds), initial=mined.samples)
    measured = [mined.first, *(found.measured for found in mined.rounds)]
    return [Point(*one) for one in zip(range(len(measured)), samples, measured, strict=True)]


def summary(mined: Mined) -> list[str]:
    """What came of it in plain words. No sentence holds a stranger's word."""
    first, last = (end.measured for end in (curve(mined)[0], curve(mined)[-1]))
    added = sum(sum(found.added.values()) for found in mined.rounds)
    rounds = "1 round" if len(mined.rounds) == 1 else f"{len(mined.rounds)} rounds"
    said = [
        f"{rounds}, {added:,} samples added to {mined.samples:,}; then it stopped: {mined.stopped}.",
        f"AUC on validation: {plain(first.auc['value'])}{between(first.auc, plain)} before, "
        f"{plain(last.auc['value'])}{between(last.auc, plain)} after.",
        f"Recall where {percent(BUDGET)} of the benign validation runs are escalated: "
        f"{percent(first.recall['value'])}{between(first.recall, percent)} before, "
        f"{percent(last.recall['value'])}{between(last.recall, percent)} after.",
    ]
    if not all(found.helped for found in mined.rounds):
        said.append("A round whose gain is within its noise may have helped, or not: these runs cannot tell.")
    return said


def region(weakness: Mapping[str, Any]) -> str:
    """A weak region in words: what its runs have in common."""
    forms = SAID if weakness["violates"] else {**SAID, "family": "kind {}"}
    return ", ".join(
        NONE[trait] if value == "none" and trait in NONE else forms[trait].format(safe(value, NAME_LIMIT))
        for trait, value in weakness["traits"].items()
    )


def signed(value: float | None) -> str:
    """A difference: +0.0123."""
    return "–" if value is None else f"{value:+.4f}"


def verdict(gain: Estimate, helped: bool) -> str:
    """A gain in AUC with its interval, and whether it is more than its noise."""
    if gain["low"] is None:
        return f"{signed(gain['value'])}, too few groups for an interval"
    told = "more than its noise" if helped else "not more than its noise"
    return f"{signed(gain['value'])} (95% interval {interval(gain, signed)}): {told}"


def _drawn(points: list[Point]) -> Figure:
    figure, (above, below) = subplots(4.6, 2)
    samples = [point.samples for point in points]
    _band(above, samples, [point.measured.auc for point in points], BENIGN)
    _band(below, samples, [point.measured.recall for point in points], VIOLATING)
    above.set_ylabel("AUC")
    below.set_ylabel(f"recall at {percent(BUDGET)}")
    below.set_xlabel("training samples")
    below.locator_params("x", nbins=5, integer=True)
    below.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    below.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.4g}%")
    return figure


def _band(axes: Axes, samples: list[int], estimates: list[Estimate], colour: str) -> None:
    values, lows, highs = (
        np.array([np.nan if one is None else one for one in ends], float)
        for ends in zip(*((e["value"], e["low"], e["high"]) for e in estimates), strict=True)
    )
    axes.fill_between(samples, lows, highs, color=colour, alpha=0.2, linewidth=0)
    axes.plot(samples, values, "o-", color=colour, markersize=4)
