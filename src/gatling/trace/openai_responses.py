"""OpenAI Responses: `{"instructions", "input": text | items, "output": items, "tools"}`, or bare items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatling.plan import JSON
from gatling.trace.call import propose
from gatling.trace.content import Turn
from gatling.trace.message import Message, Trace
from gatling.trace.openai_chat import SPEAKERS
from gatling.trace.reader import as_object, identity, numbered, read_each, unreadable

_TYPES = frozenset(
    {"message", "reasoning", "program", "mcp_approval_request", "mcp_list_tools", "item_reference"}
)
_ENDINGS = ("_call", "_call_output", "tool_search_output", "program_output")

_BOOKKEEPING = frozenset({"id", "call_id", "type", "status", "caller", "created_by", "fingerprint"})
_RESULTS = ("output", "outputs", "results", "result", "error")
"""Where the items of hosted tools hold what came back."""


class ResponsesReader:
    """Reads responses, the input they answer, and lists of items.

    Items of hosted tools (`web_search_call`, `shell_call`, `mcp_call`, and whatever ends in `_call` next) are
    calls like any other: their type names the tool unless they do, their fields are the arguments.
    """

    name = "openai-responses"

    def matches(self, row: JSON) -> bool:
        """Say yes to a list of `input` or `output`, and to lists with an item of this format."""
        if isinstance(row, list):
            return any(_is_item(item) for item in row)
        return isinstance(row, dict) and any(isinstance(row.get(key), list) for key in ("input", "output"))

    def read(self, row: JSON) -> Trace:
        """Read a row, a response, or a bare list of items; raises `TraceError`."""
        if isinstance(row, list):
            return Trace("", numbered(read_each(row, "items", self._item)))
        row = as_object(row, "row")
        if row.get("input") is None and row.get("output") is None:
            raise unreadable("row", sorted(row), "give input, output, or both")
        return Trace(identity(row.get("id")), numbered(self._row(row)), row.get("tools"))

    def message(self, item: JSON) -> tuple[Message, ...]:
        """Read one item, or all that a response put out; raises `TraceError`."""
        item = as_object(item, "item")
        return numbered(self._row(item) if _is_response(item) else self._item(item))

    def _row(self, row: dict[str, Any]) -> Iterator[Message]:
        for field, speaker in (("instructions", "system"), ("input", "user"), ("output", "assistant")):
            value = row.get(field)
            if isinstance(value, str):
                turn = Turn(SPEAKERS[speaker])
                turn.say(value)
                yield from turn.messages()
            elif value is not None:
                yield from read_each(value, field, self._item)

    def _item(self, item: JSON) -> tuple[Message, ...]:
        item = as_object(item, "item")
        kind = item.get("type")
        if kind is None and "role" in item:
            kind = "message"
        if not isinstance(kind, str):
            raise unreadable("type", kind, "give the item's type, such as message or function_call")
        if kind == "message":
            return _message(item)
        turn = Turn("assistant")
        call_id = identity(item.get("call_id")) or identity(item.get("id"))
        if kind == "reasoning":
            turn.content(item.get("summary"))
            turn.content(item.get("content"))
            if item.get("encrypted_content"):
                turn.unread("encrypted reasoning")
        elif kind.endswith("_call") or kind in ("program", "mcp_approval_request"):
            _call(turn, kind, item, call_id)
        elif kind.endswith("_output"):
            content = next((item[key] for key in _RESULTS if item.get(key) is not None), None)
            turn.output(_fields(item) if content is None else content, call_id or None)
        elif isinstance(item.get("tools"), list):  # a server's own words about its tools
            turn.output(item["tools"], tool=kind)
        else:
            turn.part(item, "item")
        return turn.messages()


def _message(item: dict[str, Any]) -> tuple[Message, ...]:
    role = item.get("role")
    if not isinstance(role, str):
        raise unreadable("role", role, f"give one of {', '.join(SPEAKERS)}")
    speaker = SPEAKERS.get(role)
    turn = Turn(speaker or "user")
    if speaker is None:
        turn.output(item.get("content"), tool=role)
    else:
        turn.content(item.get("content"))
    return turn.messages()


def _call(turn: Turn, kind: str, item: dict[str, Any], call_id: str) -> None:
    if kind in ("function_call", "mcp_call", "mcp_approval_request"):
        turn.call(propose(call_id, item.get("name"), item))
    elif kind == "custom_tool_call":
        turn.call(propose(call_id, item.get("name"), {"arguments": {"input": item.get("input")}}))
    else:
        turn.call(propose(call_id, kind.removesuffix("_call"), {"arguments": _fields(item)}))
    if kind == "image_generation_call" and item.get("result"):
        turn.unread("generated image")
        return
    for key in _RESULTS:
        if item.get(key):
            turn.output(item[key], call_id)


def _fields(item: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in item.items()
        if key not in _BOOKKEEPING and key not in _RESULTS and value is not None
    }


def _is_item(item: JSON) -> bool:
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    if isinstance(kind, str):
        return kind in _TYPES or kind.endswith(_ENDINGS)
    return _is_response(item)


def _is_response(item: dict[str, Any]) -> bool:
    return isinstance(item.get("output"), list) and "type" not in item and "role" not in item
