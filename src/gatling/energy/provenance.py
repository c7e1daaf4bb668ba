"""Provenance: a privileged effect takes its decisive arguments from text below the tier it needs.

For each decisive argument of a call that acts,

    energy = 10 · privilege · gap / 2 · rarity · discount

with `gap` how far the value falls short of the user's word: a stranger's text 2 for a destination and 1.5 for
another decisive argument; for destinations alone, first-party output 0.5 and the model's own invention 1.
`discount` is 0.5 for each of: the value fills a structured field; the user pointed to its source; and 0.25
where the user handed the task to that source. The worst argument counts.
"""

from __future__ import annotations

from gatling.energy.hierarchy import privilege
from gatling.energy.term import Context, Part, Reason, TermScore
from gatling.plan import ArgumentProvenance, ToolCall, TrustTier, names_of

INVENTED_GAP = 1.0
"""How far a destination falls short when it stands nowhere and the model made it up."""


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
        names = names_of(argument.path)
        sink = bool(names & context.tool.sinks)
        decisive = sink or bool(names & context.tool.decisive)
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
