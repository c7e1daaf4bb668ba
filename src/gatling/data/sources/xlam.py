"""Salesforce/xlam-function-calling-60k: requests with their tools and the calls that answer them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import decoded, one_text, read_tools
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.source import Columns, Material, Rejected, Source, Unlabelled
from gatling.trace.reader import found


class XLAM(Source):
    """Reference calls that nobody made."""

    name = "xlam"
    repo = "Salesforce/xlam-function-calling-60k"
    files = ("*.json",)
    licence = "CC-BY-4.0"
    gate = "gated"
    role = "benign"
    columns: ClassVar[Columns] = {"query": "text", "answers": "text", "tools": "text"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "scope"})
    size = 60_000
    form = "calls"
    note = "One request a row and no tool outputs, so nothing flows."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The request with its calls."""
        tools = read_tools(row.get("tools"), "tools")
        talk = Conversation()
        talk.say("user", one_text(row.get("query"), "query", "chat").text)
        answers = decoded(row.get("answers"), "answers")
        if not isinstance(answers, list | None):
            raise Rejected(f"answers: found {found(answers)}, not a list of calls")
        talk.call_json(answers or [])
        yield from talk.materials(tools, "query")
