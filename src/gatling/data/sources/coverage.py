"""What the sources bring, and what traces cost, as tables for the documentation.

`python -m gatling.data.sources.coverage` prints them by name: `terms` and `costs` stand in
`docs/strategy.md`, `reads` in `docs/implementation.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, get_args

from gatling.data.presets import presets
from gatling.data.run import TERMS
from gatling.data.sources import SOURCES, Role
from gatling.data.sources.table import lined

PRICES: Final = (0.01, 0.015)
"""US dollars for a synthetic trace: the least and the most that are assumed."""

TRACES: Final = 4_000_000
"""Traces of a corpus as it would be bought."""


def terms() -> str:
    """Energy term by role: the sources whose rows can move it. In bold, those that hold calls."""

    def cell(term: str, role: Role) -> str:
        found = [one for one in SOURCES if term in one.terms and one.role == role]
        return ", ".join(f"**`{one.name}`**" if one.form == "calls" else f"`{one.name}`" for one in found)

    roles: tuple[Role, ...] = get_args(Role)
    return lined(
        ("term", *roles), [(term, *(cell(term, role) or "none" for role in roles)) for term in TERMS]
    )


def reads() -> str:
    """Source by preset: the rows that are read, and those that worlds stand in for."""
    known = {name: preset for name, preset in presets().items() if preset.parts}
    lines = []
    for one in SOURCES:
        if any(one.name in preset.rows for preset in known.values()):
            counts = (preset.rows.get(one.name, 0) for preset in known.values())
            lines.append((f"`{one.name}`", one.form, one.role, one.gate, *map(_count, counts)))
    made = (sum(part.made for part in preset.parts) for preset in known.values())
    sums = (sum(part.size for part in preset.parts) for preset in known.values())
    lines.append(("worlds stand in for", "", "", "", *map(_count, made)))
    lines.append(("all", "", "", "", *map(_count, sums)))
    return lined(("source", "holds", "role", "access", *(f"`{name}`" for name in known)), lines)


def _count(rows: int) -> str:
    return f"{rows:,}" if rows else ""


def costs() -> str:
    """What as many bought traces as a preset has samples would cost, at `PRICES`."""
    sizes = {f"as many as `{name}` builds": preset.size for name, preset in presets().items()}
    low, high = PRICES
    return lined(
        ("", "traces", f"at ${low:g} each", f"at ${high:g} each"),
        [
            (name, f"{n:,}", f"${n * low:,.0f}", f"${n * high:,.0f}")
            for name, n in {**sizes, "a corpus": TRACES}.items()
        ],
    )


TABLES: Final[Mapping[str, Callable[[], str]]] = {"terms": terms, "reads": reads, "costs": costs}
"""By the name under which the pages hold them."""


if __name__ == "__main__":
    for name, table in TABLES.items():
        print(f"<!-- {name}: generated -->\n{table()}\n<!-- end -->\n")
