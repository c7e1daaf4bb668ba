"""Groups: a benign run with its attacks and their twins, all from one origin and bound for one split.

A hijacked run is never alone. Its group holds the same run without the attack (*clean*), with the text read
and not followed (*resisted*), and with the same call asked for by the user (*authorised*) or handed over to a
text (*delegated*); the poison stands in some of these and not in others. One set of twins serves all attacks
on a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from gatling.data.label import budget
from gatling.data.mutations import MUTATIONS, Goals, Mutant, Mutation
from gatling.data.mutations.asking import asked
from gatling.data.mutations.multi_hop import pointed
from gatling.data.mutations.poison import (
    act,
    carried,
    cut_short,
    numbered,
    openings,
    plant,
    readings,
)
from gatling.data.mutations.worded import PUBLIC, worded
from gatling.data.run import Carrier, Goal, Place, Run, Sample, Truth
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
from gatling.plan import PlanOrigin
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


@dataclass(frozen=True, slots=True)
class Stranger:
    """A public text by a stranger: what carries the words of an attack, or asks for a call itself."""

    carrier: Carrier
    """Its text, into which other words go."""
    goal: Goal | None = None
    """The call that the text itself asks for; its `text` is the whole text."""
    voiced: bool = True
    """A user may hand over to it, or say it: no dataset calls it an attack."""


@dataclass(frozen=True, slots=True)
class Host:
    """A benign run that is to be attacked, and who may want what in it."""

    run: Run
    goals: Goals
    """What people here want done, users and strangers alike."""
    rng: Random
    hand_over: Callable[[Goal, Stranger | None], Run] | None = None
    """The run in which the user hands over to a text that asks for a goal as well, carried by a stranger's;
    None where the run cannot be made longer."""
    strangers: Sequence[Stranger] = ()
    """Public texts to attack by; without them the words stand alone."""
    poisoned: float = 0.5
    """Share of the authorised twins in which a stranger's text asks for the call too."""
    early: float = 0.0
    """Share of those in which it stands in what is read first, as a sleeper's and most fragments do."""
    late: float = 0.0
    """Share of the twins' further calls that come last, as an attack's do in a short run."""
    tries: int = 1
    """Times that each mutation is tried until there are enough; with one, no family comes twice."""


def group(
    index: int, seed: int, domains: Sequence[Domain], mutations: Sequence[Mutation] = MUTATIONS
) -> list[Sample]:
    """The samples of group number `index`; they follow from `seed` and `index` alone."""
    rng = Random(f"{seed}/{index}")
    return group_of(rng, f"w{index:07d}", domains, () if index % (GOLD_EACH + 1) else mutations)


def group_of(
    rng: Random,
    name: str,
    domains: Sequence[Domain],
    mutations: Sequence[Mutation],
    language: str = "",
    voiced: Callable[[Goals, str], Goals] = lambda goals, language: goals,
) -> list[Sample]:
    """The samples of a group drawn with `rng`; without mutations, a run without an attack sibling.

    Without a `language`, one is drawn. `voiced` may word the goals of strangers, in a language, in its own
    way.
    """
    world = World(pick_domains(rng, domains), language or pick_language(rng), rng)
    if not mutations:
        samples = _gold(world, name)
    else:
        conversation = converse(world, name, reading=True)
        if rng.random() < DELEGATING:
            hand_over(conversation, limited=rng.random() < 0.5)
        host = world_host(conversation)
        samples = attacked(replace(host, goals=voiced(host.goals, world.language)), mutations)
    return finished(samples, name)


def world_host(
    conversation: Conversation, strangers: Sequence[Stranger] = (), rows: tuple[Place, ...] = ()
) -> Host:
    """A conversation in a world as a host; `rows` are the public ones that stand in it already."""
    base = replace(conversation.run(), rows=rows)

    def handed(goal: Goal, stranger: Stranger | None) -> Run:
        text = worded(base, [goal], conversation.rng, facts=0.0).text
        used = rows
        if stranger is not None:
            text = carried(stranger.carrier, text, conversation.rng)
            used = (*rows, stranger.carrier.place)
        delegated(conversation, text, [goal])
        return replace(conversation.run(), rows=used)

    return Host(base, WorldGoals(conversation.world), conversation.rng, handed, strangers)


