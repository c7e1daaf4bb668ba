"""Rows and their columns: what a finished sample is outside the process that made it.

The Arrow schema and both conversions follow from one description, `COLUMNS`. Nested values are converted
field by field over all rows at once, into flat buffers with offsets, never row by row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from gatling.data.label import Record
from gatling.data.run import TERMS, Place
from gatling.plan import (
    JSON,
    ArgumentProvenance,
    Delegation,
    Edge,
    Effect,
    ExecutionPlan,
    Explanation,
    Intent,
    Origin,
    PlanOrigin,
    Scope,
    Span,
    ToolCall,
    TrustTier,
)
from gatling.trace import Message
from gatling.trace.message import ProposedCall


class Energies(NamedTuple):
    """One call's energies by construction, 0–10."""

    call: int
    """Index of the call."""
    hierarchy: float
    provenance: float
    scope: float
    flow: float


class Audited(NamedTuple):
    """One call's energies as the audit sees them with the shipped weights, 0–10."""

    call: int
    """Index of the call."""
    hierarchy: float
    provenance: float
    scope: float
    flow: float
    energy: float
    """The calibrated composite of the terms."""


@dataclass(frozen=True, slots=True)
class Row:
    """A finished sample with its split: plan, messages, labels by construction, the audit's opinion."""

    id: str
    group: str
    """Everything made from one origin shares it, and with it one split."""
    split: str
    category: str
    """`benign`, `adversarial` or `mutated`."""
    kind: str
    """See `gatling.data.run.Kind`."""
    family: str
    """The attack family or mutation operator; empty for benign runs."""
    register: str
    """How the poison was worded; empty where there is none."""
    poisoned: bool
    """A poison was read."""
    language: str
    domains: tuple[str, ...]
    source: str
    """Where the run itself is from; `rows` name what else went into it."""
    licence: str
    rows: tuple[Place, ...]
    """Rows of public datasets whose texts or calls stand in it."""
    origin: PlanOrigin
    label_source: str
    round: int
    messages: tuple[Message, ...]
    tools: str
    """The run's tool schemas: a JSON array."""
    intent: Intent
    spans: tuple[Span, ...]
    calls: tuple[ToolCall, ...]
    edges: tuple[Edge, ...]
    energies: tuple[Energies, ...]
    """One per call."""
    energy: float
    """The plan's energy by construction: its worst call's worst term."""
    budget: Scope
    """The smallest scope that the request needs."""
    opinions: tuple[Audited, ...]
    """One per call."""
    opinion: float
    """The audit's energy of the plan: its worst call's."""
    disputed: bool
    """Construction and audit stand on different sides of the threshold at 2."""

    @property
    def plan(self) -> ExecutionPlan:
        """The execution plan."""
        return ExecutionPlan(self.id, self.origin, self.intent, self.spans, self.calls, self.edges)


