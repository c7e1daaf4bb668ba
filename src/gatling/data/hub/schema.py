"""What is wanted of a data file's rows, and whether the file has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import types

from gatling.data.hub.errors import SchemaDrift
from gatling.data.sources.source import Kind, Source
from gatling.terminal import safe

_LISTED = 30
"""Columns that an error lists."""

_ARROW: Mapping[Kind, Callable[[pa.DataType], bool]] = {
    "text": lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t),
    "integer": types.is_integer,
    "number": lambda t: types.is_integer(t) or types.is_floating(t) or types.is_decimal(t),
    "boolean": types.is_boolean,
    "list": lambda t: types.is_list(t) or types.is_large_list(t) or types.is_fixed_size_list(t),
    "object": lambda t: types.is_struct(t) or types.is_map(t),
    "any": lambda t: True,
}

_PYTHON: Mapping[Kind, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Wanted:
    """The columns to read, and how documents become rows."""

    columns: Mapping[str, Kind]
    """Those that must be there."""
    kept: tuple[str, ...] | None
    """Those that are read, with labels that may be absent; None: all of them."""
    rows: Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
    """The rows of one document."""
    nested: bool
    """A document may be more or less than one row."""

    @classmethod
    def by(cls, source: Source) -> Wanted:
        """What a source wants."""
        kept = tuple(dict.fromkeys([*source.columns, *sorted(source.labels)]))
        return cls(source.columns, kept or None, source.rows, type(source).rows is not Source.rows)

    def cut(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns that are read; null where a row lacks one."""
        return row if self.kept is None else {name: row.get(name) for name in self.kept}


EVERYTHING = Wanted({}, None, lambda document: (document,), False)
"""All columns, whatever they are."""


def check_types(file: str, schema: pa.Schema, wanted: Wanted) -> None:
    """Raise `SchemaDrift` unless a table has the wanted columns, of the wanted kinds."""
    for name, kind in wanted.columns.items():
        found = schema.field(name).type if name in schema.names else None
        if found is not None and types.is_dictionary(found):
            found = found.value_type
        if found is None or not (_ARROW[kind](found) or types.is_null(found)):
            raise _drift(file, wanted, [f"{field.name}: {field.type}" for field in schema])


def check_values(file: str, rows: Sequence[Mapping[str, Any]], wanted: Wanted) -> None:
    """Raise `SchemaDrift` where no row has a wanted column, or none of its values is of the wanted kind."""
    if not rows:
        return
    found: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, set()).add(type(value))
    for name, kind in wanted.columns.items():
        there = found.get(name)
        if there is None or not (kind == "any" or there == {type(None)} or there.intersection(_PYTHON[kind])):
            shown = [f"{n}: {' or '.join(sorted(t.__name__ for t in kinds))}" for n, kinds in found.items()]
            raise _drift(file, wanted, shown)


def _drift(file: str, wanted: Wanted, found: Sequence[str]) -> SchemaDrift:
    expected = ", ".join(f"{name}: {kind}" for name, kind in wanted.columns.items())
    listed = ", ".join(safe(column, 120) for column in found[:_LISTED]) or "none"
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return SchemaDrift(
        f"{safe(file)}: the columns have changed; expected {expected}; found {listed}{more}; load the "
        "revision that the source was written for, or change the source"
    )
