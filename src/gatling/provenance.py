"""Calls to argument origins, explanations and data-flow edges.

Provenance is computed, never labelled: it follows from who wrote which text and where each value stands.
Tracing costs time in the call and in a bounded window, not in the whole history: values are found through an
inverted index of their rarest word, meanings among the latest spans (`meaning.WINDOW`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter

import numpy as np

from gatling.history import History
from gatling.meaning import INDEXED_BITS, TELLING_BITS, TEMPERATURE
from gatling.plan import (
    JSON,
    SIDE_EFFECTS,
    ArgumentProvenance,
    Edge,
    Explanation,
    Match,
    Origin,
    ToolCall,
    TrustTier,
    field_of,
    names_of,
)
from gatling.reach import reach
from gatling.spans import leaves
from gatling.text import Matrix, encoder, name_words, visible
from gatling.tools import Tool
from gatling.values import spellings, value_words

POSTINGS = 48
"""Spans looked at for one value: the earliest and the latest that hold its rarest word."""

LONG_VALUE = 12
"""Values of more words than this are matched by the share of their words, not as a whole."""

_OF_TOOLS = (TrustTier.UNTRUSTED, TrustTier.VERIFIED)

NEAR = 8
"""Spans before and after one that are looked at for values beside it."""

PARTS = 16
"""Telling parts looked at of one value that stands nowhere as a whole."""

_PART = re.compile(r"[^\s\"'`<>(){}\[\],;|&=?#]+")
_TELLING_PART = re.compile(r"\d|\w[@/.:_-]+\w")

MAX_ARGUMENTS = 256
"""Argument leaves traced per call; a call with more is escalated."""


@dataclass(slots=True, eq=False)
class _Value:
    """One argument leaf and where it stands."""

    path: str
    text: str
    words: list[str]
    bits: float
    known: float
    """Share of its information in trusted texts."""
    origins: list[Origin]
    tier: TrustTier | None
    rarity: float


def trace(
    history: History, identifier: str, tool: Tool, arguments: JSON, index: int
) -> tuple[ToolCall, tuple[Edge, ...]]:
    """A proposed call as a node of the plan, with the edges that lead to it. Changes nothing."""
    traced = [*_values(history, arguments)]
    total = sum(min(v.bits, 60.0) for v in traced) or 1.0
    short = [w for v in traced for w in v.words[:LONG_VALUE]]
    own_words = name_words(tool.name[:256])
    tool_words = list(tool.words) or own_words
    vectors = encoder().embed([[*tool_words, *short], tool_words, [*own_words, *short]])
    support, support_span = _support(history, vectors[1])
    telling = history.telling_names()
    said = {w: encoder().bits(w) for w in (*tool_words, *short)}
    node = ToolCall(
        id=identifier,
        tool=tool.name,
        arguments=arguments,
        effects=tool.effects,
        scope=reach(tool, arguments),
        seen=len(history.spans),
        provenance=tuple(_provenance(history, v, telling) for v in traced),
        support=support,
        support_span=support_span,
        overlap=sum(b for w, b in said.items() if w in history.known) / (sum(said.values()) or 1.0),
        coverage=sum(min(v.bits, 60.0) * v.known for v in traced) / total,
        asked=bool(sides := tool.effects & SIDE_EFFECTS) and sides <= history.effects,
        open=history.request.openness.open,
        details=history.request.openness.details,
        explanations=_explanations(history, tool, traced, vectors, support, total),
    )
    return node, tuple(_edges(history, index, traced))


def _values(history: History, arguments: JSON) -> Iterable[_Value]:
    measure = encoder().bits
    for count, (path, value) in enumerate(leaves(arguments)):
        if count == MAX_ARGUMENTS:
            return
        if value is None or isinstance(value, bool):
            continue
        text = value if isinstance(value, str) else repr(value)[:400]
        ws = value_words(visible(text[:20_000]))
        bits = sum(measure(w) for w in ws)
        if not ws or not bits:
            continue
        known = sum(measure(w) for w in ws if w in history.known) / bits
        origins, tier = _origins(history, text, ws, known)
        yield _Value(path, text, ws, bits, known, origins, tier, _rarity(bits))


def _origins(
    history: History, text: str, ws: list[str], known: float
) -> tuple[list[Origin], TrustTier | None]:
    """All places where a value stands, earliest first, and the tier that follows from them."""
    if known > 0.99:
        origins = _trusted_origins(history, text, ws)
        if origins:
            system = all(history.spans[o.span].tier is TrustTier.SYSTEM for o in origins)
            return origins, TrustTier.SYSTEM if system else TrustTier.USER
        if len(ws) == 1 or len(ws) > LONG_VALUE:
            return [], TrustTier.USER  # a text of the user's own words, whatever order they are in
    if len(ws) > LONG_VALUE:
        origins = _partial_origins(history, ws)
    else:
        origins = _whole_origins(history, text, ws)
        if not origins:
            for other in spellings(text[:2000]):
                known_form = all(w in history.known for w in other)
                if known_form:
                    return _trusted_origins(history, text, other), TrustTier.USER
                origins = [Origin(o.span, o.share, "decoded") for o in _whole_origins(history, text, other)]
                if origins:
                    break
    if not origins:
        return [], TrustTier.USER if known > 0.99 else None
    return origins, history.spans[origins[0].span].tier


def _parts(history: History, value: _Value) -> Iterator[_Value]:
    """Addresses, links, paths and numbers inside a value that stands nowhere as a whole, where they stand: a
    command has a stranger's link in it, a link his host before what it carries out."""
    if value.tier is not None and len(value.words) <= LONG_VALUE:
        return
    measure = encoder().bits
    found = (part.group().strip(".:!-/*_") for part in _PART.finditer(visible(value.text[:20_000])))
    for text in islice(dict.fromkeys(part for part in found if _TELLING_PART.search(part)), PARTS):
        ws = value_words(text)
        bits = sum(map(measure, ws))
        if bits < TELLING_BITS or all(w in history.known for w in ws):
            continue
        if origins := _whole_origins(history, text, ws):
            tier = history.spans[origins[0].span].tier
            yield _Value(value.path, text, ws, bits, 0.0, origins, tier, _rarity(bits))


