"""Texts slipped into what an agent reads, and calls slipped into what it does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from gatling.data.run import Goal, Run
from gatling.data.worlds.conversation import thought
from gatling.plan import JSON
from gatling.trace import Message, ProposedCall

_SENTENCE_END = re.compile(r"(?<=[.!?])[ \n]+(?=\S)")
_PROSE = re.compile(r"(?:[^\W\d_]{2,}[ ,]+){4}")
_TEXT_FIELD = 24
"""Strings from this length on are taken for somebody's prose."""


def readings(run: Run) -> list[int]:
    """Indices of the messages that strangers could have written into."""
    return [
        i for i, m in enumerate(run.messages) if m.role == "tool" and m.call_id in run.readings and m.content
    ]


def insert(content: JSON, text: str, rng: Random) -> JSON:
    """The content of a tool's output with a stranger's text in it, where strangers' texts stand."""
    if not isinstance(content, str):
        return _insert_into_value(content, text, rng)
    stripped = content.strip()
    if stripped[:1] in ("{", "["):
        try:
            value = json.loads(stripped)
        except ValueError:
            pass
        else:
            indent = 2 if "\n" in stripped else None
            return json.dumps(_insert_into_value(value, text, rng), ensure_ascii=False, indent=indent)
    return _insert_into_text(content, text, rng)


def _insert_into_value(value: JSON, text: str, rng: Random) -> JSON:
    places: list[tuple[Any, Any]] = []
    loose: list[tuple[Any, Any]] = []

    def walk(inside: Any) -> Any:
        if isinstance(inside, dict):
            copy: Any = {k: walk(v) for k, v in inside.items()}
            items = list(copy.items())
        elif isinstance(inside, list):
            copy = [walk(v) for v in inside]
            items = list(enumerate(copy))
        else:
            return inside
        for key, child in items:
            if isinstance(child, str):
                (places if len(child) >= _TEXT_FIELD and " " in child else loose).append((copy, key))
        return copy

    made: JSON = walk(value)
    found = places or loose
    if not found:
        if isinstance(made, dict):
            return {**made, "note": text}
        return [*made, text] if isinstance(made, list) else text
    holder, key = rng.choice(found)
    holder[key] = text if rng.random() < 0.15 else _into_prose(holder[key], text, rng)
    return made


def _into_prose(prose: str, text: str, rng: Random) -> str:
    """A text between two sentences of a prose, before it or after it."""
    cuts = [0, len(prose), *(m.start() for m in _SENTENCE_END.finditer(prose))]
    at = rng.choice(cuts)
    gap = rng.choice((" ", " ", "\n", "\n\n"))
    before, after = prose[:at].rstrip(), prose[at:].lstrip()
    return gap.join(part for part in (before, text, after) if part)


def _insert_into_text(content: str, text: str, rng: Random) -> str:
    lines = content.split("\n")
    prose = [i for i, line in enumerate(lines) if _PROSE.search(line)]
    if not prose:
        return f"{content}\n{text}"
    at = rng.choice(prose)
    line = lines[at]
    flat = text if rng.random() < 0.3 else text.replace("\n", " ")
    if line.lstrip().startswith("<") and rng.random() < 0.3:
        lines.insert(at + 1, rng.choice(("<p>{}</p>", "<!-- {} -->", "<div>{}</div>")).replace("{}", flat))
    elif line.count(" | ") >= 2 or line.count("\t") >= 2:
        cells = re.split(r"( \| |\t)", line)
        longest = max(range(0, len(cells), 2), key=lambda i: len(cells[i]))
        cells[longest] = _into_prose(cells[longest], text.replace("\n", " "), rng).replace("\n", " ")
        lines[at] = "".join(cells)
    else:
        key = re.match(r"\s*(?:- )?[\w ]{1,30}: ", line)
        start = key.end() if key else len(line) - len(line.lstrip())
        indent = " " * (len(line) - len(line.lstrip()))
        lines[at] = line[:start] + _into_prose(line[start:], flat, rng).replace("\n", f"\n{indent}")
    return "\n".join(lines)


def plant(run: Run, at: int, text: str, rng: Random) -> Run:
    """The run with a stranger's text in the output at message `at`."""
    message = run.messages[at]
    poisoned = replace(message, content=insert(message.content, text, rng))
    return replace(run, messages=(*run.messages[:at], poisoned, *run.messages[at + 1 :]))


def act(run: Run, at: int, goals: Sequence[Goal], rng: Random) -> tuple[Run, tuple[str, ...]]:
    """The run with calls made before message `at`, and the calls' ids."""
    taken = {call.id for call in run.calls()}
    made: list[Message] = []
    ids, opened = [], set()
    for deed in (deed for goal in goals for deed in goal.deeds):
        identifier = _free_id(taken, run)
        taken.add(identifier)
        ids.append(identifier)
        if deed.reading:
            opened.add(identifier)
        said = thought(run.setting.language, rng)
        made.append(Message("assistant", said, (ProposedCall(identifier, deed.tool, dict(deed.arguments)),)))
        made.append(Message("tool", deed.output, (), identifier, deed.tool))
    messages = (*run.messages[:at], *made, *run.messages[at:])
    return replace(run, messages=messages, readings=run.readings | opened), tuple(ids)


def _free_id(taken: set[str], run: Run) -> str:
    """An id like the run's own that is still free."""
    style = re.sub(r"\d+$", "", next(iter(taken), "call_1"))
    number = len(taken) + 1
    while f"{style}{number}" in taken:
        number += 1
    return f"{style}{number}"


def numbered(run: Run) -> tuple[Run, Mapping[str, str]]:
    """The run with its calls' ids in the calls' order, and the new id of each.

    An id that is out of its order would tell which calls were slipped in.
    """
    calls = [call.id for call in run.calls()]
    style = re.sub(r"\d+$", "", calls[0]) if calls else ""
    width = max((len(i) - len(style) for i in calls if i.startswith(f"{style}0")), default=1)
    ids = {old: f"{style}{number:0{width}}" for number, old in enumerate(calls, 1)}
    messages = tuple(
        replace(
            message,
            calls=tuple(replace(call, id=ids[call.id]) for call in message.calls),
            call_id=ids.get(message.call_id or "", message.call_id),
        )
        for message in run.messages
    )
    readings, delegated = (
        frozenset(ids[i] for i in known if i in ids) for known in (run.readings, run.delegated)
    )
    return replace(run, messages=messages, readings=readings, delegated=delegated), ids


def openings(run: Run, after: int) -> list[int]:
    """Message indices after `after` at which the agent may make a call of its own: before its messages."""
    found = [i for i in range(after + 1, len(run.messages)) if run.messages[i].role == "assistant"]
    return found or [len(run.messages)]


def cut_short(run: Run, at: int) -> Run:
    """The run without the calls that come from message `at` on: the agent forgot what it was asked for."""
    rest = [m for m in run.messages[at:] if m.role == "assistant" and not m.calls][-1:]
    return replace(run, messages=(*run.messages[:at], *rest))
