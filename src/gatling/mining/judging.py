"""How a model in training does on a build's validation split, and how much better than another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from gatling.data.shards import read_rows
from gatling.evaluate.bootstrap import Bootstrap, Estimate
from gatling.evaluate.metrics import Array, auc, recall_at
from gatling.mining.regions import Case, case_of, threshold_at
from gatling.model.bundle import group_code
from gatling.model.encoded import Encoded
from gatling.model.origins import of_model
from gatling.model.scores import latent, network, worst

Metric: TypeAlias = Callable[[Array, Array, Array, Array], Array]
"""One of `gatling.evaluate.metrics`: of scores of violating and benign runs, and weights by draw."""

BUDGET = 0.02
"""Share of benign validation runs above the threshold that errors and margins are counted from."""


class MiningError(ValueError):
    """What cannot be mined; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the latent energy of runs' worst calls tells, with intervals over groups."""

    auc: Estimate
    recall: Estimate
    """At the false-positive rate `BUDGET`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's word on every validation run."""

    cases: tuple[Case, ...]
    threshold: float
    """A logit: `BUDGET` of the benign runs lie above it."""
    judgement: Judgement


class Validation:
    """The validation split of a build, encoded as training has it."""

    def __init__(self, build: Path, encoded: Encoded, seed: int) -> None:
        self._rows = [case_of(row, 0.0) for row in read_rows(build, "validation")]
        self._encoded = encoded
        self._bootstrap = Bootstrap([case.group for case in self._rows], seed)
        violates = np.array([case.violates for case in self._rows])
        self._bad, self._good = np.flatnonzero(violates), np.flatnonzero(~violates)
        if not (len(self._bad) and len(self._good)):
            raise MiningError(
                f"{build}: the split validation has no {'violating' if len(self._good) else 'benign'} runs; "
                "build with a larger --size"
            )

    def refuse(self, weights: Path) -> None:
        """Raise `MiningError` where a network learnt from validation runs: it would be judged too well."""
        learnt = of_model(weights).groups
        if shared := {run.group for run in self._encoded.runs if group_code(run.group) in learnt}:
            raise MiningError(
                f"{weights}: was trained on {len(shared)} groups of the build's split validation; mine on "
                "the build that it was trained on, or on one of another seed"
            )

    def judge(self, weights: Path) -> Judged:
        """What the network in a file of weights says. Raises `CheckpointError`."""
        logits = worst(self._encoded, latent(network(weights), self._encoded))
        cases = tuple(case.judged(logit) for case, logit in zip(self._rows, logits.tolist(), strict=True))
        return Judged(
            cases,
            threshold_at(cases, BUDGET),
            Judgement(auc=self._estimate([logits], auc), recall=self._estimate([logits], _recall)),
        )

    def gain(self, before: Judged, after: Judged) -> Estimate:
        """In AUC; the groups of each draw are the same for both."""
        return self._estimate([_logits(after.cases), _logits(before.cases)], auc)

    def _estimate(self, scores: Sequence[Array], metric: Metric) -> Estimate:
        """Of the first scores, less that of the second where there are two."""

        def found(bad: Array, good: Array) -> Array:
            values = [metric(one[self._bad], one[self._good], bad, good) for one in scores]
            return values[0] - values[1] if len(values) > 1 else values[0]

        return self._bootstrap.estimate(found, self._bad, self._good)


def _recall(bad: Array, good: Array, bad_weights: Array, good_weights: Array) -> Array:
    return recall_at(bad, good, BUDGET, bad_weights, good_weights)


def _logits(cases: Sequence[Case]) -> Array:
    return np.array([case.logit for case in cases])
