"""What an audit says: a verdict per call, one per trace, and the evidence behind each term."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Decision: TypeAlias = Literal["allow", "repair", "escalate", "deny"]

DECISIONS: tuple[Decision, ...] = ("allow", "repair", "escalate", "deny")
"""From the mildest to the gravest; a trace's decision is its gravest call's. Nothing repairs yet."""

Energy = Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Record):
    """One reason: which argument, which text, from where, and why it counts.

    With `redact=True` the fields `value` and `text` hold None; `span` and `path` still say where to look.
    """

    term: str
    """The energy term that this supports, or `input` for what could not be read."""
    reason: str
    path: str | None = None
    """Argument path inside the call (`to[0]`), or None when the whole call is meant."""
    value: str | None = None
    """The argument's value."""
    span: int | None = None
    """Number of the span, in the order in which the session saw texts."""
    origin: str | None = None
    """Who wrote the span, with its trust tier: `user (user)`, `tool:read_mail (untrusted)`."""
    text: str | None = None
    """The text that explains the call or holds the value, at most 300 characters."""


class Verdict(_Record):
    """What the audit thinks of one proposed call."""

    call_id: str
    tool: str
    energy: Energy
    terms: dict[str, Energy]
    """Energy by term: hierarchy, provenance, scope, flow; open for terms that a model bundle adds."""
    decision: Decision
    evidence: list[Evidence]

    @property
    def allowed(self) -> bool:
        """True when the call may run as it stands."""
        return self.decision == "allow"


class TraceVerdict(_Record):
    """What the audit thinks of a whole run or plan: its worst call's energy, its gravest call's decision."""

    id: str
    schema_version: Literal[1] = 1
    energy: Energy
    decision: Decision
    calls: list[Verdict]
    problem: str | None = None
    """Why the trace, or part of it, could not be read: file, line and reason. None when all was read."""


def unreadable(trace_id: str, problem: str) -> TraceVerdict:
    """The verdict on a trace that cannot be read: escalated, never allowed and never dropped."""
    return TraceVerdict(id=trace_id, energy=10.0, decision="escalate", calls=[], problem=problem)


def gravest(decisions: list[Decision]) -> Decision:
    """The gravest of several decisions; `allow` for none."""
    return max(decisions, key=DECISIONS.index, default="allow")
