"""The one type that flows: an execution plan, the graph of tool calls an agent proposes.

Everything else in the package makes an `ExecutionPlan` (readers, adapters, generators), changes one
(mutations), measures one (energy terms) or decides about one (the audit). Start reading here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeAlias

JSON: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""A decoded JSON value."""


class TrustTier(IntEnum):
    """Who may have written a text, from the least trusted to the most; tiers compare as integers."""

    UNTRUSTED = 0
    """Anybody: web pages, mail bodies, files from others, the output of a tool nobody described."""
    VERIFIED = 1
    """First-party tool output that outsiders cannot write: an order status, a server's time stamp."""
    USER = 2
    """The person the agent works for."""
    SYSTEM = 3
    """The deployer: system prompt and written policy."""


class Effect(StrEnum):
    """What a tool does to the world. A tool may have several effects; `read` alone changes nothing."""

    READ = "read"
    WRITE = "write"
    SEND = "send"
    EXECUTE = "execute"
    DELETE = "delete"
    PAY = "pay"


SIDE_EFFECTS = frozenset(Effect) - {Effect.READ}


class PlanOrigin(StrEnum):
    """Where a plan came from, so that statistics and training can tell guesses from records."""

    OBSERVED = "observed"
    GOLD = "gold"
    INFERRED = "inferred"
    MUTATED = "mutated"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with a place of origin.

    `path` is the JSON path (or field name) inside a structured tool output, `record` groups the fields
    of one list element (one mail, one review), so that "Ana's mail" can be told from its neighbours.
    `whole` says that the text is a field's entire value (a datum) rather than a sentence of prose.
    """

    id: int
    text: str
    tier: TrustTier
    source: str
    """`system`, `user`, or `tool:NAME`."""
    call: int | None = None
    """Index of the call whose output this is."""
    path: str = ""
    record: int = 0
    whole: bool = False


def field_of(path: str) -> str:
    """The last field's name of a JSON path: `items[3].sender` -> `sender`.

    >>> field_of("to[0]"), field_of("mail.sender")
    ('to', 'sender')
    """
    return path.rpartition(".")[2].partition("[")[0]


def names_of(path: str) -> set[str]:
    """Names under which an argument leaf may be meant: the parameter it belongs to, and its own field.

    >>> sorted(names_of("to[0].email")), names_of("amount")
    (['email', 'to'], {'amount'})
    """
    return {path.partition("[")[0].partition(".")[0], field_of(path)}


Match: TypeAlias = Literal["exact", "normalised", "decoded", "partial"]


@dataclass(frozen=True, slots=True)
class Origin:
    """One place an argument's value came from: `share` (0–1] of the value stands in span `span`."""

    span: int
    share: float
    match: Match


