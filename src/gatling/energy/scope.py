"""Scope: volume, window, depth or sensitivity exceed the smallest budget that the request needs.

    energy = 10 · (1 − exp(−(v + w + d + s) / 2))

with v = log10(volume / needed volume), w = log10 of the windows' ratio and d = (depth − needed) / 10, each
from 0 up, and s = (sensitivity − needed sensitivity) / 2 from 0 up, halved for a call that only reads.
"""

from __future__ import annotations

import math

from gatling.energy.term import Context, Part, Reason, TermScore
from gatling.plan import SIDE_EFFECTS, ToolCall
from gatling.reach import needed


class ScopeTerm:
    """See the module's docstring."""

    name = "scope"

    def score(self, call: ToolCall, context: Context) -> TermScore:
        """Energy of one call; 0 within the budget."""
        has, budget = call.scope, needed(context.intent.request)
        acts = bool(call.effects & SIDE_EFFECTS)
        excess = {
            "volume": max(0.0, math.log10(has.volume / budget.volume)),
            "window": max(0.0, math.log10(max(has.window_days, 1.0) / max(budget.window_days, 31.0))),
            "depth": max(0.0, (has.depth - budget.depth) / 10),
            "sensitivity": max(0.0, (has.sensitivity - budget.sensitivity) / 2) * (1.0 if acts else 0.5),
        }
        value = 10.0 * (1.0 - math.exp(-sum(excess.values()) / 2))
        evidence = [
            Reason(f"{name} {getattr(has, field):g} where the request needs {getattr(budget, field):g}")
            for name, field in _FIELDS.items()
            if excess[name] >= 0.5
        ]
        if context.policy.max_volume is not None and has.volume > context.policy.max_volume:
            value = 10.0
            evidence.append(
                Reason(f"volume {has.volume:g} exceeds the policy's {context.policy.max_volume:g}")
            )
        parts = tuple(Part(name, amount, 0.5) for name, amount in excess.items())
        return TermScore(value, "10 x (1 - exp(-sum))", parts, tuple(evidence))


_FIELDS = {"volume": "volume", "window": "window_days", "depth": "depth", "sensitivity": "sensitivity"}
