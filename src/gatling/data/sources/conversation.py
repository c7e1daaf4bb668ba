"""How turns become messages with calls: numbered calls, and outputs put to the calls that they answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from gatling.data.sources.columns import Tools, body_of, parse
from gatling.data.sources.source import Material, Rejected, Talk, Text
from gatling.data.sources.syntax import Written, literal, plain_text
from gatling.plan import JSON
from gatling.trace import Message, ProposedCall
from gatling.trace.call import propose
from gatling.trace.reader import found

_CALLED = re.compile(r"""["']name["']\s*:\s*["']([^"'\\]{1,128})["']""")


class Conversation:
    """Collects turns in order; calls are numbered as `gatling.trace` numbers them.

    Datasets do not say which call an output answers. As many outputs as calls answer them in order, and a
    single output that lists as many values is taken apart; what remains answers no call by name.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._texts: list[str] = []
        self._calls: list[ProposedCall] = []
        self._waiting: list[str] = []
        self._outputs: list[JSON] = []
        self._count = 0
        self._observed = False

    def say(self, role: Literal["system", "user", "assistant"], text: str) -> None:
        """Add what somebody said."""
        if role == "assistant":
            self._answer()
            if text:
                self._texts.append(text)
            return
        self._end()
        self._messages.append(Message(role, text))

    def call(self, name: JSON, fields: dict[str, Any]) -> None:
        """Add a call of the assistant's; its arguments stand in `fields["arguments"]`."""
        self._propose(propose(f"call#{self._count}", name, fields))

    def call_json(self, value: JSON) -> None:
        """Add the call of an object with `name` and `arguments`, or those of a list; as JSON or its text."""
        if isinstance(value, str):
            value = self._read(value)
            if value is None:
                return
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                self._broken("", item, f"the call is {found(item)}, not an object")
                continue
            fields = body_of(item)
            self.call(fields.get("name"), {**fields})

    def call_written(self, call: Written, parameters: Mapping[str, tuple[str, ...]]) -> None:
        """Add a call that was written as Python."""
        if call.problem is not None:
            self._broken(call.name, plain_text(call.text), call.problem)
        else:
            arguments = call.arguments(parameters.get(call.name, ()) if call.values else ())
            self.call(call.name, {"arguments": arguments})

    def output(self, content: JSON) -> None:
        """Add what a tool returned."""
        self._close()
        self._observed = True
        self._outputs.append(content)

    def other(self, role: str, content: JSON) -> None:
        """Add the words of a role that is not known: they count as a tool's output that nobody asked for."""
        self._end()
        self._messages.append(Message("tool", content, tool=role or None))

    def materials(self, tools: Tools, field: str) -> Iterator[Material]:
        """The conversation; or the user's first request, where nothing is called. Raises `Rejected`."""
        self._end()
        asked = next((m for m in self._messages if m.role == "user" and str(m.content).strip()), None)
        if asked is None:
            raise Rejected(f"{field}: no user says anything")
        if self._count:
            yield Talk(tuple(self._messages), tools, self._observed)
            return
        system = "\n".join(str(m.content) for m in self._messages if m.role == "system")
        yield Text(str(asked.content), "chat", system)

    def _read(self, text: str) -> JSON:
        """The calls of a JSON text, which some write as a Python literal; None where it is neither."""
        text = text.strip()
        try:
            value, end = parse(text)
            if end == len(text):
                return value
            problem = f"text after the call at character {end}"
        except ValueError as error:
            problem = str(error)
        try:
            return literal(text)
        except ValueError:
            named = _CALLED.search(text)
            self._broken(named[1] if named else "", plain_text(text), f"the call is no JSON: {problem}")
            return None

    def _broken(self, name: str, arguments: JSON, problem: str) -> None:
        self._propose(ProposedCall(f"call#{self._count}", plain_text(name), arguments, problem))

    def _propose(self, call: ProposedCall) -> None:
        self._answer()
        self._calls.append(call)
        self._count += 1

    def _end(self) -> None:
        self._close()
        self._answer()

    def _close(self) -> None:
        """End the assistant's turn."""
        if self._texts or self._calls:
            self._messages.append(Message("assistant", "\n".join(self._texts), tuple(self._calls)))
            self._waiting = [call.id for call in self._calls]
            self._texts, self._calls = [], []

    def _answer(self) -> None:
        """Put the outputs to the calls before them."""
        outputs, waiting = self._outputs, self._waiting
        if not outputs:
            return
        if len(outputs) == 1 < len(waiting):
            outputs = _apart(outputs[0], len(waiting)) or outputs
        ids: Iterable[str | None]
        if len(outputs) == len(waiting):
            ids = waiting
        else:
            ids = [waiting[0] if len(waiting) == 1 else None] * len(outputs)
        self._messages += [Message("tool", out, call_id=id) for out, id in zip(outputs, ids, strict=True)]
        self._outputs, self._waiting = [], []


def _apart(content: JSON, count: int) -> list[JSON]:
    """The values of an output that holds as many as there were calls: a JSON list, or values in a row."""
    if isinstance(content, list):
        return content if len(content) == count else []
    if not isinstance(content, str):
        return []
    values: list[JSON] = []
    text, place = content.strip(), 0
    try:
        while place < len(text) and len(values) <= count:
            value, place = parse(text, place)
            values.append(value)
            while place < len(text) and text[place] in " \t\r\n,":
                place += 1
    except ValueError:
        return []
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return values if len(values) == count else []
