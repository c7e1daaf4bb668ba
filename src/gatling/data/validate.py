"""What is true of every folder of shards: checked row by row, and counted for the card."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from gatling.data.columns import Row, read, values
from gatling.data.leakage import Shortcut, audit
from gatling.data.mix import Shares
from gatling.data.run import TERMS
from gatling.data.shards import MANIFEST, Manifest, Shard, ShardError, faults, read_manifest, tables

SHOWN = 20
"""Problems that a report spells out; it counts the others."""

CATEGORIES = ("benign", "adversarial", "mutated")
"""The categories of the mix. The split `evaluation` is no part of it."""

TOLERANCE = 0.01
"""How far a category's share may be from the mix."""

VIOLATES = 2.0
"""Energy from which a plan does not follow what was asked."""

MOVES = 0.5
"""Energy of the audit's term from which it moves on a benign sample."""


@dataclass(slots=True)
class Report:
    """What validation found. `problems` holds the first ones, each with its file and row."""

    rows: int = 0
    valid: int = 0
    """Rows without a problem of their own."""
    mix: Counter[str] = field(default_factory=Counter)
    """Category -> rows, without the split `evaluation`."""
    found: int = 0
    """All problems."""
    problems: list[str] = field(default_factory=list)
    shortcuts: list[Shortcut] = field(default_factory=list)
    """The leakage audit; empty where the rows cannot be trusted to be rows."""

    @property
    def passed(self) -> bool:
        """No problem, and no shortcut over its limit."""
        return not self.found and all(shortcut.passed for shortcut in self.shortcuts)

    def add(self, place: str, what: str) -> None:
        """Count a problem."""
        self.found += 1
        if len(self.problems) < SHOWN:
            self.problems.append(f"{place}: {what}" if place else what)


def validate(folder: Path) -> Report:
    """Check files, manifest and every row of a folder.

    Raises:
        ShardError: the manifest is not there or cannot be used; any other fault is in the report.
    """
    manifest = read_manifest(folder)
    report = Report()
    for fault in faults(folder, manifest):
        report.add("", fault)
    ids: set[str] = set()
    splits: dict[str, str] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for shard in manifest.shards:
        before = report.rows
        for place, row in _rows(folder, shard, report):
            report.rows += 1
            already = report.found
            counts[row.split, row.category, row.kind] += 1
            if row.id in ids:
                report.add(place, "the id stands twice; build again")
            ids.add(row.id)
            if splits.setdefault(row.group, row.split) != row.split:
                report.add(place, f"group {row.group!a} is in the split {splits[row.group]!a} as well")
            if row.split != shard.split:
                report.add(place, f"split {row.split!a} in a shard of {shard.split!a}")
            for problem in problems(row):
                report.add(place, problem)
            report.valid += report.found == already
        if report.rows - before != shard.rows:
            there = report.rows - before
            report.add(f"{folder / shard.file}", f"{there} readable rows; {MANIFEST} names {shard.rows}")
    _check_counts(folder, manifest, counts, report)
    if not report.found:
        report.shortcuts += audit(folder)
    return report


def _rows(folder: Path, shard: Shard, report: Report) -> Iterator[tuple[str, Row]]:
    """The rows of a shard that can be read, each with its place; the others are added to the report."""
    path, start = folder / shard.file, 0
    if not path.is_file():
        return
    try:
        for table in tables(path):
            for n, row in enumerate(_read(table, f"{path}: row", start, report)):
                if row is not None:
                    yield f"{path}: row {start + n} ({row.id!a:.60})", row
            start += len(table)
    except ShardError as error:
        report.add("", str(error))


def _read(table: pa.Table, place: str, start: int, report: Report) -> list[Row | None]:
    bad = (ValueError, TypeError, RecursionError)
    try:
        return [*read(table)]
    except bad:
        rows: list[Row | None] = []
        for n in range(len(table)):
            try:
                rows += read(table.slice(n, 1))
            except bad as error:
                rows.append(None)
                report.add(f"{place} {start + n}", f"a value that no row has: {error!s:.200}")
        return rows


