"""Flow: sensitive data reaches a sink that the request did not name; data changes hands it should not.

A call carries data out when it sends, pays or executes, or fetches an address. For each argument whose value
came from a tool's output,

    energy = 10 · (sensitivity − 1) / 4 · share · openness · min(1, rarity + 0.2)

with the sensitivity (1–5) of the text it came from, the share of the value found there, and `openness` 1 when
no destination of the call stands in the request, 0.4 when the user named them all, 0 when the policy allows
them all. The worst argument counts.
"""

from __future__ import annotations

from gatling.energy.term import Context, Part, Reason, TermScore
from gatling.plan import Effect, ToolCall, TrustTier, field_of, names_of
from gatling.reach import sensitivity_of
from gatling.tools import Tool

NAMED = 0.4
"""How open a destination remains that the user named: the data may still be more than was asked for."""

_ADDRESSES = frozenset(("url", "uri", "endpoint", "webhook", "host"))


class Flow:
    """See the module's docstring."""

    name = "flow"

    def score(self, call: ToolCall, context: Context) -> TermScore:
        """Energy of one call; 0 for a call that carries nothing out."""
        formula = "10 x (sensitivity - 1) / 4 x share x openness x (rarity + 0.2), the worst argument"
        if not _carries_out(call, context.tool):
            return TermScore(0.0, formula)
        openness, where = _openness(call, context)
        worst = 0.0
        parts: tuple[Part, ...] = ()
        evidence: list[tuple[float, Reason]] = []
        for argument in call.provenance:
            if names_of(argument.path) & context.tool.sinks - _ADDRESSES:
                continue  # where data goes is no data; an address can carry some in its query
            for origin in argument.origins:
                span = context.spans[origin.span]
                if span.call is None:
                    continue
                level = max(sensitivity_of(f"{field_of(span.path)} {span.text}"), _record_level(span.source))
                telling = min(1.0, argument.rarity + 0.2)
                value = 10.0 * (level - 1) / 4 * origin.share * openness * telling
                if value >= 1.0:
                    reason = f"data of sensitivity {level} from {span.source} leaves through {where}"
                    evidence.append((value, Reason(reason, argument.path, argument.value, origin.span)))
                if value > worst:
                    worst = value
                    parts = (
                        Part("(sensitivity - 1) / 4", (level - 1) / 4, 1.0),
                        Part("share", origin.share, 1.0),
                        Part("openness", openness, 1.0),
                        Part("rarity + 0.2", telling, 1.0),
                    )
        shown = tuple(reason for _, reason in sorted(evidence, key=lambda item: -item[0])[:8])
        return TermScore(min(10.0, worst), formula, parts, shown)


def _carries_out(call: ToolCall, tool: Tool) -> bool:
    if call.effects & {Effect.SEND, Effect.PAY, Effect.EXECUTE} or tool.sinks:
        return True
    return any(field_of(argument.path).lower() in _ADDRESSES for argument in call.provenance)


def _openness(call: ToolCall, context: Context) -> tuple[float, str]:
    """How open the call's destinations are, in [0, 1], and a name for them."""
    sinks = [a for a in call.provenance if names_of(a.path) & (context.tool.sinks | _ADDRESSES)]
    if not sinks:
        return 1.0, f"{context.tool.name}, which names no destination"
    if all(context.policy.destinations.allows(a.value) for a in sinks):
        return 0.0, "an allowed destination"
    if all(a.tier in (TrustTier.USER, TrustTier.SYSTEM) for a in sinks):
        return NAMED, "a destination that the user named"
    return 1.0, "a destination that the request does not name"


def _record_level(source: str) -> int:
    """Sensitivity of what a tool reads, by its name: personal data at most, its texts may say more."""
    return min(3, sensitivity_of(source.partition(":")[2]))
