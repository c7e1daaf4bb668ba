"""Texts slipped into what an agent reads, and calls slipped into what it does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from gatling.data.mutations.insertion import PROSE, again, into_prose, lines, slip
from gatling.data.run import Carrier, Goal, Run
from gatling.data.worlds.conversation import thought
from gatling.data.worlds.template import shown
from gatling.plan import JSON, PlanOrigin
from gatling.spans import leaves
from gatling.trace import Message, ProposedCall


def readings(run: Run) -> list[int]:
    """Indices of the messages that strangers could have written into.

    An output that shows a record which the user handed over is none: what stands there is handed over too.
    """
    found = [
        i for i, m in enumerate(run.messages) if m.role == "tool" and m.call_id in run.readings and m.content
    ]
    if not run.delegated:
        return found
    handed = [call for call in run.calls() if call.id in run.delegated]
    outputs = [m.content for m in run.messages if m.role == "tool" and m.call_id in run.delegated]
    said = {line.text for content in outputs for line in lines(content) if len(line.text) >= PROSE}
    keys = {text for call in handed for text in _keys(call)}
    # A listing that no key opened shows the same records whenever it is made.
    whole = {call.tool for call in handed if not _keys(call)}
    tools = {call.id: call.tool for call in run.calls()}
    return [
        i
        for i in found
        if tools.get(run.messages[i].call_id or "") not in whole
        and not any(_holds(run.messages[i].content, key) for key in keys)
        and said.isdisjoint(line.text for line in lines(run.messages[i].content))
    ]


def _keys(call: ProposedCall) -> list[str]:
    """The keys by which a call opens records: texts with a digit and no space."""
    values = (value for _, value in leaves(call.arguments))
    return [v for v in values if isinstance(v, str) and " " not in v and any(c.isdigit() for c in v)]


def _holds(content: JSON, key: str) -> bool:
    whole = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", whole) is not None


def insert(content: JSON, text: str, rng: Random) -> JSON:
    """The content of a tool's output with a stranger's text in it, where strangers' texts stand."""
    return slip(content, text, rng).content


def plant(run: Run, at: int, text: str, rng: Random) -> Run:
    """The run with a stranger's text in the output at message `at`, inside the public text at hand.

    It stands in every output that shows the same line: a record that is read twice says the same twice.
    """
    message, rows = run.messages[at], run.rows
    if run.carrier is not None:
        text, rows = carried(run.carrier, text, rng), (*rows, run.carrier.place)
    made = slip(message.content, text, rng, _used(run))
    messages = [
        replace(other, content=again(other.content, made.old, made.new))
        if made.old and other.role == "tool" and other.call_id in run.readings | run.delegated
        else other
        for other in run.messages
    ]
    messages[at] = replace(message, content=made.content)
    return replace(run, messages=tuple(messages), rows=rows, carrier=None)


def _used(run: Run) -> str:
    """What the user said and what calls take: values that a text must not wipe out."""
    said = [str(m.content) for m in run.messages if m.role == "user"]
    taken = [shown(v) for call in run.calls() for _, v in leaves(call.arguments)]
    return "\n".join([*said, *taken])


def carried(carrier: Carrier, text: str, rng: Random) -> str:
    """A public text with a stranger's words in it."""
    return into_prose(carrier.text, text, rng) if carrier.text else text


def act(run: Run, at: int, goals: Sequence[Goal], rng: Random) -> tuple[Run, tuple[str, ...]]:
    """The run with calls made before message `at`, and the calls' ids."""
    taken = {call.id for call in run.calls()}
    made: list[Message] = []
    ids, opened = [], set()
    # Worlds' agents say a word now and then; one from elsewhere may never do.
    speaking = run.origin is PlanOrigin.GENERATED or any(m.calls and m.content for m in run.messages)
    for deed in (deed for goal in goals for deed in goal.deeds):
        identifier = _free_id(taken, run)
        taken.add(identifier)
        ids.append(identifier)
        if deed.reading:
            opened.add(identifier)
        said = thought(run.setting.language, rng) if speaking else ""
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
