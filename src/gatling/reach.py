"""How much a call reaches for, and how much the request needs: the two sides of the scope term."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from gatling.plan import JSON, Effect, Scope, field_of
from gatling.spans import leaves
from gatling.text import name_words, words
from gatling.tools import Tool
from gatling.tools.vocabulary import SENSITIVE, word_set
from gatling.values import ISO_DATE

EVERYTHING = 10_000.0
MANY = 100.0
PLURAL = 10.0
"""What a bare plural may mean: a handful, until the request says more."""

_ALL = word_set(
    "all every everything everyone entire whole any each complete full "
    "alle jede todos todas tous toutes tutti"
)
_SEVERAL = word_set(
    "many multiple several various lots numerous list those these them both viele varios plusieurs"
)
_NUMBERS = {
    word: float(number)
    for number, word in enumerate(
        (
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        )
    )
}
_WINDOW = {
    "today": 1.0,
    "day": 1.0,
    "daily": 1.0,
    "yesterday": 2.0,
    "week": 7.0,
    "weekly": 7.0,
    "month": 31.0,
    "monthly": 31.0,
    "quarter": 92.0,
    "year": 366.0,
    "yearly": 366.0,
    "ever": 36_600.0,
    "always": 36_600.0,
}
_WILDCARD = re.compile(
    r"^\s*(?:\*|\*\.\*|\.\*|%|all|everything|everyone|/)\s*$|select\s+\*|\brm\s+-\w*r", re.I
)


@lru_cache(maxsize=16384)
def sensitivity_of(text: str) -> int:
    """1 public, 2 internal, 3 personal, 4 confidential, 5 credentials, by the words of a text."""
    joined = " ".join(name_words(text[:2000]))
    return next((level for level, pattern in SENSITIVE if pattern.search(joined)), 1)


def reach(tool: Tool, arguments: JSON) -> Scope:
    """What a call reaches for, from its arguments: volume, window, depth and sensitivity."""
    volume, depth, days = 1.0, 0, []
    sizes: dict[str, int] = {}
    sensitivity = tool.sensitivity
    for path, value in leaves(arguments):
        name = field_of(path)
        if "[" in path:
            sizes[name] = sizes.get(name, 0) + 1
        if name in tool.volume or path in tool.volume:
            volume = max(volume, _amount(value))
            if isinstance(value, bool) and value and "recurs" in name.lower():
                depth = 10
            if "depth" in name.lower() and isinstance(value, int) and not isinstance(value, bool):
                depth = max(depth, min(abs(value), 100))
        if isinstance(value, str):
            if name not in tool.free_text and _WILDCARD.search(value[:200]):
                volume = max(volume, EVERYTHING)
            if name not in tool.free_text:
                days += dates(value[:200])
                sensitivity = max(sensitivity, sensitivity_of(value[:200]))
    volume = max([volume, *map(float, sizes.values())])
    window = float(max(days) - min(days)) if len(days) > 1 else 0.0
    if tool.effects & {Effect.DELETE, Effect.EXECUTE}:
        sensitivity = max(sensitivity, 4)
    return Scope(volume, window, depth, sensitivity)


def _amount(value: JSON) -> float:
    if isinstance(value, bool):
        return EVERYTHING if value else 1.0
    if isinstance(value, (int, float)):
        return 1.0 if value != value else min(max(abs(float(min(value, 10**9))), 1.0), EVERYTHING)
    return 1.0


def dates(text: str) -> list[int]:
    """The dates that a text holds, as ordinal days."""
    found = []
    for year, month, day in ISO_DATE.findall(text):
        try:
            found.append(date(int(year), int(month), int(day)).toordinal())
        except ValueError:
            continue
    return found


def needed(request: Iterable[str]) -> Scope:
    """The smallest budget that the request can mean, by whole words.

    All is 10,000, many 100, else the largest number, else a handful for a plural, else 1.

    >>> needed(["my last 3 invoices"]).volume, needed(["call the small shop"]).volume
    (3.0, 1.0)
    """
    budgets = [_budget(sentence[:20_000]) for sentence in request]
    return Scope(
        max((b.volume for b in budgets), default=1.0),
        max((b.window_days for b in budgets), default=0.0),
        max((b.depth for b in budgets), default=0),
        max((b.sensitivity for b in budgets), default=1),
    )


@lru_cache(maxsize=256)
def _budget(sentence: str) -> Scope:
    counted, plural, window, depth = 0.0, 1.0, 0.0, 0
    for word in words(sentence):
        if word in _ALL:
            counted, depth = EVERYTHING, 10
        elif word in _SEVERAL:
            counted = max(counted, MANY)
        elif word in _NUMBERS:
            counted = max(counted, _NUMBERS[word])
        elif word.isdecimal() and len(word) <= 5:
            counted = max(counted, min(float(word), EVERYTHING))
        elif len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
            plural = PLURAL
        window = max(window, _WINDOW.get(word, _WINDOW.get(word.rstrip("s"), 0.0)))
    return Scope(max(1.0, counted or plural), window, depth, sensitivity_of(sentence))
