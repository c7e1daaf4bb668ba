"""What an energy term is: a map from a call, in its plan, to a value on 0–10, its arithmetic and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gatling.plan import Intent, Span, ToolCall
from gatling.policy import Policy
from gatling.tools import Tool


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence: an argument, a span, or both, and why they count."""

    reason: str
    path: str | None = None
    value: str | None = None
    span: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One addend of a term's arithmetic: `value` × `weight`."""

    name: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class TermScore:
    """A term's energy on 0–10, the addends it was made of, the formula that joins them, and the evidence."""

    value: float
    formula: str
    parts: tuple[Part, ...] = ()
    evidence: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What a term may look at beside the call: texts by number, the intent, the tool and the policy."""

    spans: list[Span]
    intent: Intent
    tool: Tool
    policy: Policy
    earlier: tuple[float, ...] = ()
    """How well strangers' texts explained each earlier call of the run; see `Hierarchy.explained`."""


class Term(Protocol):
    """An energy term. `score` is a pure function: the same call in the same context has the same energy."""

    name: str

    def score(self, call: ToolCall, context: Context) -> TermScore:
        """Energy of one call."""
        ...
