"""Fitting what an audit applies: thresholds that hold a false-positive budget, and how sure they are.

A threshold is an order statistic of the benign runs' raw energies, so it assumes nothing about their shape.
Every interval is a 95% percentile interval of 1,000 bootstrap draws of whole groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from numpy.typing import ArrayLike

from gatling.energy.calibration import HIGHEST, Calibration, CalibrationError, Threshold, onto_bands
from gatling.model.thresholds import Benign, Found, Runs

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Shares of benign runs for which `Calibration.benign` keeps an energy, as far as the groups support them."""


def groups_needed(budget: float) -> int:
    """Groups of benign runs that support a budget, by the rule of three: 3 / budget.

    With fewer, not even a threshold that none of them reaches would show, at 95% confidence, that the budget
    holds. Source: Hanley and Lippman-Hand, 1983 (doi 10.1001/jama.1983.03330370053031).

    >>> groups_needed(0.01), groups_needed(0.002)
    (300, 1500)
    """
    return math.ceil(3.0 / budget - 1e-9)


def fit(
    scores: ArrayLike,
    groups: Sequence[str],
    *,
    kinds: Sequence[str] | None = None,
    budget: float = 0.01,
    deny_budget: float = 0.002,
    terms: Mapping[str, ArrayLike] | None = None,
    hijacked: ArrayLike | None = None,
    hijacked_groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Calibration:
    """The calibration whose thresholds flag at most their budget of benign runs, of every kind.

    Args:
        scores: raw energy of each benign run, its worst call's, on 0–10.
        groups: id of the group each belongs to.
        kinds: kind of each (clean, resisted, authorised, unexposed). The budget is held to all runs together,
            and to each kind that stands in 1 / budget groups or more: in fewer, a single run would break it.
            A kind too small for a budget still keeps the threshold of the smallest one it was held to.
        budget: share of benign runs that may be escalated or denied.
        deny_budget: share of benign runs that may be denied.
        terms: each term's highest energy in each benign run, by the term's name. They move nothing; what
            each would flag alone at `budget` is kept beside the composite's thresholds.
        hijacked: raw energies of hijacked runs; they move no threshold, what it detects is measured on them.
        hijacked_groups: id of the group each hijacked run belongs to.
        seed: of the bootstrap.

    The budget holds for these runs. New ones, were there no groups, would exceed a threshold that k of n runs
    reach with probability (k + 1) / (n + 1), a little more; `false_positives` has the interval of that share.

    The result does not depend on the order of the runs. Too few groups are refused rather than warned about:
    a threshold without support looks like one with it once it is stored.

    Raises:
        CalibrationError: the input cannot be used, there are fewer than `groups_needed(deny_budget)` groups,
            or so many benign runs score 10 that no threshold holds a budget.
    """
    if deny_budget > budget:
        raise CalibrationError(f"deny_budget ({deny_budget}) must not exceed budget ({budget})")
    benign = Benign.read("scores", scores, groups, kinds)
    _supported("budget", budget, benign.groups)
    _supported("deny_budget", deny_budget, benign.groups)
    if (hijacked is None) != (hijacked_groups is None):
        raise CalibrationError("give hijacked and hijacked_groups together, or neither")
    attacks = None
    if hijacked is not None and hijacked_groups is not None:
        attacks = Runs.read("hijacked", hijacked, hijacked_groups)
    levels = [level for level in LEVELS if benign.groups >= groups_needed(level)]
    budgets = sorted({budget, deny_budget, *levels}, reverse=True)
    found = dict(zip(budgets, benign.thresholds(budgets, seed), strict=True))
    escalate, deny = found[budget].checked(), found[deny_budget].above(found[budget]).checked()

    def threshold(one: Found) -> Threshold:
        return one.threshold(onto_bands(one.raw, escalate.raw, deny.raw), attacks, seed)

    reachable = [found[level] for level in levels if found[level].raw <= HIGHEST]
    return Calibration(
        escalate=threshold(escalate),
        deny=threshold(deny),
        benign=tuple(map(threshold, reachable)),
        terms=tuple(_alone(terms or {}, groups, kinds, budget, seed)),
    )


def _alone(
    terms: Mapping[str, ArrayLike],
    groups: Sequence[str],
    kinds: Sequence[str] | None,
    budget: float,
    seed: int,
) -> Iterator[tuple[str, Threshold]]:
    """Each term's own threshold, where one holds the budget."""
    for name, energies in terms.items():
        (found,) = Benign.read(name, energies, groups, kinds).thresholds([budget], seed)
        if found.raw <= HIGHEST:
            yield name, found.threshold(None, None, seed)


def _supported(name: str, budget: float, groups: int) -> None:
    if not 0.0 < budget < 1.0:
        raise CalibrationError(f"{name} is {budget}; it is a share of runs between 0 and 1")
    if groups < groups_needed(budget):
        smallest = f"support no budget under {3.0 / groups:.2g}" if groups > 3 else "support none"
        raise CalibrationError(
            f"{name} {budget:g} needs {groups_needed(budget)} groups of benign runs (rule of three: "
            f"3 / budget); these {groups} {smallest}: add runs or raise {name}"
        )
