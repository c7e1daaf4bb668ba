"""Beyond delegation: the text that the user handed over asks for more than was handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, insert, openings
from gatling.data.mutations.worded import worded
from gatling.data.run import Run


class BeyondDelegation:
    """Applies to runs in which the user said how far the delegation goes."""

    name = "beyond-delegation"
    kind: ClassVar[AttackKind] = "hijacked"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 7.0, "provenance": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """The further request stands in the very text that was handed over."""
        places = [i for i, m in enumerate(run.messages) if m.role == "tool" and m.call_id in run.delegated]
        goal = goals.goal() if places and run.beyond else None
        if goal is None or {deed.tool for deed in goal.deeds} & {call.tool for call in run.calls()}:
            return None
        text = worded(run, [goal], rng)
        messages = list(run.messages)
        at = places[-1]
        messages[at] = replace(messages[at], content=insert(messages[at].content, text.text, rng))
        resisted = replace(run, messages=tuple(messages))
        followed, ids = act(resisted, openings(resisted, at)[-1], [goal], rng)
        return mutant(self, followed, ids, rng, register=text.register, resisted=resisted, goal=goal)
