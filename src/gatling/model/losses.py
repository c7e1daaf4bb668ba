"""The losses of training: pure functions of tensors, each a scalar or a few to add up, lower is better.

Which one is for what: `info_nce` trains the dual encoder, `energy_regression` and `ranking` its energies,
`sigreg` keeps pre-training on benign plans from collapsing, `vicreg` is the ablation. All of them run on the
inputs' device in the inputs' precision, and none holds state. n is the batch, d the embedding's size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gatling.policy import Thresholds

BORDERS = (Thresholds().escalate, Thresholds().deny)
"""Energies that part the bands: follows, borderline, violates."""


def info_nce(
    predicted: Tensor,
    actual: Tensor,
    *,
    negatives: Tensor | None = None,
    ignore: Tensor | None = None,
    temperature: float = 0.2,
) -> Tensor:
    """Symmetric InfoNCE between predicted and actual plan embeddings.

        s_ij = cos(predicted_i, plan_j) / τ,    plan = actual, then negatives
        L = ½ · mean_i(logsumexp_{j < n+m} s_ij − s_ii) + ½ · mean_j(logsumexp_{i < n} s_ij − s_jj)

    Row i of `predicted` (n, d) belongs to row i of `actual` (n, d). `negatives` (m, d) are plans that belong
    to no intent of the batch (hijacked twins, mutations): columns for every intent in the first addend,
    absent from the second. `ignore` (n, n + m), bool, marks the pairs (intent, plan) that count
    neither as a match nor as a mismatch: plans of the same intent, and negatives that an intent would
    allow. They leave both addends; what it says of the n matching pairs is overruled.

    Natural logarithm, from 0 up; embeddings that are all alike give log n (and ½·log(n + m) + ½·log n with
    negatives). Embeddings need no unit length.

    Sources: CPC (https://arxiv.org/abs/1807.03748); symmetric as in CLIP (https://arxiv.org/abs/2103.00020);
    hard negatives as extra columns as in DPR (https://arxiv.org/abs/2004.04906).

    Raises ValueError when `predicted` and `actual`, or `ignore` and the pairs, differ in shape.

    >>> plans = torch.eye(4)
    >>> round(info_nce(plans, plans, temperature=0.05).item(), 6)
    0.0
    >>> round(info_nce(torch.ones(4, 4), torch.ones(4, 4)).item(), 4)  # log 4
    1.3863
    """
    _require_shape("actual", actual, predicted.shape)
    plans = actual if negatives is None else torch.cat([actual, negatives])
    logits = F.normalize(predicted, dim=1) @ F.normalize(plans, dim=1).T / temperature
    if ignore is not None:
        _require_shape("ignore", ignore, logits.shape)
        logits = logits.masked_fill(ignore.clone().fill_diagonal_(False), -torch.inf)
    n = len(predicted)
    match = torch.arange(n, device=logits.device)
    return (F.cross_entropy(logits, match) + F.cross_entropy(logits[:, :n].T, match)) / 2


def stretch(energy: Tensor) -> Tensor:
    """Energy on the scale of `energy_regression`: steeper where the bands meet.

        u(E) = E/2 + sigmoid(2(E − 2)) + sigmoid(2(E − 6))

    Any shape; 0–10 becomes about 0–7. The slope is about 1 at a border and ½ far from both, so a border
    between two energies adds 1 to their distance. Own convention; strictly increasing, so no target but
    the right one has loss 0.

    >>> low, high = stretch(torch.tensor([[1.0, 7.5], [3.0, 9.5]], dtype=torch.float64))
    >>> [round(step, 2) for step in (high - low).tolist()]  # 1 to 3 crosses a border, 7.5 to 9.5 does not
    [1.76, 1.05]
    """
    return energy / 2 + sum(torch.sigmoid(2 * (energy - border)) for border in BORDERS)


def energy_regression(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Smooth L1 (Huber, δ = 1) on the stretched energies of the four terms, over the known ones.

        L = mean_known H(u(predicted) − u(target)),    H(x) = x²/2 if |x| < 1, else |x| − ½

    `u` is `stretch`: an error near or across the border at 2 or 6, which changes the verdict, counts about
    twice as much as the same error within a band. `predicted` and `target` (n, 4) are energies on 0–10;
    `known` (n, 4), bool; what an unknown target holds does not matter, NaN included. From 0 to about 6.5;
    0 when nothing is known.

    Source: Huber 1964; smooth L1 as in Fast R-CNN (https://arxiv.org/abs/1504.08083).

    Raises ValueError when the shapes differ.

    >>> target = torch.tensor([[1.0, 9.0, 0.0, float("nan")]])
    >>> known = torch.tensor([[True, True, True, False]])
    >>> round(energy_regression(torch.tensor([[3.0, 9.0, 0.0, 5.0]]), target, known).item(), 3)
    0.421
    """
    _require_shape("target", target, predicted.shape)
    _require_shape("known", known, predicted.shape)
    loss = F.smooth_l1_loss(stretch(predicted[known]), stretch(target[known]), reduction="sum")
    return loss / known.sum().clamp(min=1)


def ranking(energy: Tensor, hijacked: Tensor, group: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Soft margin that puts each hijacked run above every benign run of its group.

        L = mean over pairs (h hijacked, b benign, group_h = group_b) of log(1 + exp((E_b − E_h) / τ))

    `energy` (n,), in any unit; `hijacked` (n,), bool; `group` (n,), whole numbers. τ is the difference in
    energy that counts as one: 1 suits 0–10, a fifth of that or less the latent energy on 0–2. From 0 up;
    log 2 for each pair that ties; 0 when there is no pair.

    Source: RankNet (Burges et al. 2005, https://doi.org/10.1145/1102351.1102363).

    Raises ValueError when the shapes differ.

    >>> energy = torch.tensor([9.0, 1.0, 5.0, 5.0])
    >>> hijacked = torch.tensor([True, False, True, False])
    >>> round(ranking(energy, hijacked, torch.tensor([0, 0, 1, 1])).item(), 4)  # (log(1 + e⁻⁸) + log 2) / 2
    0.3467
    """
    _require_shape("hijacked", hijacked, energy.shape)
    _require_shape("group", group, energy.shape)
    pairs = hijacked[:, None] & ~hijacked & (group[:, None] == group)
    excess = (energy - energy[:, None])[pairs] / temperature
    return F.softplus(excess).sum() / max(len(excess), 1)


def sigreg(embeddings: Tensor, *, generator: torch.Generator, slices: int = 256) -> Tensor:
    """SIGReg: how far the embeddings are from an isotropic Gaussian, seen along random directions.

        T(x) = n · ∫ |1/n · Σ_j exp(i·t·x_j) − exp(−t²/2)|² · exp(−t²/2) dt,    L = mean over slices of T(z·a)

    T is the Epps–Pulley statistic of a slice against N(0, 1); the slices' directions `a` are uniform on the
    sphere and drawn from `generator`, so the same state gives the same loss. `embeddings` (n, d) are taken
    as they are, not at unit length. The integral is a trapezoidal sum over 17 points on [0, 4], doubled for
    the other half: right to 2·10⁻⁴·n as long as every x lies within ±10.

    From 0 to 3.95·n. Whatever n is, standard normal samples give √(2π) − √(2π/3) ≈ 1.06 on average; all
    embeddings at 0 give 0.41·n.

    Sources: LeJEPA (https://arxiv.org/abs/2511.08544), whose code integrates over [0, 3]; Epps & Pulley 1983
    (https://doi.org/10.1093/biomet/70.3.723).

    >>> generator = torch.Generator().manual_seed(0)
    >>> normal = torch.randn(512, 16, generator=generator)
    >>> [round(sigreg(z, generator=generator).item()) for z in (normal, 0 * normal)]
    [1, 209]
    """
    directions = torch.randn(
        embeddings.shape[1], slices, generator=generator, dtype=embeddings.dtype, device=generator.device
    )
    projected = embeddings @ F.normalize(directions, dim=0).to(embeddings.device)
    t = torch.linspace(0, 4, 17, dtype=embeddings.dtype, device=embeddings.device)
    normal = torch.exp(-(t**2) / 2)
    angles = projected[..., None] * t
    distance = (angles.cos().mean(0) - normal) ** 2 + angles.sin().mean(0) ** 2
    return 2 * len(embeddings) * torch.trapezoid(distance * normal, t).mean()


class VICReg(NamedTuple):
    """The parts of VICReg, unweighted; the paper adds them up as 25 : 25 : 1."""

    invariance: Tensor
    variance: Tensor
    covariance: Tensor


def vicreg(a: Tensor, b: Tensor) -> VICReg:
    """VICReg: the embeddings of two views agree, spread in every dimension, and share no dimension.

        invariance = mean_{i,k} (a_ik − b_ik)²
        variance   = ½ · Σ_{z ∈ a,b} mean_k max(0, 1 − √(Var(z_k) + 10⁻⁴))
        covariance = Σ_{z ∈ a,b} 1/d · Σ_{k≠l} Cov(z)_kl²

    `a`, `b` (n, d), n ≥ 2; variance and covariance are unbiased (n − 1). Invariance and covariance from 0
    up, variance from 0 (every standard deviation 1 or more) to 0.99 (all embeddings alike). Means over
    dimensions and the halved variance follow the authors' code, which the weights 25 : 25 : 1 belong to.

    Source: https://arxiv.org/abs/2105.04906, https://github.com/facebookresearch/vicreg.

    Raises ValueError when the shapes differ or n < 2.

    >>> [round(part.item(), 2) for part in vicreg(torch.ones(8, 3), torch.zeros(8, 3))]
    [1.0, 0.99, 0.0]
    """
    _require_shape("b", b, a.shape)
    n, d = a.shape
    if n < 2:
        raise ValueError(f"vicreg needs the variance of a batch: got {n} rows, give at least 2")
    covariances = [(centred.T @ centred) / (n - 1) for centred in (a - a.mean(0), b - b.mean(0))]
    spread = [F.relu(1 - (c.diagonal() + 1e-4).sqrt()).mean() for c in covariances]
    shared = [(c - c.diagonal().diag()).square().sum() / d for c in covariances]
    return VICReg(F.mse_loss(a, b), (spread[0] + spread[1]) / 2, shared[0] + shared[1])


def _require_shape(name: str, tensor: Tensor, shape: torch.Size) -> None:
    """Broadcasting would turn a wrong shape into a wrong loss."""
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, needs {tuple(shape)}")
