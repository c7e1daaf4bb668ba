"""Everything that an agent run has read so far, indexed by word and by meaning.

`History` takes messages one by one. Who may have written which text is decided here, per field; where a
call's arguments came from and what explains it is read off by `gatling.provenance`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

from gatling.intent import Request, confirms
from gatling.meaning import INDEXED_BITS, TELLING_BITS, Piece, Vectors, read_text
from gatling.plan import JSON, Effect, Span, TrustTier, field_of
from gatling.pointing import LONGEST, Pointing
from gatling.spans import Segment, leaves
from gatling.text import encoder, name_words, stem, words
from gatling.tools import Tool
from gatling.tools.lexicon import VERBS
from gatling.values import value_words

DELEGATIONS = 4
"""The latest delegations that are looked at."""

CONFIRMATION = 300
"""An acting tool's output up to this many characters is its own confirmation; longer, it carries content."""

REPORTS = re.compile(
    r"(^|[_ .-])(message|msg|status|results?|errors?|details?|info|note|notice|warning|hint|response|output|"
    r"text|reason)$",
    re.I,
)
"""Fields in which a confirmation may tell the agent what to do next ("Please verify your account")."""

POINTING_BITS = 14.0
"""A call points to a source for the user when an argument of at least this information is the user's word."""

SERVER_FIELDS = re.compile(
    r"(^|_)(id|ids|date|time|timestamp|status|created|updated|size|count|read|type|version|quantity|price|"
    r"total|amount|balance)_?$",
    re.I,
)
"""Fields whose short values are the service's own word even where the rest of a record is a stranger's."""

SERVER_BITS = 48.0
"""Information of a server field's value, and of what a confirmation's sentence adds to the call, at most: a
date or an order number, not an account or address that a stranger put behind "id:" in a page of his own."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is remembered of one span that is not the user's or the deployer's word."""

    piece: Piece
    row: int
    """Its row among the untrusted vectors, or -1."""
    record: int
    """Number of its record in the history."""


DETAILS = 0.6
"""How far a text is the user's word when he says what to do himself and leaves the details to it."""


