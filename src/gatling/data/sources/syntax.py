"""Calls written as Python: `[find(city="Bonn", days=3)]`, or one call a line. Nothing is evaluated.

The grammar is that of literals: strings, numbers, True, False, None (JSON's spellings as well), lists,
tuples, sets and dictionaries. A call's name is all that stands before its bracket, blanks included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gatling.plan import JSON
from gatling.trace.reader import MAX_DEPTH, plain

_NAME = re.compile(r"\s*([^\s()\[\]{}=,][^()\[\]{}=,\n]{0,199}?)\s*\(")
_KEY = re.compile(r"""\s*([^\s()\[\]{}=,:"']+)\s*=(?!=)""")
_TOKEN = re.compile(
    r'''\s*(?:
        (?P<string> """[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""
                  | \'\'\'[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*\'\'\'
                  | "[^"\\]*(?:\\.[^"\\]*)*" | '[^'\\]*(?:\\.[^'\\]*)*' )
      | (?P<number> [-+]?(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]) )
      | (?P<word> [^\W\d]\w*(?!\w) )
      | (?P<mark> [][(){},:] )
    )''',
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"\s*")
_BETWEEN = re.compile(r"[\s,;]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_WORDS: Mapping[str, JSON] = {
    **dict.fromkeys(("True", "true"), True),
    **dict.fromkeys(("False", "false"), False),
    **dict.fromkeys(("None", "null"), None),
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}

_T = TypeVar("_T")


class _Unread(ValueError):
    """What is wrong with the text, and at which character."""


@dataclass(frozen=True, slots=True)
class Written:
    """A call as it was written. With a `problem`, `keywords` is empty and `text` holds what was not read."""

    name: str
    keywords: Mapping[str, JSON] = field(default_factory=dict)
    values: tuple[JSON, ...] = ()
    """Arguments without a name, in order."""
    problem: str | None = None
    text: str = ""

    def arguments(self, parameters: Sequence[str] = ()) -> dict[str, JSON]:
        """All arguments by name: those without one take the tool's parameters in order, else their place."""
        named = dict(self.keywords)
        for place, value in enumerate(self.values):
            named[parameters[place] if place < len(parameters) else str(place)] = value
        return named


def written_calls(text: str) -> tuple[list[Written], str]:
    """The calls at the beginning of a text, and the text after them.

    Where a call cannot be read it is the last one, has a `problem`, and holds all that follows.

    >>> calls, rest = written_calls('[Get Weather(city="Bonn", days=[1, 2])] One moment.')
    >>> [(call.name, call.keywords) for call in calls], rest
    ([('Get Weather', {'city': 'Bonn', 'days': [1, 2]})], 'One moment.')
    """
    reader = _Reader(text)
    calls: list[Written] = []
    opened = reader.take("[")
    while not reader.at_end() and not (opened and reader.take("]")):
        start, name = reader.place, ""
        try:
            name = reader.name()
            keywords, values = reader.arguments()
        except _Unread as error:
            calls.append(Written(name, problem=f"the call cannot be read: {error}", text=text[start:]))
            return calls, ""
        calls.append(Written(name, keywords, tuple(values)))
        reader.skip(_BETWEEN)
    return calls, text[reader.place :].strip()


def looks_like_calls(text: str) -> bool:
    """Whether a text begins as a list of calls does: a bracket, a name, another bracket."""
    start = _BLANK.match(text)
    place = start.end() if start else 0
    return text.startswith("[", place) and _NAME.match(text, place + 1) is not None


def literal(text: str) -> JSON:
    """The value of one literal. Raises `ValueError`, which says where the text is none.

    >>> literal("{'a': (1, None)}")
    {'a': [1, None]}
    """
    reader = _Reader(text)
    value = reader.value(0)
    if not reader.at_end():
        raise _Unread(f"text after the value at character {reader.place}")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.place)
        if match:
            self.place = match.end()

    def at_end(self) -> bool:
        self.skip(_BLANK)
        return self.place == len(self.text)

    def take(self, mark: str) -> bool:
        """Pass a mark, where it comes next."""
        self.skip(_BLANK)
        if not self.text.startswith(mark, self.place):
            return False
        self.place += len(mark)
        return True

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise _Unread(f"expected {mark!r} at character {self.place}")

    def name(self) -> str:
        match = _NAME.match(self.text, self.place)
        if match is None:
            raise _Unread(f"expected a name and a bracket at character {self.place}")
        self.place = match.end()
        return match[1]

    def arguments(self) -> tuple[dict[str, JSON], list[JSON]]:
        """What stands up to the bracket that closes the call."""
        keywords: dict[str, JSON] = {}
        values: list[JSON] = []

        def one() -> None:
            key = _KEY.match(self.text, self.place)
            if key is None:
                values.append(self.value(0))
                return
            self.place = key.end()
            if key[1] in keywords:
                raise _Unread(f"an argument stands twice at character {key.start(1)}")
            keywords[plain_text(key[1])] = self.value(0)

        self.each(")", one)
        return keywords, values

    def each(self, closing: str, read: Callable[[], _T]) -> list[_T]:
        """Elements with commas between them, up to and with the closing mark."""
        found: list[_T] = []
        while not self.take(closing):
            found.append(read())
            if not self.take(","):
                self.expect(closing)
                break
        return found

    def value(self, depth: int) -> JSON:
        match = _TOKEN.match(self.text, self.place)
        if match is None:
            raise _Unread(f"expected a value at character {self.place}")
        if depth > MAX_DEPTH:
            raise _Unread(f"nesting deeper than {MAX_DEPTH} levels at character {self.place}")
        start, self.place = match.start(match.lastgroup or 0), match.end()
        token = match[match.lastgroup or 0]
        if match.lastgroup == "string":
            return _string(token)
        if match.lastgroup == "number":
            return _number(token, start)
        if match.lastgroup == "word":
            if token not in _WORDS:
                raise _Unread(f"a bare word at character {start}")
            return _WORDS[token]
        if token in "[(":
            return self.each(_CLOSING[token], lambda: self.value(depth + 1))
        if token == "{":
            return self.braces(depth + 1)
        raise _Unread(f"expected a value at character {start}")

    def braces(self, depth: int) -> JSON:
        """A dictionary, or a set, which becomes a list."""
        items: dict[str, JSON] = {}
        members: list[JSON] = []

        def one() -> None:
            start = self.place
            key = self.value(depth)
            if not self.take(":"):
                members.append(key)
                return
            if isinstance(key, list | dict):
                raise _Unread(f"a key that is no text or number at character {start}")
            if str(key) in items:
                raise _Unread(f"a key stands twice at character {start}")
            items[str(key)] = self.value(depth)

        self.each("}", one)
        if items and members:
            raise _Unread(f"a dictionary with a bare value before character {self.place}")
        return members or items


def _string(token: str) -> str:
    quotes = 3 if token.startswith(('"""', "'''")) and len(token) >= 6 else 1
    inner = token[quotes:-quotes]
    if "\\" in inner:
        inner = _ESCAPE.sub(_unescaped, inner)
    return plain_text(inner)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    if code in _ESCAPED:
        return _ESCAPED[code]
    return code if code in "\\'\"/" else match[0]


def _number(token: str, start: int) -> JSON:
    try:
        return int(token)
    except ValueError:
        pass
    try:
        value = float(token)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _Unread(f"a number that cannot be read at character {start}")
    return value


def plain_text(text: str) -> str:
    """The text with lone surrogates replaced, as `gatling.trace` does it."""
    return text if text.isascii() else str(plain(text))
