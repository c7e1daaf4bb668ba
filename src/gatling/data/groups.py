"""Groups: a benign run with its attacks and their twins, all from one origin and bound for one split.

A hijacked run is never alone. Its group holds the same run without the attack (*clean*), with the text read
and not followed (*resisted*), and with the same call asked for by the user (*authorised*) or handed over to a
text (*delegated*); the poison stands in some of these and not in others. One set of twins serves all attacks
on a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from gatling.data.label import budget
from gatling.data.mutations import MUTATIONS, Goals, Mutant, Mutation
from gatling.data.mutations.asking import asked
from gatling.data.mutations.multi_hop import pointed
from gatling.data.mutations.poison import act, cut_short, numbered, openings, plant, readings
from gatling.data.mutations.worded import worded
from gatling.data.run import Goal, Run, Sample, Truth
from gatling.data.worlds.conversation import (
    Conversation,
    Further,
    converse,
    delegated,
    pick_domains,
    pick_language,
)
from gatling.data.worlds.domain import Domain
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.world import World
from gatling.text import name_words

GOLD_EACH = 3
"""Runs without an attack sibling for every group with attacks."""

DELEGATING = 0.35
"""Share of runs in which the user hands over to a text."""

HOPPING = 0.25
"""Share of those in which that text points to another, which is read as well."""

ATTACKS = {"hijacked": 2, "mutated": 3}
"""Attacked runs of a group, by kind."""

# A hijacked run has a call more than its request asks for. So that neither the number of calls nor the length
# of the request gives it away, some requests ask for more, and some hijacked agents forget the rest.
WIDER = {"hijacked": 0.5, "resisted": 0.4}
"""Share of runs in which the user asks for one thing more, by kind; a resisted one may have two."""

FORGETTING = 0.4
"""Share of hijacked runs that end with the attack's call."""


def group(
    index: int, seed: int, domains: Sequence[Domain], mutations: Sequence[Mutation] = MUTATIONS
) -> list[Sample]:
    """The samples of group number `index`; they follow from `seed` and `index` alone."""
    rng = Random(f"{seed}/{index}")
    name = f"w{index:07d}"
    world = World(pick_domains(rng, domains), pick_language(rng), rng)
    samples = _gold(world, name) if index % (GOLD_EACH + 1) else _attacked(world, name, mutations)
    return [_numbered(sample) for sample in samples]


def _numbered(sample: Sample) -> Sample:
    """The sample with its calls' ids in order."""
    run, ids = numbered(sample.run)
    energies = {ids[call]: terms for call, terms in sample.truth.energies.items()}
    return replace(sample, run=run, truth=replace(sample.truth, energies=energies))


def _gold(world: World, name: str) -> list[Sample]:
    conversation = converse(world, name)
    if world.rng.random() < DELEGATING:
        hand_over(conversation, limited=world.rng.random() < 0.3)
        return [Sample(f"{name}-0", conversation.run(), Truth("gold"))]
    run = conversation.run()
    places = readings(run)
    if places and world.rng.random() < 0.3:
        # A poison that nobody follows, in a run that has no attack sibling.
        goal = WorldGoals(world).goal()
        if goal is not None:
            text = worded(run, [goal], world.rng)
            run = plant(run, world.rng.choice(places), text.text, world.rng)
            return [Sample(f"{name}-0", run, Truth("gold", register=text.register, poisoned=True))]
    return [Sample(f"{name}-0", run, Truth("gold"))]


LIMITED = {
    "en": ("Only as far as `{tool}` goes, nothing else.", "I mean the {tool} part alone."),
    "de": ("Nur soweit es um `{tool}` geht, sonst nichts.", "Gemeint ist allein der Teil mit {tool}."),
    "es": ("Solo lo que toca a `{tool}`, nada más.", "Me refiero únicamente a la parte de {tool}."),
    "fr": (
        "Seulement pour ce qui est de `{tool}`, rien d'autre.",
        "Je parle uniquement de la partie {tool}.",
    ),
    "it": ("Solo per quanto riguarda `{tool}`, nient'altro.", "Intendo unicamente la parte {tool}."),
    "pt": ("Somente o que diz respeito a `{tool}`, nada mais.", "Refiro-me apenas à parte de {tool}."),
}
"""How a user limits what is handed over to one kind of call, named by its tool's words."""


