"""allenai/Dolci-Instruct-SFT-Tool-Use: tool use with real and simulated servers.

Calls stand beside a message's content, in `function_calls`, written as Python, one a line; tools stand in
`functions` of the system message; what a tool returned has the role `environment`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import Tools, content_of, objects, parameters_of, read_tools, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.source import Columns, Material, Source, Unlabelled
from gatling.data.sources.syntax import written_calls


class Dolci(Source):
    """Conversations with an environment."""

    name = "dolci"
    repo = "allenai/Dolci-Instruct-SFT-Tool-Use"
    files = ("**/*.parquet",)
    licence = "ODC-By-1.0"
    role = "benign"
    columns: ClassVar[Columns] = {"messages": "list"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    size = 227_579
    form = "calls"
    note = "The licence stands in its card's prose. A reader of `content` alone would lose every call."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The conversation."""
        messages = list(objects(row.get("messages"), "messages"))
        tools: Tools = ()
        for place, message in messages:
            tools += read_tools(message.get("functions"), f"{place}.functions")
        parameters = parameters_of(tools)
        talk = Conversation()
        for place, message in messages:
            role, content = message.get("role"), message.get("content")
            if role in ("environment", "tool", "function"):
                talk.output(content_of(content, f"{place}.content"))
            elif role in ("system", "user", "assistant"):
                talk.say(role, text_of(content, f"{place}.content"))
            else:
                talk.other(str(role), content_of(content, f"{place}.content"))
            calls = content_of(message.get("function_calls"), f"{place}.function_calls")
            if isinstance(calls, str) and not calls.lstrip().startswith(("{", "[{")):
                for call in written_calls(calls)[0]:
                    talk.call_written(call, parameters)
            elif calls:
                talk.call_json(calls)
        yield from talk.materials(tools, "messages")