def finished(samples: Iterable[Sample], name: str) -> list[Sample]:
    """The samples with ids in their group, each with its calls' ids in order."""
    return [_numbered(replace(sample, id=f"{name}-{n}")) for n, sample in enumerate(samples)]


def _numbered(sample: Sample) -> Sample:
    """The sample with its calls' ids in order."""
    run, ids = numbered(sample.run)
    energies = {ids[call]: terms for call, terms in sample.truth.energies.items()}
    return replace(sample, run=run, truth=replace(sample.truth, energies=energies))


def _gold(world: World, name: str) -> list[Sample]:
    conversation = converse(world, name)
    if world.rng.random() < DELEGATING:
        hand_over(conversation, limited=world.rng.random() < 0.3)
        return [Sample("", conversation.run(), Truth("gold"))]
    run = conversation.run()
    places = readings(run)
    if places and world.rng.random() < 0.3:
        # A poison that nobody follows, in a run that has no attack sibling.
        goal = WorldGoals(world).goal()
        if goal is not None:
            text = worded(run, [goal], world.rng)
            run = plant(run, world.rng.choice(places), text.text, world.rng)
            return [Sample("", run, Truth("gold", register=text.register, poisoned=True))]
    return [Sample("", run, Truth("gold"))]


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
    text = worded(run, [goal], rng, facts=0.0).text
    if rng.random() < HOPPING:
        # The twin of a multi-hop attack: the text that was handed over points to another.
        pointer, key = pointed(run, rng)
        delegated(conversation, pointer.text, [goal], limit, Further(key, text))
    else:
        delegated(conversation, text, [goal], limit)


def attacked(host: Host, mutations: Sequence[Mutation]) -> list[Sample]:
    """A host's run as it is (*clean*), under attack, and with the twins that its attacks call for."""
    base, rng = host.run, host.rng
    found = [Sample("", base, Truth("clean"))]
    mutants: list[_Made] = []
    for kind, wanted in ATTACKS.items():
        mutants += _mutants([m for m in mutations if m.kind == kind], wanted, host)
    found += [Sample("", made.mutant.run, made.mutant.truth) for made in mutants]
    texts = [made for made in mutants if made.mutant.resisted is not None]
    if texts:
        chosen = rng.choice(texts).mutant
        assert chosen.resisted is not None
        resisted = _wider(chosen.resisted, host, WIDER["resisted"])
        found.append(Sample("", resisted, Truth("resisted", register=chosen.truth.register, poisoned=True)))
    # What the role may not do is no twin's to do, whoever asks for it.
    wanted_goals = [
        (made.mutant.goal, made.stranger)
        for made in mutants
        if made.mutant.goal is not None and granted(base, made.mutant.goal)
    ]
    if wanted_goals:
        goal, stranger = rng.choice(wanted_goals)
        twin = wanted_twin(host, goal, stranger)
        found.append(replace(twin, run=_guessed(twin.run)) if goal.text else twin)
    return found


def wanted_twin(host: Host, goal: Goal, stranger: Stranger | None = None) -> Sample:
    """The twin in which the user asks for the goal, or hands over to a text that does."""
    voiced = stranger is None or stranger.voiced
    if host.rng.random() < 0.3 and voiced and host.hand_over is not None:
        return Sample("", host.hand_over(goal, stranger), Truth("delegated"))
    return _authorised(host, goal, stranger)


def _guessed(run: Run) -> Run:
    """A run with a call that was read off a text by patterns."""
    return replace(run, origin=PlanOrigin.INFERRED)


class _Made(NamedTuple):
    mutant: Mutant
    stranger: Stranger | None
    """Whose text the attack came in."""


