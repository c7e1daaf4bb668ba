"""Collapse: embeddings that stop telling inputs apart, measured in two ways and stopped early.

All embeddings may become one (complete collapse), or lie in few dimensions (dimensional collapse). Losses
on agreement fall while it happens, so it is measured by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def effective_rank(embeddings: Tensor) -> float:
    """How many dimensions the embeddings fill: the exponential of the entropy of their singular values.

        exp(−Σ_k p_k · log p_k),    p_k = s_k / Σ_l s_l,    s the singular values

    `embeddings` (n, d), not centred, so that a shared offset counts as collapse. In [1, min(n, d)]: 1 when
    all rows lie on one line through 0 (or are 0), min(n, d) when the singular values are equal. Unchanged
    by rotation and by one factor on all rows.

    Sources: Roy & Vetterli 2007 (https://infoscience.epfl.ch/record/110188/files/RoyV07.pdf); as a measure
    of collapse, RankMe (https://arxiv.org/abs/2210.02885).

    >>> round(effective_rank(torch.eye(8)), 6), round(effective_rank(torch.ones(8, 8)), 6)
    (8.0, 1.0)
    """
    values = torch.linalg.svdvals(embeddings.detach().double())
    shares = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return float(torch.special.entr(shares).sum().exp())


def deviation(embeddings: Tensor) -> Tensor:
    """Standard deviation of the unit vectors in each dimension, times √d.

        s_k = √d · std_i(z_ik / |z_i|)

    `embeddings` (n, d) → (d,), each in [0, √d]. The mean of their squares is 1 − |mean unit vector|²,
    which is 1 − c, c the mean cosine over all pairs (a row and itself being one): 1 for isotropic
    embeddings, 0 for embeddings that are all alike. So their mean is at most 1.

    Source: SimSiam (https://arxiv.org/abs/2011.10566), section 4.1.

    >>> deviation(torch.tensor([[3.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -1.0]])).round(decimals=6).tolist()
    [1.0, 1.0]
    """
    unit = F.normalize(embeddings.detach().double(), dim=1)
    return math.sqrt(unit.shape[1]) * unit.std(0, correction=0)


class CollapseError(RuntimeError):
    """Training has collapsed or diverged: going on would waste it."""


class Spread(NamedTuple):
    """What one check measured."""

    effective_rank: float
    """Of the embeddings at unit length: [1, min(n, d)]."""
    deviation: float
    """Mean over dimensions, in [0, 1]."""


@dataclass
class CollapseMonitor:
    """Stops training when the embeddings have collapsed for `patience` checks in a row.

    >>> monitor = CollapseMonitor(least_rank=4, patience=1)
    >>> monitor.check(torch.eye(8), step=0).effective_rank > 4
    True
    >>> monitor.check(torch.ones(8, 8), step=100)
    Traceback (most recent call last):
        ...
    gatling.model.collapse.CollapseError: embeddings collapsed at step 100 (failed checks in a row: 1): \
effective rank 1.0 of 8 (at least 4 wanted), mean deviation 0.00 (at least 0.3 wanted); ...
    """

    least_rank: float = 8.0
    """Effective rank below which embeddings have collapsed; batches must have as many rows."""
    least_deviation: float = 0.3
    """Mean deviation below which embeddings have collapsed; 0.3 is a mean cosine of about 0.9."""
    patience: int = 3
    """Failed checks in a row that stop training: one alone may be a bad batch."""
    failed: int = 0
    """Checks in a row that failed so far; a resumed run carries it on."""

    def check(self, embeddings: Tensor, step: int) -> Spread:
        """Measures a batch of embeddings (n, d) of different inputs at training step `step`.

        Raises CollapseError when this is failed check number `patience`, and at once when a value is not
        finite; ValueError when min(n, d) < `least_rank`, since no such batch could pass.
        """
        largest = min(embeddings.shape)
        if largest < self.least_rank:
            raise ValueError(
                f"embeddings of shape {tuple(embeddings.shape)} cannot reach rank {self.least_rank:g}: "
                "check a larger batch or lower least_rank"
            )
        if not embeddings.isfinite().all():
            raise CollapseError(
                f"embeddings are not finite at step {step}: training has diverged; try a lower learning "
                "rate, gradient clipping, or a higher temperature"
            )
        spread = Spread(effective_rank(F.normalize(embeddings, dim=1)), float(deviation(embeddings).mean()))
        collapsed = spread.effective_rank < self.least_rank or spread.deviation < self.least_deviation
        self.failed = self.failed + 1 if collapsed else 0
        if self.failed >= self.patience:
            raise CollapseError(
                f"embeddings collapsed at step {step} (failed checks in a row: {self.failed}): effective "
                f"rank {spread.effective_rank:.1f} of {largest} (at least {self.least_rank:g} wanted), mean "
                f"deviation {spread.deviation:.2f} (at least {self.least_deviation:g} wanted); try more "
                "negatives, a lower learning rate, or a term that keeps embeddings apart (InfoNCE, VICReg's "
                "variance, SIGReg)"
            )
        return spread
