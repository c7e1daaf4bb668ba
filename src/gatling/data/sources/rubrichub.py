"""sojuL/RubricHub_v1: tasks with rubrics, in two forms that lie in one repository."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import first_request, one_text
from gatling.data.sources.source import Columns, Material, Source, Unlabelled

_REPO = "sojuL/RubricHub_v1"
_MEANING = "No label: rubrics say what a good answer holds."


class RubricHub(Source):
    """The tasks for reinforcement learning, as lists of messages."""

    name = "rubrichub"
    repo = _REPO
    files = ("RuRL/*",)
    licence = "Apache-2.0"
    role = "benign"
    columns: ClassVar[Columns] = {"prompt": "list", "Rubrics": "list"}
    labels = frozenset({"Rubrics", "reward_model"})
    meaning = _MEANING
    terms = frozenset({"scope"})
    size = 181_528
    form = "text"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The user's first request."""
        yield first_request(row.get("prompt"), "prompt")


class RubricHubSFT(Source):
    """The tasks for fine-tuning, as texts."""

    name = "rubrichub_sft"
    repo = _REPO
    files = ("sft_RuFT/*",)
    licence = "Apache-2.0"
    role = "benign"
    columns: ClassVar[Columns] = {"query": "text", "rubrics": "any"}
    labels = frozenset({"rubrics", "rubric_score", "rubric_judge_details"})
    meaning = _MEANING
    terms = frozenset({"scope"})
    size = 182_732
    form = "text"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The task."""
        yield one_text(row.get("query"), "query", "chat")
