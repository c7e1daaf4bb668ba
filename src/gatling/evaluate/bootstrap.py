"""95% intervals by a bootstrap over groups: siblings are drawn together, since they agree with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from gatling.evaluate.metrics import Array, mean

Indices: TypeAlias = NDArray[np.int64]
"""Runs, by their place in the sequence that is resampled."""

DRAWS = 500
LEVEL = 0.95

_CHUNK = 1 << 20
"""Weights that are held at once."""

_DIGITS = 6


class Estimate(TypedDict):
    """A figure with its interval; None is what cannot be measured."""

    value: float | None
    low: float | None
    high: float | None


class Share(Estimate):
    """A share, `count` out of `of`."""

    count: int
    of: int


class Bootstrap:
    """One resampling of groups that all figures of an evaluation share.

    A draw takes as many groups as there are, with replacement, and every unit counts as often as its group
    was drawn. The interval is the middle 95% of what the draws give (Efron's percentiles); a draw in which
    the figure is undefined is left out, and where that is every second one, or where there is a single
    group, there is no interval.
    """

    def __init__(self, groups: Sequence[str], seed: int, draws: int = DRAWS) -> None:
        numbers = {group: number for number, group in enumerate(sorted(set(groups)))}
        self.members = np.array([numbers[group] for group in groups], np.int64)
        count = len(numbers)
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)
        # Every figure gathers columns of this: the smaller it is, the sooner.
        self.counts = drawn.astype(np.int16)

    def estimate(self, metric: Callable[..., Array], *units: Indices) -> Estimate:
        """A metric of one, two or more sets of units, each given as the runs that the units are of.

        `metric` takes weights of shape (draws, units) for every set, and returns one value per draw.
        """
        if not all(map(len, units)):
            return Estimate(value=None, low=None, high=None)
        value = float(metric(*(np.ones((1, len(runs))) for runs in units))[0])
        low, high = self._interval(metric, [self.members[runs] for runs in units])
        return Estimate(value=_rounded(value), low=_rounded(low), high=_rounded(high))

    def share(self, flags: NDArray[np.bool_], runs: Indices) -> Share:
        """The share of units whose flag is set.

        Resampling cannot show what was not seen: it makes 0 of 50 an interval of no width. For 0 and 1 the
        far end is the exact binomial bound (Clopper and Pearson, 1934) with each group as one trial.
        """
        found = self.estimate(lambda weights: mean(flags.astype(float), weights), runs)
        if found["low"] is not None and found["value"] in (0.0, 1.0):
            bound = 1 - ((1 - LEVEL) / 2) ** (1 / len(np.unique(self.members[runs])))
            low, high = (0.0, bound) if found["value"] == 0.0 else (1 - bound, 1.0)
            found = Estimate(value=found["value"], low=_rounded(low), high=_rounded(high))
        return Share(**found, count=int(flags.sum()), of=len(flags))

    def _interval(self, metric: Callable[..., Array], members: list[Indices]) -> tuple[float, float]:
        if len(np.unique(np.concatenate(members))) < 2:
            return np.nan, np.nan
        step = max(1, _CHUNK // sum(map(len, members)))
        chunks = (self.counts[at : at + step] for at in range(0, len(self.counts), step))
        drawn = np.concatenate([metric(*(chunk[:, m].astype(float) for m in members)) for chunk in chunks])
        drawn = drawn[~np.isnan(drawn)]
        if len(drawn) < len(self.counts) / 2:
            return np.nan, np.nan
        low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return float(low), float(high)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DIGITS)
