"""How much a learned term counts: gains chosen on scored validation runs, where sets of runs count alike.

The composite is `gatling.energy.Weights.composite`; a gain lies in [0, 1]. A coordinate search over a coarse
grid finds it: what a finer one would find on some thousand runs is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gatling.evaluate.scored import ScoredRun

STEP = 0.1
"""Of the grid of gains."""
MOST = 0.5
"""A learned term corroborates and never decides alone: validation runs are like those that it learnt from and
cannot tell how it does on agents that it has never seen. The cap was set by hand."""
PART = 0.1
"""False positives up to which the ROC curve counts: a guard works at few of them."""
LEAST = 0.001
"""What a change of one gain must win to be made."""
FEW = 10
"""Violating, and benign, runs that a set must have to count."""

Array = NDArray[np.float64]


def quality(scores: Array, violating: NDArray[np.bool_]) -> float:
    """Partial AUC up to `PART` false positives, rescaled so that chance is 0.5 (McClish, 1989,
    doi 10.1177/0272989X8900900307).
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(violating, scores, max_fpr=PART))


def fused(runs: Sequence[ScoredRun], gains: Mapping[str, float], most: float = MOST) -> dict[str, float]:
    """Gains up to `most` for the terms that some call has and `gains` lacks, beside those that `gains` has.

    What counts is the mean over data sets of `quality`, so that a large set does not drown a small one. A
    gain is raised only where that wins `LEAST`; without a set that has `FEW` runs of both sides it stays 0.
    """
    names = sorted({*gains, *(name for run in runs for call in run.calls for name in call.terms)})
    parts = [_Set(part, names) for part in _by_dataset(runs)]
    sets = [part for part in parts if part.counts]
    found = {name: gains.get(name, 0.0) for name in names}

    def worth(tried: Mapping[str, float]) -> float:
        row = np.array([tried[name] for name in names])
        return float(np.mean([part.quality(row) for part in sets]))

    grid = [round(STEP * step, 1) for step in range(round(most / STEP) + 1)]
    improved = bool(sets)
    while improved:
        improved = False
        for name in sorted(names - gains.keys()):
            now = worth(found)
            reached, less = max((worth({**found, name: gain}), -gain) for gain in grid)
            if reached > now + LEAST:
                improved = True
                found[name] = -less
    return found


def _by_dataset(runs: Sequence[ScoredRun]) -> list[list[ScoredRun]]:
    parts: dict[str, list[ScoredRun]] = {}
    for run in runs:
        if run.violation is not None and run.calls:
            parts.setdefault(run.dataset, []).append(run)
    return [part for _, part in sorted(parts.items())]


class _Set:
    """The calls of one data set's runs as an array."""

    def __init__(self, runs: Sequence[ScoredRun], names: Sequence[str]) -> None:
        calls = [[call.terms.get(name, 0.0) for name in names] for run in runs for call in run.calls]
        self._terms = np.array(calls) / 10.0
        self._first = np.cumsum([0, *(len(run.calls) for run in runs[:-1])])
        self._violating = np.array([bool(run.violation) for run in runs])

    @property
    def counts(self) -> bool:
        """Both sides have enough runs."""
        return bool(min(self._violating.sum(), (~self._violating).sum()) >= FEW)

    def quality(self, gains: Array) -> float:
        # log of what is left, so that energies near 10 keep their order
        with np.errstate(divide="ignore"):
            left = np.log1p(-np.minimum(self._terms * gains, 1.0 - 1e-15)).sum(1)
        return quality(-np.minimum.reduceat(left, self._first), self._violating)
