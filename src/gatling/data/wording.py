"""How strangers word what they want: a small context-free grammar per language, written in `wording.toml`.

A *request* text carries imperative clauses (`{ask}`); a *fact* text states something from which a call
follows and orders nothing (`{fact}`, English alone). The grammar file says how its rules are written.
"""

from __future__ import annotations

import random
import re
import tomllib
from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

LANGUAGES = ("en", "de", "es", "fr", "it", "pt")
"""The languages with request registers."""

SLOTS = frozenset({"first_name", "company", "weekday", "date", "number"})
"""What the caller's `values` must hold."""

_PART = re.compile(r"(\{\w+\}|<@?[A-Za-z][a-z_]*>)")
_APOSTROPHE = re.compile("['\u2019]")
_OPEN = "?"
_FILE = Path(__file__).with_name("wording.toml")
# More derivations make a rule likelier, far less than in proportion.
_DAMPING = 0.3


class Worded(NamedTuple):
    """A text, the register it is in, and its derivation with the slots unfilled."""

    text: str
    register: str
    template: str


def registers(language: str) -> tuple[str, ...]:
    """The names of the registers that carry requests in `language`."""
    return tuple(_grammar(language).requests)


def fact_registers() -> tuple[str, ...]:
    """The names of the English registers that state facts."""
    return tuple(_grammar("en").facts)


def word(
    rng: random.Random,
    language: str,
    asks: Sequence[str],
    values: Mapping[str, str],
    *,
    register: str | None = None,
    certain: bool = False,
) -> Worded:
    """Words `asks` (imperative clauses, no capital, no full stop) as a stranger's text.

    Several asks are joined as the language joins them. What fills a slot is never expanded again. An ask
    that starts a sentence gets a capital, unless its first word is no plain word (an address, an id).
    A `certain` text leaves open neither whether its reader is to do what it asks nor whether it is still to
    be done.

    Raises:
        ValueError: no asks, an unknown language or an unknown register.
        KeyError: `values` lacks one of `SLOTS`.
    """
    grammar = _grammar(language, certain)
    return _worded(rng, grammar.requests, register, "ask", _joined(rng, asks, grammar.ask_joins), values)


def state(
    rng: random.Random,
    facts: Sequence[str],
    values: Mapping[str, str],
    *,
    register: str | None = None,
) -> Worded:
    """States `facts` (English clauses, no capital, no full stop) in a text that orders nothing.

    Raises:
        ValueError: no facts or an unknown register.
        KeyError: `values` lacks one of `SLOTS`.
    """
    grammar = _grammar("en")
    return _worded(rng, grammar.facts, register, "fact", _joined(rng, facts, grammar.fact_joins), values)


class _Slot(str):
    """A slot as written, `{name}`: a template is the plain concatenation of literals and slots."""

    __slots__ = ()


class _Reference(NamedTuple):
    rule: _Rule
    capital: bool
    once: bool


class _Rule:
    """The alternatives of one nonterminal."""

    __slots__ = ("alternatives", "bounds", "count", "last")

    def __init__(self, alternatives: list[list[str | _Reference]]) -> None:
        counts = [_derivations(parts) for parts in alternatives]
        self.alternatives = alternatives
        self.count = sum(counts)
        self.bounds = list(accumulate(count**_DAMPING for count in counts))
        self.last = len(alternatives) - 1

    def expand(self, rng: random.Random, once: dict[_Rule, list[str]], out: list[str]) -> None:
        """Appends literals and slots to `out`; `once` holds what was drawn for `<@...>` references."""
        bounds = self.bounds
        for part in self.alternatives[bisect(bounds, rng.random() * bounds[-1], 0, self.last)]:
            if isinstance(part, str):
                out.append(part)
                continue
            rule, capital, repeated = part
            start = len(out)
            if not repeated:
                rule.expand(rng, once, out)
            else:
                if rule not in once:
                    once[rule] = []
                    rule.expand(rng, once, once[rule])
                out += once[rule]
            if capital and start < len(out):
                out[start] = _raised(out[start])


class _Register(NamedTuple):
    name: str
    start: _Rule


class _Registers(dict[str, _Register]):
    """Registers by name, with what it takes to draw one."""

    def __init__(self, start: Mapping[str, tuple[_Rule, float]]) -> None:
        super().__init__((name, _Register(name, rule)) for name, (rule, _) in start.items())
        self.listed = list(self.values())
        self.bounds = list(accumulate(weight * rule.count**_DAMPING for rule, weight in start.values()))


class _Grammar(NamedTuple):
    requests: _Registers
    facts: _Registers
    ask_joins: list[str]
    fact_joins: list[str]


