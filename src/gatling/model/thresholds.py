"""Order statistics of benign runs and their bootstrap: what calibration makes its thresholds from.

Runs of one group (twins, one task by many agents) are not independent. So a bootstrap draws whole groups,
and it is groups, not runs, that have to be many enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatling.energy.calibration import HIGHEST, LOWEST, TOP, CalibrationError, Share, Threshold, least_deny

DRAWS = 1000
"""Draws of every bootstrap."""
ALL = "all"
"""The name of all kinds of benign runs together."""
_BLOCK = 4_000_000
"""Numbers in memory at a time while a bootstrap draws."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Energies of runs on 0–10, and the number of each run's group among the sorted group ids."""

    energies: Floats
    members: Ints

    @classmethod
    def read(cls, name: str, energies: ArrayLike, groups: Sequence[str]) -> Runs:
        """Check the energies, called `name` in errors, and number the groups.

        Raises:
            CalibrationError: lengths differ, there are no runs, or an energy is not finite or not on 0–10.
        """
        values = np.asarray(energies, np.float64)
        if values.ndim != 1 or len(values) != len(groups):
            raise CalibrationError(
                f"{name}: shape {values.shape} beside {len(groups)} group ids; give one of each a run"
            )
        if not len(values):
            raise CalibrationError(f"{name}: no runs")
        wrong = np.flatnonzero(~((values >= 0.0) & (values <= TOP)))
        if len(wrong):
            raise CalibrationError(
                f"{name}[{wrong[0]}] is {values[wrong[0]]}; energies are finite and lie on 0–10 "
                f"({len(wrong)} of {len(values)} do not)"
            )
        return cls(values, np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64))

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.members.max()) + 1