def rows(records: Iterable[Record], split: str) -> list[Row]:
    """Records of one split as rows."""
    schemas: dict[int, str] = {}
    found = []
    for record in records:
        run, truth, plan = record.sample.run, record.sample.truth, record.plan
        setting = run.setting
        # The samples of a group share one tuple of schemas, which their runs keep alive meanwhile.
        tools = schemas.get(id(setting.schemas)) or schemas.setdefault(
            id(setting.schemas), _dumps(list(setting.schemas))
        )
        found.append(
            Row(
                id=record.sample.id,
                group=run.group,
                split=split,
                category=truth.category,
                kind=truth.kind,
                family=truth.family,
                register=truth.register,
                poisoned=truth.poisoned,
                language=setting.language,
                domains=tuple(setting.domains),
                source=setting.source,
                licence=setting.licence,
                rows=run.rows,
                origin=plan.origin,
                label_source=record.label_source,
                round=record.round,
                messages=run.messages,
                tools=tools,
                intent=plan.intent,
                spans=plan.spans,
                calls=plan.calls,
                edges=plan.edges,
                energies=tuple(Energies(i, *terms) for i, terms in enumerate(record.energies)),
                energy=record.energy,
                budget=record.budget,
                opinions=tuple(
                    Audited(i, **said.terms, energy=said.energy) for i, said in enumerate(record.opinions)
                ),
                opinion=record.opinion,
                disputed=record.disputed,
            )
        )
    return found


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table of `SCHEMA`.

    Raises:
        ValueError: the id of a row that holds what no column can, such as a lone surrogate, and why.
    """
    try:
        return _table(rows)
    except (ValueError, TypeError, OverflowError):  # which row it was, Arrow does not say
        for row in rows:
            try:
                _table([row])
            except (ValueError, TypeError, OverflowError) as error:
                reason = f"row {row.id!a}: {error}; mend the run that it was made from"
                raise ValueError(reason) from None
        raise


def _table(rows: Sequence[Row]) -> pa.Table:
    arrays = [column.encode(list(map(attrgetter(name), rows))) for name, column in COLUMNS.items()]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def read(table: pa.Table) -> list[Row]:
    """The rows of an Arrow table of `SCHEMA`.

    Raises:
        ValueError: a value that no row can have, such as an unknown effect or arguments that are no JSON.
    """
    return list(map(Row, *(values(table, name) for name in COLUMNS)))


def values(table: pa.Table, name: str) -> list[Any]:
    """One column of an Arrow table as the values that `Row` holds."""
    column = COLUMNS[name]
    return [value for chunk in table.column(name).chunks for value in column.decode(chunk)]


class Column(Protocol):
    """How values of one kind stand in Arrow."""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        ...

    @property
    def optional(self) -> bool:
        """None is allowed."""
        ...

    @property
    def of(self) -> str:
        """The attribute that the values come from, where the column has another name."""
        ...

    def encode(self, values: list[Any]) -> pa.Array:
        """Values to Arrow."""
        ...

    def decode(self, array: pa.Array) -> list[Any]:
        """Arrow to values."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """Numbers, truth values or texts; `store` and `load` convert what Arrow does not know."""

    type: pa.DataType
    store: Callable[[Any], Any] | None = None
    load: Callable[[Any], Any] | None = None
    optional: bool = False
    of: str = ""

    def encode(self, values: list[Any]) -> pa.Array:
        """Values to Arrow."""
        return pa.array(values if self.store is None else list(map(self.store, values)), self.type)

    def decode(self, array: pa.Array) -> list[Any]:
        """Arrow to values."""
        # NumPy is several times faster than to_pylist, and turns integers with nulls into floats.
        nulls = array.null_count and self.type != pa.string()
        found: list[Any] = array.to_pylist() if nulls else array.to_numpy(zero_copy_only=False).tolist()
        if self.load is None:
            return found
        load = self.load
        return [None if value is None and self.optional else load(value) for value in found]


@dataclass(frozen=True, slots=True)
class List:
    """Sequences of items; `store` brings a set into order, `load` makes the Python value."""

    item: Column
    store: Callable[[Any], Sequence[Any]] | None = None
    load: Callable[[Any], Any] = tuple
    optional: bool = False
    of: str = ""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        return pa.list_(pa.field("element", self.item.type, self.item.optional))

    def encode(self, values: list[Any]) -> pa.Array:
        """Values to Arrow."""
        lists = values if self.store is None else [*map(self.store, values)]
        offsets = np.zeros(len(lists) + 1, np.int32)
        np.cumsum(np.fromiter(map(len, lists), np.int32, len(lists)), out=offsets[1:])
        items = self.item.encode([*chain.from_iterable(lists)])
        return pa.ListArray.from_arrays(pa.array(offsets), items, type=self.type)

    def decode(self, array: pa.Array) -> list[Any]:
        """Arrow to values."""
        items = self.item.decode(array.flatten())
        offsets = array.offsets.to_numpy()
        bounds = (offsets - offsets[0]).tolist() if len(offsets) else [0]
        return [self.load(items[start:end]) for start, end in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Struct:
    """Objects of one class, by attribute; `make` takes the columns' values in order."""

    make: Callable[..., Any]
    columns: Mapping[str, Column]
    optional: bool = False
    of: str = ""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        return pa.struct(_fields(self.columns))

    def encode(self, values: list[Any]) -> pa.Array:
        """Values to Arrow."""
        arrays = [
            column.encode([*map(attrgetter(column.of or name), values)])
            for name, column in self.columns.items()
        ]
        return pa.StructArray.from_arrays(arrays, fields=_fields(self.columns))

    def decode(self, array: pa.Array) -> list[Any]:
        """Arrow to values."""
        parts = zip(self.columns.values(), array.flatten(), strict=True)
        return [*map(self.make, *(column.decode(part) for column, part in parts))]


def _fields(columns: Mapping[str, Column]) -> list[pa.Field]:
    return [pa.field(name, column.type, column.optional) for name, column in columns.items()]


_dumps: Callable[[JSON], str] = json.JSONEncoder(ensure_ascii=False).encode


def text(content: JSON) -> str:
    """A text as it stands, anything else as JSON."""
    return content if isinstance(content, str) else _dumps(content)


def _structured(content: JSON) -> bool:
    return not isinstance(content, str)


def _message(role: Any, content: str, structured: bool, *rest: Any) -> Message:
    return Message(role, json.loads(content) if structured else content, *rest)


_BOOL, _INT, _FLOAT, _TEXT = Leaf(pa.bool_()), Leaf(pa.int32()), Leaf(pa.float64()), Leaf(pa.string())
_MAYBE_INT, _MAYBE_TEXT = Leaf(pa.int32(), optional=True), Leaf(pa.string(), optional=True)
_JSON = Leaf(pa.string(), store=_dumps, load=json.loads)
_TEXTS = List(_TEXT)
_TIER = Leaf(pa.int8(), load=TrustTier)
_EFFECTS = List(Leaf(pa.string(), load=Effect), store=sorted, load=frozenset)


