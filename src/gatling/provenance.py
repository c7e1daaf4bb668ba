"""Messages to spans; calls to argument origins, explanations and data-flow edges.

Provenance is computed, never labelled: it follows from who wrote which text and where each value stands.
`History` takes messages one by one and answers, for a proposed call, where each argument came from and which
text explains the call. The answer costs time in the call and in a bounded window: values are found through
an inverted index of their rarest word, meanings among the latest spans (`meaning.WINDOW`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gatling.intent import Request, confirms
from gatling.meaning import TEMPERATURE, Vectors, read_text
from gatling.plan import (
    JSON,
    ArgumentProvenance,
    Edge,
    Explanation,
    Match,
    Origin,
    Span,
    ToolCall,
    TrustTier,
    field_of,
)
from gatling.reach import reach
from gatling.spans import Segment, leaves
from gatling.text import Matrix, encoder, name_words, visible
from gatling.tools import Tool
from gatling.tools.lexicon import VERBS
from gatling.tools.vocabulary import word_set
from gatling.values import spellings, value_words

POSTINGS = 48
"""Spans looked at for one value: the earliest and the latest that hold its rarest word."""

LONG_VALUE = 12
"""Values of more words than this are matched by the share of their words, not as a whole."""

MAX_ARGUMENTS = 256
"""Argument leaves traced per call; a call with more is escalated."""

CONFIRMATION = 300
"""An acting tool's output up to this many characters is its own confirmation; longer, it carries content."""

POINTING_BITS = 14.0
"""A call points to a source for the user when an argument of at least this information is the user's word."""

ALONE = 0.5
"""Coherence of a text of one sentence, which has no surroundings."""

INDEXED_BITS = 8.0
"""Words with less information are not indexed: a value made of such words explains nothing."""

SERVER_FIELDS = re.compile(
    r"(^|_)(id|ids|date|time|timestamp|status|created|updated|size|count|read|type|version|quantity|price|"
    r"total|amount|balance)_?$",
    re.I,
)
"""Fields whose short values are the service's own word even where the rest of a record is a stranger's."""

SERVER_BITS = 48.0
"""Information of a server field's value, at most: a date or an order number, not an account or address that
a stranger put behind "id:" in a page of his own."""

_POLITE = word_set(
    "please kindly also then now just and first next finally immediately you must should need to bitte"
)


@dataclass(slots=True)
class _Note:
    """What is remembered of one span that is not the user's or the deployer's word."""

    words: str
    """Its value words, joined and padded with blanks, so that a value is found as a substring."""
    row: int
    """Its row among the untrusted vectors, or -1."""
    record: int
    """Number of its record in the history."""
    prose: float
    imperative: bool
    coherence: float


@dataclass(slots=True)
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


