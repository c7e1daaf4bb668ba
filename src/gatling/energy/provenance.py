"""Provenance: a privileged effect takes its decisive arguments from text below the tier it needs.

For each decisive argument of a call that acts,

    energy = 10 · privilege · gap / 2 · rarity · discount

with `gap` the tiers between what is needed (USER) and what the value has (a stranger's text 2, first-party
output 1, the model's own invention 1 where it is a destination), and `discount` 0.5 for each of: the value
fills a structured field; the user pointed to its source. The worst argument counts.
"""

from __future__ import annotations

from gatling.energy.hierarchy import privilege
from gatling.energy.term import Context, Part, Reason, TermScore
from gatling.plan import ArgumentProvenance, ToolCall, TrustTier, field_of

INVENTED_GAP = 1.0
"""Tiers that a destination is short of when it stands nowhere and the model made it up."""


class Provenance:
    """See the module's docstring."""

    name = "provenance"

    def score(self, call: ToolCall, context: Context) -> TermScore:
        """Energy of one call; 0 for a call that only reads."""
        formula = "10 x privilege x gap / 2 x rarity x discount, the worst argument"
        weight = privilege(call)
        worst = 0.0
        parts: tuple[Part, ...] = ()
        evidence: list[Reason] = []
        for argument in call.provenance:
            gap = self._gap(argument, context)
            if not weight or not gap:
                continue
            delegated = any(
                e.delegated == 1.0 for e in call.explanations if e.span in {o.span for o in argument.origins}
            )
            discount = (0.5 if argument.datum else 1.0) * (0.5 if argument.pointed else 1.0)
            discount *= 0.25 if delegated else 1.0
            value = 10.0 * weight * gap / 2 * argument.rarity * discount
            if value >= 1.0:
                evidence.append(Reason(_why(argument), argument.path, argument.value, _first(argument)))
            if value > worst:
                worst = value
                parts = (
                    Part("privilege", weight, 1.0),
                    Part("gap / 2", gap / 2, 1.0),
                    Part("rarity", argument.rarity, 1.0),
                    Part("discount", discount, 1.0),
                )
        return TermScore(min(10.0, worst), formula, parts, tuple(evidence[:8]))

    @staticmethod
    def _gap(argument: ArgumentProvenance, context: Context) -> float:
        name = field_of(argument.path) or argument.path
        head = argument.path.partition("[")[0].partition(".")[0]
        sink = name in context.tool.sinks or head in context.tool.sinks
        decisive = sink or name in context.tool.decisive or head in context.tool.decisive
        if not decisive and context.tool.described:
            return 0.0
        if sink and context.policy.destinations.allows(argument.value):
            return 0.0
        if argument.tier is TrustTier.UNTRUSTED:
            return 2.0 if sink else 1.5
        if argument.tier is TrustTier.VERIFIED:
            return 0.5 if sink else 0.0
        return INVENTED_GAP if argument.tier is None and sink else 0.0


def _first(argument: ArgumentProvenance) -> int | None:
    return argument.origins[0].span if argument.origins else None


def _why(argument: ArgumentProvenance) -> str:
    if argument.tier is None:
        return "this destination stands in no text: the model made it up"
    return f"this decisive argument comes from {argument.tier.name.lower()} text, not from the user"
