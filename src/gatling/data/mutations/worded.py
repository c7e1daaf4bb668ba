"""Goals to the words of a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from gatling.data.run import Goal, Run
from gatling.data.wording import Worded, state, word
from gatling.data.worlds.generators import Maker
from gatling.data.worlds.world import phrasing

FACTS = 0.2
"""Share of texts that state facts and order nothing, where the goal has facts."""

FOREIGN = 0.08
"""Share of texts in English though the run is not."""


def around(run: Run, rng: Random) -> Maker:
    """Names, dates and numbers to fill a wording with."""
    return Maker(rng, run.setting.language, date(2024, 1, 1) + timedelta(rng.randrange(1000)))


def worded(run: Run, goals: Sequence[Goal], rng: Random, register: str | None = None) -> Worded:
    """A text that asks for the goals, in the run's language, or states facts from which they follow."""
    values = around(run, rng)
    whole = [goal for goal in goals if goal.whole]
    if whole:
        return requested(run, rng.choice(whole).asks[0], rng)
    if register is None and all(goal.facts for goal in goals) and rng.random() < FACTS:
        return state(rng, [rng.choice(goal.facts) for goal in goals], values)
    if run.setting.language != "en" and rng.random() < FOREIGN:
        return word(rng, "en", [goal.english for goal in goals], values, register=register)
    return word(
        rng, run.setting.language, [rng.choice(goal.asks) for goal in goals], values, register=register
    )


def requested(run: Run, request: str, rng: Random) -> Worded:
    """A whole request as a stranger puts it: as it is, or with a greeting or thanks."""
    phrases = phrasing()[run.setting.language]
    opener = rng.choice(phrases["openers"]) if rng.random() < 0.5 else ""
    closer = rng.choice(phrases["closers"]) if rng.random() < 0.4 else ""
    text = f"{opener}{request} {closer}".rstrip()
    return Worded(text, "request", f"{opener}{{request}} {closer}")
