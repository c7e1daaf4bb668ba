"""A policy to begin with: every tool of a list, with what was inferred about it in comments to override."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatling.policy import Policy
from gatling.tools import Tool

_DEFAULTS = Policy()
_HEAD = f"""\
# Gatling policy. What is commented out is what Gatling inferred or its default:
# remove the "# " before a line and change it to decide otherwise.

[thresholds]
# escalate = {_DEFAULTS.thresholds.escalate}
# deny = {_DEFAULTS.thresholds.deny}

[destinations]
# allow = ["*@example.com"]
# deny = []
"""
_DESCRIPTION = 100
"""Characters of a description that a comment shows."""


def starter_policy(tools: Iterable[Tool]) -> str:
    """A commented policy TOML for these tools; as it stands it changes nothing.

    Names, parameters and descriptions may be hostile: they are quoted or cut so that nothing in them can
    end a comment or a key, and a name with `*`, `?` or `[` is written so that it matches itself alone.

    >>> print(starter_policy([Tool("search")]).splitlines()[-6])
    [tools."search"]
    """
    tables = {_quoted(_literally(tool.name)): tool for tool in tools}
    return "\n".join([_HEAD, *(_table(key, tool) for key, tool in tables.items())])


def _table(key: str, tool: Tool) -> str:
    effects = ", ".join(_quoted(effect) for effect in sorted(tool.effects))
    sinks = ", ".join(_quoted(sink) for sink in sorted(tool.sinks))
    about = _one_line(tool.description)
    lines = [
        f"# {about}" if about else "# No description.",
        f"[tools.{key}]",
        f"# effects = [{effects}]",
        f"# sinks = [{sinks}]",
        f"# output = {_quoted(tool.output.name.lower())}",
        f"# sensitivity = {tool.sensitivity}",
        '# decision = "infer"',
    ]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """A description's beginning on one line, without control, bidirectional or unpaired characters."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _DESCRIPTION]).split())
    return shown if len(shown) <= _DESCRIPTION else shown[: _DESCRIPTION - 1].rstrip() + "…"


def _literally(name: str) -> str:
    """A shell glob that matches this name alone."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _quoted(text: str) -> str:
    """A TOML basic string; what TOML cannot hold (an unpaired surrogate) becomes U+FFFD."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    if "\ud800" <= char <= "\udfff":
        return "\N{REPLACEMENT CHARACTER}"
    return f"\\U{ord(char):08X}"
