"""The mix: 60% benign, 20% adversarial, 20% mutated, and half of the benign runs without an attack sibling.

Samples are admitted in order, each only while its share allows it; what is over its share is dropped. The
shares hold at every moment within a few samples and at the end exactly, and within a few samples in train,
validation and test as well. The held-out splits hold them together: one shows followed texts alone, one
mutations alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

from gatling.data.run import Kind
from gatling.data.split import Split

Stratum: TypeAlias = Literal["gold", "twin", "adversarial", "mutated"]

TENTHS: Mapping[Stratum, int] = {"gold": 3, "twin": 3, "adversarial": 2, "mutated": 2}
"""The share of each stratum. Gold runs and twins are the benign ones."""

SLACK = 4
"""Samples that a stratum may be ahead of its share: a group brings several of one kind at once."""


def stratum_of(kind: Kind) -> Stratum:
    """The stratum that a sample of a kind counts for."""
    match kind:
        case "gold" | "mutated":
            return kind
        case "hijacked":
            return "adversarial"
    return "twin"


class Mix:
    """Counts of what was admitted to a build of `size` samples, and what may still be."""

    def __init__(self, size: int, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self.size = size
        attacks = (size * TENTHS["adversarial"] + 5) // 10
        benign = size - 2 * attacks
        self._most: dict[Stratum, int] = {
            "gold": benign - benign // 2,
            "twin": benign // 2,
            "adversarial": attacks,
            "mutated": attacks,
        }
        self._parts: dict[str, Counter[str]] = {p: Counter(c) for p, c in (counts or {}).items()}
        self._all: Counter[str] = sum(self._parts.values(), Counter())

    def admit(self, split: Split, kind: Kind) -> bool:
        """Count a sample, if the shares allow it."""
        part, stratum = self._parts.setdefault(_part(split), Counter()), stratum_of(kind)
        if self._all[stratum] >= self._most[stratum] or not (
            _within(self._all, stratum) and _within(part, stratum)
        ):
            return False
        self._all[stratum] += 1
        part[stratum] += 1
        return True

    @property
    def total(self) -> int:
        """How many samples were admitted."""
        return self._all.total()

    def full(self) -> bool:
        """The build has its size."""
        return self.total >= self.size

    def counts(self) -> dict[str, dict[str, int]]:
        """Part -> stratum -> samples: what another `Mix` of the same size goes on from."""
        return {part: dict(sorted(counts.items())) for part, counts in sorted(self._parts.items())}


def _part(split: Split) -> str:
    return "heldout" if split.startswith("heldout") else split


def _within(counts: Counter[str], stratum: Stratum) -> bool:
    return 10 * (counts[stratum] + 1 - SLACK) <= TENTHS[stratum] * (counts.total() + 1)
