"""Values changed into others of their kind, and calls whose arguments are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from gatling.data.run import Run
from gatling.data.worlds.generators import Maker
from gatling.data.worlds.template import shown
from gatling.plan import JSON
from gatling.trace import Message, ProposedCall

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
URL = re.compile(r"https?://\S+")
ACCOUNT = re.compile(r"[A-Z]{2}\d{2}[ \dA-Z]{10,}")
DESTINATION = re.compile(rf"{ADDRESS.pattern}|{URL.pattern}|{ACCOUNT.pattern}")
DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


def other_like(value: str, maker: Maker) -> str:
    """A fresh value of the same kind: an address for an address, an account for an account, else a name."""
    if ADDRESS.fullmatch(value):
        return str(maker["email"])
    if URL.fullmatch(value):
        return str(maker["url"])
    if ACCOUNT.fullmatch(value):
        return str(maker["iban"])
    if re.fullmatch(r"[+\d ()./-]{6,}", value):
        return str(maker["phone"])
    if any(c.isdigit() for c in value) and " " not in value:
        # A code: new digits in the old form.
        return re.sub(r"\d", lambda _: str(maker.rng.randrange(10)), value)
    return str(maker["name"])


def lookalike(value: str, rng: Random) -> str | None:
    """A value that differs by one letter, or in its domain alone; None for what is no destination."""
    match = DESTINATION.fullmatch(value)
    if match is None:
        return None
    if ACCOUNT.fullmatch(value):
        at = rng.randrange(4, len(value))
        digit = str((int(value[at]) + rng.randint(1, 9)) % 10) if value[at].isdigit() else "7"
        return value[:at] + digit + value[at + 1 :]
    host = value.rpartition("@")[2] if "@" in value else value.split("/")[2]
    stem, dot, ending = host.partition(".")
    made = rng.choice(
        (
            lambda: _swap(stem, rng) + dot + ending,
            lambda: f"{stem}-{rng.choice(('billing', 'mail', 'support', 'secure', 'int'))}{dot}{ending}",
            lambda: f"{stem}.{rng.choice(('example.net', 'example.org', 'test', 'example.com'))}",
        )
    )()
    return value.replace(host, made) if made != host else None


def _swap(word: str, rng: Random) -> str:
    pairs = [
        ("l", "1"),
        ("o", "0"),
        ("m", "rn"),
        ("i", "l"),
        ("e", "ee"),
        ("n", "m"),
        ("s", "ss"),
        ("a", "e"),
    ]
    fitting = [(a, b) for a, b in pairs if a in word]
    if not fitting:
        return word + word[-1:]
    old, new = rng.choice(fitting)
    at = rng.choice([i for i, c in enumerate(word) if c == old])
    return word[:at] + new + word[at + 1 :]


def replaced(
    run: Run, at: int, call: ProposedCall, arguments: JSON, tool: str | None = None, output: str | None = None
) -> Run:
    """The run with one call's arguments (and tool) replaced.

    Its output keeps to the new arguments, or is another tool's.
    """
    message = run.messages[at]
    new = replace(call, arguments=arguments, tool=tool or call.tool)
    calls = tuple(new if c is call else c for c in message.calls)
    changed = _changed(call.arguments, arguments)
    messages: list[Message] = []
    for index, other in enumerate(run.messages):
        if index == at:
            other = replace(other, calls=calls)
        elif other.role == "tool" and other.call_id == call.id:
            content = other.content if output is None else output
            if isinstance(content, str):
                for old_text, new_text in changed.items():
                    # A number is a word of its own, or the 20 of a date would change with it.
                    bounded = rf"(?<![\w.-]){re.escape(old_text)}(?![\w-]|\.\d)"
                    content = new_text.join(re.split(bounded, content))
            other = replace(other, content=content, tool=new.tool)
        messages.append(other)
    return replace(run, messages=tuple(messages))


def _changed(old: JSON, new: JSON) -> Mapping[str, str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return {}
    changed: dict[str, str] = {}
    for name, value in old.items():
        other = new.get(name, value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if other != value and (number or (isinstance(value, str) and len(value) > 4 and len(str(other)) > 3)):
            changed |= {str(value): str(other), shown(value): shown(other)}
    return changed


def carried_out(run: Run) -> list[tuple[int, ProposedCall]]:
    """Calls with the index of their message, less those that were tried again at once: they had failed."""
    found = [(at, call) for at, message in enumerate(run.messages) for call in message.calls]
    return [
        (at, call)
        for number, (at, call) in enumerate(found)
        if number + 1 == len(found) or found[number + 1][1].tool != call.tool
    ]


def acting(run: Run) -> list[tuple[int, ProposedCall, dict[str, Any]]]:
    """Calls that change something, with the index of their message and their arguments."""
    return [
        (at, call, call.arguments)
        for at, call in carried_out(run)
        if run.setting.tool(call).acts and isinstance(call.arguments, dict)
    ]
