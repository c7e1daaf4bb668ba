"""One agent run under audit: texts come in as they happen, proposed calls are checked before they run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import asdict, dataclass
from itertools import count, islice
from threading import RLock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gatling.energy import Context, Reason, TermScore
from gatling.energy.hierarchy import Hierarchy
from gatling.history import History
from gatling.model.bundle import Bundle
from gatling.model.network import LATENT, State
from gatling.model.view import VERIFIED_TEXTS, view
from gatling.plan import (
    Edge,
    ExecutionPlan,
    Intent,
    PlanOrigin,
    Scope,
    Span,
    ToolCall,
    TrustTier,
)
from gatling.policy import Policy
from gatling.provenance import MAX_ARGUMENTS, trace
from gatling.runtime.rules import Ruling, of_arguments, of_tool
from gatling.runtime.verdict import Decision, Evidence, Verdict, gravest
from gatling.spans import leaves
from gatling.text import visible
from gatling.tools import Tool, Toolbox
from gatling.trace import Message, ProposedCall, TraceError, read_message, read_trace
from gatling.trace.reader import plain

QUOTED = 300
"""Characters of a text that evidence quotes."""

_STATE_VERSION = 1
_active: ContextVar[Session] = ContextVar("gatling_session")


def active_session() -> Session:
    """The session whose `with` block encloses the caller.

    Raises:
        RuntimeError: there is none.
    """
    try:
        return _active.get()
    except LookupError:
        raise RuntimeError("no session is active: call the tool inside `with auditor.session():`") from None


class StateError(ValueError):
    """A stored session that cannot be loaded; the message says why."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with everything it rests on."""

    call: ToolCall
    tool: Tool
    edges: tuple[Edge, ...]
    terms: Mapping[str, TermScore]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Measured:
    """A call in its plan with its terms, and how far the run was then."""

    call: ToolCall
    edges: tuple[Edge, ...]
    terms: Mapping[str, TermScore]
    at: tuple[int, int]


@dataclass(slots=True)
class _Run:
    """What a session and those it handed over to share."""

    history: History
    events: list[Message]
    pending: list[tuple[int, ProposedCall]]
    """Calls made and not yet answered, with their indices."""
    measured: dict[int, Measured]
    """Calls as they were last measured, by index."""
    explained: dict[int, float]
    """How well strangers' texts explained each call when it was made."""
    state: State
    """What the model's network keeps of the calls."""
    lock: RLock
    numbers: Iterator[int]
    """Numbers for calls that nobody gave an id."""


