"""The auditor: policy and tools, from which sessions, batch verdicts, explanations and guards come."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast, overload

from gatling.energy import TermScore, Weights
from gatling.model.bundle import Bundle, default
from gatling.plan import JSON, Edge, Span, ToolCall
from gatling.policy import Policy
from gatling.runtime.session import Session, active_session
from gatling.runtime.verdict import TraceVerdict, Verdict, gravest
from gatling.tools import Tool, Toolbox, ToolError, describe, read_tools
from gatling.trace import Message, ProposedCall, Trace
from gatling.trace.reader import plain

F = TypeVar("F", bound=Callable[..., Any])

TOOLBOXES, TOOLS_TEXT = 16, 200_000
"""Traces' own tool lists that an auditor remembers, and the characters of JSON of one at most: agents log the
same tools with every run, and reading 60 schemas takes as long as the rest of the audit."""

_RECEIVERS = ("self", "cls")
"""Parameters of a method that the agent does not choose."""


class CallRefused(PermissionError):
    """A guarded tool was not run. `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        reasons = "; ".join(dict.fromkeys(e.reason for e in verdict.evidence)) or "its energy is too high"
        super().__init__(f"{verdict.tool}: {verdict.decision} at energy {verdict.energy:.1f}: {reasons}")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class CallStory:
    """All there is to say about one call of a trace."""

    call: ToolCall
    verdict: Verdict
    tool: Tool
    spans: dict[int, Span]
    """Every span that the call's provenance, explanations and evidence mention."""
    edges: list[Edge]
    terms: Mapping[str, TermScore]
    weights: Weights
    """What joins the terms."""
    request: list[str]
    problem: str | None
    """Why part of the trace could not be read, or None."""


class Auditor:
    """Judges proposed calls under a policy.

    Args:
        policy: what the deployer decides; the default infers everything.
        tools: schemas of the agent's tools in OpenAI, Anthropic or MCP form, as a list or by name. A trace's
            own tools win over these; tools nobody describes are judged by their names.
        model: weights and network, from `gatling.model.bundle.load`; the default is what the package ships.
        redact: keep argument values and texts out of verdicts.

    Raises:
        ToolError: `tools` cannot be read.

    >>> auditor = Auditor(tools=[{"name": "send_email", "description": "Sends an email", "parameters": {}}])
    >>> session = auditor.session()
    >>> session.observe({"role": "user", "content": "Send Ana (ana@corp.example) the minutes by email."})
    >>> session.check({"tool": "send_email", "arguments": {"to": "ana@corp.example"}}).decision
    'allow'
    """

    def __init__(
        self,
        policy: Policy | None = None,
        tools: JSON = None,
        *,
        model: Bundle | None = None,
        redact: bool = False,
    ) -> None:
        self.policy = policy or Policy()
        self.model = model or default()
        self._tools = read_tools(tools) if tools is not None else {}
        self._toolbox = Toolbox(self._tools, self.policy)
        self._toolboxes: dict[str, Toolbox] = {}
        """By a trace's own tools as JSON."""
        self._redact = redact

    def session(self) -> Session:
        """A new run to be audited as it happens."""
        return Session(self.policy, self._toolbox, self.model, redact=self._redact)

    def load(self, state: str) -> Session:
        """A session stored with `Session.dump`.

        Raises:
            StateError: the text is no stored session.
        """
        session = self.session()
        session.restore(state)
        return session

    def audit(self, trace: Trace) -> TraceVerdict:
        """Judge every call of a trace, each by what stood before it."""
        session, problem = self.session_for(trace)
        calls: list[Verdict] = []
        for message in trace.messages:
            calls += [session.judge(call).verdict for call in self._step(session, message)]
        decision = gravest([c.decision for c in calls] + (["escalate"] if problem else []))
        return TraceVerdict(
            id=trace.id,
            energy=max(
                [c.energy for c in calls], default=self.policy.thresholds.escalate if problem else 0.0
            ),
            decision=decision,
            calls=calls,
            problem=problem,
        )

    def explain(self, trace: Trace, call_id: str) -> CallStory | None:
        """The whole story of the first call with that id, or None when the trace has no such call."""
        session, problem = self.session_for(trace)
        for message in trace.messages:
            for call in self._step(session, message):
                judged = session.judge(call)
                if call.id == call_id:
                    mentioned = {o.span for a in judged.call.provenance for o in a.origins}
                    mentioned |= {e.span for e in judged.call.explanations}
                    mentioned |= {e.span for e in judged.verdict.evidence if e.span is not None}
                    mentioned |= {n for n in (judged.call.support_span,) if n is not None}
                    return CallStory(
                        judged.call,
                        judged.verdict,
                        judged.tool,
                        {n: session.spans[n] for n in sorted(mentioned)},
                        list(judged.edges),
                        judged.terms,
                        self.model.weights,
                        list(session.plan().intent.request),
                        problem,
                    )
        return None

    def session_for(self, trace: Trace) -> tuple[Session, str | None]:
        """A new session with a trace's own tools beside the auditor's, and why they cannot be read, if so."""
        if trace.tools is None:
            return self.session(), None
        try:
            toolbox = self._toolbox_with(trace.tools)
        except ToolError as error:
            problem = "the trace's own tools cannot be read"
            return self.session(), problem if self._redact else f"{problem}: {error}"
        return Session(self.policy, toolbox, self.model, redact=self._redact), None

    def _toolbox_with(self, tools: JSON) -> Toolbox:
        key = json.dumps(tools)
        toolbox = self._toolboxes.get(key)
        if toolbox is None:
            toolbox = Toolbox({**self._tools, **read_tools(tools)}, self.policy)
            if len(key) <= TOOLS_TEXT:
                if len(self._toolboxes) >= TOOLBOXES:
                    self._toolboxes.clear()
                self._toolboxes[key] = toolbox
        return toolbox

    @staticmethod
    def _step(session: Session, message: Message) -> tuple[ProposedCall, ...]:
        session.observe(message)
        return message.calls

    @overload
    def guard(self, function: F, *, approve: Callable[[Verdict], bool] | None = None) -> F: ...
    @overload
    def guard(self, *, approve: Callable[[Verdict], bool] | None = None) -> Callable[[F], F]: ...
    def guard(
        self, function: F | None = None, *, approve: Callable[[Verdict], bool] | None = None
    ) -> F | Callable[[F], F]:
        """Wrap a tool function so that a refused call raises `CallRefused` before the tool runs.

        The call is checked in the active session (`with auditor.session():`), and what the tool returns is
        observed there. An escalated call runs only when `approve(verdict)` returns True. Works on plain and
        on async functions; name, docstring and signature describe the tool, unless `tools` already do.
        """
        if function is None:
            return lambda wrapped: self._guarded(wrapped, approve)
        return self._guarded(function, approve)

    def _guarded(self, function: F, approve: Callable[[Verdict], bool] | None) -> F:
        signature = inspect.signature(function)
        name = function.__name__
        if name not in self._tools:
            named = [parameter for parameter in signature.parameters if parameter not in _RECEIVERS]
            self._tools[name] = describe(name, inspect.getdoc(function) or "", named)
            self._toolbox.add(self._tools[name])
            self._toolboxes.clear()

        def admit(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Session, str]:
            session = active_session()
            bound = signature.bind(*args, **kwargs)
            arguments: dict[str, Any] = {}
            for parameter, value in bound.arguments.items():
                if signature.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
                    arguments.update(value)
                elif parameter not in _RECEIVERS:
                    arguments[parameter] = value
            call = session.proposed(name, arguments)
            verdict = session.judge(call).verdict
            if verdict.decision == "escalate" and approve is not None and approve(verdict):
                return session, call.id
            if not verdict.allowed:
                raise CallRefused(verdict)
            return session, call.id

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                session, call_id = admit(args, kwargs)
                result = await function(*args, **kwargs)
                session.observe(Message("tool", _readable(result), call_id=call_id, tool=name))
                return result

            return cast(F, guarded_async)

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            session, call_id = admit(args, kwargs)
            result = function(*args, **kwargs)
            session.observe(Message("tool", _readable(result), call_id=call_id, tool=name))
            return result

        return cast(F, guarded)


def _readable(result: Any) -> JSON:
    return plain(result) if isinstance(result, (str, dict, list)) else str(result)
