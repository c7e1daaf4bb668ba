"""Gatling: an integrity layer for tool-using AI agents.

Start with `Auditor`; `gatling.plan` holds the type that everything else makes or measures.
"""

from gatling.plan import ExecutionPlan, ToolCall, TrustTier
from gatling.policy import Policy, PolicyError, load_policy
from gatling.runtime.audit import Auditor, CallRefused
from gatling.runtime.session import Session
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