def _worded(
    rng: random.Random,
    among: _Registers,
    register: str | None,
    slot: str,
    content: str,
    values: Mapping[str, str],
) -> Worded:
    if register is None:
        found = among.listed[bisect(among.bounds, rng.random() * among.bounds[-1], 0, len(among) - 1)]
    elif register in among:
        found = among[register]
    else:
        raise ValueError(f"no register {register!r} here; there are {', '.join(among)}")
    out: list[str] = []
    found.start.expand(rng, {}, out)
    filled = []
    for part in out:
        if part.__class__ is _Slot:
            name = part[1:-1]
            if name == slot:
                part = content
            elif name[0].isupper():
                part = _sentence(content)
            else:
                part = values[name]
        filled.append(part)
    return Worded("".join(filled), found.name, "".join(out))


def _joined(rng: random.Random, clauses: Sequence[str], joins: Sequence[str]) -> str:
    if isinstance(clauses, str) or not clauses:
        raise ValueError(f"expected a list of clauses, got {clauses!r}; pass at least one in a list")
    if len(clauses) == 1:
        return clauses[0]
    return ", ".join(clauses[:-1]) + joins[int(rng.random() * len(joins))] + clauses[-1]


def _sentence(clause: str) -> str:
    """The clause with a capital, unless its first word may be a value that a capital would change."""
    first = clause.split(None, 1)[0].rstrip(",:;") if clause.strip() else ""
    return clause[0].upper() + clause[1:] if _APOSTROPHE.sub("", first).isalpha() else clause


def _raised(part: str) -> str:
    if part.__class__ is not _Slot:
        return part[:1].upper() + part[1:]
    return _Slot("{" + part[1:-1].capitalize() + "}") if part in ("{ask}", "{fact}") else part


def _derivations(parts: Sequence[str | _Reference]) -> int:
    count, seen = 1, set()
    for part in parts:
        if isinstance(part, _Reference) and not (part.once and part.rule in seen):
            count *= part.rule.count
            seen.add(part.rule)
    return count


@lru_cache(maxsize=1)
def _source() -> dict[str, dict[str, object]]:
    return tomllib.loads(_FILE.read_text("utf-8"))


@lru_cache(maxsize=2 * len(LANGUAGES))
def _grammar(language: str, certain: bool = False) -> _Grammar:
    if language not in LANGUAGES:
        raise ValueError(f"no wordings in {language!r}; there are {', '.join(LANGUAGES)}")
    source = _source()[language]
    return _Grammar(
        _registers(language, "requests", "ask", certain),
        _registers(language, "facts", "fact", certain),
        _strings(source["ask_joins"]),
        _strings(source.get("fact_joins", [])),
    )


def _registers(language: str, kind: str, slot: str, certain: bool) -> _Registers:
    source = _source()[language]
    start = {}
    for name, given in _table(source.get(kind, {})).items():
        rules = {**_table(source["shared"]), **_table(given)}
        place = f"{_FILE.name}: {language}.{kind}.{name}"
        weight = rules.pop("weight", 1.0)
        if not isinstance(weight, (int, float)):
            raise ValueError(f"{place}: weight is {weight!r}; give a number")
        start[name] = (_Compiler(place, rules, slot, certain).rule("start"), float(weight))
    return _Registers(start)


class _Compiler:
    """Turns one register's nonterminals into rules."""

    def __init__(self, place: str, source: Mapping[str, object], slot: str, certain: bool = False) -> None:
        self.place = place
        self.source = source
        self.certain = certain
        self.slots = SLOTS | {slot, slot.capitalize()}
        self.rules: dict[str, _Rule | None] = {}

    def rule(self, name: str) -> _Rule:
        """The rule called `name`, compiled on first use."""
        if name not in self.rules:
            if name not in self.source:
                raise ValueError(f"{self.place}: <{name}> is not defined; add it or write it in capitals")
            self.rules[name] = None
            written = [
                text.removeprefix(_OPEN)
                for text in _strings(self.source[name])
                if not (self.certain and text.startswith(_OPEN))
            ]
            if not written:
                raise ValueError(f"{self.place}: all of <{name}> starts with {_OPEN}; add what does not")
            self.rules[name] = _Rule([self.parts(text) for text in written])
        rule = self.rules[name]
        if rule is None:
            raise ValueError(f"{self.place}: <{name}> leads back to itself; the grammar must be finite")
        return rule

    def parts(self, text: str) -> list[str | _Reference]:
        """One alternative, cut into literals, slots and references."""
        parts: list[str | _Reference] = []
        for i, piece in enumerate(_PART.split(text)):
            if i % 2 == 0:
                if piece:
                    parts.append(piece)
            elif piece[0] == "{":
                if piece[1:-1] not in self.slots:
                    raise ValueError(f"{self.place}: {piece} is no slot; there are {sorted(self.slots)}")
                parts.append(_Slot(piece))
            else:
                name = piece[1:-1].lstrip("@")
                rule = self.rule(name[0].lower() + name[1:])
                parts.append(_Reference(rule, name[0].isupper(), piece[1] == "@"))
        return parts


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{_FILE.name}: expected a table, got {value!r}")
    return dict(value)


def _strings(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{_FILE.name}: expected a list of strings, got {value!r}")
    return value