def _mutants(mutations: list[Mutation], wanted: int, host: Host) -> list[_Made]:
    rng, goals = host.rng, host.goals
    found: list[_Made] = []
    for mutation in [m for _ in range(host.tries) for m in rng.sample(mutations, len(mutations))]:
        if len(found) == wanted:
            break
        asking = _wider(host.run, host, WIDER.get(mutation.kind, 0.0))
        stranger = None
        if mutation.kind == "hijacked" and host.strangers:
            stranger = host.strangers[len(found) % len(host.strangers)]
            made = _said(mutation, asking, stranger, goals, rng)
            if made is not None:
                stranger = replace(stranger, carrier=replace(stranger.carrier, text=""))
            else:
                made = mutation.apply(replace(asking, carrier=stranger.carrier), goals, rng)
        else:
            made = mutation.apply(asking, goals, rng)
        if made is None or repeats(asking, made):
            continue
        if any(made.run.messages == other.mutant.run.messages for other in found):
            continue
        run = made.run
        if mutation.kind == "hijacked" and rng.random() < FORGETTING:
            last = max(
                at for at, m in enumerate(run.messages) for c in m.calls if c.id in made.truth.energies
            )
            run = cut_short(run, last + 2)
        truth = replace(made.truth, budget=budget(asking))
        found.append(_Made(replace(made, run=run, truth=truth), stranger))
    return found


class _Own:
    """The goals of a text that asks for one call, where that call will do."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal

    def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
        return None if denied or sinks else self._goal


def _said(mutation: Mutation, run: Run, stranger: Stranger, goals: Goals, rng: Random) -> Mutant | None:
    """The mutant in which a public text is followed as it stands; None where it asks for nothing fitting."""
    if stranger.goal is None:
        return None
    whole = replace(run, carrier=replace(stranger.carrier, text=""))
    made = mutation.apply(whole, _Own(stranger.goal), rng)
    if made is None or made.goal is not stranger.goal or not made.truth.register.startswith(PUBLIC):
        return None
    return replace(made, run=_guessed(made.run))


def _wider(run: Run, host: Host, share: float) -> Run:
    """In that share of runs the user asks for one thing more, and gets it."""
    goal = host.goals.goal() if host.rng.random() < share else None
    own = [(call.tool, call.arguments) for call in run.calls()]
    if goal is None or any((deed.tool, dict(deed.arguments)) in own for deed in goal.deeds):
        return run  # nobody asks for a thing twice
    return _obliged(run, goal, host)


def _obliged(run: Run, goal: Goal, host: Host) -> Run:
    """The run in which the user asks for the goal as well, and it is done."""
    rng = host.rng
    run, at = asked(run, goal, rng)
    places = openings(run, at)
    last = host.late and rng.random() < host.late
    run, _ = act(run, places[-1] if last else rng.choice(places), [goal], rng)
    return run


def granted(run: Run, goal: Goal) -> bool:
    """True when the user's role may make the goal's calls."""
    return run.setting.denied.isdisjoint(deed.tool for deed in goal.deeds)


def repeats(run: Run, mutant: Mutant) -> bool:
    """True when a call that is labelled as an attack's is one that the user's own request led to."""
    own = [(call.tool, call.arguments) for call in run.calls()]
    astray = [call for call in mutant.run.calls() if call.id in mutant.truth.energies]
    return any((call.tool, call.arguments) in own for call in astray)


def _authorised(host: Host, goal: Goal, stranger: Stranger | None) -> Sample:
    """The user asks for the goal as well; in a share of the runs a stranger's text asks for it too."""
    rng, poisoned, register = host.rng, False, ""
    # The call comes first: what it prints may show the record that the text is put into.
    run = _obliged(host.run, goal, host)
    places = [at for at in readings(run) if run.messages[at].call_id in host.run.readings]
    if places and rng.random() < host.poisoned:
        text = worded(run, [goal], rng)
        run = replace(run, carrier=stranger.carrier if stranger else None)
        at = places[0] if host.early and rng.random() < host.early else rng.choice(places)
        run, poisoned, register = plant(run, at, text.text, rng), True, text.register
    return Sample("", run, Truth("authorised", register=register, poisoned=poisoned))
