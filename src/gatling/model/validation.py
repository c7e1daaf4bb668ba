"""How well the latent energy tells violating calls and runs from benign ones, on runs not learnt from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

from gatling.model.losses import energy_regression
from gatling.model.objective import Calls, judged, latent_entropy, worst

BUDGET = 0.01
"""Share of benign runs that may be flagged where recall is measured."""
PART = 0.1
"""False positives up to which the score looks at the ROC curve."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one evaluation. The latent energy of a run is its worst call's, whichever that is."""

    auc_calls: float
    """Violating calls against calls of benign runs."""
    auc_runs: float
    """Violating runs against benign ones."""
    recall: float
    """Share of violating runs above all but `BUDGET` of the benign ones."""
    score: float
    """What the best model is chosen by: partial AUC of runs up to `PART` false positives, rescaled so that
    chance is 0.5 (McClish 1989, https://doi.org/10.1177/0272989X8900900307). A guard works at few false
    positives, where this is less noisy than recall at one point."""
    latent: float
    """Cross-entropy of the latent energy, unweighted loss, kinds by their shares."""
    energy: float
    """Regression of the four terms."""


def joined(parts: Iterable[Calls]) -> Calls:
    """The calls of several batches as those of one; their runs and intents stay apart."""
    found: list[Calls] = []
    runs = intents = 0
    for calls in parts:
        found.append(calls._replace(run=calls.run + runs, intent=calls.intent + intents))
        runs, intents = (_next(found[-1].run, runs), _next(found[-1].intent, intents))
    return Calls(*(torch.cat(columns) for columns in zip(*found, strict=True)))


def _next(indices: Tensor, least: int) -> int:
    return int(indices.max()) + 1 if len(indices) else least


def measure(calls: Calls, importance: Tensor) -> Measured:
    """The figures for calls of validation runs, which must hold violating and benign ones."""
    seen = judged(calls)
    violates = _array(calls.violating[seen]) == 1
    energies, violating, _ = worst(calls, _of_known_runs(calls))
    runs, truth = _array(energies), _array(violating).astype(bool)
    false, caught, _ = roc_curve(truth, runs, drop_intermediate=False)
    return Measured(
        auc_calls=float(roc_auc_score(violates, _array(calls.latent[seen]))),
        auc_runs=float(roc_auc_score(truth, runs)),
        recall=float(caught[false <= BUDGET].max()),
        score=float(roc_auc_score(truth, runs, max_fpr=PART)),
        latent=float(latent_entropy(calls, importance)),
        energy=float(energy_regression(calls.energies, calls.targets, ~calls.targets.isnan())),
    )


def _of_known_runs(calls: Calls) -> Tensor:
    """(n,), bool: all calls of benign runs, and of runs with a call that is known to violate."""
    violating = calls.run[calls.violating == 1]
    return calls.benign | torch.isin(calls.run, violating)


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
