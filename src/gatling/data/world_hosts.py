"""Public texts in conversations of worlds: read, said, followed or left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from gatling.data.groups import DELEGATING, attacked, hand_over, world_host
from gatling.data.guests import LATE, TRIES, Guest, halved, read_alone, stranger
from gatling.data.mutations import Mutation
from gatling.data.mutations.poison import insert
from gatling.data.mutations.schema_goals import asks
from gatling.data.run import Deed, Goal, Sample, Truth
from gatling.data.worlds.conversation import (
    Conversation,
    Turn,
    converse,
    obeyed,
    pick_domains,
    pick_language,
)
from gatling.data.worlds.domain import Domain, ToolSpec
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.state import ExecutionError
from gatling.data.worlds.world import World, typed
from gatling.plan import PlanOrigin

BRIEF = 0.5
"""Share of runs in which one job is done. In the others there may be more, so that the calls that an attack
brings do not stand out."""

LOOKED_AT = 4
"""Runs looked at for one to attack in which something is done; a mutation changes what is done."""

ACTING = 0.7
"""Share of runs without an attack that do more than read, where one such is found."""

SPEAKING = 0.5
"""Share of chat messages that are the user's word; the others are quoted in what is read."""


class WorldHost:
    """A world that is made when it is first needed, with a tool in it that one of the guests asks for."""

    def __init__(
        self, name: str, domains: Sequence[Domain], rng: Random, guests: Sequence[Guest] = ()
    ) -> None:
        self._name, self._domains, self._rng, self._guests = name, domains, rng, guests
        self._world: World | None = None

    def _fresh(self) -> World:
        rng = self._rng
        chosen = pick_domains(rng, self._domains)[:2]
        fitting = [d for g in self._guests if g.asked for d in self._domains if g.asked.tool in d.tool]
        if fitting:
            main = rng.choice(fitting)
            chosen = [main, *(domain for domain in chosen if domain is not main)][: len(chosen)]
        return World(chosen, pick_language(rng), rng)

    def gold(self, guests: Sequence[Guest]) -> list[Sample]:
        """A run in which guests are read or said, and no attack is made."""
        conversation, there = self._converse(
            guests, brief=self._rng.random() < BRIEF, acting=self._rng.random() < ACTING
        )
        run = replace(conversation.run(), rows=tuple(guest.place for guest in there))
        texts = {guest.text for guest in there}
        if any(turn.user in texts and turn.steps for turn in conversation.turns):
            run = replace(run, origin=PlanOrigin.INFERRED)
        return read_alone(there, [Sample("", run, Truth("gold"))])

    def attacked(self, guests: Sequence[Guest], mutations: Sequence[Mutation]) -> list[Sample]:
        """A run under attack and its twins: half of the guests stand in all of them, the others attack."""
        staying, attacking = halved(guests, self._rng)
        conversation, there = self._converse(staying, brief=self._rng.random() < BRIEF, acting=True)
        strangers = [stranger(guest, own(conversation.world, guest)) for guest in attacking]
        rows = tuple(guest.place for guest in there)
        host = replace(world_host(conversation, strangers, rows), late=LATE, tries=TRIES)
        return read_alone(there, attacked(host, mutations))

    def _converse(
        self, guests: Sequence[Guest], *, brief: bool, acting: bool = False
    ) -> tuple[Conversation, list[Guest]]:
        self._world = self._world or self._fresh()
        for _ in range(LOOKED_AT):
            try:
                conversation = converse(self._world, self._name, reading=True, brief=brief)
            except ExecutionError:  # a run before this one took away what it needs
                self._world = self._fresh()
                conversation = converse(self._world, self._name, reading=True, brief=brief)
            steps = [step for turn in conversation.turns for step in turn.steps]
            if not acting or any(self._world.setting.tool(step.call).acts for step in steps):
                break
        there = [guest for guest in guests if _settle(conversation, guest)]
        if self._rng.random() < DELEGATING:
            hand_over(conversation, limited=self._rng.random() < 0.4)
        return conversation, there


def _settle(conversation: Conversation, guest: Guest) -> bool:
    """Put a text into a conversation, where it is read or said; False where there is no place for it."""
    rng = conversation.rng
    steps = [s for turn in conversation.turns for s in turn.steps if s.reading and not s.delegated]
    says = guest.voiced and guest.channel == "chat"
    if says and (not steps or rng.random() < SPEAKING):
        goal = own(conversation.world, guest)
        granted = goal is not None and goal.deed.tool not in conversation.world.setting.denied
        made = obeyed(conversation, goal) if goal is not None and granted else []
        # First, because an agent that was led astray may forget the turns that come later.
        conversation.turns.insert(0, Turn(guest.text, made, conversation.say("finals")))
    elif steps:
        step = rng.choice(steps)
        step.output = str(insert(step.output, guest.text, rng))
    else:
        return False
    return True


def own(world: World, guest: Guest) -> Goal | None:
    """The call that a text asks for by itself, in a world that has its tool.

    The agent makes up what the text leaves open.
    """
    if guest.asked is None:
        return None
    found = [(d, d.tool[guest.asked.tool]) for d in world.domains if guest.asked.tool in d.tool]
    if not found:
        return None
    domain, tool = found[0]
    if not tool.acts or tool.ask is None:
        return None
    try:
        read = {
            name: typed(tool, name, value)
            for name, value in guest.asked.arguments.items()
            if name in tool.parameters
        }
    except (ExecutionError, TypeError):
        return None
    arguments = {**WorldGoals(world).call(domain, tool).deed.arguments, **read}
    named = world.named(tool.name, domain)
    deed = Deed(named, arguments, _answer(world, domain, tool, arguments))
    said = (guest.text,) if guest.voiced else asks({"name": named, "description": ""}, arguments)
    return Goal((deed,), said, english=said[0], whole=guest.voiced, text=guest.text)


def _answer(world: World, domain: Domain, tool: ToolSpec, arguments: dict[str, Any]) -> str:
    try:
        with world.states[domain.name].undone():
            return world.execute(domain, tool, arguments)[1]
    except ExecutionError:  # values of a text, of which the state knows nothing
        return "ok"
