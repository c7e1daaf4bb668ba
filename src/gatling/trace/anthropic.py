"""Anthropic messages: `{"system", "messages": [{"role", "content": text | blocks}], "tools"}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatling.plan import JSON
from gatling.trace.call import propose
from gatling.trace.content import Turn
from gatling.trace.message import Message, Trace
from gatling.trace.openai_chat import SPEAKERS
from gatling.trace.reader import as_object, identity, numbered, read_each, unreadable

_OWN = frozenset({"thinking", "redacted_thinking", "document", "search_result"})
_RESULT = "tool_result"


class AnthropicReader:
    """Reads conversations in blocks. Results of tools become messages of their own, in their place."""

    name = "anthropic"

    def matches(self, row: JSON) -> bool:
        """Say yes to blocks that only this format has, to `system` beside messages, to `input_schema`."""
        if isinstance(row, list):
            return any(_is_native(item) for item in row)
        if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
            return False
        messages = [item for item in row["messages"] if isinstance(item, dict)]
        if any(item.get("tool_calls") or item.get("role") in ("tool", "function") for item in messages):
            return False
        tools = row.get("tools")
        return (
            row.get("system") is not None
            or (isinstance(tools, list) and any("input_schema" in t for t in tools if isinstance(t, dict)))
            or any(_is_native(item) for item in messages)
        )

    def read(self, row: JSON) -> Trace:
        """Read a row or a bare list of messages; raises `TraceError`."""
        if isinstance(row, list):
            row = {"messages": row}
        row = as_object(row, "row")
        messages: list[Message] = []
        if row.get("system") is not None:
            turn = Turn("system")
            turn.content(row["system"])
            messages.extend(turn.messages())
        messages.extend(read_each(row.get("messages"), "messages", self._message))
        return Trace(identity(row.get("id")), numbered(messages), row.get("tools"))

    def message(self, item: JSON) -> tuple[Message, ...]:
        """Read one message, or one block that calls a tool or holds its result; raises `TraceError`."""
        return numbered(self._message(item))

    def _message(self, item: JSON) -> tuple[Message, ...]:
        item = as_object(item, "message")
        if "role" not in item and _is_native(item):
            item = {"role": "assistant", "content": [item]}
        role, content = item.get("role"), item.get("content")
        if not isinstance(role, str):
            raise unreadable("role", role, "give user or assistant")
        for key in ("tool_calls", "function_call"):
            if item.get(key):
                raise unreadable(key, item[key], "this is no Anthropic field; read it as openai-chat")
        speaker = SPEAKERS.get(role)
        turn = Turn(speaker or "user")
        if speaker is None:
            turn.output(content, tool=role)
        elif isinstance(content, list):
            for index, block in enumerate(content):
                _block(turn, block, f"content[{index}]")
        else:
            turn.content(content)
        return turn.messages()


def _block(turn: Turn, block: JSON, field: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str):
        turn.part(block, field)
    elif kind.endswith("tool_use"):
        turn.call(propose(block.get("id"), block.get("name"), block, key="input"))
    elif kind.endswith(_RESULT):
        content = block.get("content")
        if isinstance(content, list):
            content = [part for piece in content for part in _opened(piece)]
        # `web_search_tool_result` names its tool; `tool_result` and `mcp_tool_result` do not.
        tool = kind.removesuffix(_RESULT).removesuffix("_")
        turn.output(
            content,
            identity(block.get("tool_use_id")) or None,
            tool if tool not in ("", "mcp") else None,
        )
    elif kind in ("document", "search_result"):
        # What is attached to the user's message was written by others.
        turn.output(list(_opened(block)), tool=kind)
    else:
        turn.part(block, field)


def _opened(block: JSON) -> Iterator[JSON]:
    """Yield the parts that a document or search result is made of; any other block is its own part."""
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or kind not in ("document", "search_result"):
        yield block
        return
    source, content = block.get("source"), block.get("content")
    texts = [block.get("title"), block.get("context")]
    if kind == "search_result":
        texts.append(source)
    elif isinstance(source, dict):
        if source.get("type") == "text":
            texts.append(source.get("data"))
        elif source.get("type") == "content":
            content = source.get("content")
        else:
            yield {"type": kind, "source": source}
    if isinstance(content, str):
        texts.append(content)
    for text in texts:
        if isinstance(text, str) and text:
            yield {"type": "text", "text": text}
    if isinstance(content, list):
        yield from content


def _is_native(item: JSON) -> bool:
    """Tell whether a message holds, or is, a block that only this format has."""
    if not isinstance(item, dict):
        return False
    if "role" not in item:
        return _is_own(item)
    content = item.get("content")
    return isinstance(content, list) and any(isinstance(block, dict) and _is_own(block) for block in content)


def _is_own(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and (kind in _OWN or kind.endswith(("tool_use", _RESULT)))
