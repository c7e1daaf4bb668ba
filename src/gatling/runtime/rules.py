"""What the policy says outright of a call, whatever its energy."""

from __future__ import annotations

from typing import TypeAlias

from gatling.energy import Reason
from gatling.plan import JSON, Scope, names_of
from gatling.policy import Policy
from gatling.runtime.verdict import Decision
from gatling.spans import leaves
from gatling.tools import Tool
from gatling.trace import ProposedCall

Ruling: TypeAlias = tuple[Decision, Reason]


def of_tool(policy: Policy, call: ProposedCall) -> list[Ruling]:
    """What the policy says of every call of this tool."""
    rule = policy.rule(call.tool)
    if rule is None or rule.decision == "infer":
        return []
    verb = "denies" if rule.decision == "deny" else "escalates"
    return [(rule.decision, Reason(f"the policy {verb} every call of this tool"))]


def of_arguments(policy: Policy, call: ProposedCall, tool: Tool, scope: Scope) -> list[Ruling]:
    """What the policy says of this call: its volume, denied destinations and maxima."""
    rule = policy.rule(call.tool)
    found: list[Ruling] = []
    if policy.max_volume is not None and scope.volume > policy.max_volume:
        reached = f"volume {scope.volume:g} exceeds the policy's {policy.max_volume:g}"
        found.append(("deny", Reason(reached)))
    for path, leaf in leaves(call.arguments):
        names, value = names_of(path), str(leaf)
        if names & tool.sinks and policy.destinations.denies(value):
            found.append(("deny", Reason("a denied destination", path, value)))
        limits = [rule.maximum[name] for name in names if name in rule.maximum] if rule else []
        if limits and not _within(leaf, min(limits)):
            reason = f"the policy's maximum for this argument is {min(limits):g}"
            found.append(("deny", Reason(reason, path, value)))
    return found


def _within(value: JSON, limit: float) -> bool:
    """Whether a value is a number, or a text that reads as one, of at most `limit`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return float(value) <= limit
    except (ValueError, OverflowError):
        return False
