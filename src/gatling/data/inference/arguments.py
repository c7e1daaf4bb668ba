"""Arguments that stand in a text: addresses, dates, amounts, names and quoted strings, matched to parameters.

Nothing is made up: a parameter for which the text holds no value of its kind is left out, required or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from gatling.data.inference.schema import Parameter
from gatling.plan import JSON
from gatling.text import name_words, words
from gatling.tools.vocabulary import PROSE, word_set

EXAMINED = 2_000
"""Characters of a text in which values are looked for."""

MOST = 64
"""Values of one text that are looked at."""

NEAR = 40
"""Characters between a parameter's name and its value, at most."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_KINDS: tuple[tuple[str, str], ...] = (
    (
        "\"'“",
        r"(?<!\w)(?:\"(?P<quoted>[^\"\n]{1,400})\"|'(?P<single>[^'\n]{1,400})'(?!\w)|“(?P<curly>[^”\n]{1,400})”)",
    ),
    (":.", r"(?P<url>(?:https?://|www\.)[^\s<>\"')\]]+)"),
    ("@", r"(?P<email>\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)|(?P<handle>(?<!\w)@\w+)"),
    (
        "0123456789",
        r"(?P<date>\b\d{4}-\d{1,2}-\d{1,2}(?:T[\d:.]+Z?)?|\b\d{1,2}/\d{1,2}/\d{2,4}"
        rf"|\b(?=[JFMASONDjfmasond])(?i:{_MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?"
        rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?i:{_MONTH})\b(?:,? \d{{4}})?)"
        r"|(?P<time>\b\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm]\b)?|\b\d{1,2} ?[AaPp][Mm]\b)"
        r"|(?P<money>[$€£¥] ?\d[\d,]*(?:\.\d+)?)",
    ),
    ("#", r"(?P<tag>(?<!\w)#[^\W\d]\w*(?<!\d)(?!\w))"),
    ("./", r"(?P<path>(?<![\w/])~?/[\w.~-]+(?:/[\w.~-]*)*|\b[\w-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,4}\b)"),
    (
        "0123456789",
        r"(?P<code>#?\b(?:[A-Za-z_][A-Za-z_-]*+\d[\w-]*|\d++[A-Za-z_-][\w-]*\w)|#\d+)"
        r"|(?P<number>(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?)",
    ),
    ("", r"(?P<name>\b[^\W\d_a-z]['\u2019]?[^\W\d_]+(?: (?:of |de |von )?[^\W\d_a-z][^\W\d_]+)*)"),
)
"""Patterns of values, in the order in which they are tried, each with characters of which it needs one."""


@lru_cache(maxsize=4096)
def _pattern(present: frozenset[str]) -> re.Pattern[str]:
    """What finds values in a text that holds these characters: most texts hold few of them."""
    return re.compile("|".join(pattern for needed, pattern in _KINDS if not needed or present & set(needed)))


_DOTTED = re.compile(r"\.\w")
_TELLING = frozenset("".join(needed for needed, _ in _KINDS))
_START = re.compile(r"(?:^|[.!?:\n]\s*)[\"'“(]?$")
_DIGITS = re.compile(r"-?\d[\d,]*(?:\.\d+)?")

_NUMBERS = ("number", "money")
_BY_WORDS: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (
        word_set("email mail recipient recipients to cc bcc attendees attendee"),
        ("email", "handle", "name", "quoted"),
    ),
    (word_set("url uri link website webpage endpoint domain webhook"), ("url", "path", "quoted")),
    (word_set("tag tags hashtag hashtags label labels"), ("tag", "quoted")),
    (word_set("mention mentions handle username"), ("handle", "quoted", "code")),
    (word_set("date day deadline due since until birthday departure arrival checkin checkout"), ("date",)),
    (word_set("time hour"), ("time",)),
    (word_set("start end begin from after before"), ("date", "time", "name")),
    (word_set("file filename path directory folder dir document source"), ("path", "quoted")),
    (
        word_set("id ids code key token iban number no reference symbol sku zip account"),
        ("code", "quoted", "number"),
    ),
    (
        word_set(
            "name city location place country state person customer user company title artist author team "
            "channel destination origin employee supplier contact owner assignee brand product song movie"
        ),
        ("quoted", "name"),
    ),
    (PROSE, ("quoted",)),
    (word_set("amount price budget cost total sum value fee salary"), ("money", "number")),
)
"""Kinds of value that a text parameter takes, by the words of its name; the first row that fits."""
_FORMATS = {
    "email": ("email",),
    "uri": ("url",),
    "date": ("date",),
    "date-time": ("date",),
    "time": ("time",),
}
_GENERIC = word_set("the of id name value number is in to for from new")


class Value(NamedTuple):
    """A value that stands in a text."""

    kind: str
    text: str
    start: int
    end: int


