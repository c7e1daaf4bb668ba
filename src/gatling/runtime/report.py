"""What a person sees of an audit: the worst calls in a table, and the counts.

Everything that came out of a trace is hostile until `safe` has made it visible, and reaches the terminal as
`Text`, never as markup.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import typer
from rich import box
from rich.console import Console, Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gatling.runtime.verdict import DECISIONS, Decision, Evidence, TraceVerdict, Verdict
from gatling.terminal import NAME_LIMIT, TEXT_LIMIT, name, quoted, safe

CELL_LIMIT = 160
"""Characters of a value or a quoted text in the table."""

ERROR_LIMIT = 1000
"""Characters of an error's line."""

WIDTH = 120
"""Columns where standard output is no terminal."""

PATIENCE = 2.0
"""Seconds before a progress bar shows."""

EVIDENCE_LIMIT = 3
"""Reasons shown for a call in the table."""

STYLES: dict[Decision, str] = {"allow": "green", "repair": "cyan", "escalate": "yellow", "deny": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A call that may not run as it stands, or, without a call, a trace that could not be read."""

    trace: str
    energy: float
    decision: Decision
    call: Verdict | None
    problem: str | None = None


@dataclass(slots=True)
class Tally:
    """Counts of a whole audit and its `top` worst findings: memory does not grow with the traces."""

    top: int
    traces: int = 0
    unreadable: int = 0
    flagged: int = 0
    """Traces that are not allowed as they stand."""
    findings: int = 0
    calls: Counter[Decision] = field(default_factory=Counter)
    _worst: list[tuple[int, float, int, Finding]] = field(default_factory=list)

    def add(self, verdict: TraceVerdict) -> None:
        """Count one trace."""
        self.traces += 1
        self.flagged += verdict.decision != "allow"
        self.unreadable += verdict.problem is not None
        self.calls.update(call.decision for call in verdict.calls)
        found = [
            Finding(verdict.id, call.energy, call.decision, call)
            for call in verdict.calls
            if not call.allowed
        ]
        # A flagged trace shows up even where no call of it does.
        if verdict.problem is not None or (verdict.decision != "allow" and not found):
            found.append(Finding(verdict.id, verdict.energy, verdict.decision, None, verdict.problem))
        for finding in found:
            self.findings += 1
            gravity = DECISIONS.index(finding.decision)
            heapq.heappush(self._worst, (gravity, finding.energy, -self.findings, finding))
            if len(self._worst) > self.top:
                heapq.heappop(self._worst)

    def worst(self) -> list[Finding]:
        """The worst findings, gravest decision first, then highest energy, then input order."""
        return [finding for *_, finding in sorted(self._worst, key=lambda entry: entry[:3], reverse=True)]


def findings(tally: Tally) -> RenderableType:
    """The worst findings as a table, and how many more there are."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), show_edge=False)
    table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("trace, call, tool", ratio=2, min_width=20, overflow="fold")
    table.add_column("terms", no_wrap=True)
    table.add_column("because", ratio=5, overflow="fold")
    for finding in tally.worst():
        call = finding.call
        names = [name(finding.trace, "bold")]
        if call is not None:
            names += [name(call.call_id), name(call.tool)]
        table.add_row(
            Text(f"{finding.energy:.1f}", STYLES[finding.decision]),
            Text(finding.decision, STYLES[finding.decision]),
            Text("\n").join(names),
            terms(call) if call is not None else Text(),
            because(call.evidence, EVIDENCE_LIMIT, CELL_LIMIT)
            if call is not None
            else Text(safe(finding.problem or "")),
        )
        table.add_section()
    more = tally.findings - len(tally.worst())
    if more <= 0:
        return table
    hint = f"{more} more flagged: --top {tally.findings} shows all, --output FILE writes every verdict."
    return Group(table, Text(hint))


def terms(verdict: Verdict) -> Text:
    """Energy by term, one a line; a term at zero is left out."""
    return Text("\n").join(
        Text(f"{energy:4.1f} {safe(term, NAME_LIMIT)}")
        for term, energy in verdict.terms.items()
        if energy > 0
    )


def because(evidence: list[Evidence], most: int, limit: int = TEXT_LIMIT) -> Text:
    """The first `most` reasons with the values and texts that they rest on, and how many more there are."""
    lines: list[Text] = []
    seen: set[str] = set()
    for reason in evidence[:most]:
        lines.append(Text(safe(reason.reason)))
        if reason.path is not None:
            shown = name(reason.path)
            lines.append(shown if reason.value is None else shown + " = " + quoted(reason.value, limit))
            seen.add(reason.value or "")
        if reason.origin is not None:
            source = Text("from " + safe(reason.origin, NAME_LIMIT))
            again = reason.text is None or reason.text in seen
            lines.append(source if again else source + ": " + quoted(reason.text or "", limit))
            seen.add(reason.text or "")
    if len(evidence) > most:
        lines.append(Text(f"and {len(evidence) - most} more reasons: gatling explain", "dim"))
    return Text("\n").join(lines)


def summary(tally: Tally, seconds: float) -> Text:
    """One line of counts."""
    calls = sum(tally.calls.values())
    parts = [
        f"{tally.traces} {'trace' if tally.traces == 1 else 'traces'}",
        f"{calls} {'call' if calls == 1 else 'calls'}: {tally.calls['allow']} allowed, "
        f"{tally.calls['escalate']} escalated, {tally.calls['deny']} denied",
        f"{tally.unreadable} unreadable",
        f"{seconds:.1f} s, {tally.traces / max(seconds, 1e-9):.0f} traces/s",
    ]
    return Text("; ".join(parts), "bold" if tally.flagged else "bold green")


def show(shown: RenderableType, err: bool = False) -> None:
    """Print on standard output, or on standard error: in colour on a terminal, plain elsewhere."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else WIDTH
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    # Captured, because rich would answer a broken pipe itself, with the exit code that means "flagged".
    with console.capture() as captured:
        console.print(shown)
    typer.echo(captured.get(), nl=False, err=err)


def watched(verdicts: Iterable[TraceVerdict]) -> Iterator[TraceVerdict]:
    """Pass verdicts on, with a progress bar on standard error if that is a terminal and it takes a while."""
    if not sys.stderr.isatty():
        yield from verdicts
        return
    columns = (SpinnerColumn(), TextColumn("{task.completed} traces"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task, began = progress.add_task("audit", total=None), time.monotonic()
    try:
        for verdict in verdicts:
            progress.advance(task)
            if not progress.live.is_started and time.monotonic() - began > PATIENCE:
                progress.start()
            yield verdict
    finally:
        progress.stop()
