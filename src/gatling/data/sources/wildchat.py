"""allenai/WildChat-1M: conversations of people with ChatGPT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import first_request
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class WildChat(Source):
    """What people ask an assistant for."""

    name = "wildchat"
    repo = "allenai/WildChat-1M"
    files = ("**/*.parquet",)
    licence = "ODC-By-1.0"
    role = "benign"
    columns: ClassVar[Columns] = {"conversation": "list", "openai_moderation": "list"}
    labels = frozenset({"openai_moderation", "detoxify_moderation", "toxic", "redacted"})
    meaning = "No label: moderation flags say what is offensive, not what is an attack."
    terms = frozenset({"scope"})
    form = "text"
    note = "Real users: some try jailbreaks. First requests are read. Toxic rows were removed in 2024."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The user's first request."""
        yield first_request(row.get("conversation"), "conversation")
