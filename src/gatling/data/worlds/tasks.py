"""Tasks done in a world: what is asked for, and the calls that do it, each executed against the state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatling.data.worlds.domain import Carrier, Channel, Domain, Step, Task, ToolSpec
from gatling.data.worlds.generators import Row, generator
from gatling.data.worlds.state import ExecutionError
from gatling.data.worlds.template import Template
from gatling.data.worlds.world import World, mistype, phrasing, typed

_BINDING = re.compile(
    r"(?P<table>\w+)(?:\s+where\s+(?P<column>\w+)\s*=\s*(?P<value>.+?))?(?:\s*\*\s*(?P<count>\d+))?"
)

TYPOS = 0.12
"""Share of requests with a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Action:
    """A call that was carried out."""

    domain: Domain
    tool: ToolSpec
    arguments: dict[str, Any]
    output: str
    row: Row
    shown: Any = None
    """What the output prints: rows, one row, or a sentence."""


@dataclass(slots=True)
class Job:
    """One thing asked for, and its calls."""

    request: str
    actions: list[Action] = field(default_factory=list)
    finding: str = ""
    """The value that was to be found."""
    name: str = ""


def bind(world: World, domain: Domain, task: Task) -> dict[str, Any]:
    """Rows and values for a task; the state is made to hold what the task needs."""
    state, rng = world.states[domain.name], world.rng
    values = world.values()
    used: list[Row] = []
    for name, written in task.bind.items():
        match = _BINDING.fullmatch(written.strip())
        if match is None or match["table"] not in state.tables:
            raise ExecutionError(
                f"{task.name}.bind.{name}: write `table`, `table where column=value` or `table * 3`"
            )
        table, count = match["table"], int(match["count"] or 1)
        rows = []
        for _ in range(count):
            free = [row for row in state.tables[table] if not any(row is other for other in used)]
            if match["column"]:
                fits = [row for row in free if str(row[match["column"]]) == match["value"]]
            else:
                fits = free
            if fits:
                row = rng.choice(fits)
            else:
                # A row that was printed stays as it was printed.
                unread = [row for row in state.unread(table) if not any(row is other for other in used)]
                row = rng.choice(unread) if unread else state.grow(table)
                if match["column"]:
                    row[match["column"]] = _like(row[match["column"]], match["value"])
            used.append(row)
            rows.append(row)
        values[name] = rows if match["count"] else rows[0]
    world.maker.row, world.maker.met = {}, {}
    state.enter()
    for name, written in task.slots.items():
        world.maker.person, world.maker.met = "", {}
        values[name] = generator(written)(world.maker)
    return values


def _like(old: Any, written: str) -> Any:
    if isinstance(old, bool):
        return written.lower() == "true"
    return type(old)(written) if isinstance(old, (int, float)) else written


def frozen(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they are now, whatever the calls change later."""
    return {
        k: dict(v) if isinstance(v, dict) else [dict(r) for r in v] if isinstance(v, list) else v
        for k, v in values.items()
    }


def perform(world: World, domain: Domain, steps: Sequence[Step], values: dict[str, Any]) -> Iterator[Action]:
    """Carry out steps one by one."""
    for number, step in enumerate(steps, 1):
        tool = domain.tool.get(step.tool)
        if tool is None:
            raise ExecutionError(f"step {number}: no tool {step.tool!r} in {domain.name}")
        rows = values[step.each] if step.each else [None]
        for row in rows:
            scope = {**values, step.each: row} if step.each else values
            arguments = {k: typed(tool, k, _value(v, scope)) for k, v in step.arguments.items()}
            outcome, output = world.execute(domain, tool, arguments)
            values[str(number)] = outcome.row
            yield Action(domain, tool, arguments, output, dict(outcome.row), outcome.shown)


def _value(written: Any, scope: dict[str, Any]) -> Any:
    if isinstance(written, Template):
        return written.value(scope)
    return [_value(one, scope) for one in written] if isinstance(written, list) else written


def do(world: World, domain: Domain, task: Task) -> Job:
    """A task asked for and done."""
    return done(world, domain, task, bind(world, domain, task))


def done(world: World, domain: Domain, task: Task, values: dict[str, Any]) -> Job:
    """A task asked for and done with what was bound for it."""
    asked, rng = frozen(values), world.rng
    actions = list(perform(world, domain, task.steps, values))
    slips = rng.random() < TYPOS
    spoil = (lambda text: mistype(rng, text) if rng.random() < 0.4 else text) if slips else None
    return Job(rng.choice(task.request.of(world.language)).fill(asked, spoil), actions, name=task.name)


def find(world: World, domain: Domain, task: Task) -> Job:
    """The job of finding out what a reading task finds, and nothing else that its own request asks."""
    assert task.finding is not None
    values = bind(world, domain, task)
    asked, found = frozen(values), task.finding.value
    actions, left = [], list(found.slots)
    for action in perform(world, domain, task.steps, values):
        actions.append(action)
        left = [slot for slot in left if not _shows(action, task, asked, slot)]
        if not left:
            break
    phrase = task.finding.of(world.language).fill(asked)
    asking = Template(world.rng.choice(phrasing()[world.language]["finders"]))
    return Job(asking.fill({"finding": phrase}), actions, found.fill(asked), task.name)


def _shows(action: Action, task: Task, asked: dict[str, Any], slot: str) -> bool:
    """True when an output prints what a slot speaks of: that column of its rows, or what it refers to."""
    name, _, column = slot.partition(".")
    rows = asked[name] if isinstance(asked[name], list) else [asked[name]]
    (table, first), *others = action.domain.sources(task.bind[name].split()[0], column)
    printed = action.shown if isinstance(action.shown, list) else [action.shown]
    key = next(iter(action.domain.tables[table].columns))
    if action.tool.do.table == table:
        return all(any(first in one and one.get(key) == row[key] for one in printed) for row in rows)
    named = [other for where, other in others if where == action.tool.do.table]
    return bool(named) and all(any(one.get(named[0]) == row[first] for one in printed) for row in rows)


def carry(world: World, domain: Domain, carrier: Carrier, finding: str) -> Job:
    """A finding carried on."""
    values = world.values()
    world.maker.row, world.maker.met = {}, {}
    world.states[domain.name].enter()
    for name, written in carrier.slots.items():
        world.maker.person, world.maker.met = "", {}
        values[name] = generator(written)(world.maker)
    request = world.rng.choice(carrier.request.of(world.language)).fill(values)
    tool = domain.tool[carrier.tool]
    scope = {**values, "finding": finding}
    arguments = {k: typed(tool, k, Template(v).value(scope)) for k, v in carrier.arguments.items()}
    outcome, output = world.execute(domain, tool, arguments)
    action = Action(domain, tool, arguments, output, dict(outcome.row), outcome.shown)
    return Job(request, [action], name=carrier.tool)


def delegate(world: World, domain: Domain, channel: Channel, text: str) -> Job:
    """The user hands over to a text by somebody else, in which `text` now stands."""
    state, rng = world.states[domain.name], world.rng
    # What was printed says what it said, and what the agent wrote is its own.
    rows = state.unread(channel.table)
    row = rng.choice(rows) if rows else state.grow(channel.table)
    row[channel.column] = text
    values = {**world.values(), "row": row}
    request = rng.choice(channel.delegate.of(world.language)).fill(values)
    return Job(request, list(perform(world, domain, channel.steps, values)), name=f"delegate-{channel.table}")
