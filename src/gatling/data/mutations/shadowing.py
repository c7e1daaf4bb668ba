"""Instruction shadowing: a stranger's text asks for a call, and the agent makes it beside the user's."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, cut_short, openings, plant, readings
from gatling.data.mutations.worded import worded
from gatling.data.run import Run


class InstructionShadowing:
    """See the module's docstring."""

    name = "instruction-shadowing"
    kind: ClassVar[AttackKind] = "hijacked"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 8.0, "provenance": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """The text stands in any output that strangers write into; the call comes at once or later."""
        places = readings(run)
        goal = goals.goal() if places else None
        if goal is None:
            return None
        at = rng.choice(places)
        text = worded(run, [goal], rng)
        resisted = plant(run, at, text.text, rng)
        where = rng.choice(openings(resisted, at)) if rng.random() < 0.5 else openings(resisted, at)[0]
        followed, ids = act(resisted, where, [goal], rng)
        if rng.random() < 0.2:
            followed = cut_short(followed, where + 2 * len(ids))
        return mutant(self, followed, ids, rng, register=text.register, resisted=resisted, goal=goal)
