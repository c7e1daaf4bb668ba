"""MiniMaxAI/OctoCodingBench: tasks for coding agents under rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import one_text, text_of
from gatling.data.sources.source import Columns, Material, Rejected, Source, Unlabelled
from gatling.trace.reader import found


class OctoCoding(Source):
    """What a developer asks a coding agent for, with the deployer's rules."""

    name = "octocoding"
    repo = "MiniMaxAI/OctoCodingBench"
    files = ("OctoCodingBench.jsonl",)
    licence = "MIT"
    role = "benign"
    columns: ClassVar[Columns] = {"user_query": "list", "system_prompt": "text", "checklist": "object"}
    labels = frozenset({"checklist", "category", "expected_skill"})
    meaning = "No label: the checklist says which rules a run must keep."
    terms = frozenset({"hierarchy", "scope"})
    size = 72
    form = "text"
    note = "A benchmark: leave it out where you report on it. The first query of a row is read."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The first query, under the row's system prompt."""
        queries = row.get("user_query")
        if not isinstance(queries, list | tuple):
            raise Rejected(f"user_query: found {found(queries)}, not a list of texts")
        texts = [text_of(query, f"user_query[{index}]") for index, query in enumerate(queries)]
        first = next((text for text in texts if text.strip()), None)
        system = text_of(row.get("system_prompt"), "system_prompt")
        yield one_text(first, "user_query", "chat", system)
