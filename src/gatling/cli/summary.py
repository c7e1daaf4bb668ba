"""What a build from public sources says at its end: tables of sources, samples and rejects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gatling.data.build import REJECTS
from gatling.data.shards import Manifest, SourceRows
from gatling.data.sources import Source
from gatling.data.validate import CATEGORIES, Stats
from gatling.terminal import folding, name, safe

REASONS = 12
"""Reasons for rejects that are shown."""

LABELS = ("attack", "benign", "none")


def counted(title: str, counts: Mapping[str, Counter[str]]) -> Table:
    """Samples by anything and category."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column(title, min_width=24)
    for category in (*CATEGORIES, "all"):
        table.add_column(category, justify="right")
    for key, row in counts.items():
        table.add_row(name(key), *(str(row[category]) for category in CATEGORIES), str(row.total()))
    return table


def summary(out: Path, manifest: Manifest, stats: Stats) -> RenderableType:
    """The rows that were read, and the samples after the mix."""
    sources: dict[str, Counter[str]] = {
        f"{source} ({licence})": counts for (source, licence), counts in stats.sources.items()
    }
    tables: dict[str, Mapping[str, Counter[str]]] = {
        "samples by source": sources,
        "label": stats.kinds,
        "term that moves": stats.terms,
        "plan's origin": stats.origins,
        "split": stats.splits,
        "all": {"samples": stats.mix},
    }
    parts: list[RenderableType] = [_rows(manifest), *_notes(manifest)]
    for title, counts in tables.items():
        parts += [Text(), counted(title, counts)]
    rejects = _rejects(out / REJECTS)
    parts += [Text(), rejects] if rejects.row_count else []
    return Group(*parts)


def _rows(manifest: Manifest) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in ("rows read", "commit", "licence"):
        table.add_column(column, overflow="fold")
    for column in ("wanted", "read", *LABELS, "rejected", "hosted", "spare"):
        table.add_column(column, justify="right")
    for source in manifest.sources:
        table.add_row(name(source.name), source.commit[:8], name(source.licence), *map(str, _counts(source)))
    totals = [sum(column) for column in zip(*map(_counts, manifest.sources), strict=True)]
    table.add_row("all", "", "", *map(str, totals))
    return table


def _counts(source: SourceRows) -> list[int]:
    spare = source.read - source.rejected - source.used
    labels = (source.labels.get(label, 0) for label in LABELS)
    return [source.wanted, source.read, *labels, source.rejected, source.used, spare]


def _notes(manifest: Manifest) -> list[Text]:
    found = [
        Text(f"{safe(source.name)} could not be had: {safe(source.missing, 600)}", "yellow")
        for source in manifest.sources
        if source.missing
    ]
    if manifest.made:
        found.append(Text(f"Worlds and their mutations stand in for {manifest.made} rows."))
    odd = [s.name for s in manifest.sources if s.licence.startswith("LicenseRef-") and not s.missing]
    unknown = [s.name for s in manifest.sources if s.licence == "unknown" and not s.missing]
    if unknown:
        found.append(
            Text(f"No licence is known of {', '.join(unknown)}: ask their authors before you publish.")
        )
    if odd:
        found.append(Text(f"{', '.join(odd)}: under terms of their own; read them before you publish."))
    return found


def _rejects(path: Path) -> Table:
    reasons: Counter[tuple[str, str]] = Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            reject = json.loads(line)
            reasons[reject["source"], reject["reason"].partition(":")[0]] += 1
    table = folding("rejects", "reason")
    table.add_column("rows", justify="right")
    for (source, reason), count in reasons.most_common(REASONS):
        table.add_row(name(source), Text(safe(reason)), str(count))
    return table


def listing(sources: tuple[Source, ...]) -> Table:
    """What there is to draw on; `described` has the rest."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("source", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for column in ("holds", "role", "access"):
        table.add_column(column, no_wrap=True)
    table.add_column("licence", overflow="fold")
    table.add_column("terms", overflow="fold")
    for source in sources:
        terms = ", ".join(sorted(source.terms))
        table.add_row(
            source.name, _size(source), source.form, source.role, source.gate, source.licence, terms
        )
    return table


def described(source: Source) -> Table:
    """All that is known of one source."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    columns = ", ".join(f"{column} ({kind})" for column, kind in source.columns.items())
    facts = {
        "source": source.name,
        "repository": f"{source.repo} @ {source.revision}" if source.repo else "your own files",
        "files": ", ".join(source.files),
        "holds": source.form,
        "rows": _size(source),
        "licence": source.licence,
        "access": source.gate,
        "role": source.role,
        "columns": columns,
        "label": source.meaning,
        "label's columns": ", ".join(sorted(source.labels)),
        "terms": ", ".join(sorted(source.terms)),
        "to know": source.note,
    }
    for fact, value in facts.items():
        if value:
            table.add_row(fact, value)
    return table


def _size(source: Source) -> str:
    return f"{source.size:,}" if source.size is not None else "unknown"