def resamples(groups: int, runs: int, seed: int) -> Iterator[Ints]:
    """`DRAWS` bootstrap draws in blocks of shape (draws, groups): how often each group was drawn."""
    rng = np.random.default_rng(seed)
    most = max(1, _BLOCK // max(groups, runs))
    for start in range(0, DRAWS, most):
        size = min(most, DRAWS - start)
        drawn = rng.integers(0, groups, (size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups)


def interval(draws: ArrayLike) -> tuple[float, float]:
    """The 95% percentile interval of bootstrap draws; NaN stands for a draw that says nothing."""
    low, high = np.nanquantile(np.asarray(draws, np.float64), (0.025, 0.975))
    return float(low), float(high)


def share_of(hits: NDArray[np.bool_], members: Ints, drawn: tuple[float, float]) -> Share:
    """The share of runs that are hits; `drawn` is the bootstrap's interval of it.

    Where all are hits, or none is, no draw differs: there the rule of three bounds the share as well.
    """
    low, high = drawn
    value, groups = float(hits.mean()), len(np.unique(members))
    if value == 1.0:
        low = min(low, max(0.0, 1.0 - 3.0 / groups))
    if value == 0.0:
        high = max(high, min(1.0, 3.0 / groups))
    return Share(value=value, low=low, high=min(high, 1.0), runs=len(hits), groups=groups)


def share_reaching(raw: float, runs: Runs, seed: int) -> Share:
    """The share of runs that reach a raw energy, with its interval by a bootstrap over groups."""
    hits = runs.energies >= raw
    by_group = np.stack(
        [np.bincount(runs.members, hits, runs.groups), np.bincount(runs.members, minlength=runs.groups)],
        axis=1,
    )
    sums = np.concatenate([weights @ by_group for weights in resamples(runs.groups, runs.groups, seed)])
    return share_of(hits, runs.members, interval(sums[:, 0] / sums[:, 1]))


@dataclass(frozen=True)
class _Kind:
    """Benign runs of one kind, from the highest energy down."""

    name: str
    runs: Runs

    def thresholds(self, weights: Ints, budgets: Sequence[float]) -> Floats:
        """The smallest thresholds that at most each budget of the runs reaches: shape (draws, budgets).

        Row i of `weights` (draws, groups) says how often each group counts. The threshold is the next float
        above the first energy, from the highest down, that would bring the share over the budget; runs that
        tie with it stay below.
        """
        counts = np.cumsum(weights[:, self.runs.members], axis=1)
        allowed = np.floor(counts[:, -1:] * np.array(budgets) + 1e-9)
        # each draw's counts rise; lifted above those of the draw before, all draws are one sorted array
        lift = np.arange(len(counts))[:, None] * (counts.max() + 1)
        over = np.searchsorted((counts + lift).ravel(), (allowed + lift).ravel(), side="right")
        first = over.reshape(allowed.shape) - np.arange(len(counts))[:, None] * counts.shape[1]
        found: Floats = np.nextafter(np.append(self.runs.energies, 0.0)[first], np.inf)
        return found

    def reaching(self, raw: Floats) -> Floats:
        """The share of runs that reach each raw energy."""
        below = np.searchsorted(self.runs.energies[::-1], raw, side="left")
        share: Floats = (len(self.runs.energies) - below) / len(self.runs.energies)
        return share


@dataclass(frozen=True)
class Found:
    """A threshold at one budget with its bootstrap draws, and the kind that set it."""

    raw: float
    drawn: Floats
    budget: float
    kind: _Kind
    untested: tuple[str, ...]

    def above(self, escalate: Found) -> Found:
        """This deny threshold, raised where it lies too close to the escalate threshold."""
        least = np.array([least_deny(float(raw)) for raw in escalate.drawn])
        return replace(self, raw=max(self.raw, least_deny(escalate.raw)), drawn=np.maximum(self.drawn, least))

    def checked(self) -> Found:
        """Itself, or a `CalibrationError` where no threshold on the scale holds the budget."""
        if self.raw <= HIGHEST:
            return self
        share = float(self.kind.reaching(np.array([HIGHEST]))[0])
        raise CalibrationError(
            f"no threshold holds the budget {self.budget:g}: {share:.2%} of {len(self.kind.runs.energies)} "
            f"benign runs (kind: {self.kind.name}) score {HIGHEST} or more; raise the budget, or mend the "
            "energies, which saturate"
        )

    def threshold(self, calibrated: float | None, hijacked: Runs | None, seed: int) -> Threshold:
        """The stored form, with the share of hijacked runs that reach it."""
        runs = self.kind.runs
        low, high = interval(self.kind.reaching(self.drawn))
        # a drawn threshold stands just above a run; a new run's share may lie anywhere up to that run's
        high += 1.0 / len(runs.energies)
        return Threshold(
            raw=self.raw,
            interval=interval(np.minimum(self.drawn, TOP)),
            calibrated=calibrated,
            budget=self.budget,
            false_positives=share_of(runs.energies >= self.raw, runs.members, (low, high)),
            kind=self.kind.name,
            untested=self.untested,
            detected=None if hijacked is None else share_reaching(self.raw, hijacked, seed),
        )


@dataclass(frozen=True)
class Benign:
    """All benign runs, and each kind of them."""

    groups: int
    kinds: tuple[_Kind, ...]

    @classmethod
    def read(
        cls, name: str, energies: ArrayLike, groups: Sequence[str], kinds: Sequence[str] | None
    ) -> Benign:
        """Check the input, as `Runs.read` does, and sort it."""
        runs = Runs.read(name, energies, groups)
        names = np.asarray([ALL] * len(runs.energies) if kinds is None else kinds, dtype=str)
        if len(names) != len(runs.energies):
            raise CalibrationError(
                f"kinds: {len(names)} of them beside {len(runs.energies)} runs; give one a run"
            )
        order = np.argsort(-runs.energies, kind="stable")
        parts = {ALL: order, **{str(kind): order[names[order] == kind] for kind in np.unique(names)}}
        return cls(
            runs.groups,
            tuple(_Kind(kind, Runs(runs.energies[p], runs.members[p])) for kind, p in parts.items()),
        )

    def thresholds(self, budgets: Sequence[float], seed: int) -> list[Found]:
        """The thresholds of budgets given from the largest down, each the highest that any kind asks for.

        A kind is held to the budgets for which it stands in 1 / budget groups; together they must in all.
        """
        sizes = np.array([len(np.unique(kind.runs.members)) for kind in self.kinds])
        tested = sizes[:, None] * np.array(budgets) >= 1.0 - 1e-9
        point = self._raw(np.ones((1, self.groups), np.int64), budgets, tested)[:, 0]
        blocks = resamples(self.groups, len(self.kinds[0].runs.energies), seed)
        drawn = np.concatenate([self._raw(weights, budgets, tested).max(axis=0) for weights in blocks])
        setters = np.where(tested, point, -1.0).argmax(axis=0)
        return [
            Found(
                float(point[:, b].max()),
                drawn[:, b],
                budget,
                self.kinds[setters[b]],
                tuple(kind.name for kind, held in zip(self.kinds, tested[:, b], strict=True) if not held),
            )
            for b, budget in enumerate(budgets)
        ]

    def _raw(self, weights: Ints, budgets: Sequence[float], tested: NDArray[np.bool_]) -> Floats:
        """Thresholds by kind, draw and budget. Where a kind is untested, that of its last larger budget."""
        own = np.stack([kind.thresholds(weights, budgets) for kind in self.kinds])
        own = np.where(tested[:, None], np.maximum(own, LOWEST), LOWEST)
        carried: Floats = np.maximum.accumulate(own, axis=2)
        return carried
