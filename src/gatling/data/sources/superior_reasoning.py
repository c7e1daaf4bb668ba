"""Alibaba-Apsara/Superior-Reasoning-SFT-gpt-oss-120b: problems in mathematics, code and science."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import one_text
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class SuperiorReasoning(Source):
    """Tasks that need thought and no tool."""

    name = "superior_reasoning"
    repo = "Alibaba-Apsara/Superior-Reasoning-SFT-gpt-oss-120b"
    files = ("*stage1*.jsonl", "*stage2*.jsonl")
    licence = "CC-BY-4.0"
    role = "benign"
    columns: ClassVar[Columns] = {"input": "text"}
    meaning = "No label."
    terms = frozenset({"scope"})
    form = "text"
    note = "435K rows by its card. The answers, distilled from a model, are not read."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The task."""
        yield one_text(row.get("input"), "input", "chat")
