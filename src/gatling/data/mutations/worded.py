"""Goals to the words of a stranger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from gatling.data.run import Goal, Run
from gatling.data.wording import Worded, state, word
from gatling.data.worlds.generators import Maker
from gatling.data.worlds.template import ended
from gatling.data.worlds.world import phrasing

FACTS = 0.2
"""Share of texts that state facts and order nothing, where the goal has facts."""

PUBLIC = "public"
"""The register of texts from public datasets that ask for something themselves."""

ORACLE = "oracle"
"""The register of texts that a language model wrote (`gatling.mining.oracle`)."""

FOREIGN = 0.08
"""Share of texts in English though the run is not."""


_DAY = re.compile(r"(?<!\d)20[0-4]\d-\d{2}-\d{2}(?!\d)")


def around(run: Run, rng: Random, language: str = "") -> Maker:
    """Names, dates and numbers to fill a wording with, in the run's language if no other is given.

    Its today is near the days that the run speaks of.
    """
    days = sorted(day for m in run.messages for day in _DAY.findall(str(m.content)))
    try:
        today = date.fromisoformat(days[len(days) // 2])
    except (IndexError, ValueError):
        today = date(2024, 1, 1) + timedelta(rng.randrange(1000))
    return Maker(rng, language or run.setting.language, today)


def worded(
    run: Run, goals: Sequence[Goal], rng: Random, register: str | None = None, *, facts: float = FACTS
) -> Worded:
    """A text that asks for the goals, in the run's language, or states facts from which they follow.

    `facts` is the share of texts that state facts: 0 where somebody is to do what the text asks. Then it
    leaves nothing open either, such as "unless somebody did it already".
    """
    certain = facts == 0
    own = [goal.text for goal in goals if goal.text]
    if own:
        return Worded(rng.choice(own), PUBLIC, "{text}")
    written = [text for goal in goals if goal.wordings for text in goal.wordings()]
    if written:
        return Worded(rng.choice(written), ORACLE, "{text}")
    whole = [goal for goal in goals if goal.whole]
    if whole:
        return requested(run, rng.choice(whole).asks[0], rng)
    if register is None and all(goal.facts for goal in goals) and rng.random() < facts:
        return state(rng, [rng.choice(goal.facts) for goal in goals], around(run, rng, "en"))
    if run.setting.language != "en" and rng.random() < FOREIGN:
        asks = [goal.english for goal in goals]
        return word(rng, "en", asks, around(run, rng, "en"), register=register, certain=certain)
    asks = [rng.choice(goal.asks) for goal in goals]
    return word(rng, run.setting.language, asks, around(run, rng), register=register, certain=certain)


def requested(run: Run, request: str, rng: Random) -> Worded:
    """A whole request as a stranger puts it: as it is, or with a greeting or thanks."""
    phrases = phrasing()[run.setting.language]
    opener = rng.choice(phrases["openers"]) if rng.random() < 0.5 else ""
    closer = rng.choice(phrases["closers"]) if rng.random() < 0.4 else ""
    text = f"{opener}{ended(request)} {closer}" if closer else f"{opener}{request}"
    return Worded(text, "request", f"{opener}{{request}} {closer}")
