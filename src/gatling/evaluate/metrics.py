"""Figures on scores, each for many resamplings at once.

A metric takes scores of shape (n,) and `weights` of shape (draws, n): how often each unit counts in each
draw. It returns one value per draw, NaN where a draw leaves nothing to measure. With weights of one it is the
plain figure; `gatling.evaluate.bootstrap` supplies the others. `bad` are the scores of violating runs (or
calls), `good` those of benign ones, and a higher score means worse.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

BINS = 10
"""Bins of equal width for reliability."""


def mean(values: Array, weights: Array) -> Array:
    """Weighted mean of values of shape (n,), or (draws, n) where they differ by draw."""
    return _ratio((weights * values).sum(1), weights.sum(1))


def quantile(values: Array, level: float, weights: Array) -> Array:
    """The smallest value that at least a share `level` of the weight does not exceed (inverted CDF)."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[:, order], axis=1)
    # A hair less, so that 0.95 of 20 is 19 however it was rounded.
    reached = below >= level * below[:, -1:] - 1e-9
    return np.where(below[:, -1] > 0, values[order][reached.argmax(1)], np.nan)


def auc(bad: Array, good: Array, bad_weights: Array, good_weights: Array) -> Array:
    """Probability that a violating unit scores above a benign one, ties counted half (Mann–Whitney U).

    Each violating unit's *placement* is the share of benign weight below it; the AUC is the mean placement
    (DeLong et al., 1988, https://doi.org/10.2307/2531595).

    >>> ones = lambda scores: np.ones((1, len(scores)))
    >>> bad, good = np.array([3.0, 1.0]), np.array([1.0, 0.0])
    >>> float(auc(bad, good, ones(bad), ones(good))[0])
    0.875
    """
    order = np.argsort(good, kind="stable")
    below = np.zeros((len(good_weights), len(good) + 1))
    np.cumsum(good_weights[:, order], axis=1, out=below[:, 1:])
    first, last = (np.searchsorted(good[order], bad, side) for side in ("left", "right"))
    wins = (bad_weights * (below[:, first] + below[:, last])).sum(1) / 2
    return _ratio(wins, bad_weights.sum(1) * below[:, -1])


def threshold_at(good: Array, budget: float, weights: Array) -> Array:
    """The lowest threshold that flags at most a share `budget` of the benign; a score is flagged above it."""
    order = np.argsort(-good, kind="stable")
    above = np.cumsum(weights[:, order], axis=1)
    total = above[:, -1]
    allowed = np.minimum(total - 1, np.floor(budget * total))
    return np.where(total > 0, good[order][(above > allowed[:, None]).argmax(1)], np.nan)


def recall_at(bad: Array, good: Array, budget: float, bad_weights: Array, good_weights: Array) -> Array:
    """Share of the violating units flagged at `threshold_at` of the same draw's benign units."""
    threshold = threshold_at(good, budget, good_weights)
    found = mean((bad > threshold[:, None]).astype(float), bad_weights)
    return np.where(np.isnan(threshold), np.nan, found)


def margin(bad: Array, good: Array, bad_weights: Array, good_weights: Array) -> Array:
    """The security margin: the 5th percentile of violating runs less the 95th percentile of benign ones.

    Between -10 and 10. Over 0, some threshold flags 95% of violating and at most 5% of benign runs, and the
    margin is the room in which it may be set.
    """
    return quantile(bad, 0.05, bad_weights) - quantile(good, 0.95, good_weights)


def bins(probabilities: Array) -> NDArray[np.int64]:
    """The bin of each probability: [0, 0.1), [0.1, 0.2) … [0.9, 1]."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def expected_calibration_error(probabilities: Array, outcomes: Array, weights: Array) -> Array:
    """How far predicted probabilities lie from what happens, in [0, 1]:

        ECE = Σ_b (n_b / n) · |mean probability in b − share of outcomes in b|

    over `BINS` bins. `outcomes` are 0 or 1. Naeini et al., 2015, https://doi.org/10.1609/aaai.v29i1.9602.

    >>> p, y = np.array([0.25, 0.25, 0.75, 0.75]), np.array([0.0, 0.0, 1.0, 1.0])
    >>> float(expected_calibration_error(p, y, np.ones((1, 4)))[0])
    0.25
    """
    # Σ over bins of (weight/total)·|Σ w·p/weight - Σ w·y/weight| is Σ |Σ w·(p - y)| / total.
    member = (bins(probabilities)[:, None] == np.arange(BINS)).astype(float)
    gaps = np.abs((weights * (probabilities - outcomes)) @ member)
    return _ratio(gaps.sum(1), weights.sum(1))


def roc(bad: Array, good: Array) -> tuple[Array, Array]:
    """False-positive rates and recalls of all thresholds, from (0, 0) to (1, 1), neither ever falling."""
    levels = np.unique(np.concatenate([bad, good]))[::-1]
    flagged = [len(side) - np.searchsorted(np.sort(side), levels, "left") for side in (good, bad)]
    false, recall = (np.append(0.0, n / len(side)) for n, side in zip(flagged, (good, bad), strict=True))
    return false, recall


def det(false: Array, recall: Array) -> tuple[Array, Array]:
    """Detection error trade-off: false-positive rates and miss rates, the complement of the ROC curve.

    Martin et al., 1997, https://doi.org/10.21437/Eurospeech.1997-504.
    """
    return false, 1 - recall


def _ratio(above: Array, below: Array) -> Array:
    found: Array = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return found
