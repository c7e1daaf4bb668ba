"""The mix: percents of benign, adversarial and mutated; half of the benign runs without an attack sibling.

Samples are admitted in order, each only while its share allows it; what is over its share is dropped. The
shares hold at every moment within a few samples and at the end exactly, and within a few samples in train,
validation and test as well. The held-out splits hold them together: one shows followed texts alone, one
mutations alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from gatling.data.run import Kind
from gatling.data.split import EVALUATION, Split

Stratum: TypeAlias = Literal["gold", "twin", "adversarial", "mutated"]


class Shares(NamedTuple):
    """The percentages of a mix, which make 100 together."""

    benign: int = 60
    adversarial: int = 20
    mutated: int = 20

    @classmethod
    def read(cls, written: str) -> Shares:
        """Read `60/20/20`. Raises `ValueError` where that makes no mix."""
        parts = written.split("/")
        if len(parts) != 3 or not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise ValueError(f"mix {written!a}: give benign/adversarial/mutated in percent, as 60/20/20")
        shares = cls(*map(int, parts))
        if sum(shares) != 100:
            raise ValueError(f"mix {written!a}: makes {sum(shares)}, not 100")
        return shares

    def __str__(self) -> str:
        return "/".join(map(str, self))

    @property
    def strata(self) -> dict[Stratum, int]:
        """The share of each stratum in half percents. Gold runs and twins are the benign ones."""
        benign, adversarial, mutated = self
        return {"gold": benign, "twin": benign, "adversarial": 2 * adversarial, "mutated": 2 * mutated}


DEFAULT = Shares()

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


def quotas(size: int, shares: Shares = DEFAULT) -> dict[Stratum, int]:
    """The samples of each stratum in a mix of `size`."""
    adversarial, mutated = ((size * share + 50) // 100 for share in shares[1:])
    benign = size - adversarial - mutated
    return {
        "gold": benign - benign // 2,
        "twin": benign // 2,
        "adversarial": adversarial,
        "mutated": mutated,
    }


class Mix:
    """Counts of what was admitted to a build of `size` samples, and what may still be."""

    def __init__(
        self, size: int, counts: Mapping[str, Mapping[str, int]] | None = None, shares: Shares = DEFAULT
    ) -> None:
        self.size, self._shares = size, shares.strata
        self._most = quotas(size, shares)
        self._parts: dict[str, Counter[str]] = {p: Counter(c) for p, c in (counts or {}).items()}
        self._all: Counter[str] = sum(self._parts.values(), Counter())

    def admit(self, split: Split, kind: Kind) -> bool:
        """Count a sample, if the shares allow it. The split `evaluation` is no part of the mix."""
        if split == EVALUATION:
            return True
        part, stratum = self._parts.setdefault(_part(split), Counter()), stratum_of(kind)
        if self._all[stratum] >= self._most[stratum] or not (
            self._within(self._all, stratum) and self._within(part, stratum)
        ):
            return False
        self._all[stratum] += 1
        part[stratum] += 1
        return True

    def _within(self, counts: Counter[str], stratum: Stratum) -> bool:
        return 200 * (counts[stratum] + 1 - SLACK) <= self._shares[stratum] * (counts.total() + 1)

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
