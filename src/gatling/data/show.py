"""One sample as a person reads it: what was asked, who said what, what was called, and the energies."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from gatling.data.columns import Audited, Energies, Row, text
from gatling.data.run import TERMS
from gatling.plan import Scope, Span, ToolCall
from gatling.terminal import NAME_LIMIT, folding, name, quoted, safe, stacked
from gatling.trace import Message

LONG = 1200
"""Characters shown of a message."""

MOST_ORIGINS = 3
"""Texts shown for one argument."""


def render(row: Row) -> RenderableType:
    """Everything that is known of a sample, with hostile text made visible."""
    poison = f"; a poison was read, worded as {safe(row.register, NAME_LIMIT)}" if row.poisoned else ""
    family = f", {safe(row.family, NAME_LIMIT)}" if row.family else ""
    head = Text.assemble(
        name(row.id, "bold"),
        f" is {safe(row.category, NAME_LIMIT)}: ",
        (safe(row.kind, NAME_LIMIT) + family, "bold"),
        poison,
    )
    facts = Text(
        f"split {safe(row.split)}, group {safe(row.group)}, {safe(row.language)}, "
        f"domains {safe(', '.join(row.domains))}; from {safe(row.source)} ({safe(row.licence)}), "
        f"{row.origin}, label by {safe(row.label_source)}, round {row.round}",
        "dim",
    )
    sections: list[tuple[str, RenderableType]] = [
        ("Asked for", _asked(row)),
        ("Who said what", _said(row)),
        *(
            (f"Call {index}: {safe(call.tool, NAME_LIMIT)} ({safe(call.id, NAME_LIMIT)})", _call(row, index))
            for index, call in enumerate(row.calls)
        ),
        ("Data flow", _flow(row)),
        ("Verdict", _verdict(row)),
    ]
    parts: list[RenderableType] = [head, facts]
    for title, body in sections:
        parts += [Text(), Text(title, "bold underline"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def _asked(row: Row) -> RenderableType:
    lines = [quoted(text, LONG) for text in row.intent.request] or [Text("Nothing.")]
    lines += [Text("policy: ") + quoted(text, LONG) for text in row.intent.policy]
    for handed in row.intent.delegations:
        effects = ", ".join(sorted(handed.effects)) or "any effect"
        sources = safe(", ".join(sorted(handed.words)))
        lines.append(Text(f"handed over ({effects}) to {sources or 'a text'}: ") + quoted(handed.sentence))
    return stacked(lines)


def _said(row: Row) -> RenderableType:
    table = folding("role", "tier", "text")
    positions: dict[str, int] = {}
    index = 0
    for message in row.messages:
        tier = {"system": "system", "user": "user"}.get(message.role, "")
        if message.role == "tool" and message.call_id in positions:
            written = {span.tier for span in row.spans if span.call == positions[message.call_id]}
            tier = ", ".join(tier.name.lower() for tier in sorted(written))
        for call in message.calls:
            positions[call.id] = index
            index += 1
        table.add_row(Text(safe(message.role, NAME_LIMIT)), Text(tier), _message(message))
    return table


def _message(message: Message) -> Text:
    content = text(message.content)
    lines = [quoted(content, LONG)] if content else []
    lines += [Text("calls ") + name(call.tool) + " (" + name(call.id) + ")" for call in message.calls]
    return stacked(lines)


def _call(row: Row, index: int) -> RenderableType:
    call = row.calls[index]
    effects = ", ".join(sorted(call.effects)) or "nothing"
    facts = Text(f"may {effects}; reaches for {_scope(call.scope)}", "dim")
    parts: list[RenderableType] = [facts, _arguments(row, call)]
    said: list[tuple[str, Energies | Audited]] = [
        *(("by construction", e) for e in row.energies if e.call == index),
        *(("in the audit", o) for o in row.opinions if o.call == index),
    ]
    parts += [Text(f"energy {where}: {_terms(entry)}") for where, entry in said]
    return Group(*parts)


def _arguments(row: Row, call: ToolCall) -> RenderableType:
    if not call.provenance:
        return Text("no arguments") if not call.arguments else quoted(text(call.arguments))
    table = folding("argument", "value", "tier", "stands in")
    for argument in call.provenance:
        origins = [
            Text(f"{origin.match} {origin.share:.0%} of it in ") + _cited(row.spans[origin.span])
            for origin in argument.origins[:MOST_ORIGINS]
        ]
        if len(argument.origins) > MOST_ORIGINS:
            origins.append(Text(f"and {len(argument.origins) - MOST_ORIGINS} more", "dim"))
        table.add_row(
            name(argument.path),
            quoted(argument.value),
            Text("model" if argument.tier is None else argument.tier.name.lower()),
            stacked(origins) if origins else Text("nothing that was read: the model's own", "dim"),
        )
    return table


def _cited(span: Span) -> Text:
    where = f" at {safe(span.path, NAME_LIMIT)}" if span.path else ""
    return Text(f"{safe(span.source, NAME_LIMIT)} ({span.tier.name.lower()}){where}: ") + quoted(span.text)


def _scope(scope: Scope) -> str:
    return (
        f"{scope.volume:g} rows, {scope.window_days:g} days, depth {scope.depth}, "
        f"sensitivity {scope.sensitivity} of 5"
    )


def _terms(entry: Energies | Audited) -> str:
    terms = ", ".join(f"{term} {getattr(entry, term):.1f}" for term in TERMS)
    return f"{terms}; together {entry.energy:.1f}" if isinstance(entry, Audited) else terms


def _flow(row: Row) -> RenderableType:
    return stacked(
        Text(f"call {edge.source} -> call {edge.target} by {safe(edge.path, NAME_LIMIT)}")
        for edge in row.edges
    ) or Text("No call's output reaches another call.")


def _verdict(row: Row) -> RenderableType:
    return stacked(
        [
            Text(f"energy by construction {row.energy:.1f}, in the audit {row.opinion:.1f}"),
            Text("They disagree about this plan." if row.disputed else "They agree about this plan."),
            Text(f"The request needs {_scope(row.budget)}."),
        ]
    )
