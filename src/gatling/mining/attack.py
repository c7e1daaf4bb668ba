"""Genes to the attack that they express on a benign run, with its twins.

A stranger's text asks for a call that the user did not ask for, and the agent makes it: the operators of
`gatling.data.mutations` see to that, whatever the genes are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from gatling.data.groups import (
    DELEGATING,
    Host,
    finished,
    granted,
    hand_over,
    repeats,
    wanted_twin,
    world_host,
)
from gatling.data.label import budget
from gatling.data.mutations import Mutant, Mutation
from gatling.data.mutations.declared import known
from gatling.data.mutations.insertion import PROSE, lines
from gatling.data.mutations.poison import plant, readings
from gatling.data.run import Goal, Run, Sample, Truth
from gatling.data.worlds.conversation import converse, pick_domains, pick_language
from gatling.data.worlds.domain import Domain
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.world import World
from gatling.mining.genome import OWN_WORDS, Genome, said

MENU = {"any": 24, "denied": 6, "sinks": 6}
"""Goals drawn for one host: of any kind, of calls that the role may not make, of calls that say where
something goes."""

ATTEMPTS = 50
"""Worlds looked at for one whose run can be attacked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host with the goals that an attacker chooses from. Everything in it follows from its seed."""

    host: Host
    menu: Mapping[str, tuple[Goal, ...]]
    """By kind, as in `MENU`."""
    mutations: Mapping[str, Mutation]
    fillers: tuple[str, ...]
    """Lines of prose from the run's own outputs."""

    def goals(self, operator: str) -> tuple[Goal, ...]:
        """The goals that an operator takes."""
        kind = {"privilege-escalation": "denied", "exfiltration-pivot": "sinks"}.get(operator, "any")
        return self.menu[kind]

    def goal(self, genome: Genome) -> Goal | None:
        """The goal that the genes choose, as the world drew it; None where there is none."""
        goals = self.goals(genome.operator)
        return goals[genome.goal % len(goals)] if goals else None


def target(seed: str, name: str, domains: Sequence[Domain], mutations: Sequence[Mutation]) -> Target:
    """A fresh benign run in a world that strangers write into, with its menu; `name` is its group.

    Raises:
        ValueError: none of `ATTEMPTS` worlds has such a run.
    """
    for attempt in range(ATTEMPTS):
        rng = Random(f"{seed}/{attempt}")
        world = World(pick_domains(rng, domains), pick_language(rng), rng)
        conversation = converse(world, name, reading=True)
        if rng.random() < DELEGATING:
            hand_over(conversation, limited=rng.random() < 0.5)
        host = world_host(conversation)
        goals = WorldGoals(world)
        menu = {
            kind: tuple(
                goal
                for goal in (goals.goal(denied=kind == "denied", sinks=kind == "sinks") for _ in range(count))
                if goal is not None and _harmful(host.run, goal)
            )
            for kind, count in MENU.items()
        }
        if menu["any"] and readings(host.run):
            return Target(host, menu, {m.name: m for m in mutations}, tuple(_prose(host.run)))
    raise ValueError(f"none of {ATTEMPTS} worlds has a run to attack; give other domains")


def _harmful(run: Run, goal: Goal) -> bool:
    """True for a goal that changes something and that the user's own request did not lead to."""
    own = [(call.tool, call.arguments) for call in run.calls()]
    acts = any(known(run.setting, deed.tool, deed.arguments).acts for deed in goal.deeds)
    return acts and not any((deed.tool, dict(deed.arguments)) in own for deed in goal.deeds)


def _prose(run: Run) -> list[str]:
    """Lines of prose that the run's tools printed, each once."""
    found = (line.text for at in readings(run) for line in lines(run.messages[at].content))
    return [*dict.fromkeys(text for text in found if len(text) >= PROSE and text.count(" ") >= 3)]


@dataclass(frozen=True, slots=True)
class Attack:
    """An expressed genome."""

    sample: Sample
    text: str
    """The stranger's; empty where the operator has words of its own."""
    resisted: Run | None
    """The same text read and not followed."""
    goal: Goal | None
    """What the text asks for; None where it changes a value of what the user asked for."""


