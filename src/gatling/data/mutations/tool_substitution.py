"""Tool substitution: the agent uses a tool of other effects than the one the request calls for."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.declared import known, tool_of
from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.values import acting, kept_to, leaned_on, replaced
from gatling.data.run import Goal, Run
from gatling.plan import SIDE_EFFECTS, Effect

TRIES = 4
"""Goals that are looked at until one fits."""


class ToolSubstitution:
    """Arguments that the other tool knows as well keep their values."""

    name = "tool-substitution"
    kind: ClassVar[AttackKind] = "mutated"
    raises: ClassVar[Mapping[str, float]] = {"scope": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """Needs an acting call on whose answer nothing rests, and a goal of effects that no call has."""
        calls = acting(run)
        free = [(at, call, arguments) for at, call, arguments in calls if not leaned_on(run, at, call)]
        called = frozenset(effect for _, call, _ in calls for effect in tool_of(run, call).effects)
        goal = self._goal(run, goals, called) if free else None
        if goal is None:
            return None
        at, call, arguments = rng.choice(free)
        wanted = dict(goal.deed.arguments)
        new = {**wanted, **{k: v for k, v in arguments.items() if k in wanted}}
        output = kept_to(goal.deed.output, wanted, new)
        return mutant(self, replaced(run, at, call, new, goal.deed.tool, output), [call.id], rng)

    def _goal(self, run: Run, goals: Goals, called: frozenset[Effect]) -> Goal | None:
        """One call whose effects on the world no call of the run has, among a few that come to mind."""
        for _ in range(TRIES):
            goal = goals.goal()
            if goal is not None and len(goal.deeds) == 1:
                effects = known(run.setting, goal.deed.tool, goal.deed.arguments).effects & SIDE_EFFECTS
                if effects and not effects & called:
                    return goal
        return None
