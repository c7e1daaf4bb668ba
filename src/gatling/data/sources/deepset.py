"""deepset/prompt-injections: short prompts, injections among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gatling.data.sources.columns import one_text
from gatling.data.sources.labels import from_flag
from gatling.data.sources.source import Columns, Label, Material, Source, Unlabelled


class Deepset(Source):
    """Prompts labelled as injection or not."""

    name = "deepset"
    repo = "deepset/prompt-injections"
    files = ("data/train-*.parquet",)
    licence = "Apache-2.0"
    role = "both"
    columns: ClassVar[Columns] = {"text": "text", "label": "integer"}
    labels = frozenset({"label"})
    meaning = "label 1: the text is an injection; 0: it is not."
    terms = frozenset({"hierarchy"})
    size = 546
    form = "text"
    note = "The training split alone; the 116 rows of `test` are left for evaluation."

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """1 is an attack."""
        return from_flag(labels["label"], "label")

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The prompt."""
        yield one_text(row.get("text"), "text", "chat")
