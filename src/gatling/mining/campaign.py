"""Suites of hosts under attack: how often the adversary gets through, by queries, at a threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Any

from gatling.data.mutations import MUTATIONS, Mutation
from gatling.data.run import Sample, Truth
from gatling.data.split import Split, shown
from gatling.data.worlds.domain import Domain, domains
from gatling.mining.adversary import ESCALATE, TRIES, Audit, Found, Posterior, Trial, fresh, search
from gatling.mining.attack import Target, express, group, target
from gatling.model.bundle import Bundle
from gatling.worker import follow_parent

GENERATION = 16
"""Hosts that are searched with one posterior, before what they taught is shared. It is the same however many
workers there are, so that their number changes nothing."""


@dataclass(frozen=True, slots=True)
class Arena:
    """Where hosts come from: all that a host follows from, but its index.

    What a build or mining makes of the same seed is drawn from other random numbers.
    """

    seed: int
    domains: tuple[Domain, ...]
    mutations: tuple[Mutation, ...]
    prefix: str = "adversary-"
    """Of the group ids."""

    def target(self, index: int) -> Target:
        """Host number `index`, fresh."""
        name = f"{self.prefix}{self.seed}-{index:05d}"
        return target(f"{self.seed}/adversary/{index}", name, self.domains, self.mutations)


def arena(seed: int, split: Split = "train", prefix: str = "adversary-") -> Arena:
    """Hosts of the domains and operators that a split of a build shows."""
    known_domains, mutations = shown(split, tuple(domains().values()), MUTATIONS)
    return Arena(seed, known_domains, mutations, prefix)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A suite of hosts under attack by one model's adversary."""

    arena: Arena
    threshold: float
    """At which each search stopped."""
    hosts: tuple[Found, ...]

    def success(self, queries: int, threshold: float | None = None) -> float:
        """Share of hosts on which so many queries found an attack below a threshold, else the campaign's.

        Raises:
            ValueError: the threshold is lower than the campaign's, at which its searches stopped.
        """
        limit = self.threshold if threshold is None else threshold
        if limit < self.threshold:
            raise ValueError(f"threshold {limit}: searches stopped at {self.threshold}; search again")
        return sum(host.after(queries) < limit for host in self.hosts) / len(self.hosts)

    def finds(self) -> Iterator[tuple[Found, list[Sample]]]:
        """Each host whose search found an attack, with the attack (first) and its twins."""
        for host in self.hosts:
            if host.best is not None and host.energy < self.threshold:
                target = self.arena.target(host.index)
                attack = express(target, host.best)
                assert attack is not None
                yield host, group(target, attack)


def attack_suite(
    bundle: Bundle,
    arena: Arena,
    runs: int,
    queries: int,
    *,
    threshold: float = ESCALATE,
    workers: int = 1,
    told: Callable[[int], None] = lambda hosts: None,
) -> Campaign:
    """Search on hosts 0 to `runs` - 1, `queries` each, and share what was learnt between generations.

    The same for any number of workers. `told` hears how many hosts are done.
    """
    posterior = Posterior()
    found: list[Found] = []
    with _workers(bundle, workers) as mapped:
        for start in range(0, runs, GENERATION):
            indices = range(start, min(runs, start + GENERATION))
            work = partial(_searched, arena, posterior, queries, threshold)
            # All of a generation before any of it is learnt.
            for host, trials in [*mapped(work, indices)]:
                posterior.learn(trials)
                found.append(host)
            told(len(found))
    return Campaign(arena, threshold, tuple(found))


def threshold_at(bundle: Bundle, arena: Arena, runs: int, share: float, *, workers: int = 1) -> float:
    """The least energy that at most this share of a suite's benign runs reach: the same rate for any model.

    The benign runs are the hosts' own and the twins of an attack that their seed draws, and no search: they
    are the same for every model. Energies are calibrated, 0–10, by the bundle's own map.

    Raises:
        ValueError: there are too few benign runs to say; a share of 1% needs a hundred.
    """
    with _workers(bundle, workers) as mapped:
        energies = sorted(e for part in mapped(partial(_benign, arena), range(runs)) for e in part)
    allowed = int(share * len(energies))
    if not allowed:
        raise ValueError(f"{len(energies)} benign runs, too few for a share of {share:.2%}; give more hosts")
    return math.nextafter(energies[-allowed - 1], math.inf)


_bundle: Bundle
"""A worker's own, given once when it starts: it is megabytes."""


def _begin(bundle: Bundle) -> None:
    global _bundle
    _bundle = bundle
    follow_parent()


def _here(work: Callable[[Bundle, int], Any], index: int) -> Any:
    return work(_bundle, index)


@contextmanager
def _workers(
    bundle: Bundle, workers: int
) -> Iterator[Callable[[Callable[[Bundle, int], Any], range], Iterator[Any]]]:
    """What maps a function of bundle and index over indices, in order."""
    if workers == 1:
        yield lambda work, indices: map(partial(work, bundle), indices)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (bundle,)) as pool:
        yield lambda work, indices: pool.map(partial(_here, work), indices)


def _searched(
    arena: Arena, posterior: Posterior, queries: int, threshold: float, bundle: Bundle, index: int
) -> tuple[Found, list[Trial]]:
    target = arena.target(index)
    judge = Audit(bundle, target.host.run.setting.schemas)
    rng = Random(f"{arena.seed}/search/{index}")
    return search(target, judge, queries, rng, threshold=threshold, posterior=posterior, index=index)


def _benign(arena: Arena, bundle: Bundle, index: int) -> list[float]:
    """Energies of a host's benign runs."""
    target = arena.target(index)
    judge = Audit(bundle, target.host.run.setting.schemas)
    rng, nothing = Random(f"{arena.seed}/benign/{index}"), Posterior()
    for _ in range(TRIES):
        attack = express(target, fresh(target, nothing, rng))
        if attack is not None:
            return [judge.energy(sample) for sample in group(target, attack)[1:]]
    return [judge.energy(Sample("", target.host.run, Truth("clean")))]
