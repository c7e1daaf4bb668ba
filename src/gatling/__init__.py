"""Gatling: an integrity layer for tool-using AI agents.

Start with `Auditor`; `gatling.plan` holds the type that everything else makes or measures. Names are imported
at first use, so that `import gatling` costs next to nothing and the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatling.plan import ExecutionPlan, ToolCall, TrustTier
    from gatling.policy import Policy, PolicyError, load_policy
    from gatling.runtime.audit import Auditor, CallRefused
    from gatling.runtime.session import Session, StateError
    from gatling.runtime.verdict import Evidence, TraceVerdict, Verdict
    from gatling.tools import ToolError
    from gatling.trace import TraceError, read_trace

__all__ = [
    "Auditor",
    "CallRefused",
    "Evidence",
    "ExecutionPlan",
    "Policy",
    "PolicyError",
    "Session",
    "StateError",
    "ToolCall",
    "ToolError",
    "TraceError",
    "TraceVerdict",
    "TrustTier",
    "Verdict",
    "load_policy",
    "read_trace",
]

__version__ = "0.1.0"

_HOMES = {
    "gatling.plan": ("ExecutionPlan", "ToolCall", "TrustTier"),
    "gatling.policy": ("Policy", "PolicyError", "load_policy"),
    "gatling.runtime.audit": ("Auditor", "CallRefused"),
    "gatling.runtime.session": ("Session", "StateError"),
    "gatling.runtime.verdict": ("Evidence", "TraceVerdict", "Verdict"),
    "gatling.tools": ("ToolError",),
    "gatling.trace": ("TraceError", "read_trace"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'gatling' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
