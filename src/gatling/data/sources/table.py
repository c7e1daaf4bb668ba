"""The registry as a table, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatling.data.sources import SOURCES
from gatling.data.sources.source import Source

_HEAD = ("source", "repository", "holds", "rows", "licence", "access", "role", "terms", "labels", "to know")
_ORDER = ("hierarchy", "provenance", "scope", "flow")


def markdown(sources: Iterable[Source] = SOURCES) -> str:
    """A Markdown table with a line for each source.

    `docs/candidates.md` holds it; after a change, put in what this prints:
    `python -c "from gatling.data.sources.table import markdown; print(markdown())"`.
    """
    return lined(_HEAD, map(_cells, sources))


def lined(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _cells(source: Source) -> tuple[str, ...]:
    revision = "" if source.revision == "main" else f" @ {source.revision}"
    return (
        f"`{source.name}`",
        source.repo + revision if source.repo else "your own files",
        source.form,
        f"{source.size:,}" if source.size is not None else "unknown",
        source.licence,
        source.gate,
        source.role,
        ", ".join(term for term in _ORDER if term in source.terms),
        source.meaning,
        source.note,
    )