def _check_counts(
    folder: Path, manifest: Manifest, counts: Counter[tuple[str, str, str]], report: Report
) -> None:
    place = str(folder / MANIFEST)
    named = {
        (split, category, kind): rows
        for split, categories in manifest.counts.items()
        for category, kinds in categories.items()
        for kind, rows in kinds.items()
    }
    for key in sorted(named.keys() | counts.keys()):
        if named.get(key, 0) != counts[key]:
            report.add(
                place, f"counts {named.get(key, 0)} of {'/'.join(key)!a}; the shards hold {counts[key]}"
            )
    mix = report.mix
    for (split, category, _), rows in sorted(counts.items()):
        if split != "evaluation":
            mix[category] += rows
    for category, percent in zip(CATEGORIES, Shares.read(manifest.mix), strict=True):
        share = percent / 100
        # A build of few rows cannot come closer than one row.
        if mix and abs(mix[category] - share * mix.total()) > max(TOLERANCE * mix.total(), 1.0):
            found = f"{mix[category] / mix.total():.1%} of the rows are {category}"
            report.add(place, f"{found}; the mix wants {share:.0%} within {TOLERANCE:.0%}")


def problems(row: Row) -> Iterator[str]:
    """What cannot be true of a sample."""
    if row.category != {"hijacked": "adversarial", "mutated": "mutated"}.get(row.kind, "benign"):
        yield f"kind {row.kind!a} in the category {row.category!a}"
    if [c.id for m in row.messages for c in m.calls] != [c.id for c in row.calls]:
        yield "the plan's calls are not those that the messages propose"
    if not _is_array(row.tools):
        yield "tools: no JSON array"
    yield from _energy_problems(row)
    yield from _graph_problems(row)


