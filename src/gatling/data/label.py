"""Runs to labelled plans: provenance by the code that audits in production, energies by construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatling.data.run import TERMS as TERM_NAMES
from gatling.data.run import Run, Sample, Setting
from gatling.energy import Context, analytic
from gatling.energy.hierarchy import Hierarchy
from gatling.history import History
from gatling.plan import Edge, ExecutionPlan, Intent, Scope, ToolCall, TrustTier
from gatling.policy import Policy
from gatling.provenance import trace
from gatling.reach import reach
from gatling.tools import Tool
from gatling.trace import Message, ProposedCall

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


@dataclass(slots=True)
class _Replay:
    """A run replayed up to some message: what was read, and the calls traced so far."""

    history: History
    pending: dict[str, int]
    calls: list[ToolCall]
    edges: list[Edge]
    opinions: list[Opinion]
    explained: list[float]
    """How well strangers' texts explained each call."""

    def fork(self) -> _Replay:
        return _Replay(
            self.history.fork(),
            dict(self.pending),
            self.calls[:],
            self.edges[:],
            self.opinions[:],
            self.explained[:],
        )

    def take(self, message: Message, setting: Setting) -> None:
        """Take in the next message; its calls are traced at the moment they are proposed."""
        history = self.history
        match message.role:
            case "system":
                history.system(str(message.content))
            case "user":
                history.user(str(message.content))
            case "tool":
                index = self.pending.pop(message.call_id or "", None)
                tool = history.calls[index][1] if index is not None else None
                history.output(message.content, tool, index)
            case "assistant":
                history.assistant(str(message.content))
                for call in message.calls:
                    self._propose(call, setting.tool(call))

    def _propose(self, call: ProposedCall, tool: Tool) -> None:
        history = self.history
        index = self.pending[call.id] = history.made(call.id, tool, call.arguments)
        node, into = trace(history, call.id, tool, call.arguments, index)
        request = history.request
        intent = Intent(tuple(request.sentences[-20:]), (), tuple(request.delegations[-4:]))
        waiting = set(self.pending.values())
        earlier = tuple(x for i, x in enumerate(self.explained) if i not in waiting)
        context = Context(history.spans, intent, tool, _POLICY, earlier)
        weights = analytic()
        scores = {term.name: term.score(node, context) for term in weights.terms}
        terms = {name: score.value for name, score in scores.items()}
        self.explained.append(Hierarchy.explained(scores["hierarchy"]))
        self.calls.append(node)
        self.edges += into
        self.opinions.append(Opinion(terms, weights.energy(terms)))

    def computed(self, run: Run, identifier: str) -> Computed:
        history = self.history
        policy = tuple(s.text for s in history.spans if s.tier is TrustTier.SYSTEM)
        intent = Intent(tuple(history.request.sentences), policy, tuple(history.request.delegations))
        plan = ExecutionPlan(
            identifier, run.origin, intent, tuple(history.spans), tuple(self.calls), tuple(self.edges)
        )
        return Computed(plan, tuple(self.opinions))


def compute(runs: Sequence[Run]) -> list[Computed]:
    """The plans of runs, in order. Twins begin alike, so what they share with the first is replayed once."""
    if not runs:
        return []
    base = runs[0]
    shared = [_shared(base, run) for run in runs]
    kept: dict[int, _Replay] = {}
    replay = _Replay(History(), {}, [], [], [], [])
    for at, message in enumerate(base.messages):
        if at in shared[1:]:
            kept[at] = replay.fork()
        replay.take(message, base.setting)
    kept[len(base.messages)] = replay
    found = [replay.computed(base, base.group)]
    for run, at in zip(runs[1:], shared[1:], strict=True):
        replay = kept[at].fork()
        for message in run.messages[at:]:
            replay.take(message, run.setting)
        found.append(replay.computed(run, run.group))
    return found


def _shared(base: Run, run: Run) -> int:
    """How many messages two runs of one setting begin with alike."""
    if base.setting is not run.setting:
        return 0
    pairs = zip(base.messages, run.messages, strict=False)
    return next(
        (at for at, (a, b) in enumerate(pairs) if a is not b and a != b),
        min(len(base.messages), len(run.messages)),
    )


@dataclass(frozen=True, slots=True)
class Record:
    """A finished sample: a run, its plan, its labels by construction, and the audit's opinion beside them."""

    sample: Sample
    plan: ExecutionPlan
    energies: tuple[tuple[float, ...], ...]
    """Per call, in `TERM_NAMES`' order, 0–10: under 2 follows, 2–6 borderline, over 6 violates."""
    budget: Scope
    """The smallest scope that the request needs."""
    opinions: tuple[Opinion, ...]
    """The audit's, per call."""
    label_source: str = "construction"
    round: int = 0
    """The round of mining that made it; 0 for a first build."""

    @property
    def energy(self) -> float:
        """The plan's energy by construction: its worst call's worst term."""
        return max((value for call in self.energies for value in call), default=0.0)

    @property
    def opinion(self) -> float:
        """The audit's energy of the plan."""
        return max((o.energy for o in self.opinions), default=0.0)

    @property
    def disputed(self) -> bool:
        """True when label and audit stand on different sides of the threshold at 2."""
        return (self.energy >= 2.0) is not (self.opinion >= 2.0)


def finish(samples: Sequence[Sample]) -> list[Record]:
    """Samples of one group with everything that follows from their runs, and the labels by construction."""
    records = []
    for sample, computed in zip(samples, compute([s.run for s in samples]), strict=True):
        truth, plan = sample.truth, replace(computed.plan, id=sample.id)
        energies = tuple(
            tuple(truth.energies.get(call.id, {}).get(term, 0.0) for term in TERM_NAMES)
            for call in plan.calls
        )
        needed = truth.budget or _widest(call.scope for call in plan.calls)
        records.append(Record(sample, plan, energies, needed, computed.opinions))
    return records


def budget(run: Run) -> Scope:
    """The smallest scope that covers all calls of a run that does what was asked."""
    return _widest(reach(run.setting.tool(call), call.arguments) for call in run.calls())


def _widest(scopes: Iterable[Scope]) -> Scope:
    found = list(scopes)
    return Scope(
        max((s.volume for s in found), default=1.0),
        max((s.window_days for s in found), default=0.0),
        max((s.depth for s in found), default=0),
        max((s.sensitivity for s in found), default=1),
    )
