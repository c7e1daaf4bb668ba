"""How much a text asks for: items, days and sensitivity, by its whole words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gatling.data.inference import vocabulary as voc
from gatling.data.inference.volume import EXAMINED, volume_of
from gatling.plan import Scope
from gatling.reach import dates, sensitivity_of
from gatling.text import words
from gatling.tools.lexicon import base

LEAST = 2
"""Sensitivity of a text that shows none: no word of a request vouches for data being public."""


def window_days(text: str) -> float:
    """Days that a text reaches over; 0 where it names no time.

    >>> window_days("the last two weeks"), window_days("die letzten 3 Tage"), window_days("hello")
    (14.0, 3.0, 0.0)
    """
    text = text[:EXAMINED]
    return _window(words(text), text)


def _window(ws: Sequence[str], text: str) -> float:
    most = 0.0
    for at, word in enumerate(ws):
        if word in voc.ALONE:
            most = max(most, voc.ALONE[word])
        elif word in voc.DAYS:
            near = ws[max(0, at - 3) : at]
            numbers = [n for w in near if (n := _number(w))]
            if any(w in voc.RECENT for w in (*near, *ws[at + 1 : at + 2])) or (numbers and "for" in near):
                most = max(most, (numbers[-1] if numbers else 1.0) * voc.DAYS[word])
    if "-" in text:
        days = dates(text)
        if len(days) > 1:
            most = max(most, float(max(days) - min(days)))
    return min(most, 36_600.0)


def _number(word: str) -> float:
    if word.isdecimal() and len(word) <= 4:
        return float(word)
    return voc.NUMBERS.get(word) or voc.FOREIGN_NUMBERS.get(word) or voc.SMALL.get(word, 0.0)


def sensitivity(text: str) -> int:
    """5 for credentials, 4 for confidential data and deletion, 3 for personal data, else 2, by whole words.

    It is never 1: a request's words can show that data is private, not that it is public.

    >>> [sensitivity(text) for text in ("show my API key", "delete the draft", "her phone", "hi")]
    [5, 4, 3, 2]
    """
    return _sensitivity(words(text[:EXAMINED]))


@lru_cache(maxsize=65536)
def _level(word: str) -> int:
    """The sensitivity that one word shows."""
    if base(word) in voc.DELETES:
        return max(4, sensitivity_of(word))
    return max(LEAST, sensitivity_of(word), voc.FOREIGN_SENSITIVE.get(word, 0))


def _sensitivity(ws: Sequence[str]) -> int:
    most = max(map(_level, ws), default=LEAST)
    if most < 5:
        for at, word in enumerate(ws):
            if at and (word in voc.JOINED or word[:-1] in voc.JOINED):
                most = max(most, sensitivity_of(f"{ws[at - 1]} {word}"))
    return most


def scope(text: str, ws: Sequence[str]) -> Scope:
    """Everything that a text, given with its words, says about how much it asks for."""
    asked = volume_of(text, ws)
    depth = 10 if any(w.startswith("recursiv") or w in ("subfolders", "subdirectories") for w in ws) else 0
    return Scope(asked, _window(ws, text), depth, _sensitivity(ws))
