"""What each stage of training minimises: the losses of `gatling.model.losses` over one step's calls."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from gatling.model.examples import KINDS
from gatling.model.losses import energy_regression, info_nce, ranking, sigreg, vicreg
from gatling.model.recipe import Contrast, Kinds, Pretrain

BENIGN = tuple(kind not in ("hijacked", "mutated") for kind in KINDS)
"""By the order of `KINDS`, as the next."""
ALLOWING = tuple(kind in ("authorised", "delegated") for kind in KINDS)
"""The intent of such a run may allow what its group's violating runs do unasked."""


class Calls(NamedTuple):
    """One step's calls, n of them, on all processes together: what the network says, and what is known."""

    expected: Tensor
    """(n, d), unit: where the intent expects the call."""
    actual: Tensor
    """(n, d), unit: where it lies."""
    energies: Tensor
    """(n, 4), 0–10."""
    latent: Tensor
    """(n,), logit."""
    targets: Tensor
    """(n, 4), 0–10, NaN where unknown."""
    violating: Tensor
    """(n,): 1 violates, 0 does not, NaN unknown."""
    kind: Tensor
    """(n,): index into `KINDS`, of the call's run."""
    run: Tensor
    """(n,): index of the call's run in the step."""
    intent: Tensor
    """(n,): index of its intent in the step; calls of equal intent read the same trusted texts."""
    group: Tensor
    """(n,): a number for its group."""

    @property
    def benign(self) -> Tensor:
        """(n,), bool: calls of benign runs."""
        return torch.tensor(BENIGN, device=self.kind.device)[self.kind]


def pretraining(calls: Calls, weights: Pretrain, generator: torch.Generator) -> dict[str, Tensor]:
    """The weighted losses of the first stage, on calls of benign runs.

    SIGReg asks for a variance of 1 in each direction: unit vectors have it when multiplied by √d.
    """
    losses = {"alignment": weights.alignment * (1 - (calls.expected * calls.actual).sum(1)).mean()}
    expected, actual = (math.sqrt(z.shape[1]) * z for z in (calls.expected, calls.actual))
    if weights.sigreg:
        spread = [sigreg(z, generator=generator, slices=weights.slices) for z in (expected, actual)]
        losses["sigreg"] = weights.sigreg * (spread[0] + spread[1]) / 2
    if weights.vicreg:
        invariance, variance, covariance = vicreg(expected, actual)
        losses["vicreg"] = weights.vicreg * (25 * invariance + 25 * variance + covariance)
    return losses


def contrast(calls: Calls, weights: Contrast, importance: Tensor) -> dict[str, Tensor]:
    """The weighted losses of the second stage.

    `importance`, one number for each of `KINDS`, weighs the latent energy's loss; see `importance_of`.
    """
    losses: dict[str, Tensor] = {}
    if weights.info_nce:
        losses["info_nce"] = weights.info_nce * matching(calls, weights)
    if weights.energy:
        known = ~calls.targets.isnan()
        losses["energy"] = weights.energy * energy_regression(calls.energies, calls.targets, known)
    if weights.latent:
        losses["latent"] = weights.latent * latent_entropy(calls, importance)
    if weights.ranking:
        losses["ranking"] = weights.ranking * ranking(*worst(calls, judged(calls)))
    return losses


def matching(calls: Calls, weights: Contrast) -> Tensor:
    """InfoNCE between the calls of benign runs and what was expected, violating calls being hard negatives.

    Calls of one intent, and of one group, are asked for in the same words or nearly so: they are neither
    match nor mismatch of one another. Nor is a violating call one of its group's intents that may allow it.
    """
    ours, theirs = calls.benign, calls.violating == 1
    if not ours.any():
        return calls.expected.sum() * 0.0
    group, intent = calls.group[ours], calls.intent[ours]
    ignore = (group[:, None] == group) | (intent[:, None] == intent)
    negatives = None
    if weights.hard_negatives:
        negatives = calls.actual[theirs]
        allowing = torch.tensor(ALLOWING, device=ours.device)[calls.kind[ours]]
        allowed = allowing[:, None] & (group[:, None] == calls.group[theirs])
        ignore = torch.cat([ignore, allowed], dim=1)
    return info_nce(
        calls.expected[ours],
        calls.actual[ours],
        negatives=negatives,
        ignore=ignore,
        temperature=weights.temperature,
    )


def judged(calls: Calls) -> Tensor:
    """(n,), bool: calls known to violate, and calls of benign runs known not to.

    What an attacked run does before or after its violating call is in its benign twins as well.
    """
    return (calls.violating == 1) | (calls.benign & (calls.violating == 0))


def latent_entropy(calls: Calls, importance: Tensor) -> Tensor:
    """Cross-entropy of the latent energy: mean over judged calls of w_kind · H(violates, sigmoid(latent)).

    From 0 up, natural logarithm; 0 where no call is judged.
    """
    seen = judged(calls)
    if not seen.any():
        return calls.latent.sum() * 0.0
    return F.binary_cross_entropy_with_logits(
        calls.latent[seen], calls.violating[seen], weight=importance[calls.kind[seen]]
    )


def worst(calls: Calls, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each run with calls among `seen`, (n,), bool: the highest latent logit of those calls, whether one
    of them is known to violate, and the run's group.
    """
    latent, run = calls.latent[seen], calls.run[seen]
    runs, place = torch.unique(run, return_inverse=True)
    highest = latent.new_full((len(runs),), -torch.inf).scatter_reduce(0, place, latent, "amax")
    violates = torch.zeros(len(runs), dtype=torch.bool, device=run.device)
    violates[place[calls.violating[seen] == 1]] = True
    group = calls.group.new_zeros(len(runs))
    group[place] = calls.group[seen]
    return highest, violates, group


def importance_of(kinds: ArrayLike, shares: Kinds) -> Tensor:
    """What a judged call of each kind weighs, so that each kind counts by its share: (len(KINDS),), mean 1.

    `kinds` are those of the judged calls of all training runs; a kind without any weighs 0.

    >>> hijacked, resisted = KINDS.index("hijacked"), KINDS.index("resisted")  # 0.30 and 0.15
    >>> weights = importance_of([hijacked, resisted, resisted, resisted], Kinds())
    >>> [round(weight, 3) for weight in weights[[hijacked, resisted]].tolist()]
    [2.667, 0.444]
    """
    counts = torch.bincount(torch.as_tensor(kinds), minlength=len(KINDS)).float()
    share = torch.tensor([shares.share(kind) for kind in KINDS]) * (counts > 0)
    return share / counts.clamp(min=1) * counts.sum() / share.sum().clamp(min=1e-9)