class Session:
    """A run of one agent. `observe` what it reads and says, `check` what it wants to do. Thread-safe."""

    def __init__(self, policy: Policy, toolbox: Toolbox, model: Bundle, *, redact: bool = False) -> None:
        self._policy, self._toolbox, self._model, self._redact = policy, toolbox, model, redact
        self._run = _Run(History(), [], [], {}, {}, State(), RLock(), count())
        self._sub_agent = False
        self._entered: ContextVar[tuple[Token[Session], ...]] = ContextVar("gatling_entered", default=())

    def __enter__(self) -> Session:
        self._entered.set((*self._entered.get(), _active.set(self)))
        return self

    def __exit__(self, *_: object) -> None:
        *outer, token = self._entered.get()
        self._entered.set(tuple(outer))
        _active.reset(token)

    # What happens

    def observe(self, message: Any, format: str | None = None) -> None:
        """Take in one message: a `Message`, or a native one of any known format, dict or SDK object.

        Calls inside an assistant's message are noted as made; `check` them to have them judged.

        Raises:
            TraceError: the message cannot be read; the session is as it was before.
        """
        read = (message,) if isinstance(message, Message) else read_message(message, format)
        with self._run.lock:
            for one in read:
                self._take(one)

    def _take(self, message: Message) -> None:
        history = self._run.history
        role = "assistant" if self._sub_agent and message.role in ("system", "user") else message.role
        self._run.events.append(
            message if role == message.role else Message("assistant", message.content, unread=message.unread)
        )
        if role == "tool":
            index = self._answered(message)
            tool = history.calls[index][1] if index is not None else None
            if tool is None and message.tool:
                tool = self._toolbox.tool(message.tool)
            history.output(message.content, tool, index)
            for part in message.unread:
                history.unread(f"{part} in the output of {tool.name if tool else 'an unknown tool'}")
            return
        text = message.content if isinstance(message.content, str) else json.dumps(message.content)
        if role == "system":
            history.system(text)
        elif role == "user":
            history.user(text)
        else:
            history.assistant(text)
            for call in message.calls:
                # checked before it was observed: still one call
                if all(made != call for _, made in self._run.pending):
                    self._made(call)

    def _made(self, call: ProposedCall) -> int:
        arguments = call.arguments if isinstance(call.arguments, dict) else {}
        tool = self._toolbox.tool(call.tool, list(arguments))
        index = self._run.history.made(call.id, tool, call.arguments)
        self._run.pending.append((index, call))
        # Measured at once, checked or not: later calls are compared with it. A fault shows at the check.
        with suppress(Exception):
            measured = self._measure(call, tool, index)
            self._run.explained[index] = Hierarchy.explained(measured.terms["hierarchy"])
        return index

    def _measure(self, call: ProposedCall, tool: Tool, index: int) -> Measured:
        """A call by what stands before it now; measured again only when more was read or answered."""
        run, history = self._run, self._run.history
        waiting = {i for i, _ in run.pending}
        at = (len(history.spans), len(history.calls) - len(waiting))
        known = run.measured.get(index)
        if known is not None and known.at == at:
            return known
        node, edges = trace(history, call.id, tool, call.arguments, index)
        # Calls proposed together are judged in any order, so those still under way do not count as earlier.
        answered = [i for i in run.explained if i < index and i not in waiting]
        earlier = tuple(run.explained[i] for i in answered)
        context = Context(history.spans, self._intent(), tool, self._policy, earlier)
        terms = {term.name: term.score(node, context) for term in self._model.weights.terms}
        if (network := self._model.network) is not None:
            numbers = history.trusted.spans + history.verified.spans[-VERIFIED_TEXTS:]
            trusted = [history.spans[number] for number in numbers]
            nodes = {i: run.measured[i].call for i in answered}
            seen = view(node, nodes, history.spans, trusted, edges)
            terms[LATENT] = network.step(seen, index, max(answered, default=None), run.state).score
        run.measured[index] = Measured(node, edges, terms, at)
        return run.measured[index]

    def _answered(self, message: Message) -> int | None:
        """The call that an output answers: by id, else the latest of that tool's that waits for one."""
        pending = self._run.pending
        for position in range(len(pending) - 1, -1, -1):
            index, call = pending[position]
            if call.id == message.call_id if message.call_id is not None else call.tool == message.tool:
                del pending[position]
                return index
        return self._run.history.index_of(message.call_id)

    # What is asked

    def check(self, call: Any, format: str | None = None) -> Verdict:
        """Judge a proposed call by what stood before it. Never raises for what the agent wrote.

        `call` is a `ProposedCall`, a mapping with `tool` (or `name`) and `arguments`, or a native tool call
        of any known format.
        """
        try:
            proposed = _proposed(call, format)
        except TraceError as error:
            proposed = ProposedCall("", "", {}, str(error))
        return self.judge(proposed).verdict

    def proposed(self, tool: str, arguments: dict[str, Any]) -> ProposedCall:
        """The call that the agent already made with this tool and these arguments, else a new one."""
        with self._run.lock:
            for _, call in self._run.pending:
                if call.tool == tool and call.arguments == arguments:
                    return call
            return ProposedCall(f"call#{next(self._run.numbers)}", tool, plain(arguments))

    def judge(self, call: ProposedCall) -> Judgement:
        """Like `check`, with everything that the verdict rests on."""
        with self._run.lock:
            arguments = call.arguments if isinstance(call.arguments, dict) else {}
            tool = self._toolbox.tool(call.tool, list(arguments))
            try:
                index = next((i for i, made in self._run.pending if made is call or made == call), None)
                if index is None:
                    index = self._made(call)
                    self._run.events.append(Message("assistant", "", (call,)))
                return self._judge(call, tool, index)
            except Exception as error:  # the audit fails closed, whatever went wrong
                return self._failed(call, tool, error)

    def _judge(self, call: ProposedCall, tool: Tool, index: int) -> Judgement:
        measured = self._measure(call, tool, index)
        node, terms = measured.call, measured.terms
        energies = {name: score.value for name, score in terms.items()}
        energy = self._model.weights.energy(energies)
        thresholds = self._policy.thresholds
        decision: Decision = "allow"
        if energy >= thresholds.deny:
            decision = "deny"
        elif energy >= thresholds.escalate:
            decision = "escalate"
        evidence = [
            self._evidence(name, reason) for name, score in terms.items() for reason in score.evidence
        ]
        rulings = [*of_tool(self._policy, call), *of_arguments(self._policy, call, tool, node.scope)]
        for ruling, reason in [*self._unreadable(call, tool), *self._ruled(rulings)]:
            decision = gravest([decision, ruling])
            energy = max(energy, thresholds.deny if ruling == "deny" else thresholds.escalate)
            evidence.insert(0, reason)
        verdict = Verdict(
            call_id=call.id,
            tool=call.tool,
            energy=energy,
            terms=energies,
            decision=decision,
            evidence=evidence,
        )
        return Judgement(node, tool, measured.edges, terms, verdict)

    def _ruled(self, rulings: list[Ruling]) -> list[tuple[Decision, Evidence]]:
        return [(decision, self._evidence("policy", reason)) for decision, reason in rulings]

    def _unreadable(self, call: ProposedCall, tool: Tool) -> list[tuple[Decision, Evidence]]:
        """What could not be read escalates: malformed calls always, the rest where the call has an effect."""
        found: list[str] = []
        if call.problem:
            found.append("the call is malformed" if self._redact else call.problem)
        if len(list(islice(leaves(call.arguments), MAX_ARGUMENTS + 1))) > MAX_ARGUMENTS:
            found.append(f"arguments after the {MAX_ARGUMENTS}th were not traced")
        if tool.acts:
            found += self._run.history.limits[:4]
            if not self._run.history.request.sentences:
                found.append("no request of a user stands before this call")
        return [("escalate", Evidence(term="input", reason=reason)) for reason in found]

    def _failed(self, call: ProposedCall, tool: Tool, error: Exception) -> Judgement:
        """The judgement on a call that could not be judged: escalated, unless the policy denies the tool."""
        reason = f"the audit of this call failed with {type(error).__name__}; it is not allowed"
        ruled = self._ruled(of_tool(self._policy, call))
        verdict = Verdict(
            call_id=call.id,
            tool=call.tool,
            energy=10.0,
            terms={name: 10.0 for name in self._model.terms},
            decision=gravest(["escalate", *(ruling for ruling, _ in ruled)]),
            evidence=[Evidence(term="input", reason=reason), *(evidence for _, evidence in ruled)],
        )
        node = ToolCall(call.id, call.tool, call.arguments, tool.effects, Scope())
        return Judgement(node, tool, (), {}, verdict)

    def _evidence(self, term: str, reason: Reason) -> Evidence:
        span = self._run.history.spans[reason.span] if reason.span is not None else None
        value = reason.value[:QUOTED] if reason.value is not None else None
        return Evidence(
            term=term,
            reason=reason.reason,
            path=reason.path,
            value=None if self._redact else value,
            span=reason.span,
            origin=f"{span.source} ({span.tier.name.lower()})" if span else None,
            text=visible(span.text)[:QUOTED] if span and not self._redact else None,
        )

    def _intent(self) -> Intent:
        request = self._run.history.request
        return Intent(tuple(request.sentences[-20:]), (), tuple(request.delegations[-4:]))

    # What has been

    @property
    def spans(self) -> list[Span]:
        """Every text observed so far, by number."""
        return self._run.history.spans

    def plan(self, identifier: str = "session") -> ExecutionPlan:
        """The run so far as an `ExecutionPlan`."""
        with self._run.lock:
            history, measured = self._run.history, self._run.measured
            policy = tuple(s.text for s in history.spans if s.tier is TrustTier.SYSTEM)
            intent = Intent(tuple(history.request.sentences), policy, tuple(history.request.delegations))
            calls = tuple(
                measured[i].call if i in measured else ToolCall(made, tool.name, None, tool.effects, Scope())
                for i, (made, tool) in enumerate(history.calls)
            )
            edges = tuple(edge for _, one in sorted(measured.items()) for edge in one.edges)
            return ExecutionPlan(identifier, PlanOrigin.OBSERVED, intent, tuple(history.spans), calls, edges)

    def hand_over(self) -> Session:
        """A session for a sub-agent: it shares this one's history, and so its request and its taint.

        What the sub-agent gets as system or user messages was written by this agent, so it is no origin:
        it inherits from what explains it.
        """
        child = Session(self._policy, self._toolbox, self._model, redact=self._redact)
        child._run, child._sub_agent = self._run, True
        return child

    def dump(self) -> str:
        """The session as JSON text, for `Auditor.load`. It holds the run's texts in clear."""
        with self._run.lock:
            messages = [asdict(message) for message in self._run.events]
        return json.dumps({"version": _STATE_VERSION, "messages": messages})

    def restore(self, state: str) -> None:
        """Take in what `dump` wrote.

        Raises:
            StateError: the text is no stored session.
        """
        try:
            loaded = json.loads(state)
            if not isinstance(loaded, dict) or loaded.get("version") != _STATE_VERSION:
                raise StateError(f"not a session of version {_STATE_VERSION}")
            messages = TypeAdapter(list[Message]).validate_python(loaded.get("messages"))
        except (json.JSONDecodeError, ValidationError, RecursionError) as error:
            raise StateError(f"not a stored session: {type(error).__name__}") from None
        with self._run.lock:
            for message in messages:
                self._take(message)


def _proposed(call: Any, format: str | None) -> ProposedCall:
    """One proposed call, from any of the forms that `Session.check` takes."""
    if isinstance(call, ProposedCall):
        return call
    item = plain(call)
    if isinstance(item, dict) and "role" not in item:
        if item.get("type") == "tool_use":
            item, format = {"role": "assistant", "content": [item]}, "anthropic"
        elif isinstance(item.get("function"), dict):
            item, format = {"role": "assistant", "content": None, "tool_calls": [item]}, "openai-chat"
        elif "type" not in item:
            item, format = {"request": [], "calls": [item]}, "plan"
            return _single([c for m in read_trace(item, format).messages for c in m.calls])
    return _single([c for message in read_message(item, format) for c in message.calls])


def _single(calls: list[ProposedCall]) -> ProposedCall:
    if len(calls) == 1:
        return calls[0]
    return ProposedCall("", "", {}, f"expected one tool call, found {len(calls)}")
