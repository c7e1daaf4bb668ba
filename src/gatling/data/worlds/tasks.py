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
from gatling.data.worlds.world import World, mistype, typed

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
    """The value that a reading task found."""
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
            row = rng.choice(fits) if fits else rng.choice(free) if free else state.grow(table)
            if match["column"] and not fits:
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
    values = bind(world, domain, task)
    asked = frozen(values)
    actions = list(perform(world, domain, task.steps, values))
    rng = world.rng
    slips = rng.random() < TYPOS
    spoil = (lambda text: mistype(rng, text) if rng.random() < 0.4 else text) if slips else None
    job = Job(world.rng.choice(task.request.of(world.language)).fill(asked, spoil), actions, name=task.name)
    if task.finding:
        job.finding = task.finding.value.fill(asked)
    return job


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
    return Job(request, [Action(domain, tool, arguments, output, dict(outcome.row))], name=carrier.tool)


def delegate(world: World, domain: Domain, channel: Channel, text: str) -> Job:
    """The user hands over to a text by somebody else, in which `text` now stands."""
    state, rng = world.states[domain.name], world.rng
    rows = state.tables[channel.table]
    row = rng.choice(rows) if rows else state.grow(channel.table)
    row[channel.column] = text
    values = {**world.values(), "row": row}
    request = rng.choice(channel.delegate.of(world.language)).fill(values)
    return Job(request, list(perform(world, domain, channel.steps, values)), name=f"delegate-{channel.table}")
