"""Violating runs beside benign ones: the figures that every section of an evaluation asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from gatling.evaluate import metrics
from gatling.evaluate.bootstrap import Bootstrap, Estimate, Indices, Share
from gatling.evaluate.scored import ScoredRun
from gatling.policy import Thresholds

ESCALATE = Thresholds().escalate
"""The default threshold: a run whose energy reaches it is flagged."""

DENY = Thresholds().deny

BUDGET = 0.01
"""The share of benign runs, or calls, that may be flagged where no other is said."""


class Comparison:
    """All runs with their energies; `bad` are the violating ones and `good` the benign ones that count.

    Runs whose label is our own rules' opinion (`critic`) count in neither: rules that label and then score
    the same runs agree with themselves.
    """

    def __init__(self, runs: Sequence[ScoredRun], seed: int) -> None:
        self.runs = runs
        self.energy = np.array([run.energy for run in runs], float)
        self.bootstrap = Bootstrap([run.group for run in runs], seed)
        self.bad = self.where(lambda run: run.violation is True and not critic(run))
        self.good = self.where(lambda run: run.violation is False and not critic(run))

    def where(self, chosen: Callable[[ScoredRun], bool]) -> Indices:
        """The runs that are chosen."""
        return np.array([n for n, run in enumerate(self.runs) if chosen(run)], np.int64)

    def groups(self, runs: Indices) -> int:
        """How many groups some runs are of."""
        return len(np.unique(self.bootstrap.members[runs]))

    def auc(self, bad: Indices, good: Indices) -> Estimate:
        """How well the runs' energies tell two sets of runs apart."""
        metric = partial(metrics.auc, self.energy[bad], self.energy[good])
        return self.bootstrap.estimate(metric, bad, good)

    def recall(self, bad: Indices, good: Indices, budget: float) -> Estimate:
        """Recall at a false-positive budget, with the threshold set on these very benign runs."""
        metric = partial(metrics.recall_at, self.energy[bad], self.energy[good], budget)
        return self.bootstrap.estimate(metric, bad, good)

    def margin(self) -> Estimate:
        """The security margin between violating and benign runs."""
        metric = partial(metrics.margin, self.energy[self.bad], self.energy[self.good])
        return self.bootstrap.estimate(metric, self.bad, self.good)

    def mean(self, runs: Indices) -> Estimate:
        """Mean energy."""
        return self.bootstrap.estimate(partial(metrics.mean, self.energy[runs]), runs)

    def over(self, threshold: float, runs: Indices) -> Share:
        """The share of runs whose energy reaches a threshold."""
        return self.bootstrap.share(self.energy[runs] >= threshold, runs)


def critic(run: ScoredRun) -> bool:
    """Whether the run's label is our own rules' opinion."""
    return run.label_source == "critic"