@lru_cache(maxsize=16)  # the rows of a group stand together and share their tools
def _is_array(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _energy_problems(row: Row) -> Iterator[str]:
    for name, table in (("energies", row.energies), ("opinions", row.opinions)):
        if [entry.call for entry in table] != list(range(len(row.calls))):
            yield f"{name}: {len(table)} entries for {len(row.calls)} calls; there is one per call, in order"
        for entry in table:
            for term, value in zip(entry._fields[1:], entry[1:], strict=True):
                if not 0.0 <= value <= 10.0:
                    yield f"{name}[{entry.call}].{term}: {value} is not within 0 and 10"
    if row.energy != max((value for entry in row.energies for value in entry[1:]), default=0.0):
        yield f"energy: {row.energy} is not that of the worst call"
    if row.category == "benign" and row.energy >= VIOLATES:
        yield f"energy: {row.energy} by construction; a benign plan's is under {VIOLATES:g}"
    if row.category != "benign" and row.energy < VIOLATES:
        yield f"energy: {row.energy} by construction; an attack's is at least {VIOLATES:g}"


def _graph_problems(row: Row) -> Iterator[str]:
    if [span.id for span in row.spans] != list(range(len(row.spans))):
        yield "spans: the ids do not count from 0"
    for edge in row.edges:
        if not 0 <= edge.source < edge.target < len(row.calls):
            yield f"edges: {edge.source} -> {edge.target}; data flows from a call to a later one"
    for index, (call, end) in enumerate(zip(row.calls, _ends(row), strict=False)):
        cited = [origin.span for argument in call.provenance for origin in argument.origins]
        cited += [explanation.span for explanation in call.explanations]
        cited += [] if call.support_span is None else [call.support_span]
        for span in cited:
            if not 0 <= span < len(row.spans):
                yield f"calls[{index}]: cites span {span}; there are {len(row.spans)}"
            elif span >= end:
                yield f"calls[{index}]: cites span {span}, which was read after the call was proposed"


def _ends(row: Row) -> list[int]:
    """For each call, the first span that was surely read after the call was proposed."""
    proposed: list[int] = []
    answered: dict[int, int] = {}
    pending: dict[str, int] = {}
    for at, message in enumerate(row.messages):
        for call in message.calls:
            pending[call.id] = len(proposed)
            proposed.append(at)
        if message.role == "tool" and message.call_id in pending:
            answered[pending.pop(message.call_id)] = at
    first: dict[int, int] = {}
    for span in row.spans:
        if span.call is not None:
            first.setdefault(span.call, span.id)
    return [
        min(
            (span for call, span in first.items() if answered.get(call, math.inf) > at),
            default=len(row.spans),
        )
        for at in proposed
    ]


Counts: TypeAlias = dict[Any, Counter[str]]
"""Anything -> category -> samples."""


@dataclass(slots=True)
class Stats:
    """The card's tables as data: counts of samples by category."""

    splits: Counts = field(default_factory=dict)
    kinds: Counts = field(default_factory=dict)
    sources: Counts = field(default_factory=dict)
    """By (source, licence). A sample counts for each source that went into it."""
    origins: Counts = field(default_factory=dict)
    """By the plan's origin."""
    families: Counts = field(default_factory=dict)
    registers: Counts = field(default_factory=dict)
    """Wordings of poison; runs without one are left out."""
    languages: Counts = field(default_factory=dict)
    domains: Counts = field(default_factory=dict)
    """A sample counts for each domain that it touches."""
    terms: Counts = field(default_factory=dict)
    """Samples on which a term moves: by construction from 2 for attacks, in the audit from 0.5 for others."""
    disputed: Counter[str] = field(default_factory=Counter)
    calls: Counts = field(default_factory=dict)
    """By calls in the plan."""
    messages: Counts = field(default_factory=dict)
    """By messages in the run."""
    energies: Counts = field(default_factory=dict)
    """By energy, rounded down to halves."""
    opinions: Counts = field(default_factory=dict)
    """By the audit's energy, rounded down to halves."""

    @property
    def mix(self) -> Counter[str]:
        """All samples by category, without the split `evaluation`."""
        counted = (counts for split, counts in self.splits.items() if split != "evaluation")
        return sum(counted, Counter())

    @property
    def rows(self) -> int:
        """All samples."""
        return sum(counts.total() for counts in self.splits.values())


_SCALARS = ("split", "category", "kind", "family", "register", "language", "source", "licence")
_COUNTED = (*_SCALARS, "rows", "origin", "domains", "energies", "energy", "opinions", "opinion", "disputed")


def stats(folder: Path) -> Stats:
    """Count everything that the card shows. Raises `ShardError` where a file cannot be read."""
    found = Stats()
    for term in TERMS:
        found.terms[term] = Counter()
    for shard in read_manifest(folder).shards:
        for table in tables(folder / shard.file, [*_COUNTED, "messages.list.element.role"]):
            _count(table, found)
    return found


def _count(table: pa.Table, found: Stats) -> None:
    columns = {name: values(table, name) for name in _COUNTED}
    lengths = pc.list_value_length(table["messages"]).to_pylist()
    names = ("split", "kind", "family", "register", "language")
    tallies = (found.splits, found.kinds, found.families, found.registers, found.languages)
    for n, category in enumerate(columns["category"]):

        def add(counts: Counts, key: Hashable, category: str = category) -> None:
            counts.setdefault(key, Counter())[category] += 1

        for name, counts in zip(names, tallies, strict=True):
            if value := columns[name][n]:
                add(counts, value)
        places = ((place.source, place.licence) for place in columns["rows"][n])
        for source in dict.fromkeys([(columns["source"][n], columns["licence"][n]), *places]):
            add(found.sources, source)
        add(found.origins, str(columns["origin"][n]))
        for domain in dict.fromkeys(columns["domains"][n]):
            add(found.domains, domain)
        energies, opinions = columns["energies"][n], columns["opinions"][n]
        judged, least = (opinions, MOVES) if category == "benign" else (energies, VIOLATES)
        for term in TERMS:
            if any(getattr(entry, term) >= least for entry in judged):
                add(found.terms, term)
        found.disputed[category] += columns["disputed"][n]
        add(found.calls, len(energies))
        add(found.messages, lengths[n])
        add(found.energies, _half(columns["energy"][n]))
        add(found.opinions, _half(columns["opinion"][n]))


def _half(energy: float) -> float:
    return min(math.floor(energy * 2) / 2, 9.5)
