"""ai-safety-institute/AgentHarm: requests of a user who means harm, and harmless ones like them.

For evaluation alone: the data carries a canary, and none of it is ever part of a training mix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from gatling.data.sources.columns import objects, one_text
from gatling.data.sources.source import Columns, Label, Material, Source, Unlabelled


class AgentHarm(Source):
    """The harmful requests, and those of the chat set."""

    name = "agentharm"
    repo = "ai-safety-institute/AgentHarm"
    files: ClassVar[tuple[str, ...]] = ("benchmark/harmful_behaviors_*.json", "**/chat*.json")
    licence = "LicenseRef-AgentHarm"
    role = "evaluation"
    columns: ClassVar[Columns] = {"id": "text", "name": "text", "category": "text", "prompt": "text"}
    labels = frozenset({"id", "id_original", "name", "category", "grading_function"})
    meaning = "Every row asks for harm. It is the user who asks: nothing is injected."
    terms = frozenset({"flow", "scope"})
    size = 260
    form = "text"
    note = "MIT with a clause (only to improve AI safety and security), and a canary: never train on it."

    def rows(self, document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """A file keeps its rows under `behaviors`."""
        for _, row in objects(document.get("behaviors"), "behaviors"):
            yield row

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """Always an attack."""
        return "attack"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The request."""
        yield one_text(row.get("prompt"), "prompt", "chat")


class AgentHarmBenign(AgentHarm):
    """The harmless twins of the harmful requests."""

    name = "agentharm_benign"
    files = ("benchmark/benign_behaviors_*.json",)
    meaning = "No row asks for harm."
    size = 208

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """Never an attack."""
        return "benign"
