"""Beyond delegation: the text that the user handed over asks for more than was handed over."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, openings, plant
from gatling.data.mutations.worded import worded
from gatling.data.run import Goal, Run

TRIES = 4
"""Goals that are looked at until one fits."""


class BeyondDelegation:
    """Applies to runs in which the user said how far the delegation goes."""

    name = "beyond-delegation"
    kind: ClassVar[AttackKind] = "hijacked"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 7.0, "provenance": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """The further request stands in the very text that was handed over."""
        places = [i for i, m in enumerate(run.messages) if m.role == "tool" and m.call_id in run.delegated]
        goal = self._goal(run, goals) if places and run.beyond else None
        if goal is None:
            return None
        text = worded(run, [goal], rng)
        at = places[-1]
        resisted = plant(run, at, text.text, rng)
        followed, ids = act(resisted, openings(resisted, at)[-1], [goal], rng)
        return mutant(self, followed, ids, rng, register=text.register, resisted=resisted, goal=goal)

    def _goal(self, run: Run, goals: Goals) -> Goal | None:
        """A goal of tools that nothing in the run called for, among a few that the stranger may think of."""
        called = {call.tool for call in run.calls()}
        for _ in range(TRIES):
            goal = goals.goal()
            if goal is not None and called.isdisjoint(deed.tool for deed in goal.deeds):
                return goal
        return None