class History:
    """Everything that stood before a call, indexed by word and by meaning."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.request = Request()
        self.stems: set[str] = set()
        """Stems of the request's words."""
        self.effects: set[Effect] = set()
        """Effects that the request's verbs may have."""
        self.limits: list[str] = []
        """What was not read (oversized texts cut, parts without text). Later side effects escalate."""
        self.calls: list[tuple[str, Tool]] = []
        """Id and tool of every call made, in order."""
        self.notes: dict[int, Note] = {}
        self.postings: dict[str, list[int]] = {}
        self.trusted, self.verified, self.untrusted = Vectors(), Vectors(), Vectors()
        self.known: set[str] = set()
        """Words of trusted texts."""
        self.said: dict[int, str] = {}
        """Trusted spans as value words, like `Piece.padded`."""
        self.records: list[set[str]] = []
        self.holders: dict[str, int] = {}
        """How many records hold a word."""
        self.tool_words: set[str] = set()
        self.record_call: list[int] = []
        self.pointing = Pointing()
        self.named: set[int] = set()
        """Calls whose arguments name something that the request names."""
        self._proposal = ""
        self._arguments: list[str] = []
        """For each call, its texts as value words, each between double blanks."""
        self.reached: list[set[int]] = []
        """For each call that only reads, the records that its arguments were found in: a link followed."""
        self._handed: tuple[tuple[int, ...], list[set[int]]] = ((), [])

    def fork(self) -> History:
        """A history that goes its own way from here; what was read so far is not read again."""
        twin = copy(self)
        for name, value in vars(self).items():
            setattr(twin, name, _copied(value))
        twin.request = Request()
        for name, value in vars(self.request).items():
            setattr(twin.request, name, _copied(value))
        return twin

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
        said = words(text[:20_000])
        self.stems.update(map(stem, said))
        self.pointing.ask(text, self._carried())
        self.effects.update(*(VERBS[word] for word in said if word in VERBS))
        self._trust(text, TrustTier.USER, "user")

    def assistant(self, text: str) -> None:
        """Take in the agent's own words. They are never an origin: they inherit from what explains them."""
        if text.strip():
            self._proposal = text

    def _trust(self, text: str, tier: TrustTier, source: str) -> None:
        read = read_text(text)
        self._note_cut(read.cut, source)
        ids = [self._span(piece.segment, tier, source, None, 0) for piece in read.pieces]
        self.known.update(*(piece.words for piece in read.pieces))
        self.said.update((n, piece.padded) for n, piece in zip(ids, read.pieces, strict=True))
        self.trusted.add(ids, read.vectors, read.background)

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
        if not read.pieces:
            return
        confirmation = (
            tool is not None
            and tool.acts
            and tool.output is TrustTier.VERIFIED
            and read.length <= CONFIRMATION
        )
        first, own = len(self.records), [] if call is None else self._stems(call)
        said = self.stems.union(own) if confirmation else set()
        notes, postings, holders = self.notes, self.postings, self.holders
        row = len(self.untrusted.spans)
        numbers: tuple[list[int], list[int]] = ([], [])  # spans of strangers, spans of the service
        chosen: tuple[list[int], list[int]] = ([], [])  # and their rows in this reading
        for index, piece in enumerate(read.pieces):
            segment = piece.segment
            trusted = (confirmation and _reports(piece, len(read.pieces), said)) or _first_party(tool, piece)
            record = first + segment.record
            while len(self.records) <= record:
                self.records.append(set())
                self.pointing.begin(own)
                self.record_call.append(-1 if call is None else call)
            tier = TrustTier.VERIFIED if trusted else TrustTier.UNTRUSTED
            number = self._span(segment, tier, source, call, record)
            numbers[trusted].append(number)
            chosen[trusted].append(index)
            notes[number] = Note(piece, -1 if trusted else row, record)
            row += not trusted
            held = self.records[record]
            self.pointing.read(record, piece.stems)
            for word in piece.informative:
                posted = postings.get(word)
                if posted is None:
                    postings[word] = [number]
                else:
                    posted.append(number)
                if not trusted and word not in held:
                    held.add(word)
                    holders[word] = holders.get(word, 0) + 1
        for store, trusted in ((self.untrusted, False), (self.verified, True)):
            store.add(numbers[trusted], read.vectors[chosen[trusted]], read.background[chosen[trusted]])
        self.pointing.weigh()

    def unread(self, part: str) -> None:
        """Note a part of a tool's output that holds no text."""
        self.limits.append(f"{part} was not read")

    # Calls

    def _carried(self) -> Iterator[tuple[int, Iterable[str]]]:
        """What each record carries, by stems: those of its texts, and those of the call it answers."""
        yield from ((note.record, note.piece.stems) for note in self.notes.values())
        own = [self._stems(call) for call in range(len(self.calls))]
        yield from ((record, own[call]) for record, call in enumerate(self.record_call) if call >= 0)

    def _stems(self, call: int) -> list[str]:
        """Stems of a call's tool and arguments."""
        return [
            *map(stem, name_words(self.calls[call][1].name[:256])),
            *map(stem, self._arguments[call][:LONGEST].split()),
        ]

    def made(self, identifier: str, tool: Tool, arguments: JSON) -> int:
        """Note that the agent made a call, so that its output finds it; returns the call's index."""
        index = len(self.calls)
        self.calls.append((identifier, tool))
        self.tool_words.update(name_words(tool.name[:256]))
        values = [value for _, value in leaves(arguments)]
        self._arguments.append(" | ".join(_said(values[:32])).join("  "))
        self.reached.append(set() if tool.acts else self._found_in(values[:8]))
        if any(map(self._comes_from_request, values)):
            self.named.add(index)
        return index

    def _found_in(self, values: list[JSON]) -> set[int]:
        """Strangers' records that hold a telling value; those of the earliest call, for listings repeat."""
        bits = encoder().bits
        found: set[int] = set()
        for value in values:
            ws = value_words(str(value)[:400])
            if not ws or sum(map(bits, ws)) < POINTING_BITS:
                continue
            key = f" {' '.join(ws)} "
            spans = self.postings.get(max(ws, key=bits), ())[:64]
            found |= {self.notes[n].record for n in spans if key in self.notes[n].piece.padded}
        return found

    def _follow(self, records: set[int]) -> set[int]:
        """Records, and those that were reached from them by what they hold: a page's link, a mail's file."""
        if not records:
            return records
        known = set(records)
        for record, call in enumerate(self.record_call):  # in the order of reading, so one pass is enough
            if call >= 0 and not self.reached[call].isdisjoint(known):
                known.add(record)
        return known

    def _comes_from_request(self, value: JSON) -> bool:
        if value is None or isinstance(value, bool):
            return False
        ws = value_words(str(value)[:400])
        return all(w in self.request.words for w in ws) and sum(map(encoder().bits, ws)) > POINTING_BITS

    def index_of(self, identifier: str | None) -> int | None:
        """Index of the latest call with this id, or None."""
        if identifier is None:
            return None
        for index in range(len(self.calls) - 1, -1, -1):
            if self.calls[index][0] == identifier:
                return index
        return None

    def _names(self) -> set[str]:
        """Names in the request, less those that only name the tools at hand ("GitHub")."""
        return self.request.names - self.tool_words

    def telling_names(self) -> set[str]:
        """Names in the request that some records carry and most of their neighbours do not."""
        few = max(2.0, 0.34 * len(self.records))
        return {name for name in self._names() if 0 < self.holders.get(name, 0) <= few}

    def pointed(self, record: int, telling: set[str]) -> bool:
        """True when the user pointed to a record: by a name in it, or by a call made with words of his."""
        return self.record_call[record] in self.named or not telling.isdisjoint(self.records[record])

    def delegated(self, tool: Tool) -> tuple[dict[int, float], bool]:
        """Records that delegations open to calls of this tool, and how far; whether one names no source.

        A record is open by 1 where the user handed over whatever it asks, by `DETAILS` for one kind of call.
        """
        delegations = self.request.delegations[-DELEGATIONS:]
        if not delegations:
            return {}, False
        state = (len(self.spans), len(self.calls), len(self.request.delegations))
        if self._handed[0] != state:
            self._handed = state, [self._follow(self._sources(d.words)) for d in delegations]
        own = set(map(stem, name_words(tool.name[:256])))
        limits = self.request.only[-DELEGATIONS:]
        open_to = [
            dict.fromkeys(found, DETAILS if handed.effects else 1.0)
            for found, only, handed in zip(self._handed[1], limits, delegations, strict=True)
            if not only or 2 * len(own & only) > min(len(own), len(only))
            if not handed.effects or handed.effects & tool.effects
        ]
        opened: dict[int, float] = {}
        for found in sorted(open_to, key=lambda one: max(one.values(), default=0.0)):
            opened.update(found)
        return opened, not all(open_to)

    def _sources(self, names: frozenset[str]) -> set[int]:
        """Records that a delegation names: by words in them, or by arguments of the call they answer."""
        few = max(2.0, 0.34 * len(self.records))
        bits = encoder().bits
        score: dict[int, float] = {}
        for name in sorted(names - self.tool_words):
            posted = [self.postings.get(w, []) for w in name.split() if bits(w) > INDEXED_BITS]
            spans = min(posted, key=len, default=[])[:400]
            holders = {self.notes[n].record for n in spans if f" {name} " in self.notes[n].piece.padded}
            if len(holders) > few:
                continue
            asked = {call for call, values in enumerate(self._arguments) if f" {name} " in values}
            asked -= {self.record_call[record] for record in holders}
            if asked:
                holders |= {record for record, call in enumerate(self.record_call) if call in asked}
            for record in holders:
                score[record] = score.get(record, 0.0) + min(40.0, sum(map(bits, name.split())))
        best: dict[int, float] = {}
        for record, value in score.items():
            call = self.record_call[record]
            best[call] = max(best.get(call, 0.0), value)
        least = 0.4 * max(best.values(), default=0.0)
        return {r for r, value in score.items() if value >= max(least, 0.7 * best[self.record_call[r]])}