def _plain(make: type[Any], **columns: Column) -> Struct:
    """A struct of a class whose fields stand in the columns' order."""
    names = getattr(make, "_fields", None) or tuple(field.name for field in fields(make))
    assert tuple(columns) == names, f"{make.__name__}: columns and fields differ"
    return Struct(make, columns)


_SCOPE = _plain(Scope, volume=_FLOAT, window_days=_FLOAT, depth=_INT, sensitivity=_INT)
_ORIGIN = _plain(Origin, span=_INT, share=_FLOAT, match=_TEXT)
_ARGUMENT = _plain(
    ArgumentProvenance,
    path=_TEXT,
    value=_TEXT,
    origins=List(_ORIGIN),
    tier=Leaf(pa.int8(), load=TrustTier, optional=True),
    rarity=_FLOAT,
    pointed=_BOOL,
    datum=_BOOL,
)
_EXPLANATION = _plain(
    Explanation,
    span=_INT,
    tool=_FLOAT,
    call=_FLOAT,
    relevance=_FLOAT,
    coherence=_FLOAT,
    belonging=_FLOAT,
    information=_FLOAT,
    share=_FLOAT,
    values=_FLOAT,
    around=_FLOAT,
    elsewhere=_FLOAT,
    unused=_BOOL,
    prose=_FLOAT,
    datum=_BOOL,
    imperative=_BOOL,
    delegated=_FLOAT,
    sink=_BOOL,
    slot=_FLOAT,
    named=_FLOAT,
    verb=_BOOL,
    pointing=_FLOAT,
)
_CALL = _plain(
    ToolCall,
    id=_TEXT,
    tool=_TEXT,
    arguments=_JSON,
    effects=_EFFECTS,
    scope=_SCOPE,
    seen=_INT,
    provenance=List(_ARGUMENT),
    support=_FLOAT,
    support_span=_MAYBE_INT,
    overlap=_FLOAT,
    coverage=_FLOAT,
    asked=_BOOL,
    open=_FLOAT,
    details=_FLOAT,
    explanations=List(_EXPLANATION),
)
_SPAN = _plain(
    Span,
    id=_INT,
    text=_TEXT,
    tier=_TIER,
    source=_TEXT,
    call=_MAYBE_INT,
    path=_TEXT,
    record=_INT,
    whole=_BOOL,
)
_DELEGATION = _plain(
    Delegation, sentence=_TEXT, words=List(_TEXT, store=sorted, load=frozenset), effects=_EFFECTS
)
_INTENT = _plain(Intent, request=_TEXTS, policy=_TEXTS, delegations=List(_DELEGATION))
_PROPOSED = _plain(ProposedCall, id=_TEXT, tool=_TEXT, arguments=_JSON, problem=_MAYBE_TEXT)
_MESSAGE = Struct(
    _message,
    {
        "role": _TEXT,
        "content": Leaf(pa.string(), store=text),
        # The content is JSON rather than text.
        "structured": Leaf(pa.bool_(), store=_structured, of="content"),
        "calls": List(_PROPOSED),
        "call_id": _MAYBE_TEXT,
        "tool": _MAYBE_TEXT,
        "unread": _TEXTS,
    },
)
_TERMS = {term: _FLOAT for term in TERMS}

COLUMNS: Mapping[str, Column] = {
    "id": _TEXT,
    "group": _TEXT,
    "split": _TEXT,
    "category": _TEXT,
    "kind": _TEXT,
    "family": _TEXT,
    "register": _TEXT,
    "poisoned": _BOOL,
    "language": _TEXT,
    "domains": _TEXTS,
    "source": _TEXT,
    "licence": _TEXT,
    "rows": List(_plain(Place, source=_TEXT, licence=_TEXT, file=_TEXT, row=Leaf(pa.int64()))),
    "origin": Leaf(pa.string(), load=PlanOrigin),
    "label_source": _TEXT,
    "round": _INT,
    "messages": List(_MESSAGE),
    "tools": _TEXT,
    "intent": _INTENT,
    "spans": List(_SPAN),
    "calls": List(_CALL),
    "edges": List(_plain(Edge, source=_INT, target=_INT, path=_TEXT)),
    "energies": List(_plain(Energies, call=_INT, **_TERMS)),
    "energy": _FLOAT,
    "budget": _SCOPE,
    "opinions": List(_plain(Audited, call=_INT, **_TERMS, energy=_FLOAT)),
    "opinion": _FLOAT,
    "disputed": _BOOL,
}
"""The columns by name, in `Row`'s order."""

SCHEMA = pa.schema(_fields(COLUMNS))
"""The Arrow schema of every shard."""
