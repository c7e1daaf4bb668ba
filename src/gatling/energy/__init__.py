"""The energies: one file per term, `weights` with what joins them, `calibration` with what they mean."""

from __future__ import annotations

from gatling.energy.term import Context, Part, Reason, Term, TermScore
from gatling.energy.weights import Weights, analytic

__all__ = ["Context", "Part", "Reason", "Term", "TermScore", "Weights", "analytic"]
