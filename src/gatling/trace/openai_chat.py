"""OpenAI chat completions: `{"messages": [{"role", "content", "tool_calls"}], "tools"}`, or bare messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from gatling.plan import JSON
from gatling.trace.call import propose, propose_openai
from gatling.trace.content import Turn, read_output
from gatling.trace.message import Message, ProposedCall, Trace
from gatling.trace.reader import as_object, identity, numbered, read_each, unreadable

SPEAKERS: Final[dict[str, Literal["system", "user", "assistant"]]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
"""The roles whose word is their own. Any other role is read as a tool: nobody vouches for it."""

_CALL_FIELDS = frozenset({"tool_calls", "function_call", "tool_call_id"})


class ChatReader:
    """Reads chat completions, the legacy `function_call` and role `function` among them."""

    name = "openai-chat"

    def matches(self, row: JSON) -> bool:
        """Say yes to anything with `messages`, and to a list of objects with roles."""
        if isinstance(row, list):
            return not row or any(isinstance(item, dict) and "role" in item for item in row)
        return isinstance(row, dict) and "messages" in row

    def read(self, row: JSON) -> Trace:
        """Read a row or a bare list of messages; raises `TraceError`."""
        if isinstance(row, list):
            row = {"messages": row}
        row = as_object(row, "row")
        messages = list(read_each(row.get("messages"), "messages", chat_message))
        if row.get("system") is not None:  # no part of the format, but logs of several makers have it
            turn = Turn("system")
            turn.content(row["system"])
            messages[:0] = turn.messages()
        return Trace(identity(row.get("id")), numbered(messages), row.get("tools"))

    def message(self, item: JSON) -> tuple[Message, ...]:
        """Read one message; raises `TraceError`."""
        return numbered(chat_message(item))


def chat_message(item: JSON) -> tuple[Message, ...]:
    """Read one message, its calls not yet numbered; raises `TraceError`."""
    item = as_object(item, "message")
    role = item.get("role")
    if not isinstance(role, str):
        raise unreadable("role", role, f"give one of {', '.join(SPEAKERS)}, tool")
    calls = _calls(item)
    speaker = SPEAKERS.get(role)
    if speaker is None:
        return _returned(item, role), *(Message("assistant", calls=(call,)) for call in calls)
    turn = Turn(speaker)
    for text in _asides(item):
        turn.say(text)
    turn.content(item.get("content"))
    for call in calls:
        turn.call(call)
    return turn.messages()


def _returned(item: dict[str, Any], role: str) -> Message:
    content, unread = read_output(item.get("content"))
    name = item.get("name")
    if role not in ("tool", "function"):
        name = role
    return Message(
        "tool",
        content,
        call_id=identity(item.get("tool_call_id")) or None,
        tool=name if isinstance(name, str) and name else None,
        unread=unread,
    )


def _asides(item: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a message that stand beside its content."""
    audio = item.get("audio")
    for text in (
        item.get("reasoning_content"),
        item.get("refusal"),
        audio.get("transcript") if isinstance(audio, dict) else None,
    ):
        if isinstance(text, str) and text:
            yield text


def _calls(item: dict[str, Any]) -> list[ProposedCall]:
    for key, value in item.items():
        if "call" in key and value and key not in _CALL_FIELDS:
            raise unreadable(key, value, "put calls into tool_calls: these would go unseen")
    entries = item.get("tool_calls") or []
    if not isinstance(entries, list):
        raise unreadable("tool_calls", entries, "give a list of calls")
    calls = [propose_openai(entry) for entry in entries]
    legacy = item.get("function_call")
    if legacy:
        legacy = as_object(legacy, "function_call")
        calls.append(propose(None, legacy.get("name"), legacy))
    return calls
