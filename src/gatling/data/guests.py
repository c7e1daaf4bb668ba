"""Guests: public texts on their way into a run, and what a run that hosts them has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from gatling.data.groups import Stranger
from gatling.data.mutations.worded import PUBLIC
from gatling.data.run import Carrier, Goal, Place, Sample
from gatling.data.sources.source import Channel
from gatling.data.staging import Asked

LATE = 0.8
"""See `groups.Host.late`: as often as an attack's call is the last one."""

TRIES = 2
"""See `groups.Host.tries`: few public runs have a place for many mutations."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A public text on its way into a run."""

    place: Place
    text: str
    channel: Channel
    voiced: bool
    """It may be the user's word: nothing says that it may be an attack."""
    asked: Asked | None


def halved(guests: Sequence[Guest], rng: Random) -> tuple[Sequence[Guest], Sequence[Guest]]:
    """The texts of an attacked run: those that stand in all of its group, and those that attack."""
    staying = (len(guests) + rng.randrange(2)) // 2
    return guests[:staying], guests[staying:]


def stranger(guest: Guest, goal: Goal | None) -> Stranger:
    """A guest that attacks, by a wish that is put into it or by its own."""
    return Stranger(Carrier(guest.text, guest.place), goal, guest.voiced)


def read_alone(guests: Sequence[Guest], samples: Sequence[Sample]) -> list[Sample]:
    """The samples of a run in which guests are read; one that its dataset calls an attack is a poison."""
    if all(guest.voiced for guest in guests):
        return [*samples]
    return [
        replace(s, truth=replace(s.truth, poisoned=True, register=s.truth.register or PUBLIC))
        for s in samples
    ]
