"""What the measures of collapse promise; and the monitor stops a training that collapses, and no other."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gatling.model import collapse
from gatling.model.collapse import CollapseError, CollapseMonitor, deviation, effective_rank
from gatling.model.losses import info_nce, sigreg, vicreg

SEED = st.integers(0, 2**32 - 1)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_examples_run() -> None:
    result = doctest.testmod(collapse, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@given(SEED, st.integers(1, 9), st.integers(1, 9))
def test_effective_rank_is_in_its_range_and_minds_neither_rotation_nor_scale(
    seed: int, n: int, d: int
) -> None:
    z = normal(n, d, seed=seed)
    rank = effective_rank(z)
    assert 1 - 1e-9 <= rank <= min(n, d) + 1e-9
    assert effective_rank(-7 * z @ torch.linalg.qr(normal(d, d)).Q) == pytest.approx(rank)
    assert effective_rank(z.T) == pytest.approx(rank)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_effective_rank_is_the_perplexity_of_the_singular_values(values: list[float]) -> None:
    total = sum(values)
    entropy = -sum(v / total * math.log(v / total) for v in values)
    z = torch.linalg.qr(normal(len(values), len(values))).Q @ torch.diag(torch.tensor(values).double())
    assert effective_rank(z) == pytest.approx(math.exp(entropy))


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_counts_the_dimensions_that_equal_singular_values_fill(rank: int) -> None:
    basis = torch.linalg.qr(normal(8, 8)).Q
    assert effective_rank(basis[:, :rank] @ basis[:rank]) == pytest.approx(rank)


def test_embeddings_all_alike_have_rank_one_zero_included() -> None:
    assert effective_rank(torch.ones(5, 3)) == pytest.approx(1)
    assert effective_rank(torch.zeros(5, 3)) == pytest.approx(1)


@given(SEED, st.integers(1, 9), st.integers(1, 9))
def test_the_squares_of_the_deviations_are_one_less_the_mean_cosine(seed: int, n: int, d: int) -> None:
    z = normal(n, d, seed=seed)
    unit = z / z.norm(dim=1, keepdim=True)
    assert float((deviation(z) ** 2).mean()) == pytest.approx(1 - float((unit @ unit.T).mean()), abs=1e-9)
    assert deviation(z).max() <= math.sqrt(d) + 1e-9


def test_deviation_is_one_for_isotropic_embeddings_and_zero_for_collapsed_ones() -> None:
    z = normal(20_000, 6)
    assert deviation(z).tolist() == pytest.approx([1.0] * 6, abs=0.02)
    assert deviation(torch.ones(20, 6)).tolist() == pytest.approx([0.0] * 6, abs=1e-7)


@given(SEED)
def test_deviation_does_not_depend_on_length(seed: int) -> None:
    z = normal(8, 4, seed=seed)
    assert torch.allclose(deviation(z * torch.arange(1.0, 9)[:, None]), deviation(z))


HEALTHY, COLLAPSED = normal(32, 16), torch.ones(32, 16)


def test_the_monitor_waits_for_as_many_failures_in_a_row_as_it_has_patience() -> None:
    monitor = CollapseMonitor(patience=3)
    for step, z in enumerate([COLLAPSED, COLLAPSED, HEALTHY, COLLAPSED, COLLAPSED]):
        monitor.check(z, step)
    with pytest.raises(CollapseError, match=r"at step 5 \(failed checks in a row: 3\)") as error:
        monitor.check(COLLAPSED, 5)
    for said in ("effective rank 1.0 of 16", "at least 8 wanted", "deviation 0.00", "at least 0.3", "try"):
        assert said in str(error.value)


def test_a_resumed_monitor_goes_on_counting() -> None:
    monitor = CollapseMonitor(patience=2)
    monitor.check(COLLAPSED, 0)
    with pytest.raises(CollapseError):
        CollapseMonitor(patience=2, failed=monitor.failed).check(COLLAPSED, 1)


def test_either_measure_is_enough() -> None:
    few_dimensions, one_cone = HEALTHY * (torch.arange(16) < 4), 0.25 * HEALTHY + 1
    assert deviation(few_dimensions).mean() > 0.3 > deviation(one_cone).mean()
    assert effective_rank(few_dimensions) < 5 < effective_rank(one_cone)
    for embeddings in (few_dimensions, one_cone):
        with pytest.raises(CollapseError):
            CollapseMonitor(least_rank=5, patience=1).check(embeddings, 0)


def test_one_long_embedding_is_no_collapse() -> None:
    z = HEALTHY.clone()
    z[0] *= 1e6
    measured = CollapseMonitor(patience=1).check(z, 0)
    assert measured == CollapseMonitor(patience=1).check(HEALTHY, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_stop_training_at_once(value: float) -> None:
    z = HEALTHY.clone()
    z[3, 2] = value
    with pytest.raises(CollapseError, match="not finite at step 12"):
        CollapseMonitor(patience=5).check(z, 12)


def test_a_batch_too_small_to_pass_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 16\) cannot reach rank 8: check a larger batch"):
        CollapseMonitor().check(HEALTHY[:4], 0)


def train(loss: Callable[[Tensor, Tensor], Tensor], steps: int = 300) -> None:
    """Two towers that see the same intent through noise of their own, trained under the monitor."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        towers = [nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16)) for _ in range(2)]
        optimiser = torch.optim.Adam([p for tower in towers for p in tower.parameters()], lr=0.01)
        monitor = CollapseMonitor(least_rank=4)
        for step in range(steps):
            intent = torch.randn(128, 16)
            intent_tower, plan_tower = (tower(intent + torch.randn(128, 16)) for tower in towers)
            optimiser.zero_grad()
            torch.autograd.backward(loss(intent_tower, plan_tower))
            optimiser.step()
            if step % 20 == 19:
                monitor.check(plan_tower, step)


def invariance(a: Tensor, b: Tensor) -> Tensor:
    return 1 - torch.cosine_similarity(a, b).mean()


def test_agreement_alone_collapses_and_the_monitor_stops_it() -> None:
    with pytest.raises(CollapseError):
        train(invariance)


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(info_nce, id="InfoNCE"),
        pytest.param(
            lambda a, b: sum(w * part for w, part in zip((25, 25, 1), vicreg(a, b), strict=True)), id="VICReg"
        ),
        pytest.param(
            lambda a, b: (
                invariance(a, b)
                + 0.02 * sum(sigreg(z, slices=64, generator=torch.Generator().manual_seed(0)) for z in (a, b))
            ),
            id="SIGReg",
        ),
    ],
)
def test_a_loss_that_keeps_embeddings_apart_does_not_collapse(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    train(loss)
