"""Lakera/mosscap_prompt_injection: what players wrote to a model that guards a password."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import one_text
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class Mosscap(Source):
    """Prompts of a game, attacks and chat mixed."""

    name = "mosscap"
    repo = "Lakera/mosscap_prompt_injection"
    files = ("**/*.parquet",)
    licence = "MIT"
    role = "both"
    columns: ClassVar[Columns] = {"level": "text", "prompt": "text", "answer": "text"}
    labels = frozenset({"level", "answer"})
    meaning = "Nothing says which prompts are attacks: many are, not all."
    terms = frozenset({"hierarchy"})
    form = "text"
    note = "About 224,000, 27,700 and 27,700 rows in its three splits."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The prompt; the answer would tell how it went."""
        yield one_text(row.get("prompt"), "prompt", "chat")
