"""The plots of a report, as SVG for inlining: the same evaluation gives the same bytes.

Text and axes are drawn in the colour of the text around them, so that a plot suits a light and a dark page.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gatling.evaluate.metrics import det
from gatling.terminal import safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gatling.evaluate.curves import Threshold
    from gatling.evaluate.report import Evaluation

BENIGN, VIOLATING, UNCOUNTED = "#2a9d8f", "#d1495b", "#e9a23b"

_INK = "#123456"
"""Stands for the colour of the page's text, which Matplotlib cannot name."""

_STYLE: dict[str, Any] = {
    # The face that Matplotlib ships: the layout must not depend on the fonts of a machine.
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "none",
    "text.color": _INK,
    "text.parse_math": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

_WIDTH = 4.8


def plots(evaluation: Evaluation) -> dict[str, str]:
    """SVG by name: `roc`, `det`, `kinds`, `terms`, `reliability`; those without data are left out."""
    curve = bool(evaluation["curve"]["false"])
    drawn: dict[str, tuple[bool, Callable[[Evaluation], Figure]]] = {
        "roc": (curve, _roc),
        "det": (curve, _det),
        "kinds": (bool(evaluation["histograms"]["kinds"]), _kinds),
        "terms": (bool(evaluation["histograms"]["terms"]), _terms),
        "reliability": (bool(evaluation["reliability"]["bins"]), _reliability),
    }
    return {name: svg(name, partial(draw, evaluation)) for name, (filled, draw) in drawn.items() if filled}


def svg(name: str, draw: Callable[[], Figure]) -> str:
    """A figure for inlining; `name` keeps its ids apart from those of other plots on the page."""
    import matplotlib.style

    with matplotlib.style.context(["default", {**_STYLE, "svg.hashsalt": name}]):
        file = io.StringIO()
        nameless = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        draw().savefig(file, format="svg", transparent=True, metadata=nameless)
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # The page sets the size. Ids that nothing refers to would stand in every plot.
    head, body = text.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    used = set(re.findall(r'#([^")]+)[")]', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    return f'{head} aria-hidden="true">{body}'


def subplots(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure, and its axes from the top, which share the horizontal one; inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def _decade(smallest: float) -> float:
    """The power of ten under a rate, from 0.0001 to 0.1: where a logarithmic axis begins."""
    return 10.0 ** min(-1, max(-4, math.floor(math.log10(smallest))))


def _rates(axis: Any) -> None:
    """A logarithmic axis of rates, with plain percentages."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g}%"))
    axis.set_minor_formatter(NullFormatter())


def _roc(evaluation: Evaluation) -> Figure:
    figure, (axes,) = subplots(3.6)
    curve, low = evaluation["curve"], _decade(1 / evaluation["evaluated"]["benign"])
    band = np.array(curve["band"]).reshape(-1, 3)
    axes.fill_between(band[:, 0], band[:, 1], band[:, 2], color=VIOLATING, alpha=0.2, linewidth=0)
    axes.step(np.maximum(curve["false"], low), curve["recall"], where="post", color=VIOLATING)
    for threshold in evaluation["thresholds"]:
        _mark(axes, threshold, threshold["caught"]["value"], low, 0, -10)
    axes.set(xscale="log", xlim=(low, 1), ylim=(0, 1.02))
    axes.set(xlabel="benign runs flagged", ylabel="violating runs caught")
    axes.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f}%")
    _rates(axes.xaxis)
    return figure


def _det(evaluation: Evaluation) -> Figure:
    figure, (axes,) = subplots(3.6)
    curve, counts = evaluation["curve"], evaluation["evaluated"]
    left, bottom = _decade(1 / counts["benign"]), _decade(1 / counts["violating"])
    false, missed = det(np.array(curve["false"]), np.array(curve["recall"]))
    band = np.array(curve["band"]).reshape(-1, 3)
    ends = np.maximum(1 - band[:, 1:], bottom)
    axes.fill_between(band[:, 0], ends[:, 0], ends[:, 1], color=VIOLATING, alpha=0.2, linewidth=0)
    axes.step(np.maximum(false, left), np.maximum(missed, bottom), where="post", color=VIOLATING)
    for threshold in evaluation["thresholds"]:
        _mark(axes, threshold, 1 - (threshold["caught"]["value"] or 0), left, bottom, 6)
    axes.set(xscale="log", yscale="log", xlim=(left, 1), ylim=(bottom, 1.05))
    axes.set(xlabel="benign runs flagged", ylabel="violating runs missed")
    _rates(axes.xaxis)
    _rates(axes.yaxis)
    return figure


def _mark(
    axes: Axes, threshold: Threshold, rate: float | None, left: float, bottom: float, offset: float
) -> None:
    """Where a default threshold stands on a curve."""
    false = threshold["flagged"]["value"]
    if false is not None and rate is not None:
        place = max(false, left), max(rate, bottom)
        axes.plot(*place, "o", color=_INK, markersize=4, clip_on=False)
        label = f"energy {threshold['energy']:g}"
        axes.annotate(label, place, (6, offset), textcoords="offset points", fontsize=8)


def _kinds(evaluation: Evaluation) -> Figure:
    colours = {True: VIOLATING, False: BENIGN, None: UNCOUNTED}
    sides = {kind["name"]: colours[kind["violation"]] for kind in evaluation["kinds"]}
    kinds = evaluation["histograms"]["kinds"]
    return _ridges(evaluation, {name: {sides[name]: bars} for name, bars in kinds.items()})


def _terms(evaluation: Evaluation) -> Figure:
    terms = evaluation["histograms"]["terms"]
    return _ridges(
        evaluation,
        {name: {BENIGN: bars["benign"], VIOLATING: bars["violating"]} for name, bars in terms.items()},
    )


def _ridges(evaluation: Evaluation, rows: Mapping[str, Mapping[str, Sequence[int]]]) -> Figure:
    """One histogram under the other, counts on a logarithmic scale since the tails are what matters."""
    figure, places = subplots(0.5 + 0.55 * len(rows), len(rows))
    edges = evaluation["histograms"]["edges"]
    most = max(max(bars) for row in rows.values() for bars in row.values())
    for axes, (name, row) in zip(places, rows.items(), strict=True):
        for colour, bars in row.items():
            axes.stairs(bars, edges, baseline=0.5, fill=True, color=colour, alpha=0.75 if len(row) > 1 else 1)
        for threshold in evaluation["thresholds"]:
            axes.axvline(threshold["energy"], color=_INK, linewidth=0.8, linestyle=":")
        axes.set(yscale="log", ylim=(0.5, max(2 * most, 10)), xlim=(0, 10))
        axes.set_ylabel(safe(name, 20), rotation=0, ha="right", va="center")
        axes.tick_params("y", which="both", labelleft=False, length=0)
        axes.grid(False)
    places[-1].set_xlabel("energy of the run's worst call")
    return figure


def _reliability(evaluation: Evaluation) -> Figure:
    figure, (axes,) = subplots(3.6)
    axes.plot([0, 10], [0, 1], color=_INK, linewidth=0.8, linestyle=":")
    for found in evaluation["reliability"]["bins"]:
        share = found["violating"]
        centre = (found["low"] + found["high"]) / 2
        if share["low"] is not None and share["high"] is not None:
            axes.vlines(10 * found["claimed"], share["low"], share["high"], color=VIOLATING, linewidth=1.5)
        axes.plot(10 * found["claimed"], share["value"] or 0, "o", color=VIOLATING, markersize=5)
        axes.text(centre, 1.03, f"{share['of']:,}", ha="center", fontsize=7)
    axes.set(xlim=(0, 10), ylim=(-0.02, 1.08), xticks=range(0, 11, 2), yticks=np.arange(6) / 5)
    axes.set(xlabel="energy", ylabel="runs that violate")
    axes.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f}%")
    return figure
