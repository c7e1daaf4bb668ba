"""Access boundary: the user asks for, and the agent does, what the user's role may not do."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.asking import asked
from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, openings
from gatling.data.run import Run


class AccessBoundary:
    """No stranger's text is involved: the policy says no, the user says yes, the agent obeys the user."""

    name = "access-boundary"
    kind: ClassVar[AttackKind] = "mutated"
    raises: ClassVar[Mapping[str, float]] = {"scope": 7.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """Needs a role with denied tools."""
        goal = goals.goal(denied=True)
        if goal is None or run.messages[0].role != "system":
            return None
        changed, at = asked(run, goal, rng)
        changed, ids = act(changed, rng.choice(openings(changed, at)), [goal], rng)
        return mutant(self, changed, ids, rng)
