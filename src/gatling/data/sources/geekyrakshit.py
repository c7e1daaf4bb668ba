"""geekyrakshit/prompt-injection-dataset: prompts, injections among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gatling.data.sources.columns import one_text
from gatling.data.sources.labels import from_flag
from gatling.data.sources.source import Columns, Label, Material, Source, Unlabelled


class Geekyrakshit(Source):
    """Prompts labelled as injection or not."""

    name = "geekyrakshit"
    repo = "geekyrakshit/prompt-injection-dataset"
    files = ("**/*.parquet",)
    licence = "unknown"
    role = "both"
    columns: ClassVar[Columns] = {"prompt": "text", "label": "integer"}
    labels = frozenset({"label"})
    meaning = "label 1: the prompt is an injection; 0: it is not."
    terms = frozenset({"hierarchy"})
    form = "text"
    note = (
        "No licence found: ask its author before publishing anything made of it. 100K to 1M rows by its tag."
    )

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """1 is an attack."""
        return from_flag(labels["label"], "label")

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The prompt."""
        yield one_text(row.get("prompt"), "prompt", "chat")
