"""Values changed into others of their kind, and calls whose arguments are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from gatling.data.mutations.declared import tool_of
from gatling.data.run import Run
from gatling.data.worlds.conversation import CODE_SENT
from gatling.data.worlds.generators import Maker
from gatling.data.worlds.template import shown
from gatling.plan import JSON
from gatling.spans import leaves
from gatling.text import name_words
from gatling.trace import Message, ProposedCall

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
URL = re.compile(r"https?://\S+")
ACCOUNT = re.compile(r"[A-Z]{2}\d{2}[ \dA-Z]{10,}")
DESTINATION = re.compile(rf"{ADDRESS.pattern}|{URL.pattern}|{ACCOUNT.pattern}")
DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")

_WAITING = re.compile(
    "|".join(".+?".join(map(re.escape, re.split(r"\{\w+\}", sent.text))) for sent in CODE_SENT), re.S
)
"""What a service answers that waits for a code."""


def other_like(value: str, maker: Maker) -> str:
    """A fresh value of the same kind: an address for an address, an account for an account, else a name.

    What holds a number beside words is taken for a street.
    """
    if ADDRESS.fullmatch(value):
        return str(maker["email"])
    if URL.fullmatch(value):
        return str(maker["url"])
    if ACCOUNT.fullmatch(value):
        return str(maker["iban"])
    if re.fullmatch(r"[+\d ()./-]{6,}", value):
        return str(maker["phone"])
    if re.fullmatch(r"[a-z\d.-]+\.(?:example|test|com|net|org|dev|io)", value):
        return str(maker["domain"])
    if any(c.isdigit() for c in value) and " " not in value:
        # A code: new digits in the old form.
        return re.sub(r"\d", lambda _: str(maker.rng.randrange(10)), value)
    if any(c.isdigit() for c in value):
        return f"{maker['street']}, {maker['city']}"
    return str(maker["username"] if value.islower() and " " not in value else maker["name"])


def lookalike(value: str, rng: Random) -> str | None:
    """A destination that differs by one letter or digit, or in its domain alone; None where it cannot.

    An address or a page on the web, an account, a phone number, a house number, a handle or a key.

    >>> lookalike("+49 30 1234567", Random(1)) != "+49 30 1234567"
    True
    """
    if ADDRESS.fullmatch(value) or URL.fullmatch(value):
        return _elsewhere(value, rng)
    digits = [i for i, c in enumerate(value) if c.isdigit() and i >= 4 * bool(ACCOUNT.fullmatch(value))]
    letters = value.replace(".", "").replace("_", "").replace("-", "").lstrip("@")
    if digits:
        at = rng.choice(digits)
        return value[:at] + str((int(value[at]) + rng.randint(1, 9)) % 10) + value[at + 1 :]
    return _swap(value, rng) if len(letters) > 4 and letters.isalpha() and letters.islower() else None


def _elsewhere(value: str, rng: Random) -> str | None:
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
    run: Run, at: int, call: ProposedCall, arguments: JSON, tool: str | None = None, output: JSON = None
) -> Run:
    """The run with one call's arguments (and tool) replaced, and its output where one is given.

    Otherwise the output of a call that acts keeps to the new arguments; what a call reads stays as it was.
    """
    message = run.messages[at]
    new = replace(call, arguments=arguments, tool=tool or call.tool)
    calls = tuple(new if c is call else c for c in message.calls)
    changed = _changed(call.arguments, arguments) if tool_of(run, call).acts else {}
    messages: list[Message] = []
    for index, other in enumerate(run.messages):
        if index == at:
            other = replace(other, calls=calls)
        elif other.role == "tool" and other.call_id == call.id:
            content = _said_anew(other.content, changed) if output is None else output
            other = replace(other, content=content, tool=new.tool)
        messages.append(other)
    return replace(run, messages=tuple(messages))


def kept_to(output: str, old: JSON, new: JSON) -> str:
    """An answer to a call with the arguments `old`, as it would be to one with the arguments `new`."""
    return str(_said_anew(output, _changed(old, new)))


def _said_anew(content: JSON, changed: Mapping[str, str]) -> JSON:
    if isinstance(content, str):
        for old_text, new_text in changed.items():
            content = new_text.join(re.split(_bounded(old_text), content))
    return content


def _bounded(text: str) -> str:
    """A text as a word of its own: or the 20 of a date would change with a number."""
    return rf"(?<![\w.-]){re.escape(text)}(?![\w-]|\.\d)"


def _changed(old: JSON, new: JSON) -> Mapping[str, str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return {}
    changed: dict[str, str] = {}
    for name, value in old.items():
        other = new.get(name, value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        texts = isinstance(value, (str, list)) and len(shown(value)) > 4 and len(shown(other)) > 3
        if other != value and (number or texts):
            changed |= {str(value): str(other), shown(value): shown(other)}
    return changed


def repeated(run: Run, at: int, call: ProposedCall, arguments: JSON) -> bool:
    """True when an output after the call's own repeats a value that `arguments` change: it would be stale."""
    old = call.arguments if isinstance(call.arguments, dict) else {}
    patterns = []
    for name, value in old.items():
        for text in _changed({name: value}, arguments if isinstance(arguments, dict) else {}):
            # A short number means this value only beside the value's name.
            label = ".{0,4}".join(name_words(name)) + r"\W{1,4}" if len(text) < 4 else ""
            patterns.append(re.compile(f"(?i:{label})" + _bounded(text)))
    later = [
        m.content if isinstance(m.content, str) else shown([v for _, v in leaves(m.content)])
        for m in run.messages[at:]
        if m.role == "tool" and m.call_id != call.id
    ]
    return any(pattern.search(text) for pattern in patterns for text in later)


def leaned_on(run: Run, at: int, call: ProposedCall) -> bool:
    """True when a later call takes a value that this call's answer alone gave."""
    answers = [str(m.content) for m in run.messages if m.role == "tool" and m.call_id == call.id]
    known = "\n".join(
        [str(m.content) for m in run.messages[: at + 1]] + [shown(v) for _, v in leaves(call.arguments)]
    )
    later = [shown(v) for m in run.messages[at + 1 :] for c in m.calls for _, v in leaves(c.arguments)]
    return any(len(v) > 2 and v not in known and any(v in answer for answer in answers) for v in later)


def carried_out(run: Run) -> list[tuple[int, ProposedCall]]:
    """Calls with the index of their message.

    Left out are those that were tried again at once, since they had failed, and those that waited for a
    code: a later call carries them out.
    """
    found = [(at, call) for at, message in enumerate(run.messages) for call in message.calls]
    waiting = {m.call_id for m in run.messages if m.role == "tool" and _WAITING.fullmatch(str(m.content))}
    return [
        (at, call)
        for number, (at, call) in enumerate(found)
        if (number + 1 == len(found) or found[number + 1][1].tool != call.tool) and call.id not in waiting
    ]


def acting(run: Run) -> list[tuple[int, ProposedCall, dict[str, Any]]]:
    """Calls that change something, with the index of their message and their arguments."""
    return [
        (at, call, call.arguments)
        for at, call in carried_out(run)
        if isinstance(call.arguments, dict) and tool_of(run, call).acts
    ]