def _copied(value: Any) -> Any:
    """A copy of a container and of the containers in it that grow; everything else is never changed."""
    if isinstance(value, (Vectors, Pointing)):
        return value.fork()
    if isinstance(value, list):
        return [set(v) if isinstance(v, set) else v for v in value]
    if isinstance(value, dict):
        return {k: v[:] if isinstance(v, list) else v for k, v in value.items()}
    return set(value) if isinstance(value, set) else value


def _said(values: list[JSON]) -> list[str]:
    return [" ".join(value_words(value[:400])) for value in values if isinstance(value, str)]


def _reports(piece: Piece, pieces: int, said: set[str]) -> bool:
    """Whether a segment of a confirmation with so many may be the service's own.

    Its words have stems that the call or the user `said`, and few others. An address, an order that names
    something, or one amid content (a conflict's two sides, a draft) was put there by somebody.
    """
    segment, bits = piece.segment, encoder().bits
    if "@" in segment.text or "://" in segment.text:
        return False
    if not piece.imperative:
        return sum(bits(word) for word in set(piece.words) if stem(word) not in said) <= SERVER_BITS
    told = pieces <= 2 if not segment.path else REPORTS.search(field_of(segment.path)) is not None
    return told and max(map(bits, piece.words)) < TELLING_BITS


def _first_party(tool: Tool | None, piece: Piece) -> bool:
    """Whether a segment of a tool's output is the service's own word: trust is per field, not per tool."""
    if tool is None or not tool.described:
        return False
    if tool.vouched:
        return True
    # A short order or address in a service's record ("Pay ana@...") was put there by somebody.
    if "@" in piece.segment.text:
        return False
    if piece.segment.whole and SERVER_FIELDS.search(field_of(piece.segment.path)):
        return sum(map(encoder().bits, piece.words)) <= SERVER_BITS
    return tool.output is TrustTier.VERIFIED and len(piece.words) <= 5 and not piece.imperative
