"""daqc/info-security-policies-rag-distiset: passages of security policies with questions on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import text_of
from gatling.data.sources.source import Columns, Material, Rejected, Source, Text, Unlabelled


class InfosecPolicies(Source):
    """Texts in the imperative that order an agent nothing."""

    name = "infosec_policies"
    repo = "daqc/info-security-policies-rag-distiset"
    files = ("**/*.parquet",)
    licence = "unknown"
    role = "benign"
    columns: ClassVar[Columns] = {"context": "text", "question": "text"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "scope"})
    size = 100
    form = "text"
    note = "No licence found: ask its author before publishing anything made of it."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The passage as a document, and the question about it."""
        context, question = (text_of(row.get(column), column) for column in ("context", "question"))
        if not context.strip() and not question.strip():
            raise Rejected("context, question: both empty, nothing to read")
        if context.strip():
            yield Text(context, "document")
        if question.strip():
            yield Text(question, "chat")
