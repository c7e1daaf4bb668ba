"""Privilege escalation: a stranger's text has the agent use a tool that its role may not use."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, openings, plant, readings
from gatling.data.mutations.worded import worded
from gatling.data.run import Run


class PrivilegeEscalation:
    """See the module's docstring."""

    name = "privilege-escalation"
    kind: ClassVar[AttackKind] = "hijacked"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 8.0, "provenance": 7.0, "scope": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """Needs a role with denied tools and an output that strangers write into."""
        places = readings(run)
        stated = run.messages[0].role == "system"  # it says what the role may not do
        goal = goals.goal(denied=True) if places and stated else None
        if goal is None:
            return None
        at = rng.choice(places)
        text = worded(run, [goal], rng)
        resisted = plant(run, at, text.text, rng)
        followed, ids = act(resisted, rng.choice(openings(resisted, at)), [goal], rng)
        return mutant(self, followed, ids, rng, register=text.register, resisted=resisted, goal=goal)