def _rarity(bits: float) -> float:
    return 1 / (1 + float(np.exp(-(bits - 18) / 4)))


def _trusted_origins(history: History, text: str, ws: list[str]) -> list[Origin]:
    """Places in system and user texts, looked for in the first eight and the latest eight sentences."""
    key = f" {' '.join(ws)} "
    found: list[Origin] = []
    for number in history.trusted.spans[:-9:-1] + history.trusted.spans[:8]:
        if key in history.said[number]:
            exact = text in history.spans[number].text
            found.append(Origin(number, 1.0, "exact" if exact else "normalised"))
    return sorted({o.span: o for o in found}.values(), key=lambda o: o.span)


def _whole_origins(history: History, text: str, ws: list[str]) -> list[Origin]:
    rarest = max(ws, key=encoder().bits)
    key = f" {' '.join(ws)} "
    found = []
    for number in _posted(history, rarest):
        if key in history.notes[number].piece.padded:
            match: Match = "exact" if text in history.spans[number].text else "normalised"
            found.append(Origin(number, 1.0, match))
    return found


def _posted(history: History, word: str) -> list[int]:
    numbers = history.postings.get(word, [])
    if len(numbers) <= POSTINGS:
        return numbers
    return [*numbers[: POSTINGS // 2], *numbers[-POSTINGS // 2 :]]


def _partial_origins(history: History, ws: list[str]) -> list[Origin]:
    """Spans that hold a good share of a long value's information, the earliest first."""
    measure = encoder().bits
    rare = {w: measure(w) for w in ws if measure(w) > INDEXED_BITS}
    total = sum(rare.values())
    held: dict[int, float] = {}
    for word, bits in sorted(rare.items(), key=lambda item: (-item[1], item[0]))[:64]:
        for number in _posted(history, word):
            held[number] = held.get(number, 0.0) + bits
    best = sorted(held.items(), key=lambda item: (-item[1], item[0]))[:8]
    return [
        Origin(number, min(1.0, bits / total), "partial")
        for number, bits in sorted(best)
        if bits > 0.12 * total and bits > 25
    ]


def _provenance(history: History, value: _Value, telling: set[str]) -> ArgumentProvenance:
    notes = [history.notes[o.span] for o in value.origins if o.span in history.notes]
    return ArgumentProvenance(
        path=value.path,
        value=value.text,
        origins=tuple(value.origins),
        tier=value.tier,
        rarity=value.rarity,
        pointed=any(history.pointed(note.record, telling) for note in notes),
        datum=any(history.spans[o.span].whole for o in value.origins),
    )


def _support(history: History, tool_vector: Matrix) -> tuple[float, int | None]:
    """The best log-likelihood ratio of the tool under a trusted text, and that text's span."""
    best, where = -2.0, None
    for store in (history.trusted, history.verified):
        rows, background, ids = store.latest()
        if len(ids):
            scores = rows @ tool_vector / TEMPERATURE - background
            at = int(scores.argmax())
            if scores[at] > best:
                best, where = float(scores[at]), ids[at]
    return best, where


def _explanations(
    history: History,
    tool: Tool,
    traced: list[_Value],
    vectors: Matrix,
    support: float,
    total: float,
) -> tuple[Explanation, ...]:
    rows, background, ids = history.untrusted.latest()
    if not ids:
        return ()
    trusted = history.trusted.latest()[0]
    closeness = rows @ vectors.T
    call = np.maximum(closeness[:, 0], closeness[:, 2])
    likelihood = closeness[:, 1] / TEMPERATURE - background
    held: dict[int, list[_Value]] = {}
    for value in chain(traced, *(_parts(history, v) for v in traced if not _prose(tool, v))):
        if value.tier is TrustTier.UNTRUSTED and len(value.words) <= LONG_VALUE:
            for origin in value.origins:
                if history.notes[origin.span].row >= 0:
                    held.setdefault(origin.span, []).append(value)
    start = len(history.untrusted.spans) - len(ids)
    position = {number: history.notes[number].row - start for number in held}
    chosen = {ids[i] for i in _top(call, 6)} | {ids[i] for i in _top(likelihood, 6)}
    inside = [number for number in held if position[number] >= 0]
    chosen |= set(sorted(inside, key=lambda n: (-call[position[n]], n))[:12])
    chosen |= set(islice((number for number in held if position[number] < 0), 12))
    numbers = sorted(chosen)
    at_rows = [history.notes[n].row for n in numbers]
    mine = history.untrusted.rows[at_rows]
    mine_background = history.untrusted.background[at_rows]
    near = mine @ vectors.T
    if len(trusted):
        relevance = (mine @ trusted.T).max(1)
        base = float(np.maximum(trusted @ vectors[0], trusted @ vectors[2]).max())
    else:
        relevance, base = np.zeros(len(numbers), np.float32), 0.0
    # In order, not as a set: a sum of floats must not depend on the process's hash seed.
    long_words = dict.fromkeys(
        w
        for v in traced
        if len(v.words) > LONG_VALUE
        for w in v.words
        if w not in history.known and encoder().bits(w) > 14
    )
    name = tool.telling
    named = sum(name.values()) or 1.0
    asked = sum(weight for word, weight in name.items() if word in history.stems)
    own = (tool.effects & SIDE_EFFECTS or tool.effects) - history.effects
    deciding = [v for v in traced if not _prose(tool, v)] or traced
    decisive = {v.path for v in deciding}
    decided = sum(v.bits for v in deciding) or 1.0
    taken = {w for v in traced for w in v.words}
    standing = [(v.bits, _records(history, v)) for v in deciding if v.tier in _OF_TOOLS]
    handed, unnamed = history.delegated(tool)
    likelihoods = np.maximum(near[:, 1] / TEMPERATURE - mine_background, -3.0) - max(support, -1.0)
    tool_gains = np.clip(likelihoods, -8.0, 8.0).tolist()
    call_gains = (np.maximum(near[:, 0], near[:, 2]) - base).tolist()
    out = []
    for i, number in enumerate(numbers):
        note, span, values = history.notes[number], history.spans[number], held.get(number, [])
        bits = sum(v.bits for v in values)
        bits_of_prose = 0.3 * sum(encoder().bits(w) for w in long_words if f" {w} " in note.piece.padded)
        delegated = handed.get(note.record, 0.5 * unnamed)
        fields = set(name_words(span.path)) if values else set()
        decisive_here = [v for v in values if v.path in decisive]
        stated = sum(v.bits for v in decisive_here if _stated(v, fields, span.text))
        out.append(
            Explanation(
                span=number,
                tool=tool_gains[i],
                call=call_gains[i],
                relevance=float(relevance[i]),
                coherence=note.piece.coherence,
                belonging=note.piece.belonging,
                information=min(bits + bits_of_prose, 50.0) / 50.0,
                share=max(
                    min(bits, total) / total,
                    min(1.0, sum(v.bits for v in decisive_here) / decided),
                ),
                values=min(
                    3.0, sum({v.path: v.rarity for v in sorted(values, key=attrgetter("rarity"))}.values())
                ),
                around=min(1.0, _around(history, number, held, decisive) / decided),
                elsewhere=sum(bits for bits, records in standing if note.record not in records) / decided,
                unused=bool(note.piece.telling) and not any(ws <= taken for ws in note.piece.telling),
                prose=note.piece.prose,
                datum=span.whole,
                imperative=note.piece.imperative,
                delegated=delegated,
                sink=any(names_of(v.path) & tool.sinks for v in values),
                slot=min(1.0, stated / decided),
                named=max(
                    0.0, sum(weight for word, weight in name.items() if word in note.piece.stems) - asked
                )
                / named,
                verb=not own.isdisjoint(note.piece.effects),
                pointing=history.pointing.of(note.record),
            )
        )
    return tuple(out)


def _around(history: History, span: int, held: dict[int, list[_Value]], decisive: set[str]) -> float:
    """Information of the deciding values that stand in a span or near it in its record, each counted once."""
    record = history.notes[span].record
    near = (n for n in held if abs(n - span) <= NEAR and history.notes[n].record == record)
    values = {(v.path, v.text): v.bits for n in near for v in held[n] if v.path in decisive}
    return sum(min(bits, 60.0) for bits in values.values())


def _records(history: History, value: _Value) -> set[int]:
    """Records of tools' outputs in which a value stands."""
    return {history.notes[o.span].record for o in value.origins if o.span in history.notes}


def _prose(tool: Tool, value: _Value) -> bool:
    return field_of(value.path) in tool.free_text or value.path in tool.free_text


_IS = re.compile(r"\b(\w+)(?:\s+(?:is|ist|lautet|es|est|è|é)\s*:?|\s*[:=])[\s\"'`]*$")


def _stated(value: _Value, fields: set[str], text: str) -> bool:
    """Whether a value stands in a field named like its argument, or after "name is"."""
    names = name_words(field_of(value.path))
    if not fields.isdisjoint(names):
        return True
    at = text.find(value.text)
    label = _IS.search(text[max(0, at - 60) : at].lower()) if at > 0 else None
    return label is not None and label.group(1) in names


def _edges(history: History, target: int, traced: list[_Value]) -> Iterable[Edge]:
    seen = set()
    for value in traced:
        if value.rarity < 0.3:
            continue
        for origin in value.origins:
            source = history.spans[origin.span].call
            if source is not None and (source, value.path) not in seen:
                seen.add((source, value.path))
                yield Edge(source, target, value.path)


def _top(scores: Matrix, count: int) -> list[int]:
    """Indices of the highest scores; ties go to the earliest, so that the choice never varies."""
    if len(scores) <= count:
        return list(range(len(scores)))
    return [int(i) for i in np.argsort(-scores, kind="stable")[:count]]
