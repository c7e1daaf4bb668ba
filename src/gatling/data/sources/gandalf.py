"""Lakera/gandalf_ignore_instructions: what people wrote to have a model give up a password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gatling.data.sources.columns import one_text
from gatling.data.sources.source import Columns, Label, Material, Source, Unlabelled


class Gandalf(Source):
    """Injections alone."""

    name = "gandalf"
    repo = "Lakera/gandalf_ignore_instructions"
    files = ("**/*.parquet",)
    licence = "MIT"
    role = "adversarial"
    columns: ClassVar[Columns] = {"text": "text", "similarity": "number"}
    labels = frozenset({"similarity"})
    meaning = "Every row is an attack; similarity says how near it is to asking that instructions be ignored."
    terms = frozenset({"hierarchy"})
    size = 1_000
    form = "text"
    note = "Its three splits (777, 111, 112) are read as one."

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """Always an attack."""
        return "attack"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The prompt."""
        yield one_text(row.get("text"), "text", "chat")
