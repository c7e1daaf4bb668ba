"""What the deployer decides: tiers, tool facts, limits, destinations and thresholds, from a TOML file."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatling.plan import Effect

Energy = Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)]
Limit = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class PolicyError(ValueError):
    """A policy file that cannot be used; the message names file, line, field and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Strict):
    """Energies at which a call is escalated to a person, and at which it is denied."""

    escalate: Energy = 2.0
    deny: Energy = 6.0

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        if self.escalate > self.deny:
            raise ValueError(f"escalate ({self.escalate}) must not exceed deny ({self.deny})")
        return self


class Destinations(_Strict):
    """Where content, money and access may go. Patterns are shell globs, matched without case.

    An allowed destination raises no flow energy; a denied one is always denied.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def allows(self, destination: str) -> bool:
        """True when patterns of `allow` match the whole value or, where it holds addresses, each of them."""
        addresses = [part for part in _PARTS.split(destination) if _ADDRESS.search(part)]
        if len(addresses) < 2 and _matches(self.allow, destination):
            return True
        return bool(addresses) and all(_matches(self.allow, address) for address in addresses)

    def denies(self, destination: str) -> bool:
        """True when a pattern of `deny` matches the whole value or any part of it."""
        return any(_matches(self.deny, part) for part in [destination, *_PARTS.split(destination)])


_PARTS = re.compile(r"[\s,;<>()\[\]\"']+")
"""What stands between addresses: `Ana <ana@corp.example>, bob@corp.example`."""
_ADDRESS = re.compile(r"[@/.:\d]")


def _matches(patterns: tuple[str, ...], value: str) -> bool:
    folded = value.strip().casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


class ToolRule(_Strict):
    """Facts about one tool that override what its schema and name suggest. What is left out is inferred."""

    effects: Annotated[tuple[Effect, ...], Field(min_length=1)] | None = None
    sinks: tuple[str, ...] | None = None
    output: Literal["verified", "untrusted"] | None = None
    sensitivity: Annotated[int, Field(ge=1, le=5)] | None = None
    decision: Literal["infer", "escalate", "deny"] = "infer"
    """`escalate`: every call needs a person; `deny`: the tool may not be called at all."""
    maximum: dict[str, Limit] = Field(default_factory=dict)
    """Largest number allowed for an argument, by its name: a call above it is denied."""


class Policy(_Strict):
    """The whole policy. `Policy()` is the default one: infer everything, allow no destination specially."""

    thresholds: Thresholds = Thresholds()
    destinations: Destinations = Destinations()
    tools: dict[str, ToolRule] = Field(default_factory=dict)
    """Rules by tool name; a name may be a shell glob (`mail.*`). The exact name wins, then file order."""
    max_volume: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Rows or items that one call may reach for, whatever the request says; None for no limit."""

    def rule(self, tool: str) -> ToolRule | None:
        """The rule for a tool, or None."""
        exact = self.tools.get(tool)
        if exact is not None:
            return exact
        return next((rule for pattern, rule in self.tools.items() if fnmatchcase(tool, pattern)), None)


def load_policy(path: str | Path) -> Policy:
    """Read a policy TOML.

    Raises:
        PolicyError: what is wrong, at which line, and what is accepted there.
        OSError: the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not UTF-8 at byte {error.start}; save the policy as UTF-8") from None
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        remedy = "`gatling policy init` writes a valid example"
        raise PolicyError(f"{path}: not TOML: {error}; {remedy}") from None
    except RecursionError:
        raise PolicyError(f"{path}: nested too deeply; a policy needs no more than two levels") from None
    except ValidationError as error:
        found = (_located(path, text, e["loc"], e["msg"]) for e in error.errors())
        raise PolicyError("\n".join(found)) from None


def _located(path: str | Path, text: str, loc: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in loc)
    lines = ["" if line.lstrip().startswith("#") else line for line in text.splitlines()]
    line = 1
    for part in loc:
        pattern = re.compile(rf'(^|[\s.\["\'{{,]){re.escape(str(part))}(["\'\].\s=]|$)')
        line = next((n for n in range(line, len(lines) + 1) if pattern.search(lines[n - 1])), line)
    if message.startswith("Extra inputs"):
        message = f"no such field; known fields here: {', '.join(_known_fields(loc))}"
    return f"{path}:{line}: {field}: {message.removeprefix('Value error, ')}"


def _known_fields(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    places: dict[str, type[BaseModel]] = {
        "thresholds": Thresholds,
        "destinations": Destinations,
        "tools": ToolRule,
    }
    model = Policy if len(loc) == 1 else places[str(loc[0])]
    return tuple(model.model_fields)
