"""One simulated deployment: domains with their state, a user, a language, habits of naming and printing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any

from gatling.data.run import Setting
from gatling.data.worlds.domain import Domain, Role, ToolSpec
from gatling.data.worlds.generators import Maker, Row, generator
from gatling.data.worlds.render import choose, render
from gatling.data.worlds.state import ExecutionError, Outcome, State
from gatling.data.worlds.template import Template
from gatling.text import name_words
from gatling.tools import Tool, Toolbox, read_tools

NAMINGS = ("snake", "snake", "snake", "camel", "dotted", "prefixed", "pascal")
"""How tools are named in a world: `send_mail`, `sendMail`, `mail.send_mail` ..."""


ROLES = tuple(
    map(
        Template,
        (
            "{user.name}'s role: {role}.",
            "{user.name} is signed in as {role}.",
            "User: {user.name}, {role}.",
            "The role of {user.name} is that of {role}.",
        ),
    )
)
"""How a system prompt states the user's role where its first sentences do not."""


@lru_cache(maxsize=1)
def phrasing() -> dict[str, dict[str, tuple[str, ...]]]:
    """How people talk around a request, by language (`phrasing.toml`)."""
    loaded = tomllib.loads(Path(__file__).with_name("phrasing.toml").read_text("utf-8"))
    return {lang: {k: tuple(texts) for k, texts in parts.items()} for lang, parts in loaded.items()}


def _named(tool: str, domain: str, naming: str) -> str:
    words = name_words(tool)
    match naming:
        case "camel":
            return words[0] + "".join(part.capitalize() for part in words[1:])
        case "dotted":
            return f"{domain}.{tool}"
        case "prefixed":
            return f"{domain}_{tool}"
        case "pascal":
            return "".join(part.capitalize() for part in (*domain.split("_"), *words))
    return tool


@cache
def _schemas(domain: Domain, naming: str) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Tool]]:
    schemas = tuple({**t.schema_, "name": _named(t.name, domain.name, naming)} for t in domain.tools)
    return schemas, read_tools(list(schemas))


@lru_cache(maxsize=512)
def _toolset(chosen: tuple[Domain, ...], naming: str) -> tuple[tuple[Mapping[str, Any], ...], Toolbox]:
    parts = [_schemas(domain, naming) for domain in chosen]
    known = {name: tool for _, tools in parts for name, tool in tools.items()}
    return tuple(schema for schemas, _ in parts for schema in schemas), Toolbox(known)


def _plain(number: float) -> float:
    """A number as people write it: 14 days, not 14.00."""
    return int(number) if number.is_integer() else number


class World:
    """See the module's docstring. Everything in it follows from `rng`."""

    def __init__(self, chosen: Sequence[Domain], language: str, rng: Random) -> None:
        self.domains, self.language, self.rng = tuple(chosen), language, rng
        self.today = date(2023, 1, 1) + timedelta(rng.randrange(1600))
        self.maker = Maker(rng, language, self.today)
        self.maker.wordy = rng.choice((0, 0, 1, 2, 3))
        self.user: Row = dict(
            self.maker.make({kind: generator(kind) for kind in ("name", "email", "company")})
        )
        self.states = {domain.name: State(domain, self.maker) for domain in self.domains}
        self.naming = rng.choice(NAMINGS)
        self.role: Role = rng.choice(self.domains[0].roles)
        self._styles: dict[str, str] = {}
        schemas, toolbox = _toolset(self.domains, self.naming)
        self.limits = {
            (limit.tool, limit.parameter): (_plain(rng.choice(limit.maximum)), rng.choice(limit.text))
            for domain in self.domains
            for limit in domain.limits
        }
        home = {tool.name: domain for domain in self.domains for tool in domain.tools}
        self.setting = Setting(
            schemas=schemas,
            toolbox=toolbox,
            domains=tuple(domain.name for domain in self.domains),
            language=language,
            limits={(self.named(tool, home[tool]), p): most for (tool, p), (most, _) in self.limits.items()},
            denied=frozenset(self.named(tool, self.domains[0]) for tool in self.role.denied),
        )

    def named(self, tool: str, domain: Domain) -> str:
        """A tool's name in this world."""
        return _named(tool, domain.name, self.naming)

    def grants(self, domain: Domain, *tools: str) -> bool:
        """The user's role may use all of these tools."""
        return self.setting.denied.isdisjoint(self.named(tool, domain) for tool in tools)

    def values(self) -> dict[str, Any]:
        """What every template may use."""
        return {"user": self.user, "today": self.today.isoformat(), "role": self.role.title}

    def system(self) -> str:
        """The system prompt."""
        rng, values = self.rng, self.values()
        opening = rng.choice(self.domains[0].system)
        parts = [opening.fill(values)]
        if self.role.text and "role" not in opening.slots:
            # What the role may not do says nothing to whoever does not know whose role it is.
            parts.append(rng.choice(ROLES).fill(values))
        for domain in self.domains:
            parts += [Template(rule).fill(values) for rule in domain.rules if rng.random() < 0.6]
        parts += [text.fill({**values, "maximum": most}) for most, text in self.limits.values()]
        if self.role.text:
            parts.append(self.role.text)
        return rng.choice((" ", "\n", "\n- ")).join(parts)

    def execute(self, domain: Domain, tool: ToolSpec, arguments: Mapping[str, Any]) -> tuple[Outcome, str]:
        """Carry out a call; gives what it came to, and what the tool prints."""
        outcome = self.states[domain.name].execute(tool, arguments)
        style = self._styles.get(tool.name)
        if style is None:
            style = self._styles[tool.name] = choose(tool.style, self.rng)
        return outcome, render(outcome.shown, style, self.rng)


def typed(tool: ToolSpec, name: str, value: Any) -> Any:
    """A value in the type that a tool's parameter wants.

    Raises:
        ExecutionError: there is no such parameter, or the value cannot be so read.
    """
    parameter = tool.parameters.get(name)
    if parameter is None:
        raise ExecutionError(f"{tool.name}: no parameter {name!r}")
    try:
        match parameter.type:
            case "integer":
                return int(value)
            case "number":
                return value if isinstance(value, (int, float)) else float(value)
            case "boolean":
                return value if isinstance(value, bool) else str(value).lower() == "true"
            case "array[string]":
                return [str(v) for v in value] if isinstance(value, list) else [str(value)]
    except ValueError:
        raise ExecutionError(f"{tool.name}.{name}: {value!r} is no {parameter.type}") from None
    return str(value)


_TYPO = re.compile(r"\b[a-zà-ÿ]{5,}\b")


def mistype(rng: Random, text: str) -> str:
    """A text with a slip of the finger in a longer word: two letters swapped, one doubled or one missing."""
    found = list(_TYPO.finditer(text))
    if not found:
        return text
    at = rng.choice(found)
    word, i = at.group(), rng.randrange(1, len(at.group()) - 2)
    slips = (
        word[:i] + word[i + 1] + word[i] + word[i + 2 :],
        word[:i] + word[i] + word[i:],
        word[:i] + word[i + 1 :],
    )
    return text[: at.start()] + rng.choice(slips) + text[at.end() :]
