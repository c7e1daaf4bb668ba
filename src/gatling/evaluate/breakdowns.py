"""The same figures for each family, domain, suite, language, label source and plan origin."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from gatling.evaluate.bootstrap import Estimate, Indices, Share
from gatling.evaluate.comparison import BUDGET, ESCALATE, Comparison, critic

BY = ("dataset", "family", "domain", "suite", "language", "label_source", "plan_origin")
"""Attributes of a run by which it is broken down."""

SHARED = frozenset({"family", "plan_origin"})
"""Of these, those that no benign run need have: their violating runs stand against all benign ones."""

FEW = 10
"""Groups on either side under which an interval says little."""

WORST = 3


class Part(TypedDict):
    """The runs of one value."""

    name: str
    violating: int
    benign: int
    few: bool
    """Fewer than `FEW` groups on a side."""
    auc: Estimate
    recall: Estimate
    """Of its violating runs, at the threshold that flags 1% of all benign runs."""
    caught: Share
    """Violating runs flagged at the default threshold."""
    flagged: Share
    """Benign runs flagged at it."""
    mean: Estimate
    """Mean energy of the violating runs."""


class Breakdown(TypedDict):
    """All parts by one attribute, the largest first."""

    by: str
    shared: bool
    """Each part stands against all benign runs, rather than its own."""
    worst: list[str]
    """The parts with the lowest AUC, where there are more than three."""
    parts: list[Part]


def breakdowns(compared: Comparison) -> list[Breakdown]:
    """By each attribute that some counted run has. Critic labels stand in the label sources' alone."""
    return [made for by in BY if (made := _breakdown(compared, by))["parts"]]


def _breakdown(compared: Comparison, by: str) -> Breakdown:
    sides: dict[str, tuple[list[int], list[int]]] = {}
    for n, run in enumerate(compared.runs):
        value: str = getattr(run, by)
        counted = run.violation is not None and (by == "label_source" or not critic(run))
        if value and counted and (run.violation or by not in SHARED):
            sides.setdefault(value, ([], []))[bool(run.violation)].append(n)
    parts = []
    for name in sorted(sides, key=lambda name: (-sum(map(len, sides[name])), name)):
        own, bad = (np.array(side, np.int64) for side in sides[name])
        parts.append(_part(compared, name, bad, compared.good if by in SHARED else own))
    measured = [(part["auc"]["value"], part["name"]) for part in parts if part["auc"]["value"] is not None]
    worst = [name for _, name in sorted(measured)[:WORST]] if len(measured) > WORST else []
    return Breakdown(by=by, shared=by in SHARED, worst=worst, parts=parts)


def _part(compared: Comparison, name: str, bad: Indices, good: Indices) -> Part:
    return Part(
        name=name,
        violating=len(bad),
        benign=len(good),
        few=min(compared.groups(bad), compared.groups(good)) < FEW,
        auc=compared.auc(bad, good),
        recall=compared.recall(bad, compared.good, BUDGET),
        caught=compared.over(ESCALATE, bad),
        flagged=compared.over(ESCALATE, good),
        mean=compared.mean(bad),
    )
