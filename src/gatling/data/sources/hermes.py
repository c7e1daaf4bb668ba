"""interstellarninja/hermes_reasoning_tool_use: tool use with reasoning, calls in `<tool_call>` tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import read_tools, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.sharegpt import turns
from gatling.data.sources.source import Columns, Material, Source, Unlabelled

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>(.*?)(?:</tool_response>|\Z)", re.DOTALL)
_TOOLS = re.compile(r"<tools>(.*?)(?:</tools>|\Z)", re.DOTALL)


class Hermes(Source):
    """Conversations of one turn, of several turns, of several steps, and such that need no tool."""

    name = "hermes"
    repo = "interstellarninja/hermes_reasoning_tool_use"
    files = ("**/*.[jp]*[lnt]",)  # JSON, JSON Lines or Parquet: which of them was not found
    licence = "Apache-2.0"
    role = "benign"
    columns: ClassVar[Columns] = {"conversations": "list", "tools": "text"}
    labels = frozenset({"scenario_category"})
    meaning = "No label of attacks; scenario_category says whether a call is needed at all."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    size = 51_004
    form = "calls"
    note = "A call that the model only thinks about, before `</think>`, is none."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The conversation."""
        tools = read_tools(row.get("tools"), "tools")
        talk = Conversation()
        for place, speaker, name, value in turns(row.get("conversations"), "conversations"):
            if speaker == "output":
                responses = _RESPONSE.findall(value) if isinstance(value, str) else []
                for response in responses or [value]:
                    talk.output(response.strip() if isinstance(response, str) else response)
            elif speaker is None or speaker == "call":
                talk.other(name, value)
            elif speaker == "assistant":
                _said(talk, text_of(value, place))
            else:
                text = text_of(value, place)
                if speaker == "system":
                    listed = _TOOLS.search(text)
                    if listed and not tools:
                        tools = read_tools(listed[1], f"{place} <tools>")
                    text = _TOOLS.sub("", text)
                talk.say(speaker, text)
        yield from talk.materials(tools, "conversations")


def _said(talk: Conversation, text: str) -> None:
    thought, mark, rest = text.rpartition("</think>")
    talk.say("assistant", thought + mark + _CALL.sub("", rest).rstrip())
    for call in _CALL.findall(rest):
        talk.call_json(call)