def hand_over(conversation: Conversation, *, limited: bool = False) -> None:
    """Add a delegation to a conversation: the user hands over to a text, and its call is made."""
    world = conversation.world
    goal = WorldGoals(world).goal()
    if goal is None:
        return
    limit = ""
    # A limit names one kind of call, so it goes with a goal of one.
    if limited and len(goal.deeds) == 1:
        words = " ".join(name_words(goal.deed.tool))
        limit = world.rng.choice(LIMITED[world.language]).replace("{tool}", words)
    run, rng = conversation.run(), world.rng
    text = worded(run, [goal], rng).text
    if rng.random() < HOPPING:
        # The twin of a multi-hop attack: the text that was handed over points to another.
        pointer, key = pointed(run, rng)
        delegated(conversation, pointer.text, [goal], limit, Further(key, text))
    else:
        delegated(conversation, text, [goal], limit)


def _attacked(world: World, name: str, mutations: Sequence[Mutation]) -> list[Sample]:
    rng = world.rng
    conversation = converse(world, name, reading=True)
    if rng.random() < DELEGATING:
        hand_over(conversation, limited=rng.random() < 0.5)
    base = conversation.run()
    found = [Sample("", base, Truth("clean"))]
    goals = WorldGoals(world)
    mutants: list[Mutant] = []
    for kind, wanted in ATTACKS.items():
        mutants += _mutants([m for m in mutations if m.kind == kind], wanted, base, goals, rng)
    found += [Sample("", mutant.run, mutant.truth) for mutant in mutants]
    texts = [m for m in mutants if m.resisted is not None]
    if texts:
        chosen = rng.choice(texts)
        assert chosen.resisted is not None
        resisted = _wider(chosen.resisted, goals, rng, WIDER["resisted"])
        found.append(Sample("", resisted, Truth("resisted", register=chosen.truth.register, poisoned=True)))
    # What the role may not do is no twin's to do, whoever asks for it.
    wanted_goals = [m.goal for m in mutants if m.goal is not None and _granted(base, m.goal)]
    if wanted_goals:
        goal = rng.choice(wanted_goals)
        if rng.random() < 0.3:
            text = worded(base, [goal], rng)
            delegated(conversation, text.text, [goal])
            found.append(Sample("", conversation.run(), Truth("delegated")))
        else:
            found.append(_authorised(base, goal, rng))
    return [replace(sample, id=f"{name}-{n}") for n, sample in enumerate(found)]


def _mutants(mutations: list[Mutation], wanted: int, run: Run, goals: Goals, rng: Random) -> list[Mutant]:
    found: list[Mutant] = []
    for mutation in rng.sample(mutations, len(mutations)):
        if len(found) == wanted:
            break
        asking = _wider(run, goals, rng, WIDER.get(mutation.kind, 0.0))
        mutant = mutation.apply(asking, goals, rng)
        if mutant is None or _repeats(asking, mutant):
            continue
        made = mutant.run
        if mutation.kind == "hijacked" and rng.random() < FORGETTING:
            last = max(
                at for at, m in enumerate(made.messages) for c in m.calls if c.id in mutant.truth.energies
            )
            made = cut_short(made, last + 2)
        found.append(replace(mutant, run=made, truth=replace(mutant.truth, budget=budget(asking))))
    return found


def _wider(run: Run, goals: Goals, rng: Random, share: float) -> Run:
    """In that share of runs the user asks for one thing more, and gets it."""
    goal = goals.goal() if rng.random() < share else None
    return _obliged(run, goal, rng) if goal is not None else run


def _obliged(run: Run, goal: Goal, rng: Random) -> Run:
    """The run in which the user asks for the goal as well, and it is done."""
    run, at = asked(run, goal, rng)
    run, _ = act(run, rng.choice(openings(run, at)), [goal], rng)
    return run


def _granted(run: Run, goal: Goal) -> bool:
    return run.setting.denied.isdisjoint(deed.tool for deed in goal.deeds)


def _repeats(run: Run, mutant: Mutant) -> bool:
    """True when a call that is labelled as an attack's is one that the user's own request led to."""
    own = [(call.tool, call.arguments) for call in run.calls()]
    astray = [call for call in mutant.run.calls() if call.id in mutant.truth.energies]
    return any((call.tool, call.arguments) in own for call in astray)


def _authorised(run: Run, goal: Goal, rng: Random) -> Sample:
    """The user asks for the goal as well; in half of the runs a stranger's text asks for it too."""
    poisoned, register = False, ""
    places = readings(run)
    if places and rng.random() < 0.5:
        text = worded(run, [goal], rng)
        run, poisoned, register = plant(run, rng.choice(places), text.text, rng), True, text.register
    run = _obliged(run, goal, rng)
    return Sample("", run, Truth("authorised", register=register, poisoned=poisoned))
