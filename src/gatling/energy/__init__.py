"""The energies: one file per term, and the composite that joins them.

A call's composite energy joins its terms as independent reasons for alarm,

    energy = 10 · (1 − Π (1 − gain_t · term_t / 10))

then a monotone calibration puts the false-positive budget at 2 (escalate) and the deny budget at 6. A plan's
energy is its worst call's. Gains and calibration stand in `weights.json` beside the hierarchy's weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from gatling.energy.flow import Flow
from gatling.energy.hierarchy import Hierarchy
from gatling.energy.provenance import Provenance
from gatling.energy.scope import ScopeTerm
from gatling.energy.term import Context, Part, Reason, Term, TermScore

__all__ = ["TERMS", "Context", "Part", "Reason", "Term", "TermScore", "calibrate", "composite", "gains"]

TERMS: tuple[Term, ...] = (Hierarchy(), Provenance(), ScopeTerm(), Flow())


@lru_cache(maxsize=1)
def _shipped() -> tuple[dict[str, float], list[tuple[float, float]]]:
    loaded = json.loads(Path(__file__).with_name("weights.json").read_text("utf-8"))
    return loaded["gains"], [tuple(point) for point in loaded["calibration"]]


def gains() -> Mapping[str, float]:
    """How much each term counts in the composite, in [0, 1]."""
    return _shipped()[0]


def composite(terms: Mapping[str, TermScore]) -> float:
    """The uncalibrated composite of one call's terms, on 0–10. Terms without a gain count fully."""
    rest = 1.0
    for name, score in terms.items():
        rest *= 1.0 - gains().get(name, 1.0) * score.value / 10.0
    return 10.0 * (1.0 - rest)


def calibrate(energy: float) -> float:
    """The shipped monotone map on 0–10: piecewise linear through the calibration's points."""
    points = _shipped()[1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if energy <= x1:
            return y0 + (y1 - y0) * (energy - x0) / (x1 - x0) if x1 > x0 else y1
    return 10.0