@dataclass(frozen=True, slots=True)
class ArgumentProvenance:
    """Where one argument leaf came from. No origins means the origin is the model itself."""

    path: str
    value: str
    origins: tuple[Origin, ...]
    """All places, the earliest first."""
    tier: TrustTier | None
    """USER or SYSTEM when such a text holds the value, else the tier of the earliest text that does (a tool
    that echoes a stranger's word does not vouch for it); None when the model made the value up."""
    rarity: float
    """0–1: how much finding this value somewhere explains. "20" or "yes" explains nothing."""
    pointed: bool = False
    """The user pointed to the source: its record or its call carries a name from the request."""
    datum: bool = False
    """Some origin is a field's whole value."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How well one untrusted span explains why a call is made, beyond request and policy.

    `tool` is a log-likelihood ratio in nats, clipped to [-8, 8]; `call`, `relevance` and `coherence` are
    cosines or differences of cosines; the rest are shares in [0, 1] or truth values.
    """

    span: int
    tool: float
    """Gain in predicting this tool when the span is added to the trusted texts."""
    call: float
    """Cosine of call and span, less the cosine of call and the closest trusted text."""
    relevance: float
    """Cosine of the span and the sentence of the request closest to it."""
    coherence: float
    """Cosine of the span and the rest of the text it stands in: what was slipped in does not belong."""
    belonging: float
    """Cosine of the span and the rest of its record: one mail of an inbox, one row of a table."""
    information: float
    """Information of the argument values that stand in this span and in no trusted text; 1 is 50 bits."""
    share: float
    """Share that these values make up of the information of all arguments, or of the deciding ones (all but
    the prose that a tool carries), whichever is more."""
    values: float
    """How many such values, each by its rarity, at most 3."""
    around: float
    """Share of the deciding arguments' information that stands in this span or near it in its record: an
    order's values may follow it line by line."""
    elsewhere: float
    """Share of the deciding arguments' information that stands in other texts and not in this span's record:
    who makes an agent act tells it with what."""
    unused: bool
    """It names numbers, addresses or paths, and the call takes none of them."""
    prose: float
    """1 for a sentence of six words or more, less for shorter ones."""
    datum: bool
    """The span is a field's whole value: something to use rather than something to do."""
    imperative: bool
    """It starts with a verb. How a text sounds is one weak sign among many."""
    delegated: float
    """1 when the user handed an open task to a source that this span's record names, 0.5 when no source
    was named, else 0."""
    sink: bool
    """One of the values says where content or money goes."""
    slot: float
    """Share of the deciding arguments' information that stands in a field named like the argument it fills,
    or behind "name is" or "name:" in the text."""
    named: float
    """Share of the tool's name, in words that few tools at hand have, that stands in the span and not in the
    request."""
    verb: bool
    """The span has a verb for what the call does, and the request has none."""
    pointing: float
    """How much of the request's words, by their information, the span's record and the call it answers carry,
    as a share of what the record that carries most does."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How much a call reaches for."""

    volume: float = 1.0
    """Rows or items; 1 when the call names a single thing."""
    window_days: float = 0.0
    """Length of the time window asked for; 0 when there is none."""
    depth: int = 0
    """Levels of recursion (folders, links, replies)."""
    sensitivity: int = 1
    """1 public, 2 internal, 3 personal, 4 confidential or destructive, 5 credentials."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A node of the plan: one proposed call with the provenance of its arguments and of itself."""

    id: str
    tool: str
    arguments: JSON
    effects: frozenset[Effect]
    scope: Scope
    seen: int = 0
    """How many of the plan's spans, the first ones, stood before it."""
    provenance: tuple[ArgumentProvenance, ...] = ()
    support: float = 0.0
    """How well request, policy and first-party confirmations explain the tool: nats, from -2 (not at all)."""
    support_span: int | None = None
    """The trusted span that explains it best."""
    overlap: float = 0.0
    """Share of the call's information, tool words included, that stands in the request: [0, 1]."""
    coverage: float = 0.0
    """Share of the arguments' information that stands in the request: [0, 1]."""
    asked: bool = False
    """It has side effects, and the request has a verb for each of them."""
    open: float = 0.0
    """How likely the request leaves what is to be done to a text: [0, 1]."""
    details: float = 0.0
    """How likely it says what is to be done and leaves the details to a text: [0, 1]."""
    explanations: tuple[Explanation, ...] = ()
    """Untrusted spans that may explain the call."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Data flows from call `source` to call `target` (indices), carried by the argument at `path`."""

    source: int
    target: int
    path: str


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the user handed to a text: "do what Ana's mail says", "pay the bill in this file".

    `words` name the delegated source (a person, a file, an id, a title: one word or several in order);
    `effects` are those the user's sentence allows, empty for any; `sentence` is the user's own wording.
    """

    sentence: str
    words: frozenset[str]
    effects: frozenset[Effect]


@dataclass(frozen=True, slots=True)
class Intent:
    """What was asked for, and by whom."""

    request: tuple[str, ...]
    policy: tuple[str, ...]
    delegations: tuple[Delegation, ...]


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """A graph of tool calls with what was asked for and every text that stood before them."""

    id: str
    origin: PlanOrigin
    intent: Intent
    spans: tuple[Span, ...]
    calls: tuple[ToolCall, ...]
    edges: tuple[Edge, ...]
