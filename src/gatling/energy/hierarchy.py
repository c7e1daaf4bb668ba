"""Hierarchy: untrusted text, rather than the user or the policy, explains why this call is made.

For each untrusted span that may explain the call, a weighted sum of readable quantities says how much better
it does so than request and policy; the best-explaining span counts. With x its sum, and m the mean of the
earlier calls' x, what counts is how far the call stands out from its run, for some agents live on what they
read and others on what they are told:

    energy = 10 / (1 + exp(-(x - habit · m)))

The weights are fitted on labelled runs with their signs fixed, so that the energy is monotone in every
quantity (`refit/hierarchy.py`, which prints where they generalise), and stand in `gatling.energy.weights`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from gatling.energy.term import Context, Part, Reason, TermScore
from gatling.plan import Effect, Explanation, ToolCall

SIGNS: dict[str, int] = {
    "tool": 1,
    "call": 1,
    "relevance": -1,
    "coherence": -1,
    "belonging": -1,
    "information": 1,
    "share": 1,
    "values": 1,
    "around": 1,
    "elsewhere": -1,
    "unused": -1,
    "datum": -1,
    "prose": 1,
    "call x information": 1,
    "prose x call": 1,
    "prose x tool": 1,
    "imperative": 1,
    "delegated": -1,
    "sink": 1,
    "slot": -1,
    "named": 1,
    "verb": 1,
    "pointing": -1,
    "open x pointing": -1,
    "details x pointing": -1,
    "privilege": 1,
    "support": -1,
    "overlap": -1,
    "coverage": -1,
    "asked": -1,
}
"""Which way each quantity moves the energy; the first twenty are `plan.Explanation`'s."""

_PRIVILEGE = {Effect.SEND: 1.0, Effect.PAY: 1.0, Effect.DELETE: 1.0, Effect.EXECUTE: 1.0, Effect.WRITE: 0.5}


def privilege(call: ToolCall) -> float:
    """1 for a call that sends, pays, deletes or executes, 0.5 for one that writes, 0 for one that reads."""
    return _privilege(call.effects)


@lru_cache(maxsize=128)
def _privilege(effects: frozenset[Effect]) -> float:
    return max((_PRIVILEGE.get(effect, 0.0) for effect in effects), default=0.0)


def quantities(call: ToolCall, explanation: Explanation) -> tuple[float, ...]:
    """The quantities of `SIGNS`, in its order, for one span that may explain the call."""
    e = explanation
    return (
        e.tool,
        e.call,
        e.relevance,
        e.coherence,
        e.belonging,
        e.information,
        e.share,
        e.values,
        e.around,
        e.elsewhere,
        e.unused,
        e.datum,
        e.prose,
        max(e.call, 0.0) * e.information,
        e.prose * e.call,
        e.prose * max(e.tool, 0.0),
        e.imperative,
        e.delegated,
        e.sink,
        e.slot,
        e.named,
        e.verb,
        e.pointing,
        call.open * e.pointing,
        call.details * e.pointing,
        privilege(call),
        call.support,
        call.overlap,
        call.coverage,
        call.asked,
    )


HABIT = "earlier calls"
NOTHING_EARLIER = -4.0
"""What is taken for the mean of a run's earlier calls where there are none."""
LEAST, MOST = -8.0, 4.0
"""Bounds of an earlier call's part in that mean: a text cannot excuse much by making itself heard before."""


class Hierarchy:
    """See the module's docstring. `weights` are by quantity of `SIGNS`, with `bias` and `habit`."""

    name = "hierarchy"

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._row = np.array([weights[name] for name in SIGNS])

    def score(self, call: ToolCall, context: Context) -> TermScore:
        """Energy of one call; 0 where nothing untrusted was read."""
        formula = "10 / (1 + exp(-sum)) for the span that explains the call best"
        if not call.explanations:
            return TermScore(0.0, formula)
        weigh = self._weights
        measured = np.array([quantities(call, e) for e in call.explanations], np.float64)
        totals = measured @ self._row + weigh["bias"]
        at = int(totals.argmax())
        best = call.explanations[at]
        usual = sum(context.earlier) / len(context.earlier) if context.earlier else NOTHING_EARLIER
        total = float(totals[at]) - weigh["habit"] * usual
        value = 10.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total))))
        shown = [Part("bias", 1.0, weigh["bias"]), Part(HABIT, usual, -weigh["habit"])]
        shown += [Part(n, float(x), weigh[n]) for n, x in zip(SIGNS, measured[at], strict=True) if weigh[n]]
        evidence = []
        if value >= 1.0:
            origin = context.spans[best.span].source
            evidence.append(
                Reason(f"a text from {origin} explains this call better than the request", span=best.span)
            )
        return TermScore(value, formula, tuple(shown), tuple(evidence))

    @staticmethod
    def explained(score: TermScore) -> float:
        """How well a stranger's text explained a call, apart from its run: x, within `LEAST` and `MOST`."""
        if not score.parts:
            return LEAST
        x = sum(part.value * part.weight for part in score.parts if part.name != HABIT)
        return max(LEAST, min(MOST, x))
