"""Tool substitution: the agent uses a tool of other effects than the one the request calls for."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.values import acting, replaced
from gatling.data.run import Run
from gatling.plan import SIDE_EFFECTS


class ToolSubstitution:
    """Arguments that the other tool knows as well keep their values."""

    name = "tool-substitution"
    kind: ClassVar[AttackKind] = "mutated"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 6.0, "scope": 4.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """Needs an acting call and a goal of other effects than any call of the run."""
        calls, goal = acting(run), goals.goal()
        if not calls or goal is None or goal.whole:
            return None
        at, call, arguments = rng.choice(calls)
        effects = run.setting.toolbox.tool(goal.deed.tool, goal.deed.arguments).effects & SIDE_EFFECTS
        if not effects or any(effects & run.setting.tool(other).effects for _, other, _ in calls):
            return None
        shared = {k: v for k, v in arguments.items() if k in goal.deed.arguments}
        changed = replaced(run, at, call, {**goal.deed.arguments, **shared}, goal.deed.tool, goal.deed.output)
        return mutant(self, changed, [call.id], rng)
