"""Runs to labelled plans: provenance by the code that audits in production, energies by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatling.data.run import TERMS as TERM_NAMES
from gatling.data.run import Run
from gatling.energy import TERMS, Context, calibrate, composite
from gatling.history import History
from gatling.plan import Edge, ExecutionPlan, Intent, ToolCall, TrustTier
from gatling.policy import Policy
from gatling.provenance import trace

_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the audit says of one call with the shipped weights."""

    terms: Mapping[str, float]
    energy: float


@dataclass(frozen=True, slots=True)
class Computed:
    """What follows from a run alone: its plan, and the audit's opinion of each call."""

    plan: ExecutionPlan
    opinions: tuple[Opinion, ...]

    @property
    def energy(self) -> float:
        """The audit's energy of the plan: its worst call's."""
        return max((o.energy for o in self.opinions), default=0.0)


def compute(run: Run, identifier: str) -> Computed:
    """The plan of a run, with each call traced at the moment it was proposed."""
    history, toolbox = History(), run.setting.toolbox
    pending: dict[str, int] = {}
    calls: list[ToolCall] = []
    edges: list[Edge] = []
    opinions: list[Opinion] = []
    for message in run.messages:
        match message.role:
            case "system":
                history.system(str(message.content))
            case "user":
                history.user(str(message.content))
            case "tool":
                index = pending.pop(message.call_id or "", None)
                tool = history.calls[index][1] if index is not None else None
                history.output(message.content, tool, index)
            case "assistant":
                history.assistant(str(message.content))
                for call in message.calls:
                    tool = run.setting.tool(call)
                    index = pending[call.id] = history.made(call.id, tool, call.arguments)
                    node, into = trace(history, call.id, tool, call.arguments, index)
                    request = history.request
                    intent = Intent(tuple(request.sentences[-20:]), (), tuple(request.delegations[-4:]))
                    context = Context(history.spans, intent, tool, _POLICY)
                    terms = {term.name: term.score(node, context) for term in TERMS}
                    calls.append(node)
                    edges += into
                    opinions.append(
                        Opinion({n: s.value for n, s in terms.items()}, calibrate(composite(terms)))
                    )
    policy = tuple(s.text for s in history.spans if s.tier is TrustTier.SYSTEM)
    intent = Intent(tuple(history.request.sentences), policy, tuple(history.request.delegations))
    plan = ExecutionPlan(identifier, run.origin, intent, tuple(history.spans), tuple(calls), tuple(edges))
    return Computed(plan, tuple(opinions))


__all__ = ["TERM_NAMES", "Computed", "Opinion", "compute"]
