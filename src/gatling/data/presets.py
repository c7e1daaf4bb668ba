"""Presets: which sources a build draws on, and how many rows of each (`presets.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

OFFLINE = "offline"
"""The preset that needs no network: worlds alone."""


@dataclass(frozen=True, slots=True)
class Part:
    """Sources of one role, and the rows that are wanted of them."""

    name: str
    rows: Mapping[str, int] = field(default_factory=dict)
    """Source -> rows."""
    made: int = 0
    """Rows that the worlds' runs and their mutations stand in for."""
    note: str = ""
    """Why."""

    @property
    def size(self) -> int:
        """Rows in all."""
        return sum(self.rows.values()) + self.made

    def without(self, missing: Collection[str], sizes: Mapping[str, int | None]) -> Part:
        """The part with the quota of missing sources given to its others, as far as they have rows.

        What is left after that, the worlds stand in for.
        """
        rows = {name: count for name, count in self.rows.items() if name not in missing}
        left = sum(self.rows.values()) - sum(rows.values())
        while left:
            free = {name: most for name in rows if (most := _free(rows[name], sizes.get(name), left))}
            if not free:
                break
            share = max(1, left // len(free))
            for name, most in free.items():
                more = min(share, most, left)
                rows[name] += more
                left -= more
        return Part(self.name, rows, self.made + left, self.note)


def _free(taken: int, size: int | None, left: int) -> int:
    """Rows that a source has beyond those that are taken; of unknown size, as many as are wanted."""
    return max(0, size - taken) if size is not None else left


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice of sources."""

    name: str
    about: str
    parts: tuple[Part, ...] = ()
    evaluation: tuple[str, ...] = ()
    """Sources that enter the split `evaluation`, and that alone, when asked for."""
    samples: int = 0
    """Samples, where no row decides how many."""

    @property
    def size(self) -> int:
        """Samples of a build that says no other number: one a row."""
        return self.samples or sum(part.size for part in self.parts)

    @property
    def rows(self) -> dict[str, int]:
        """Source -> rows."""
        return {name: rows for part in self.parts for name, rows in part.rows.items()}


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, the smallest first."""
    written = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
    found: dict[str, Preset] = {}
    for name, table in written.items():
        parts = [Part(**part) for part in table.get("part", ())]
        base = found[table["extends"]].parts if "extends" in table else ()
        found[name] = Preset(
            name, table["about"], (*base, *parts), tuple(table.get("evaluation", ())), table.get("samples", 0)
        )
    return found
