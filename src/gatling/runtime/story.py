"""One call's whole story: found in a file, and told so that a person can follow every number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from gatling.energy import TermScore
from gatling.plan import Edge, Explanation, Span
from gatling.runtime.audit import CallStory
from gatling.runtime.batch import place, read_line
from gatling.runtime.report import STYLES, because
from gatling.terminal import NAME_LIMIT, folding, name, quoted, safe, stacked
from gatling.trace import ProposedCall, Trace, TraceError
from gatling.trace.jsonl import read_lines

LISTED = 20
"""Calls named when the one asked for is not there."""

MOST_TEXTS = 5
"""Texts shown for one argument, or for the call itself."""


class CallNotFound(LookupError):
    """No such call; the message names those there are."""


def find_call(
    path: str | Path,
    call_id: str,
    trace_id: str | None = None,
    format: str | None = None,
    stdin: BinaryIO | None = None,
) -> Trace:
    """The first trace that holds the call; with `trace_id`, the trace of that id, else of that line number.

    Raises:
        CallNotFound: no trace holds it.
        OSError: the file cannot be opened or read.
    """
    numbered: Trace | None = None
    problems: list[str] = []
    there: list[str] = []
    for line in read_lines(path, stdin):
        where = f"{place(path)}:{line.number}"
        try:
            if line.problem is not None:
                raise TraceError(line.problem)
            trace = read_line(line, format)
        except TraceError as error:
            if trace_id is None or trace_id in (str(line.number), f"line {line.number}"):
                problems.append(f"{where}: {error}")
            continue
        if trace_id is None:
            if any(call.id == call_id for call in calls_of(trace)):
                return trace
            there += [f"{call.id} (trace {trace.id})" for call in calls_of(trace)][: LISTED - len(there)]
        elif trace.id == trace_id:
            numbered = trace
            break
        elif str(line.number) == trace_id:
            numbered = trace
    if numbered is None and trace_id is not None:
        reason = problems[0] if problems else "no trace has that id, and no line that number"
        raise CallNotFound(f"{place(path)}: trace {trace_id}: {reason}")
    if numbered is not None:
        if any(call.id == call_id for call in calls_of(numbered)):
            return numbered
        there = [call.id for call in calls_of(numbered)][:LISTED]
    listed = f"the first calls there: {', '.join(there)}" if there else "no trace there proposes a call"
    unread = f"; {problems[0]}" if problems else ""
    raise CallNotFound(f"{place(path)}: no call {call_id}; {listed}{unread}")


def calls_of(trace: Trace) -> list[ProposedCall]:
    """All calls of a trace in order."""
    return [call for message in trace.messages for call in message.calls]


def story(told: CallStory, trace: Trace) -> RenderableType:
    """Everything the audit knows about one call."""
    verdict = told.verdict
    tool, joined = told.tool, told.weights.composite(verdict.terms)
    head = Text.assemble(
        name(verdict.call_id, "bold"), " calls ", name(verdict.tool, "bold"), " in trace ", name(trace.id)
    )
    facts = Text(
        f"It may {', '.join(sorted(tool.effects))}; sensitivity {tool.sensitivity} of 5; its output is "
        f"{tool.output.name.lower()}; {'described' if tool.described else 'nobody described it'}.",
        "dim",
    )
    sections = [
        ("Asked for", _asked(told)),
        ("Arguments", _arguments(told)),
        ("What explains it", _explained(told)),
        ("Data flow", _flow(told.edges, calls_of(trace))),
        *((f"Term {safe(term, NAME_LIMIT)}", _arithmetic(score)) for term, score in told.terms.items()),
        (
            "Verdict",
            Group(
                Text(
                    f"the terms join to {joined:.2f}, calibrated {told.weights.calibration.apply(joined):.2f}"
                ),
                Text(f"{verdict.decision}, energy {verdict.energy:.2f}", STYLES[verdict.decision]),
                because(verdict.evidence, len(verdict.evidence)),
                Text(safe(told.problem, 300) if told.problem else ""),
            ),
        ),
    ]
    parts: list[RenderableType] = [head, facts]
    for title, body in sections:
        parts += [Text(), Text(title, "bold underline"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def _asked(told: CallStory) -> RenderableType:
    return stacked(quoted(sentence) for sentence in told.request) or Text("Nothing: no request was read.")


def _cited(span: Span) -> Text:
    """Who wrote a text, where it stood, and the text."""
    where = f" at {safe(span.path, NAME_LIMIT)}" if span.path else ""
    return Text(f"{safe(span.source, NAME_LIMIT)} ({span.tier.name.lower()}){where}: ") + quoted(span.text)


def _arguments(told: CallStory) -> RenderableType:
    if not told.call.provenance:
        return Text("None.")
    table = folding("argument", "value", "tier", "rarity", "stands in")
    for argument in told.call.provenance:
        origins = _first(
            Text(f"{origin.match} {origin.share:.0%} of it in ") + _cited(told.spans[origin.span])
            for origin in argument.origins
        )
        tier = "model" if argument.tier is None else argument.tier.name.lower()
        table.add_row(
            name(argument.path),
            quoted(argument.value),
            Text(tier),
            Text(f"{argument.rarity:.2f}"),
            origins or Text("nothing that was read: the model's own", "dim"),
        )
    return table


def _explained(told: CallStory) -> RenderableType:
    call = told.call
    trusted = Text(f"Request and policy: support {call.support:.2f} nats, coverage {call.coverage:.0%}")
    if call.support_span in told.spans:
        trusted += Text("; best ") + _cited(told.spans[call.support_span])
    blamed = {e.span for e in told.verdict.evidence if e.term == "hierarchy"}
    best_first = sorted(call.explanations, key=lambda e: (e.span in blamed, e.call, e.tool), reverse=True)
    others = _first(Text(f"{_gains(found)}; ") + _cited(told.spans[found.span]) for found in best_first)
    return Group(trusted, others) if others else trusted


def _gains(found: Explanation) -> str:
    return (
        f"tool {found.tool:+.2f} nats, call {found.call:+.2f}, values {found.values:.2f}, "
        f"share {found.share:.0%}, delegated {found.delegated:g}"
    )


def _flow(edges: Sequence[Edge], calls: list[ProposedCall]) -> RenderableType:
    named = {
        index: f"{safe(call.tool, NAME_LIMIT)} ({safe(call.id, NAME_LIMIT)})"
        for index, call in enumerate(calls)
    }
    return stacked(
        Text(f"{named[edge.source]} -> {named[edge.target]} by {safe(edge.path, NAME_LIMIT)}")
        for edge in edges
    ) or Text("No call's output reaches this one.")


def _arithmetic(score: TermScore) -> RenderableType:
    table = folding("part", "value", "weight", "product")
    for part in score.parts:
        numbers = (part.value, part.weight, part.value * part.weight)
        table.add_row(name(part.name), *(Text(f"{number:.3f}") for number in numbers))
    total = f"sum {sum(part.value * part.weight for part in score.parts):.3f}; "
    shown = total if "sum" in score.formula else ""
    return Group(table, Text(f"{shown}{score.formula}; energy {score.value:.2f}"))


def _first(texts: Iterable[Text]) -> Text:
    """The first texts, one a line, and how many more there are."""
    lines = list(texts)
    more = len(lines) - MOST_TEXTS
    return stacked(lines[:MOST_TEXTS] + ([Text(f"and {more} more", "dim")] if more > 0 else []))