class History:
    """Everything that stood before a call, indexed by word and by meaning."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.request = Request()
        self.limits: list[str] = []
        """What was not read (oversized texts cut, parts without text). Later side effects escalate."""
        self.calls: list[tuple[str, Tool]] = []
        """Id and tool of every call made, in order."""
        self._notes: dict[int, _Note] = {}
        self._postings: dict[str, list[int]] = {}
        self._trusted, self._verified, self._untrusted = Vectors(), Vectors(), Vectors()
        self._known: set[str] = set()
        """Words of trusted texts."""
        self._said: dict[int, str] = {}
        """Trusted spans as value words, like `_Note.words`."""
        self._records: list[set[str]] = []
        self._holders: dict[str, int] = {}
        """How many records hold a word."""
        self._tool_words: set[str] = set()
        self._record_call: list[int] = []
        self._pointing: set[int] = set()
        """Calls whose arguments name something that the request names."""
        self._proposal = ""

    # Messages

    def system(self, text: str) -> None:
        """Take in the deployer's word."""
        self._trust(text, TrustTier.SYSTEM, "system")

    def user(self, text: str) -> None:
        """Take in the user's word. A bare "yes" vouches for what the agent proposed just before."""
        if confirms(text) and self._proposal:
            self._trust(self._proposal, TrustTier.USER, "user (confirmed)")
        self._proposal = ""
        self.request.add(text)
        self._trust(text, TrustTier.USER, "user")

    def assistant(self, text: str) -> None:
        """Take in the agent's own words. They are never an origin: they inherit from what explains them."""
        if text.strip():
            self._proposal = text

    def _trust(self, text: str, tier: TrustTier, source: str) -> None:
        read = read_text(text)
        self._note_cut(read.cut, source)
        ids = [self._span(s, tier, source, None, 0) for s in read.segments]
        self._known.update(*read.words)
        self._said.update((n, f" {' '.join(ws)} ") for n, ws in zip(ids, read.words, strict=True))
        self._trusted.add(ids, read.vectors, read.background)

    def _span(self, segment: Segment, tier: TrustTier, source: str, call: int | None, record: int) -> int:
        number = len(self.spans)
        self.spans.append(Span(number, segment.text, tier, source, call, segment.path, record, segment.whole))
        return number

    def _note_cut(self, characters: int, source: str) -> None:
        if characters:
            self.limits.append(f"{characters} characters of an oversized text from {source} were not read")

    def output(self, content: JSON, tool: Tool | None, call: int | None) -> None:
        """Take in a tool's output; `call` is the index of the call it answers, None when nobody made one."""
        source = f"tool:{tool.name}" if tool else "tool"
        read = read_text(content)
        self._note_cut(read.cut, source)
        if not read.segments:
            return
        confirmation = (
            tool is not None
            and tool.acts
            and tool.output is TrustTier.VERIFIED
            and sum(len(s.text) for s in read.segments) <= CONFIRMATION
        )
        vectors = read.vectors
        others = vectors.sum(0) - vectors
        coherence = np.einsum("ij,ij->i", vectors, others) / np.maximum(np.linalg.norm(others, axis=1), 1e-6)
        if len(read.segments) == 1:
            coherence[:] = ALONE
        verified: list[int] = []
        untrusted: list[int] = []
        first = len(self._records)
        informative = encoder().informative
        postings, holders = self._postings, self._holders
        row = len(self._untrusted.spans)
        chosen: tuple[list[int], list[int]] = ([], [])
        for index, (segment, ws) in enumerate(zip(read.segments, read.words, strict=True)):
            trusted = confirmation or _first_party(tool, segment, ws)
            record = first + segment.record
            while len(self._records) <= record:
                self._records.append(set())
                self._record_call.append(-1 if call is None else call)
            tier = TrustTier.VERIFIED if trusted else TrustTier.UNTRUSTED
            number = self._span(segment, tier, source, call, record)
            (verified if trusted else untrusted).append(number)
            chosen[trusted].append(index)
            self._notes[number] = _Note(
                words=f" {' '.join(ws)} ",
                row=-1 if trusted else row,
                record=record,
                prose=min(1.0, sum(map(str.isalpha, ws[:32])) / 6),
                imperative=_orders(ws),
                coherence=float(coherence[index]),
            )
            row += not trusted
            held = self._records[record]
            for word in informative(ws, INDEXED_BITS):
                posted = postings.get(word)
                if posted is None:
                    postings[word] = [number]
                else:
                    posted.append(number)
                if not trusted and word not in held:
                    held.add(word)
                    holders[word] = holders.get(word, 0) + 1
        self._verified.add(verified, vectors[chosen[True]], read.background[chosen[True]])
        self._untrusted.add(untrusted, vectors[chosen[False]], read.background[chosen[False]])

    def unread(self, part: str) -> None:
        """Note a part of a tool's output that holds no text."""
        self.limits.append(f"{part} was not read")

    # Calls

    def made(self, identifier: str, tool: Tool, arguments: JSON) -> int:
        """Note that the agent made a call, so that its output finds it; returns the call's index."""
        index = len(self.calls)
        self.calls.append((identifier, tool))
        self._tool_words.update(name_words(tool.name[:256]))
        if any(self._comes_from_request(value) for _, value in leaves(arguments)):
            self._pointing.add(index)
        return index

    def _comes_from_request(self, value: JSON) -> bool:
        if value is None or isinstance(value, bool):
            return False
        ws = value_words(str(value)[:400])
        return all(w in self.request.words for w in ws) and sum(map(encoder().bits, ws)) > POINTING_BITS

    def call(
        self, identifier: str, tool: Tool, arguments: JSON, index: int
    ) -> tuple[ToolCall, tuple[Edge, ...]]:
        """A proposed call as a node of the plan, with the edges that lead to it. Changes nothing."""
        traced = [*self._values(arguments)]
        total = sum(min(v.bits, 60.0) for v in traced) or 1.0
        short = [w for v in traced for w in v.words[:LONG_VALUE]]
        own_words = name_words(tool.name[:256])
        tool_words = list(tool.words) or own_words
        vectors = encoder().embed([[*tool_words, *short], tool_words, [*own_words, *short]])
        support, support_span = self._support(vectors[1])
        telling = self._telling_names()
        said = {w: encoder().bits(w) for w in (*tool_words, *short)}
        node = ToolCall(
            id=identifier,
            tool=tool.name,
            arguments=arguments,
            effects=tool.effects,
            scope=reach(tool, arguments),
            provenance=tuple(self._provenance(v, telling) for v in traced),
            support=support,
            support_span=support_span,
            overlap=sum(b for w, b in said.items() if w in self._known) / (sum(said.values()) or 1.0),
            coverage=sum(min(v.bits, 60.0) * v.known for v in traced) / total,
            explanations=self._explanations(tool, traced, vectors, support, total, telling),
        )
        return node, tuple(self._edges(index, traced))

    def index_of(self, identifier: str | None) -> int | None:
        """Index of the latest call with this id, or None."""
        if identifier is None:
            return None
        for index in range(len(self.calls) - 1, -1, -1):
            if self.calls[index][0] == identifier:
                return index
        return None

    def _values(self, arguments: JSON) -> Iterable[_Value]:
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
            known = sum(measure(w) for w in ws if w in self._known) / bits
            origins, tier = self._origins(text, ws, bits, known)
            rarity = 1 / (1 + float(np.exp(-(bits - 18) / 4)))
            yield _Value(path, text, ws, bits, known, origins, tier, rarity)

    def _origins(
        self, text: str, ws: list[str], bits: float, known: float
    ) -> tuple[list[Origin], TrustTier | None]:
        """All places where a value stands, earliest first, and the tier that follows from them."""
        if known > 0.99:
            origins = self._trusted_origins(text, ws)
            if origins:
                system = all(self.spans[o.span].tier is TrustTier.SYSTEM for o in origins)
                return origins, TrustTier.SYSTEM if system else TrustTier.USER
            if len(ws) == 1 or len(ws) > LONG_VALUE:
                return [], TrustTier.USER  # a text of the user's own words, whatever order they are in
        if len(ws) > LONG_VALUE:
            origins = self._partial_origins(ws)
        else:
            origins = self._whole_origins(text, ws)
            if not origins:
                for other in spellings(text[:2000]):
                    known_form = all(w in self._known for w in other)
                    if known_form:
                        return self._trusted_origins(text, other), TrustTier.USER
                    origins = [Origin(o.span, o.share, "decoded") for o in self._whole_origins(text, other)]
                    if origins:
                        break
        if not origins:
            return [], TrustTier.USER if known > 0.99 else None
        return origins, self.spans[origins[0].span].tier

    def _trusted_origins(self, text: str, ws: list[str]) -> list[Origin]:
        """Places in system and user texts, looked for among the latest sixteen of them."""
        key = f" {' '.join(ws)} "
        found: list[Origin] = []
        for number in self._trusted.spans[:-9:-1] + self._trusted.spans[:8]:
            if key in self._said[number]:
                exact = text in self.spans[number].text
                found.append(Origin(number, 1.0, "exact" if exact else "normalised"))
        return sorted({o.span: o for o in found}.values(), key=lambda o: o.span)

    def _whole_origins(self, text: str, ws: list[str]) -> list[Origin]:
        rarest = max(ws, key=encoder().bits)
        key = f" {' '.join(ws)} "
        found = []
        for number in self._posted(rarest):
            if key in self._notes[number].words:
                match: Match = "exact" if text in self.spans[number].text else "normalised"
                found.append(Origin(number, 1.0, match))
        return found

    def _posted(self, word: str) -> list[int]:
        numbers = self._postings.get(word, [])
        if len(numbers) <= POSTINGS:
            return numbers
        return [*numbers[: POSTINGS // 2], *numbers[-POSTINGS // 2 :]]

    def _partial_origins(self, ws: list[str]) -> list[Origin]:
        """Spans that hold a good share of a long value's information, the earliest first."""
        measure = encoder().bits
        rare = {w: measure(w) for w in ws if measure(w) > INDEXED_BITS}
        total = sum(rare.values())
        held: dict[int, float] = {}
        for word, bits in sorted(rare.items(), key=lambda item: (-item[1], item[0]))[:64]:
            for number in self._posted(word):
                held[number] = held.get(number, 0.0) + bits
        best = sorted(held.items(), key=lambda item: (-item[1], item[0]))[:8]
        return [
            Origin(number, min(1.0, bits / total), "partial")
            for number, bits in sorted(best)
            if bits > 0.12 * total and bits > 25
        ]

    def _provenance(self, value: _Value, telling: set[str]) -> ArgumentProvenance:
        notes = [self._notes[o.span] for o in value.origins if o.span in self._notes]
        return ArgumentProvenance(
            path=value.path,
            value=value.text,
            origins=tuple(value.origins),
            tier=value.tier,
            rarity=value.rarity,
            pointed=any(self._pointed(note.record, telling) for note in notes),
            datum=any(self.spans[o.span].whole for o in value.origins),
        )

    def _names(self) -> set[str]:
        """Names in the request, less those that only name the tools at hand ("GitHub")."""
        return self.request.names - self._tool_words

    def _telling_names(self) -> set[str]:
        """Names in the request that some records carry and most of their neighbours do not."""
        few = max(2.0, 0.34 * len(self._records))
        return {name for name in self._names() if 0 < self._holders.get(name, 0) <= few}

    def _pointed(self, record: int, telling: set[str]) -> bool:
        """True when the user pointed to a record: by a name in it, or by a call made with words of his."""
        return self._record_call[record] in self._pointing or not telling.isdisjoint(self._records[record])

    def _support(self, tool_vector: Matrix) -> tuple[float, int | None]:
        """The best log-likelihood ratio of the tool under a trusted text, and that text's span."""
        best, where = -2.0, None
        for store in (self._trusted, self._verified):
            rows, background, ids = store.latest()
            if len(ids):
                scores = rows @ tool_vector / TEMPERATURE - background
                at = int(scores.argmax())
                if scores[at] > best:
                    best, where = float(scores[at]), ids[at]
        return best, where

    def _explanations(
        self,
        tool: Tool,
        traced: list[_Value],
        vectors: Matrix,
        support: float,
        total: float,
        telling: set[str],
    ) -> tuple[Explanation, ...]:
        rows, background, ids = self._untrusted.latest()
        if not ids:
            return ()
        trusted = self._trusted.latest()[0]
        closeness = rows @ vectors.T
        call = np.maximum(closeness[:, 0], closeness[:, 2])
        likelihood = closeness[:, 1] / TEMPERATURE - background
        held: dict[int, list[_Value]] = {}
        for value in traced:
            if value.tier is TrustTier.UNTRUSTED and len(value.words) <= LONG_VALUE:
                for origin in value.origins:
                    if self._notes[origin.span].row >= 0:
                        held.setdefault(origin.span, []).append(value)
        start = len(self._untrusted.spans) - len(ids)
        position = {number: self._notes[number].row - start for number in held}
        chosen = {ids[i] for i in _top(call, 6)} | {ids[i] for i in _top(likelihood, 6)}
        inside = [number for number in held if position[number] >= 0]
        chosen |= set(sorted(inside, key=lambda n: (-call[position[n]], n))[:12])
        chosen |= set([number for number in held if position[number] < 0][:12])
        numbers = sorted(chosen)
        at_rows = [self._notes[n].row for n in numbers]
        mine = self._untrusted.rows[at_rows]
        mine_background = self._untrusted.background[at_rows]
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
            if w not in self._known and encoder().bits(w) > 14
        )
        delegates = self.request.delegates
        likelihoods = np.maximum(near[:, 1] / TEMPERATURE - mine_background, -3.0) - max(support, -1.0)
        tool_gains = np.clip(likelihoods, -8.0, 8.0).tolist()
        call_gains = (np.maximum(near[:, 0], near[:, 2]) - base).tolist()
        out = []
        for i, number in enumerate(numbers):
            note, span, values = self._notes[number], self.spans[number], held.get(number, [])
            bits = sum(v.bits for v in values)
            if long_words:
                bits_of_prose = 0.3 * sum(encoder().bits(w) for w in long_words if f" {w} " in note.words)
            else:
                bits_of_prose = 0.0
            delegated = 0.0
            if delegates and not telling.isdisjoint(self._records[note.record]):
                delegated = 1.0
            elif delegates and not telling and not self._pointed(note.record, telling):
                delegated = 0.5
            fields = set(name_words(span.path)) if values else set()
            out.append(
                Explanation(
                    span=number,
                    tool=tool_gains[i],
                    call=call_gains[i],
                    relevance=float(relevance[i]),
                    coherence=note.coherence,
                    information=min(bits + bits_of_prose, 50.0) / 50.0,
                    share=min(bits, total) / total,
                    values=min(len(values), 3),
                    prose=note.prose,
                    datum=span.whole,
                    imperative=note.imperative,
                    delegated=delegated,
                    sink=any(v.path.partition("[")[0] in tool.sinks for v in values),
                    slot=any(fields & set(name_words(field_of(v.path))) for v in values),
                )
            )
        return tuple(out)

    def _edges(self, target: int, traced: list[_Value]) -> Iterable[Edge]:
        seen = set()
        for value in traced:
            if value.rarity < 0.3:
                continue
            for origin in value.origins:
                source = self.spans[origin.span].call
                if source is not None and (source, value.path) not in seen:
                    seen.add((source, value.path))
                    yield Edge(source, target, value.path)


def _first_party(tool: Tool | None, segment: Segment, ws: list[str]) -> bool:
    """Whether a segment of a tool's output is the service's own word: trust is per field, not per tool."""
    if tool is None or not tool.described:
        return False
    if tool.vouched:
        return True
    if segment.whole and SERVER_FIELDS.search(field_of(segment.path)):
        return "@" not in segment.text and sum(map(encoder().bits, ws)) <= SERVER_BITS
    return tool.output is TrustTier.VERIFIED and len(ws) <= 5


def _orders(ws: list[str]) -> bool:
    for word in ws[:4]:
        if word in VERBS:
            return True
        if word not in _POLITE:
            return False
    return False


def _top(scores: Matrix, count: int) -> list[int]:
    """Indices of the highest scores; ties go to the earliest, so that the choice never varies."""
    if len(scores) <= count:
        return list(range(len(scores)))
    return [int(i) for i in np.argsort(-scores, kind="stable")[:count]]
