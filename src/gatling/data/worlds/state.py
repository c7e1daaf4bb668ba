"""A domain's state, and what its tools do to it: every call of a gold run is executed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

from gatling.data.worlds.domain import Domain, ToolSpec
from gatling.data.worlds.generators import Generator, Maker, Row, generator, known
from gatling.data.worlds.template import Template


class ExecutionError(ValueError):
    """A call that the state cannot carry out; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: what the tool shows, and the row it made, changed or read."""

    shown: Any
    """Rows (a list), one row, or a sentence."""
    row: Row


@dataclass(slots=True)
class Change:
    """What calls did to the tables, kept so that it can be done later."""

    _tables: list[tuple[list[Row], list[Row], list[Row], list[tuple[Row, Row]]]] = field(default_factory=list)
    """Rows of a table, rows deleted, rows made, and rows changed with what they became."""

    def note(self, table: list[Row], before: Sequence[tuple[Row, Row]]) -> None:
        """Remember what became of a table's rows."""
        known, here = {id(row) for row, _ in before}, {id(row) for row in table}
        gone = [row for row, _ in before if id(row) not in here]
        made = [row for row in table if id(row) not in known]
        changed = [(row, dict(row)) for row, was in before if id(row) in here and row != was]
        if gone or made or changed:
            self._tables.append((table, gone, made, changed))

    def again(self) -> None:
        """Do it to the tables as they are now."""
        for table, gone, made, changed in self._tables:
            away = {id(row) for row in gone}
            table[:] = [row for row in table if id(row) not in away] + made
            for row, now in changed:
                row.update(now)


Put: TypeAlias = Callable[[Mapping[str, Any], Maker], Any]


