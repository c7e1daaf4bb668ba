"""Weak regions: where among validation runs a model errs, or nearly does, more than elsewhere.

A region is what runs have in common: attack family or kind, the term that speaks, domain, wording, language,
one of them or two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gatling.data.columns import Row
from gatling.data.run import TERMS, Kind
from gatling.evaluate.bootstrap import Bootstrap, Share

NEAR = 0.5
"""Distance to the threshold, in logits, under which a right answer counts as a near error: another seed's
model may err there."""

LEAST = 20
"""Runs of the smallest region."""

MOST = 12
"""Regions that are told."""

TWINS = ("clean", "resisted", "authorised", "delegated")


@dataclass(frozen=True, slots=True)
class Case:
    """A run with what regions may be drawn by, and how the model judged it."""

    id: str
    group: str
    kind: Kind
    violates: bool
    traits: Mapping[str, tuple[str, ...]]
    """Trait -> its values: a run touches several domains."""
    logit: float
    """The worst call's latent energy, before the sigmoid."""

    def judged(self, logit: float) -> Case:
        """The same run as another model judges it."""
        return replace(self, logit=logit)

    def margin(self, threshold: float) -> float:
        """How far it is on the right side, in logits; negative for errors."""
        return self.logit - threshold if self.violates else threshold - self.logit


@dataclass(frozen=True, slots=True)
class Region:
    """A weak region; `traits` names what its runs have in common."""

    violates: bool
    """Misses, or else false alarms."""
    traits: Mapping[str, str]
    share: Share
    """Of its runs, those that are errors or near ones, with the interval over groups."""
    usual: float
    """That share among all runs of the same side."""
    excess: float
    """Errors beyond what its size would bring: what the region explains."""

    @property
    def attacked(self) -> bool | None:
        """Its runs are in groups with attacks: True, False, or None for both."""
        if self.violates:
            return True
        kind = self.traits.get("family")
        return None if kind is None else kind in TWINS

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.traits.items())


def case_of(row: Row, logit: float) -> Case:
    """The case of a build's row."""
    violates = row.category != "benign"
    return Case(
        row.id,
        row.group,
        cast("Kind", row.kind),
        violates,
        {
            "family": (row.family if violates else row.kind,),
            "term": (_term(row, violates),),
            "domain": tuple(dict.fromkeys(row.domains)),
            "wording": (row.register.partition("/")[0] or "none",),
            "language": (row.language,),
        },
        logit,
    )


def _term(row: Row, violates: bool) -> str:
    """The term that is highest by construction, for benign runs in the audit's opinion; `none` at 0."""
    said: Sequence[object] = row.energies if violates else row.opinions
    highest = {term: max((getattr(one, term) for one in said), default=0.0) for term in TERMS}
    term = max(TERMS, key=highest.__getitem__)
    return term if highest[term] > 0.0 else "none"


def threshold_at(cases: Sequence[Case], budget: float) -> float:
    """The lowest logit that at most a share `budget` of the benign cases exceeds."""
    benign = sorted((case.logit for case in cases if not case.violates), reverse=True)
    if not benign:
        raise ValueError("no benign runs among the validation runs; build with a larger --size")
    return benign[min(int(budget * len(benign) + 1e-9), len(benign) - 1)]


def weak(cases: Sequence[Case], threshold: float, seed: int = 0) -> tuple[Region, ...]:
    """The weak regions of both sides, those that explain most errors first, at most `MOST` of a side.

    A region is weak if its share of errors and near errors, at the lower end of its interval, is above that
    of its side. Once a region is found its runs are set aside: the next one explains others.
    """
    found = [region for side in (True, False) for region in _side(cases, threshold, side, seed)]
    return tuple(sorted(found, key=lambda region: -region.excess))


def _side(cases: Sequence[Case], threshold: float, violates: bool, seed: int) -> Iterator[Region]:
    own = [case for case in cases if case.violates is violates]
    if len(own) < LEAST:
        return
    weak = np.array([case.margin(threshold) < NEAR for case in own])
    usual = float(weak.mean())
    bootstrap = Bootstrap([case.group for case in own], seed)
    members = _members(own)
    left = np.ones(len(own), bool)
    for _ in range(MOST):
        best, gain = None, 0.0
        for traits, inside in members.items():
            here = inside & left
            excess = float(weak[here].sum() - usual * here.sum())
            if here.sum() >= LEAST and excess > gain:
                share = bootstrap.share(weak[here], np.flatnonzero(here))
                if share["low"] is not None and share["low"] > usual:
                    best, gain = Region(violates, dict(traits), share, usual, excess), excess
        if best is None:
            return
        yield best
        left &= ~members[tuple(best.traits.items())]


def _members(cases: Sequence[Case]) -> dict[tuple[tuple[str, str], ...], NDArray[np.bool_]]:
    """Every region of `LEAST` runs or more -> which cases are in it."""
    single: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for at, case in enumerate(cases):
        for name, values in case.traits.items():
            for value in values:
                single.setdefault((name, value), np.zeros(len(cases), bool))[at] = True
    large = {trait: inside for trait, inside in sorted(single.items()) if inside.sum() >= LEAST}
    found: dict[tuple[tuple[str, str], ...], NDArray[np.bool_]] = {
        (t,): inside for t, inside in large.items()
    }
    for (one, a), (other, b) in combinations(large.items(), 2):
        if one[0] != other[0] and (both := a & b).sum() >= LEAST:
            found[one, other] = both
    return found
