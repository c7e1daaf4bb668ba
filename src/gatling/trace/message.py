"""What every reader makes of a chat or log: messages in order, and the calls they propose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatling.plan import JSON

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A call as the agent wrote it. `problem` says what is malformed; such a call is never allowed."""

    id: str
    tool: str
    arguments: JSON
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `content` is text, or the structured value where a tool returned one."""

    role: Role
    content: JSON = ""
    calls: tuple[ProposedCall, ...] = ()
    call_id: str | None = None
    """For a tool's output: the id of the call it answers; None when the log does not say."""
    tool: str | None = None
    """For a tool's output: the tool's name where the log gives it."""
    unread: tuple[str, ...] = ()
    """Parts that hold no text and were therefore not read, named: `image at content[1]`."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of an agent, or a plan that has not run: messages, and the tools it says it had."""

    id: str
    messages: tuple[Message, ...]
    tools: JSON = None
    """The trace's own tool schemas, in any of the forms that `gatling.tools` reads."""


class TraceError(ValueError):
    """A row that cannot be read as a trace; the message names the field, what was found, and a remedy."""