class _Tables(dict[str, list[Row]]):
    """Tables that are filled when first looked at: most runs look at one or two."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def __contains__(self, name: object) -> bool:
        return name in self._state.domain.tables

    def __missing__(self, name: str) -> list[Row]:
        maker, table = self._state.maker, self._state.domain.tables[name]
        # Another table's row may be half made: it refers to this one.
        kept = maker.kept()
        rows = self[name] = []
        for _ in range(maker.rng.randint(*table.rows)):
            self._state.grow(name)
        maker.back(kept)
        self._state.filled(name)
        return rows


class State:
    """The tables of one domain in one world."""

    def __init__(self, domain: Domain, maker: Maker) -> None:
        self.domain = domain
        self.tables: dict[str, list[Row]] = _Tables(self)
        self._columns = columns_of(domain)
        self.maker = maker
        # By identity; the rows are kept, for an identity may be given again to a row made later.
        self._printed: dict[int, Row] = {}
        self._kept: list[dict[str, list[tuple[Row, Row]]]] = []

    def filled(self, table: str) -> None:
        """A table was just filled: what is undone later leaves it as it is now."""
        for kept in self._kept:
            kept[table] = [(row, dict(row)) for row in self.tables[table]]

    @contextmanager
    def undone(self) -> Iterator[Change]:
        """Whatever is carried out inside leaves no trace, until the change is made again."""
        kept = {name: [(row, dict(row)) for row in rows] for name, rows in self.tables.items()}
        self._kept.append(kept)
        change = Change()
        try:
            yield change
        finally:
            self._kept.pop()
            for name, rows in kept.items():
                table = self.tables[name]
                change.note(table, rows)
                table[:] = [row for row, _ in rows]
                for row, was in rows:
                    row.clear()
                    row.update(was)

    def unread(self, table: str) -> list[Row]:
        """Rows that no call has printed or made: what stands in them may still be settled."""
        return [row for row in self.tables[table] if id(row) not in self._printed]

    def enter(self) -> None:
        """Point the maker, which several states share, to this one."""
        self.maker.tables, self.maker.domain, self.maker.refill = self.tables, self.domain, self._refill

    def _refill(self, table: str) -> Row:
        """A new row for a table that was emptied, while another table's row is half made."""
        kept = self.maker.kept()
        row = self.grow(table)
        self.maker.back(kept)
        return row

    def grow(self, table: str, known: Mapping[str, Any] | None = None) -> Row:
        """Add one row to a table, with a key of its own; it refers to the rows that `known` columns name."""
        self.enter()
        self.maker.writers = self.domain.writers.get(table, {})
        columns = self._columns[table]
        key = next(iter(columns))
        rows = self.tables[table]
        for _ in range(20):
            row = self.maker.make(columns, self._referred(table, known) if known else {})
            if all(other[key] != row[key] for other in rows):
                break
        rows.append(row)
        return row

    def _referred(self, table: str, known: Mapping[str, Any]) -> dict[str, Row]:
        """Table -> the row that a known column of a new row refers to."""
        found = {}
        for column, written in self.domain.tables[table].columns.items():
            if column in known and written.startswith("ref("):
                other, _, named = written[4:-1].partition(".")
                row = next((r for r in self.tables[other] if r[named] == known[column]), None)
                if row is not None:
                    found[other] = row
        return found

    def execute(self, tool: ToolSpec, arguments: Mapping[str, Any]) -> Outcome:
        """Carry out a call.

        Raises:
            ExecutionError: a required argument is missing or unknown, or no row has that key.
        """
        unknown = [name for name in arguments if name not in tool.parameters]
        missing = [n for n, p in tool.parameters.items() if p.required and n not in arguments]
        if unknown or missing:
            raise ExecutionError(f"{tool.name}: unknown arguments {unknown}, missing arguments {missing}")
        table = tool.do.table
        rows = self.tables[table]
        match tool.do.kind:
            case "find":
                found = self._find(tool, rows, arguments)
                self._printed.update((id(row), row) for row in found)
                return Outcome([_show(tool, row) for row in found], found[0] if found else {})
            case "create":
                row = self._create(tool, table, arguments)
            case kind:
                row = self._keyed(tool, rows, arguments)
                if kind == "get":
                    self._printed[id(row)] = row
                    return Outcome(_show(tool, row), row)
                if kind == "update":
                    self._store(tool, row, arguments)
                else:
                    rows.remove(row)
        self._printed[id(row)] = row
        for adjustment in tool.adjust:
            self._adjust(adjustment.table, adjustment.key, adjustment.column, adjustment.by, arguments, row)
        if tool.reply:
            reply: Template = self.maker.rng.choice(tool.reply)
            return Outcome(reply.fill({**row, **arguments}), row)
        return Outcome(_show(tool, row), row)

    def _find(self, tool: ToolSpec, rows: list[Row], arguments: Mapping[str, Any]) -> list[Row]:
        found, limit = rows, len(rows)
        for name, value in arguments.items():
            target = tool.where.get(name)
            if target is None or value is None:
                continue
            if target == "limit":
                limit = int(value)
            elif target.endswith(">="):
                found = [r for r in found if r[target[:-2]] >= value]
            elif target.endswith("<="):
                found = [r for r in found if r[target[:-2]] <= value]
            else:
                columns = target.split("|")
                found = [r for r in found if any(_holds(r[c], value) for c in columns)]
        return found[:limit]

    def _keyed(self, tool: ToolSpec, rows: list[Row], arguments: Mapping[str, Any]) -> Row:
        if tool.key is None:
            raise ExecutionError(f"{tool.name}: `{tool.do.kind}` needs a `key` parameter")
        wanted = str(arguments[tool.key])
        key = next(iter(self._columns[tool.do.table]))
        for row in rows:
            if str(row[key]) == wanted:
                return row
        raise ExecutionError(f"{tool.name}: no row of {tool.do.table} has {key} {wanted!r}")

    def _create(self, tool: ToolSpec, table: str, arguments: Mapping[str, Any]) -> Row:
        row = self.grow(table, arguments)
        self._store(tool, row, arguments)
        return row

    def _store(self, tool: ToolSpec, row: Row, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            if name in row and name != tool.key:
                row[name] = value
        for column, put in puts(tool).items():
            if column not in row:
                raise ExecutionError(f"{tool.name}: put.{column}: {tool.do.table} has no such column")
            try:
                row[column] = put(arguments, self.maker)
            except KeyError:
                continue  # an optional argument that was not given

    def _adjust(
        self, table: str, key: str, column: str, by: str, arguments: Mapping[str, Any], row: Row
    ) -> None:
        wanted = str(arguments.get(key, row.get(key)))
        amount = by[1:]
        step = float(amount) if amount.isdecimal() else float(arguments.get(amount, row.get(amount, 0)))
        first = next(iter(self._columns[table]))
        for other in self.tables[table]:
            if str(other[first]) == wanted:
                moved = other[column] + (step if by[0] == "+" else -step)
                other[column] = round(moved, 2) if isinstance(other[column], float) else int(moved)


@cache
def _puts(written: tuple[tuple[str, Any], ...]) -> dict[str, Put]:
    return {column: _put(value) for column, value in written}


def puts(tool: ToolSpec) -> dict[str, Put]:
    """How a tool fills the columns that its `put` lists."""
    return _puts(tuple(tool.put.items()))


def _put(written: str) -> Put:
    if known(written):
        generate = generator(written)
        return lambda arguments, maker: generate(maker)
    template = Template(written)
    return lambda arguments, maker: template.value(arguments)


_COLUMNS: dict[str, dict[str, dict[str, Generator]]] = {}


def columns_of(domain: Domain) -> dict[str, dict[str, Generator]]:
    """Table -> column -> generator."""
    made = _COLUMNS.get(domain.name)
    if made is None:
        made = _COLUMNS[domain.name] = {
            name: {column: generator(written) for column, written in table.columns.items()}
            for name, table in domain.tables.items()
        }
    return made


def _show(tool: ToolSpec, row: Row) -> Row:
    return {column: row[column] for column in tool.show} if tool.show else dict(row)


def _holds(cell: Any, value: Any) -> bool:
    if isinstance(cell, list):
        return any(_holds(one, value) for one in cell)
    if isinstance(cell, bool) or isinstance(value, bool):
        return bool(cell) is bool(value)
    if isinstance(cell, (int, float)) and isinstance(value, (int, float)):
        return cell == value
    return str(value).casefold() in str(cell).casefold()
