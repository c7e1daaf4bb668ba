"""llamafactory/reason-tool-use-demo-1500: tool use with the model's reasoning, content in typed parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gatling.data.sources.columns import content_of, objects, read_tools, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class ReasonToolUse(Source):
    """Conversations whose calls stand in parts of type `tool_call`, as JSON text."""

    name = "reason_tool_use"
    repo = "llamafactory/reason-tool-use-demo-1500"
    files = ("**/*.[jp]*[lnt]",)  # JSON, JSON Lines or Parquet: which of them was not found
    licence = "unknown"
    role = "benign"
    columns: ClassVar[Columns] = {"messages": "list", "tools": "text"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    form = "calls"
    note = "1,500 rows by its name. A row without calls gives its first request."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The conversation."""
        tools = read_tools(row.get("tools"), "tools")
        talk = Conversation()
        for place, message in objects(row.get("messages"), "messages"):
            _turn(talk, message, place)
        yield from talk.materials(tools, "messages")


def _turn(talk: Conversation, message: Mapping[str, Any], place: str) -> None:
    role, content = message.get("role"), message.get("content")
    parts: Any = [{"type": "text", "value": content}] if isinstance(content, str | None) else content
    for at, part in objects(parts, f"{place}.content"):
        kind, value = part.get("type"), part.get("value")
        if role == "assistant" and kind == "tool_call":
            talk.call_json(content_of(value, f"{at}.value"))
        elif role == "tool":
            talk.output(content_of(value, f"{at}.value"))
        elif (role in ("system", "user") and kind == "text") or (
            role == "assistant" and kind in ("text", "reasoning")
        ):
            talk.say(role, text_of(value, f"{at}.value"))
        else:
            talk.other(str(role if kind == "text" else kind), content_of(value, f"{at}.value"))
