"""Hosting: public rows in runs, so that neither the row nor its host tells what a run is.

A public text is no run, and what its dataset calls it says nothing about an agent. So texts that are called
attacks and texts that are not stand in the same hosts: conversations in worlds, and conversations with calls
from other datasets. In either they are read and left alone, or followed, in one of two ways: as they stand,
where a call can be read off them, or with a stranger's wish put between their sentences. A label is true
because of what was done in the run: a text followed that nobody asked to follow is a hijack, whatever its
dataset calls it; left alone, it is none.

The one thing for which a dataset's label is looked at is who may speak: a text that is called an attack never
becomes the user's own word, nor is it handed over to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random

import numpy as np
from numpy.typing import NDArray

from gatling.data.adapter import ExecutionPlanAdapter
from gatling.data.groups import finished
from gatling.data.guests import Guest
from gatling.data.mutations import Mutation
from gatling.data.run import Place, Run, Sample, Truth
from gatling.data.sources.source import Talk, Text
from gatling.data.staging import Pool
from gatling.data.talk_hosts import in_talk
from gatling.data.world_hosts import WorldHost
from gatling.data.worlds.domain import Domain
from gatling.plan import PlanOrigin

BLOCK = ((3,), (3,), (2, 2), (2, 2, 2))
"""The groups of a block, and the texts of each one's runs: first those with a run that is attacked, of which
half of the texts stand in all of its group and half attack, then others, which share a world. Texts and runs
are as many as the mix has samples, and in a run with an attack stand about as many as in one without."""

ATTACKED = 2
"""How many groups of a block are attacked."""

APART = 4
"""Texts of a group for the split `evaluation`."""

ALONE, UNANSWERED = 1 / 3, 0.1
"""Share of conversations without an attack that stay as they are; in the others texts stand as well. Of
reference calls, which nobody answered, few do: with answers or without would be the label."""

_TEXTS = tuple(texts for group in BLOCK for texts in group)
_RUNS, _PER_BLOCK = len(_TEXTS), sum(_TEXTS)
_BEFORE = (0, *accumulate(_TEXTS))
_FIRST = (0, *accumulate(map(len, BLOCK)))
"""The first run of each group of a block."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """The public rows of a build, and which group hosts which."""

    texts: Pool
    talks: Pool
    evaluation: Pool
    """Texts for the split `evaluation`, and for no other."""
    seed: int

    @property
    def held_apart(self) -> int:
        """Groups for the split `evaluation`: the first ones."""
        return -(-len(self.evaluation) // APART)

    @property
    def blocks(self) -> int:
        """Blocks: as many as give about a sample a row."""
        texts, talks = len(self.texts), len(self.talks)
        return max(-(-(texts + talks) // _PER_BLOCK), -(-talks // _RUNS))

    @property
    def groups(self) -> int:
        """Groups that host. Those after them are worlds alone."""
        return self.held_apart + len(BLOCK) * self.blocks

    @property
    def runs(self) -> int:
        """Runs that host."""
        return _RUNS * self.blocks

    def guests(self, run: int, rng: Random) -> list[Guest]:
        """The texts of a run, by its number among those that host."""
        count, slots = len(self.texts), _PER_BLOCK * self.blocks
        first, last = (_texts_before(n) * min(count, slots) // slots for n in (run, run + 1))
        order = _order(self.seed, "texts", count)
        return [_guest(self.texts, int(order[number]), rng) for number in range(first, last)]

    def apart(self, group: int, rng: Random) -> list[Guest]:
        """The texts of a group for the split `evaluation`."""
        first, most = group * APART, len(self.evaluation)
        return [_guest(self.evaluation, n, rng) for n in range(first, min(first + APART, most))]

    def talk(self, run: int) -> tuple[Place, Talk] | None:
        """The conversation that a run is made of; None where it is a world's."""
        number = int(_order(self.seed, "talks", self.runs)[run])
        if number >= len(self.talks):
            return None
        place, row, _ = self.talks.read(number)
        return place, next(one for one in row.materials if isinstance(one, Talk))


def _texts_before(run: int) -> int:
    block, rest = divmod(run, _RUNS)
    return block * _PER_BLOCK + _BEFORE[rest]


@lru_cache(maxsize=8)
def _order(seed: int, what: str, count: int) -> NDArray[np.uint32]:
    numbers = np.arange(count, dtype=np.uint32)
    np.random.default_rng(Random(f"{seed}/{what}").getrandbits(64)).shuffle(numbers)
    return numbers


def _guest(pool: Pool, number: int, rng: Random) -> Guest:
    place, row, role = pool.read(number)
    at = rng.randrange(len(row.materials))
    text = row.materials[at]
    assert isinstance(text, Text)
    voiced = row.label == "benign" or (row.label is None and role == "benign")
    return Guest(place, text.text, text.channel, voiced, row.asked[at])


def group(
    index: int,
    hosted: Hosted,
    name: str,
    domains: Sequence[Domain],
    mutations: Sequence[Mutation],
    adapter: ExecutionPlanAdapter,
) -> list[Sample]:
    """The samples of a hosting group; they follow from the rows, the seed and the index alone."""
    rng = Random(f"{hosted.seed}/hosted/{index}")
    if index < hosted.held_apart:
        world = WorldHost(name, domains, rng)
        return finished(world.attacked(hosted.apart(index, rng), mutations), name)
    block, number = divmod(index - hosted.held_apart, len(BLOCK))
    others, first = number >= ATTACKED, _RUNS * block + _FIRST[number]
    found: list[Sample] = []
    hosts: list[tuple[Run | None, list[Guest]]] = []
    left: list[Guest] = []
    for at in range(first, first + len(BLOCK[number])):
        talk, guests = hosted.talk(at), hosted.guests(at, rng)
        run = adapter.run(talk[1], name, talk[0]) if talk is not None else None
        asked = run is not None and any(message.role == "user" for message in run.messages)
        if run is not None and (not asked or (others and rng.random() < _alone(run))):
            found.append(Sample("", run, Truth("gold")))
            left += guests
        else:
            hosts.append((run, guests))
    if left and not hosts:
        hosts.append((None, []))
    for at, guest in enumerate(left):
        hosts[at % len(hosts)][1].append(guest)
    world = WorldHost(name, domains, rng, [guest for _, guests in hosts for guest in guests])
    for run, guests in hosts:
        if run is not None:
            found += in_talk(run, guests, rng, None if others else mutations)
        elif others:
            found += world.gold(guests)
        else:
            found += world.attacked(guests, mutations)
    return finished(found, name)


def _alone(run: Run) -> float:
    return ALONE if run.origin is PlanOrigin.OBSERVED else UNANSWERED
