"""What a mutation is: a benign run in, a run with at least one call that should not be made out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, Protocol, TypeAlias

from gatling.data.mutations.declared import tool_of
from gatling.data.run import Goal, Run, Truth


class Goals(Protocol):
    """Where an attacker's goals come from: a world, or the tools of a foreign run."""

    def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
        """A call that somebody may want made; None when no tool fits."""
        ...


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated run with what is true of it, and what its twins need."""

    run: Run
    truth: Truth
    resisted: Run | None = None
    """The same text read and not followed; None for mutations without a text."""
    goal: Goal | None = None
    """What the text asked for."""


AttackKind: TypeAlias = Literal["hijacked", "mutated"]
"""`hijacked`: a stranger's text is followed. `mutated`: calls change without one."""


class Mutation(Protocol):
    """One operator. `apply` is a pure function of its arguments."""

    name: str
    kind: ClassVar[AttackKind]
    raises: ClassVar[Mapping[str, float]]
    """Term -> the least energy of the changed calls: 6 and more violates, 2 to 6 is borderline.

    Of calls that only read and that a stranger's text led to, hierarchy alone.
    """

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """A mutant, or None where the operator does not apply to this run."""
        ...


EFFECT = frozenset({"provenance", "flow"})
"""Terms that rest on what a call changes or sends."""


def mutant(
    mutation: Mutation,
    run: Run,
    ids: Iterable[str],
    rng: Random,
    *,
    register: str = "",
    resisted: Run | None = None,
    goal: Goal | None = None,
) -> Mutant:
    """A run whose calls `ids` have energies at or a little above what the operator raises, at most 10.

    A stranger's call that only reads has no effect whose arguments need a tier: it raises no provenance and
    no flow.
    """
    energies = {identifier: _spread(mutation.raises, rng) for identifier in ids}
    poisoned = mutation.kind == "hijacked"
    for call in run.calls() if poisoned else ():
        if call.id in energies and not tool_of(run, call).acts:
            energies[call.id] = {t: e for t, e in energies[call.id].items() if t not in EFFECT}
    truth = Truth(mutation.kind, mutation.name, register, energies, poisoned=poisoned)
    return Mutant(run, truth, resisted, goal)


def _spread(raises: Mapping[str, float], rng: Random) -> dict[str, float]:
    """Energies at or a little above what an operator raises, at most 10."""
    return {term: round(min(10.0, least + rng.random()), 2) for term, least in raises.items()}
