"""What of the candidates is kept: the hard ones, each attack with its twins, in the shares of the mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gatling.data.dedupe import Seen
from gatling.data.mix import Stratum, quotas, stratum_of
from gatling.mining.regions import Case

EASY = 3.0
"""Margin, in logits, from which a candidate teaches nothing any more: the model is sure, and right."""

TWINS_EACH = 0.75
"""Twins for every attack, as the mix has them: 30% to 40%."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case with what tells duplicates apart."""

    case: Case
    exact: int
    signature: bytes | None
    """Of the first run of its group and of every run without an attack sibling."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidates are kept, by place, in order; and why others are not."""

    kept: tuple[int, ...]
    dropped: Counter[str]


Pick: TypeAlias = Callable[[Sequence[Case], float, np.random.Generator], NDArray[np.float64]]
"""How early each candidate comes in the choice, the highest first; -∞ for what is not wanted at all."""


def hard(cases: Sequence[Case], threshold: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Drawn without replacement, the likelier the worse the model judges them: 1 / (1 + exp(margin)).

    The worst alone would be those that are labelled wrong. A key is the weight's logarithm with Gumbel noise
    (Efraimidis and Spirakis, 2006, https://doi.org/10.1016/j.ipl.2005.11.003).
    """
    margins = np.array([case.margin(threshold) for case in cases])
    keys: NDArray[np.float64] = -np.logaddexp(0.0, margins) + random.gumbel(size=len(cases))
    return np.where(margins > EASY, -np.inf, keys)


def at_random(cases: Sequence[Case], threshold: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Drawn as they come, whatever the model says: what mining has to beat."""
    return random.gumbel(size=len(cases))


def choose(
    candidates: Sequence[Candidate], threshold: float, size: int, seen: Seen, pick: Pick, seed: int
) -> Choice:
    """`size` candidates in the shares of the mix, fewer where there are not enough of a kind.

    Groups come in the order of their first candidate. Of each, the attacks that `pick` wants are taken, at
    least one where it wants a twin, and twins in proportion, at least one: no attack is alone, and no twin.
    Runs without an attack sibling fill a share of their own. Where there are not enough hard ones, easy ones
    fill the shares. `seen` holds what is there already, and takes in what is kept.
    """
    keys = pick([one.case for one in candidates], threshold, np.random.default_rng(seed))
    choosing = _Choosing(candidates, keys, quotas(size), seen)
    groups: dict[str, list[int]] = {}
    for at, candidate in enumerate(candidates):
        groups.setdefault(candidate.case.group, []).append(at)
    for members in sorted(groups.values(), key=lambda members: -keys[members].max()):
        choosing.group(members)
    choosing.fill(threshold)
    return Choice(tuple(sorted(choosing.kept)), choosing.dropped)


class _Choosing:
    """What is kept so far, and the room that is left."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        keys: NDArray[np.float64],
        room: dict[Stratum, int],
        seen: Seen,
    ) -> None:
        self.candidates, self.keys, self.room, self.seen = candidates, keys, room, seen
        self.kept: list[int] = []
        self.dropped: Counter[str] = Counter()
        self.siblings: list[int] = []
        """Of what was taken, and not taken themselves."""
        self.gold: list[int] = []
        """Runs without an attack sibling that were easy."""

    def group(self, members: Sequence[int]) -> None:
        """Take of one group what is wanted and has room."""
        wanted = [at for at in members if self.keys[at] > -np.inf]
        easy = len(members) - len(wanted)
        if easy and self._stratum(members[0]) == "gold":
            self.gold += members
            return
        self.dropped["easy"] += easy
        attacks = [at for at in members if self.candidates[at].case.violates]
        if not any(self.room[self._stratum(at)] for at in wanted) or (attacks and not self.room["twin"]):
            return
        if not self._fresh(members[0]):
            return
        if not attacks:
            self._take(wanted, len(wanted))
            return
        twins = [at for at in members if at not in attacks]
        hard = [at for at in wanted if at in attacks] or [max(attacks, key=self.keys.__getitem__)]
        taken = sum(
            self._take([at for at in hard if self._stratum(at) == stratum], len(hard))
            for stratum in ("adversarial", "mutated")
        )
        if taken:
            before = len(self.kept)
            self._take(twins, max(1, round(TWINS_EACH * taken)))
            self.siblings += [at for at in members if at not in self.kept[before - taken :]]

    def fill(self, threshold: float) -> None:
        """Take what was left, the hardest first, as far as its share has room."""
        for stratum in ("twin", "adversarial", "mutated"):
            left = [at for at in self.siblings if self._stratum(at) == stratum]
            self._take(left, len(left))
        for at in sorted(self.gold, key=lambda at: self.candidates[at].case.margin(threshold)):
            if not (self.room["gold"] and self._fresh(at) and self._take([at], 1)):
                self.dropped["easy"] += 1

    def _stratum(self, at: int) -> Stratum:
        return stratum_of(self.candidates[at].case.kind)

    def _take(self, members: Sequence[int], most: int) -> int:
        """How many of them, all of one stratum, were taken: the first by their keys."""
        taken = 0
        for at in sorted(members, key=lambda at: -self.keys[at]):
            if taken == most or not self.room[self._stratum(at)]:
                break
            if self.seen.run(self.candidates[at].exact):
                self.dropped["duplicate"] += 1
                continue
            self.seen.add_run(self.candidates[at].exact)
            self.room[self._stratum(at)] -= 1
            self.kept.append(at)
            taken += 1
        return taken

    def _fresh(self, first: int) -> bool:
        """The group, given by its first run, is no near duplicate."""
        signed = self.candidates[first].signature
        assert signed is not None
        if self.seen.group(signed) is not None:
            self.dropped["near-duplicate"] += 1
            return False
        self.seen.add_group(len(self.kept), signed)
        return True
