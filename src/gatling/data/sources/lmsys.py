"""lmsys/lmsys-chat-1m: conversations of people with chat models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import first_request
from gatling.data.sources.source import Columns, Material, Source, Unlabelled


class LMSYS(Source):
    """What people ask an assistant for."""

    name = "lmsys"
    repo = "lmsys/lmsys-chat-1m"
    files = ("**/*.parquet",)
    licence = "LicenseRef-LMSYS-Chat-1M"
    gate = "gated"
    role = "benign"
    columns: ClassVar[Columns] = {"conversation": "list", "openai_moderation": "list"}
    labels = frozenset({"openai_moderation", "redacted"})
    meaning = "No label: moderation flags say what is offensive, not what is an attack."
    terms = frozenset({"scope"})
    size = 1_000_000
    form = "text"
    note = "A licence of its own, behind a form. Real users: some try jailbreaks. First requests are read."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The user's first request."""
        yield first_request(row.get("conversation"), "conversation")