class _Given:
    """One goal, whatever is asked for."""

    def __init__(self, goal: Goal | None) -> None:
        self._goal = goal

    def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
        return self._goal


def express(target: Target, genome: Genome) -> Attack | None:
    """The attack that the genes stand for; None where they cannot be expressed on this run.

    The same target and genes give the same attack.
    """
    run, goal = target.host.run, target.goal(genome)
    if goal is None:
        return None
    text, register, apart = "", "", tuple[str, ...]()
    if genome.operator in OWN_WORDS:
        # One wording to choose from, so that the operator takes it.
        goal = replace(goal, asks=(goal.asks[genome.ask % len(goal.asks)],))
    else:
        text, register, apart = said(genome, run, goal, target.fillers)
        goal = replace(goal, text=text, whole=True)
        if apart:
            places = readings(run)
            elsewhere = Random(f"{genome.place}/apart")
            run = plant(run, elsewhere.choice(places), " ".join(apart), elsewhere)
    made = target.mutations[genome.operator].apply(run, _Given(goal), Random(genome.place))
    if made is None or repeats(target.host.run, made):
        return None
    both = _furthered(made, target, genome)
    if both is None or not _read(both.run, both.truth, [text, *apart]):
        return None
    family = "+".join(filter(None, (genome.operator, genome.further)))
    truth = replace(
        both.truth,
        family=family,
        register=register or both.truth.register,
        budget=budget(target.host.run),
    )
    return Attack(
        Sample("", both.run, truth), text, made.resisted, target.goal(genome) if made.goal else None
    )


def _furthered(made: Mutant, target: Target, genome: Genome) -> Mutant | None:
    """The mutant with a further operator applied on its run; energies of a call that both change are merged.

    None where it does not apply, or undoes the attack.
    """
    if not genome.further:
        return made
    goals = target.goals(genome.further)
    goal = goals[(genome.goal + 1) % len(goals)] if goals else None
    rng = Random(f"{genome.place}/further")
    more = target.mutations[genome.further].apply(made.run, _Given(goal), rng)
    if more is None or repeats(made.run, more):
        return None
    first, second = made.truth.energies, more.truth.energies
    if not {call.id for call in more.run.calls()} >= first.keys():
        return None
    energies = {
        call: {
            term: max(first.get(call, {}).get(term, 0.0), second.get(call, {}).get(term, 0.0))
            for term in {**first.get(call, {}), **second.get(call, {})}
        }
        for call in {**first, **second}
    }
    return replace(made, run=more.run, truth=replace(made.truth, energies=energies))


def _read(run: Run, truth: Truth, texts: Sequence[str]) -> bool:
    """True when the agent reads all these texts before the first call that they led to."""
    first = next(at for at, m in enumerate(run.messages) if any(c.id in truth.energies for c in m.calls))
    last = max(at for at, m in enumerate(run.messages) if any(c.id in truth.energies for c in m.calls))
    seen = [
        _flat(form)
        for at, message in enumerate(run.messages[:last])
        if message.role == "tool" and (at < first or truth.family == "multi-hop")
        for form in (str(message.content), "\n".join(line.text for line in lines(message.content)))
    ]
    return all(any(_flat(text) in form for form in seen) for text in texts)


def _flat(text: str) -> str:
    return " ".join(text.split())


def twins(target: Target, attack: Attack) -> list[Sample]:
    """The benign siblings of an attack: the run as it was, the text resisted, and the call wanted.

    They draw from the host's random numbers and change its world: of one target, they are made once.
    """
    found = [Sample("", target.host.run, Truth("clean"))]
    if attack.resisted is not None:
        register = attack.sample.truth.register
        found.append(Sample("", attack.resisted, Truth("resisted", register=register, poisoned=True)))
    if attack.goal is not None and granted(target.host.run, attack.goal):
        found.append(wanted_twin(target.host, attack.goal))
    return found


def group(target: Target, attack: Attack) -> list[Sample]:
    """An attack and its twins, with ids of their own in the group; the attack comes first."""
    return finished([attack.sample, *twins(target, attack)], target.host.run.group)
