"""llamafactory/glaive_toolcall_en: Glaive's function calling, with the calls and outputs as turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import read_tools, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.sharegpt import turns
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class Glaive(Source):
    """Conversations in which half the time nothing is called."""

    name = "glaive"
    repo = "llamafactory/glaive_toolcall_en"
    files = ("*.json",)
    licence = "unknown"
    role = "benign"
    columns: ClassVar[Columns] = {"conversations": "list", "tools": "text"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    form = "calls"
    note = "A row without calls gives its first request."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The conversation."""
        tools = read_tools(row.get("tools"), "tools")
        talk = Conversation()
        for place, speaker, name, value in turns(row.get("conversations"), "conversations"):
            if speaker == "call":
                talk.call_json(value)
            elif speaker == "output":
                talk.output(value)
            elif speaker is None:
                talk.other(name, value)
            else:
                talk.say(speaker, text_of(value, place))
        yield from talk.materials(tools, "conversations")