def values(text: str) -> list[Value]:
    """The values that a text holds, in order."""
    found = []
    text = text[:EXAMINED]
    present = _TELLING.intersection(text)
    if "." in present and not _DOTTED.search(text):
        present -= {"."}  # it ends a sentence
    for match in _pattern(present).finditer(text):
        kind = match.lastgroup or ""
        value = match.group(kind)
        if kind in ("single", "curly"):
            kind = "quoted"
        led = kind == "name" and _START.search(text[max(0, match.start() - 3) : match.start()])
        if led and " " not in value:
            continue  # a sentence starts so, whatever its word means
        found.append(Value(kind, value.rstrip(".,;:!?") if kind == "url" else value, *match.span()))
        if len(found) == MOST:
            break
    return found


def arguments(text: str, parameters: Sequence[Parameter]) -> dict[str, JSON]:
    """Values of a text for the parameters that it holds one for, in the parameters' order."""
    if not parameters:
        return {}
    text = text[:EXAMINED]
    found = values(text)
    lowered = text.lower()
    said: set[str] | None = None
    chosen: dict[str, JSON] = {}
    used: set[int] = set()
    for parameter in sorted(parameters, key=_order):
        if parameter.options:
            said = set(words(lowered)) if said is None else said
            option = _option(parameter.options, said)
            if option is not None:
                chosen[parameter.name] = [option] if parameter.type == "array" else option
            continue
        kinds = _kinds(parameter)
        taken = _taken(parameter, kinds, found, used, lowered)
        if parameter.type == "array" and taken:
            same = [i for i in range(len(found)) if i not in used and found[i].kind == found[taken[0]].kind]
            used.update(same)
            items = [v for i in same if (v := _cast(found[i], parameter.items or "string")) is not None]
            if items:
                chosen[parameter.name] = items
            continue
        for i in taken:
            value = _cast(found[i], parameter.type)
            if value is not None:
                used.add(i)
                chosen[parameter.name] = value
                break
    return {p.name: chosen[p.name] for p in parameters if p.name in chosen}


def _order(parameter: Parameter) -> tuple[bool, bool]:
    """What can only be one thing chooses first: a list takes what is left."""
    return parameter.type == "array", not parameter.required


def _option(options: Sequence[JSON], said: set[str]) -> JSON:
    """The longest option whose words the text says; None where it says none."""
    named = [
        (len(ws), o) for o in options if isinstance(o, str) and (ws := name_words(o)) and said.issuperset(ws)
    ]
    return max(named, key=lambda n: n[0])[1] if named else None


def _kinds(parameter: Parameter) -> tuple[str, ...]:
    kind = parameter.items if parameter.type == "array" else parameter.type
    if kind in ("integer", "number"):
        money = parameter.words & _BY_WORDS[-1][0]
        return ("money", "number") if money else _NUMBERS
    if kind in ("boolean", "object"):
        return ()
    if parameter.format in _FORMATS:
        return _FORMATS[parameter.format]
    for cues, kinds in _BY_WORDS:
        if parameter.words & cues:
            return kinds
    return ("quoted",)


def _taken(
    parameter: Parameter, kinds: Sequence[str], found: Sequence[Value], used: set[int], lowered: str
) -> list[int]:
    """Positions of the values that a parameter may take, the likeliest first."""
    free = [i for i, value in enumerate(found) if i not in used and value.kind in kinds]
    if not free:
        return []
    places = list(_places(parameter.words, lowered))
    numeric = kinds == _NUMBERS
    ranked = sorted(
        (min((_gap(found[i], at) for at in places), default=NEAR + 1), kinds.index(found[i].kind), i)
        for i in free
    )
    if ranked[0][0] <= NEAR:
        return [i for _, _, i in ranked]
    if numeric and len(free) > 1:
        return []  # several numbers, and nothing says which
    return sorted(free, key=lambda i: (kinds.index(found[i].kind), i))


def _places(cues: frozenset[str], lowered: str) -> Iterator[tuple[int, int]]:
    for cue in sorted(cues - _GENERIC):
        at = lowered.find(cue)
        for _ in range(8):
            if at < 0:
                break
            yield at, at + len(cue)
            at = lowered.find(cue, at + 1)


def _gap(value: Value, place: tuple[int, int]) -> int:
    """Characters between a name and a value; a value that stands before its name counts as further off."""
    start, end = place
    if value.start >= end:
        return value.start - end
    return 2 * (start - value.end) if value.end <= start else 0


def _cast(value: Value, kind: str) -> JSON:
    """A value in a parameter's type; None where it is none of that type."""
    if kind in ("integer", "number"):
        digits = _DIGITS.search(value.text)
        if digits is None:
            return None
        number = float(digits.group().replace(",", ""))
        if number.is_integer() and abs(number) < 2**53:
            return int(number)
        return number if kind == "number" and abs(number) < float("inf") else None
    if kind in ("boolean", "object", "array"):
        return None
    return value.text
