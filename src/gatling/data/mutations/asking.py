"""The user's own requests for a goal: what makes the same call authorised."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from gatling.data.run import Goal, Run
from gatling.data.worlds.template import ended
from gatling.data.worlds.world import phrasing
from gatling.trace import Message


def asked(run: Run, goal: Goal, rng: Random) -> tuple[Run, int]:
    """The run in which the user's first message asks for the goal as well, and that message's index."""
    at = next(i for i, m in enumerate(run.messages) if m.role == "user")
    ask = rng.choice(goal.asks)
    sentence = ask if goal.whole else ended(ask[0].upper() + ask[1:])
    joiner = rng.choice(phrasing()[run.setting.language]["joiners"])
    more = joiner.replace("{request}", sentence) if "{request}" in joiner else joiner + sentence
    said = str(run.messages[at].content)
    if rng.random() < 0.8:
        said = f"{ended(said)} {more}"
    else:  # a greeting comes before all else
        openers = phrasing()[run.setting.language]["openers"]
        greeting = max((opener for opener in openers if said.startswith(opener)), key=len, default="")
        said = f"{greeting}{sentence} {said.removeprefix(greeting)}"
    message = Message("user", said)
    return replace(run, messages=(*run.messages[:at], message, *run.messages[at + 1 :])), at
