"""Plans that have not run: `{"system", "request", "context": [{"tool", "text"}], "calls", "tools"}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatling.plan import JSON
from gatling.trace.call import propose, propose_openai
from gatling.trace.content import Turn, read_output
from gatling.trace.message import Message, Trace
from gatling.trace.openai_chat import chat_message
from gatling.trace.reader import as_object, identity, numbered, read_each, unreadable


class PlanReader:
    """Reads a request, the texts already read for it, and the calls proposed.

    A call is `{"tool" or "name", "arguments", "id", "output"}`, or written as OpenAI writes it. Its `output`,
    unless null, is what the tool returned.
    """

    name = "plan"

    def matches(self, row: JSON) -> bool:
        """Say yes to `request` or `calls` without `messages`, and to a bare list of calls."""
        if isinstance(row, list):
            return bool(row) and all(_is_call(item) for item in row)
        return isinstance(row, dict) and "messages" not in row and ("request" in row or "calls" in row)

    def read(self, row: JSON) -> Trace:
        """Read a plan or a bare list of calls; raises `TraceError`."""
        if isinstance(row, list):
            row = {"calls": row}
        row = as_object(row, "row")
        if "request" not in row and "calls" not in row:
            raise unreadable("row", sorted(row), "give a request, calls, or both")
        return Trace(identity(row.get("id")), numbered(self._row(row)), row.get("tools"))

    def message(self, item: JSON) -> tuple[Message, ...]:
        """Read a call, or a message `{"role", "content"}`; raises `TraceError`."""
        return numbered(self._item(item))

    def _row(self, row: dict[str, Any]) -> Iterator[Message]:
        if row.get("system") is not None:
            turn = Turn("system")
            turn.content(row["system"])
            yield from turn.messages()
        request = row.get("request")
        if isinstance(request, str | dict):
            request = [request]
        if request is not None:
            # A bare text is the user's; a message says whose it is.
            if isinstance(request, list):
                request = [{"role": "user", "content": r} if isinstance(r, str) else r for r in request]
            yield from read_each(request, "request", chat_message)
        context = row.get("context")
        if context is not None:
            if isinstance(context, list):
                context = [{"text": text} if isinstance(text, str) else text for text in context]
            yield from read_each(context, "context", _read_before)
        if row.get("calls") is not None:
            yield from read_each(row["calls"], "calls", self._item)

    def _item(self, item: JSON) -> tuple[Message, ...]:
        item = as_object(item, "call")
        if "role" in item:
            return chat_message(item)
        if not item.keys() & {"tool", "name", "function", "custom"}:
            raise unreadable("tool", sorted(item), "give the call's tool and its arguments")
        if "function" in item or "custom" in item:
            call = propose_openai(item)
        else:
            call = propose(item.get("id"), item.get("tool", item.get("name")), item)
        message = Message("assistant", calls=(call,))
        if item.get("output") is None:
            return (message,)
        content, unread = read_output(item["output"])
        return message, Message("tool", content, call_id=call.id, unread=unread)


def _read_before(entry: JSON) -> tuple[Message, ...]:
    entry = as_object(entry, "entry")
    key = next((key for key in ("text", "content") if entry.get(key) is not None), None)
    if key is None:
        raise unreadable("text", sorted(entry), "give the text that was read")
    content, unread = read_output(entry[key])
    tool = entry.get("tool")
    return (Message("tool", content, tool=tool if isinstance(tool, str) and tool else None, unread=unread),)


def _is_call(item: JSON) -> bool:
    if not isinstance(item, dict) or "role" in item:
        return False
    if item.get("type") == "function":
        return "function" in item
    return "type" not in item and ("tool" in item or "arguments" in item)
