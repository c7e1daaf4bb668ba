"""The tools that texts are matched against, and the call that a text asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gatling.data.inference.arguments import arguments
from gatling.data.inference.ranking import Ranking, Scores
from gatling.data.inference.schema import Schema, read_schema
from gatling.data.inference.scope import scope
from gatling.data.inference.volume import EXAMINED as READ
from gatling.data.worlds.domain import domains
from gatling.plan import JSON, Scope
from gatling.text import words
from gatling.tools import Tool

EXAMINED = 256
"""Words of a text by which its tool is chosen: the first three quarters, and the last quarter."""

LEAST = 2.0
"""Score below which no tool is meant; small talk lies below. `benchmarks.extraction` counts what it costs."""

BATCH = 256


@dataclass(frozen=True, slots=True)
class InferredCall:
    """A call that a text asks for, guessed from the text alone."""

    tool: str
    arguments: dict[str, JSON]
    """Values that stand in the text; parameters for which it holds none are left out."""
    confidence: float
    """Probability of the tool among the registry's, in (0, 1]; it says nothing of the arguments."""
    scope: Scope


class ToolRegistry:
    """Tools by name, matched to texts by meaning and verbs.

    Schemas may have any form that `gatling.tools.read_tools` takes; of two of one name the first is kept.

    >>> add = {"name": "add", "description": "Adds two numbers."}
    >>> mail = {"name": "send_mail", "description": "Sends a mail."}
    >>> ToolRegistry([add, mail]).infer("Mail the report to Ana").tool
    'send_mail'

    Raises:
        gatling.tools.ToolError: the schema that cannot be read, and what was expected.
    """

    def __init__(self, schemas: Iterable[Mapping[str, Any]]) -> None:
        known: dict[str, Schema] = {}
        for schema in schemas:
            for read in read_schema(schema):
                known.setdefault(read.tool.name, read)
        self._schemas = list(known.values())
        self._index = {name: at for at, name in enumerate(known)}
        self._ranking = Ranking(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def tool(self, name: str) -> Tool:
        """What is known of a tool. Raises `KeyError` for a name that is not in the registry."""
        return self._schemas[self._index[name]].tool

    def rank(self, text: str, among: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """Tools and their probabilities among those asked about, the likeliest first.

        Raises:
            KeyError: a name in `among` that is not in the registry.
        """
        at = range(len(self._schemas)) if among is None else [self._index[name] for name in among]
        if not at:
            return []
        scores = self._scores([text], [words(text[:READ])])[0][list(at)]
        order = np.argsort(-scores, kind="stable")
        likely = _probabilities(scores[None])[0]
        return [(self._schemas[at[i]].tool.name, float(likely[i])) for i in order]

    def infer(self, text: str) -> InferredCall | None:
        """The call that a text asks for; None when it asks for nothing that a tool does."""
        return self.infer_many([text])[0]

    def infer_many(self, texts: Sequence[str]) -> list[InferredCall | None]:
        """`infer` of each text."""
        found: list[InferredCall | None] = []
        for start in range(0, len(texts), BATCH):
            found += self._infer(texts[start : start + BATCH])
        return found

    def _infer(self, texts: Sequence[str]) -> list[InferredCall | None]:
        if not self._schemas:
            return [None] * len(texts)
        read = [words(text[:READ]) for text in texts]
        scores = self._scores(texts, read)
        best = scores.argmax(1)
        likely = 1 / np.exp(scores - scores.max(1, keepdims=True)).sum(1)
        found: list[InferredCall | None] = []
        for row, text in enumerate(texts):
            schema = self._schemas[best[row]]
            if scores[row, best[row]] < LEAST:
                found.append(None)
                continue
            asked = scope(text[:READ], read[row])
            sensitivity = max(asked.sensitivity, schema.tool.sensitivity)
            found.append(
                InferredCall(
                    schema.tool.name,
                    arguments(text, schema.parameters),
                    float(likely[row]),
                    Scope(asked.volume, asked.window_days, asked.depth, sensitivity),
                )
            )
        return found

    def _scores(self, texts: Sequence[str], read: Sequence[Sequence[str]]) -> Scores:
        ends = [_ends(ws) for ws in read]
        return self._ranking.scores(ends, [sum(map(str.isdecimal, ws)) for ws in ends])


def _ends(ws: Sequence[str]) -> Sequence[str]:
    """A text's words within `EXAMINED`: what is asked stands at its start or at its end."""
    return ws if len(ws) <= EXAMINED else [*ws[: EXAMINED * 3 // 4], *ws[-(EXAMINED // 4) :]]


def _probabilities(scores: Scores) -> Scores:
    shares: Scores = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return shares


@lru_cache(maxsize=1)
def default_registry() -> ToolRegistry:
    """The tools of all domains of the simulated worlds, read at first use."""
    return ToolRegistry(tool.schema_ for domain in domains().values() for tool in domain.tools)
