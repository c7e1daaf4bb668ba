"""Calls that somebody in a world may ask for: one tool's with values of its own, or a whole task."""

from __future__ import annotations

from gatling.data.run import Deed, Goal
from gatling.data.worlds.domain import Domain, ToolSpec
from gatling.data.worlds.generators import generator
from gatling.data.worlds.state import ExecutionError
from gatling.data.worlds.tasks import bind, done
from gatling.data.worlds.world import World, typed
from gatling.plan import Effect

TASKS = 0.5
"""Share of goals that are whole tasks rather than single calls."""


def _worth(tool: ToolSpec) -> float:
    """How much more often than a plain note somebody will want a call of this tool."""
    worth = 3.0 if tool.effects & {Effect.SEND, Effect.PAY, Effect.DELETE, Effect.EXECUTE} else 1.0
    return worth * (1.5 if tool.sinks else 1.0) * (1.5 if tool.sensitivity >= 4 else 1.0)


class WorldGoals:
    """Goals in one world, drawn with its random numbers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
        """A goal; None when nothing here fits.

        `denied` wants a call that the role may not make, and nothing else gives one; `sinks` one that says
        where something goes.
        """
        world = self.world
        if not denied and not sinks and world.rng.random() < TASKS:
            return self.task()
        fitting = [
            (domain, tool)
            for domain in world.domains
            for tool in domain.tools
            if tool.ask and denied is not world.grants(domain, tool.name) and (not sinks or tool.sinks)
        ]
        if not fitting:
            return None
        return self.call(*world.rng.choices(fitting, [_worth(tool) for _, tool in fitting])[0])

    def task(self) -> Goal | None:
        """A task that changes something. The state changes once it is carried out."""
        world = self.world
        domain = world.rng.choice(world.domains)
        acting = [
            t
            for t in domain.tasks
            if any(domain.tool[s.tool].acts for s in t.steps)
            and world.grants(domain, *(s.tool for s in t.steps))
        ]
        task, state = world.rng.choice(acting), world.states[domain.name]
        try:
            values = bind(world, domain, task)
            with state.undone() as change:
                job = done(world, domain, task, values)
        except ExecutionError:  # an earlier task took away what this one needs
            return None
        deeds = tuple(
            Deed(world.named(a.tool.name, domain), a.arguments, a.output, a.tool.output == "untrusted")
            for a in job.actions
        )
        return Goal(deeds, (job.request,), english=job.request, whole=True, done=change.again)

    def call(self, domain: Domain, tool: ToolSpec) -> Goal:
        """One call of a tool. Nothing in the state changes."""
        world = self.world
        assert tool.ask is not None
        state, rng, maker = world.states[domain.name], world.rng, world.maker
        for written in tool.sample.values():
            table = written[4:].partition(".")[0] if written.startswith("ref(") else ""
            if table and not state.tables[table]:
                state.grow(table)
        state.enter()
        maker.row, maker.person, maker.met = {}, "", {}
        arguments = {name: typed(tool, name, generator(w)(maker)) for name, w in tool.sample.items()}
        values = {**maker.met, **arguments}
        row = {**next(iter(maker.met.values()), {}), **arguments}
        try:
            with state.undone():
                _, output = world.execute(domain, tool, arguments)
        except ExecutionError:  # values made up, of which the state knows nothing
            replies = [
                template for template in tool.reply or () if all(slot in row for slot in template.slots)
            ]
            output = rng.choice(replies).fill(row) if replies else "ok"
        return Goal(
            (Deed(world.named(tool.name, domain), arguments, output),),
            tuple(ask.fill(values) for ask in tool.ask.of(world.language)),
            tuple(fact.fill(values) for fact in tool.fact.en) if tool.fact else (),
            rng.choice(tool.ask.en).fill(values),
        )
