"""What the losses promise: closed forms, invariances, and gradients that are right."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gatling.model import losses
from gatling.model.losses import energy_regression, info_nce, ranking, sigreg, stretch, vicreg

SEED = st.integers(0, 2**32 - 1)
ROWS = st.integers(1, 7)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def close(a: Tensor | float, b: Tensor | float, *, atol: float = 1e-9) -> bool:
    return bool(
        torch.allclose(
            torch.as_tensor(a, dtype=torch.float64),
            torch.as_tensor(b, dtype=torch.float64),
            rtol=1e-9,
            atol=atol,
        )
    )


def test_the_examples_run() -> None:
    result = doctest.testmod(losses)
    assert result.attempted > 0
    assert result.failed == 0


# InfoNCE


def written_out(predicted: Tensor, plans: Tensor, ignore: Tensor, temperature: float) -> float:
    """InfoNCE as its docstring has it, pair by pair."""
    n = len(predicted)

    def logit(i: int, j: int) -> float:
        return float(torch.cosine_similarity(predicted[i], plans[j], dim=0)) / temperature

    def surprise(match: float, logits: list[float]) -> float:
        return math.log(sum(math.exp(value) for value in logits)) - match

    def counts(i: int, j: int) -> bool:
        return i == j or not ignore[i, j]

    rows = [surprise(logit(i, i), [logit(i, j) for j in range(len(plans)) if counts(i, j)]) for i in range(n)]
    columns = [surprise(logit(j, j), [logit(i, j) for i in range(n) if counts(i, j)]) for j in range(n)]
    return (sum(rows) + sum(columns)) / (2 * n)


@given(SEED, ROWS, st.integers(0, 5), st.sampled_from([0.1, 0.2, 1.0]))
def test_info_nce_is_its_formula(seed: int, n: int, m: int, temperature: float) -> None:
    predicted, actual, negatives = normal(n, 5, seed=seed), normal(n, 5, seed=1), normal(m, 5, seed=9)
    ignore = torch.rand(n, n + m, generator=seeded(seed)) < 0.4
    loss = info_nce(predicted, actual, negatives=negatives, ignore=ignore, temperature=temperature)
    assert close(loss, written_out(predicted, torch.cat([actual, negatives]), ignore, temperature))


@given(ROWS, st.integers(0, 5))
def test_info_nce_of_embeddings_all_alike_is_the_logarithm_of_how_many_there_are(n: int, m: int) -> None:
    alike = torch.ones(n + m, 3, dtype=torch.float64)
    assert close(info_nce(alike[:n], alike[:n]), math.log(n))
    assert close(info_nce(alike[:n], alike[:n], negatives=alike[n:]), (math.log(n + m) + math.log(n)) / 2)


def test_info_nce_vanishes_when_matches_are_close_and_the_rest_is_far() -> None:
    apart = torch.eye(16, dtype=torch.float64)
    at = [info_nce(apart, apart, temperature=temperature).item() for temperature in (0.5, 0.2, 0.1, 0.02)]
    assert at == sorted(at, reverse=True)
    assert at[-1] < 1e-12


def test_info_nce_of_wrong_matches_is_worse_than_chance() -> None:
    apart = torch.eye(16, dtype=torch.float64)
    assert info_nce(apart, apart.roll(1, dims=0)).item() > math.log(16)


@given(SEED, ROWS)
def test_info_nce_is_symmetric(seed: int, n: int) -> None:
    a, b = normal(n, 4, seed=seed), normal(n, 4, seed=1)
    ignore = torch.rand(n, n, generator=seeded(seed)) < 0.3
    assert close(info_nce(a, b, ignore=ignore), info_nce(b, a, ignore=ignore.T))


@given(SEED, ROWS)
def test_info_nce_does_not_depend_on_the_order_or_the_length_of_embeddings(seed: int, n: int) -> None:
    a, b, negatives = normal(n, 4, seed=seed), normal(n, 4, seed=1), normal(3, 4, seed=2)
    ignore = torch.rand(n, n + 3, generator=seeded(seed)) < 0.3
    loss = info_nce(a, b, negatives=negatives, ignore=ignore)

    rows, extra = torch.randperm(n, generator=seeded(seed)), torch.tensor([2, 0, 1])
    pairs = ignore[rows][:, torch.cat([rows, n + extra])]
    assert close(info_nce(a[rows], b[rows], negatives=negatives[extra], ignore=pairs), loss)

    longer = 0.1 + 10 * torch.rand(n, 1, dtype=torch.float64, generator=seeded(seed))
    assert close(info_nce(longer * a, b / longer, negatives=7 * negatives, ignore=ignore), loss)


@given(SEED, ROWS)
def test_ignored_pairs_are_as_good_as_absent(seed: int, n: int) -> None:
    a, b, negatives = normal(n, 4, seed=seed), normal(n, 4, seed=1), normal(2, 4, seed=2)
    loss = info_nce(a, b)

    # every row twice, each half blind to the other
    halves = torch.arange(2 * n) < n
    blind = halves[:, None] != halves
    assert close(info_nce(torch.cat([a, a]), torch.cat([b, b]), ignore=blind), loss)

    # negatives that every intent would allow
    allowed = torch.zeros(n, n + 2, dtype=torch.bool)
    allowed[:, n:] = True
    assert close(info_nce(a, b, negatives=negatives, ignore=allowed), loss)


def test_duplicates_that_are_not_ignored_cost_and_ignored_ones_do_not() -> None:
    plans = torch.eye(4, dtype=torch.float64).repeat(2, 1)
    intent = torch.arange(4).repeat(2)
    same = intent[:, None] == intent
    assert info_nce(plans, plans, temperature=0.02).item() == pytest.approx(math.log(2))
    assert info_nce(plans, plans, ignore=same, temperature=0.02).item() < 1e-12


def test_matching_pairs_cannot_be_ignored() -> None:
    a, b = normal(5, 4), normal(5, 4, seed=1)
    assert close(info_nce(a, b, ignore=torch.ones(5, 5, dtype=torch.bool)), 0)
    assert close(info_nce(a, b, ignore=torch.eye(5, dtype=torch.bool)), info_nce(a, b))


def test_info_nce_leaves_its_inputs_alone() -> None:
    ignore = torch.ones(3, 3, dtype=torch.bool)
    info_nce(normal(3, 2), normal(3, 2), ignore=ignore)
    assert ignore.all()


@given(SEED, ROWS, st.integers(1, 5))
def test_a_hard_negative_never_lowers_the_loss(seed: int, n: int, m: int) -> None:
    a, b, negatives = normal(n, 4, seed=seed), normal(n, 4, seed=1), normal(m, 4, seed=seed % 1000)
    losses_of = [info_nce(a, b, negatives=negatives[:k]).item() for k in range(m + 1)]
    assert losses_of == sorted(losses_of)
    assert info_nce(a, b, negatives=a).item() > losses_of[0]


# The energies


def slope(energy: float) -> float:
    at = torch.tensor(energy, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(stretch(at), at)
    return float(gradient)


@given(st.floats(0, 10))
def test_the_stretched_scale_rises_everywhere_and_nowhere_faster_than_at_the_borders(energy: float) -> None:
    assert 0.5 <= slope(energy) <= slope(2.0) + 1e-5


def test_an_error_at_a_border_counts_about_twice_as_much_as_one_within_a_band() -> None:
    assert slope(2.0) == pytest.approx(slope(6.0))
    assert slope(2.0) == pytest.approx(1.0, abs=0.01)
    assert slope(4.0) < 0.6
    assert slope(9.5) < 0.51


@given(SEED, ROWS)
def test_energy_regression_is_the_mean_over_what_is_known(seed: int, n: int) -> None:
    predicted, target = 5 + 2 * normal(n, 4, seed=seed), 5 + 2 * normal(n, 4, seed=1)
    known = torch.rand(n, 4, generator=seeded(seed)) < 0.5
    error = (stretch(predicted) - stretch(target)).abs()[known].tolist()
    huber = [x * x / 2 if x < 1 else x - 0.5 for x in error]
    expected = sum(huber) / len(huber) if huber else 0.0
    assert close(energy_regression(predicted, target, known), expected)


def test_energy_regression_is_zero_for_the_right_energies_alone() -> None:
    target = torch.rand(6, 4, dtype=torch.float64, generator=seeded(0)) * 10
    known = torch.ones(6, 4, dtype=torch.bool)
    assert energy_regression(target, target, known).item() == 0
    assert energy_regression(target + 0.1, target, known).item() > 0
    assert energy_regression(torch.zeros(1, 4), torch.full((1, 4), 10.0), known[:1]).item() < 6.5


def test_unknown_energies_change_neither_loss_nor_gradient() -> None:
    predicted = normal(3, 4).requires_grad_()
    known = torch.tensor([[True, False, True, False]] * 3)
    target = torch.full((3, 4), 3.0, dtype=torch.float64).masked_fill(~known, torch.nan)
    loss = energy_regression(predicted, target, known)
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert loss.isfinite()
    assert (gradient != 0).equal(known)


def test_nothing_known_is_a_loss_of_zero_that_can_be_differentiated() -> None:
    predicted = normal(3, 4).requires_grad_()
    loss = energy_regression(predicted, torch.full_like(predicted, torch.nan), torch.zeros(3, 4).bool())
    assert loss.item() == 0
    assert torch.autograd.grad(loss, predicted)[0].eq(0).all()


# Ranking


@given(SEED, st.integers(1, 12), st.sampled_from([0.2, 1.0, 3.0]))
def test_ranking_is_the_mean_over_pairs_of_one_group(seed: int, n: int, temperature: float) -> None:
    generator = seeded(seed)
    energy = 10 * torch.rand(n, dtype=torch.float64, generator=generator)
    hijacked = torch.rand(n, generator=generator) < 0.5
    group = torch.randint(0, 3, (n,), generator=generator)
    costs = [
        math.log1p(math.exp(float(energy[b] - energy[h]) / temperature))
        for h in range(n)
        for b in range(n)
        if hijacked[h] and not hijacked[b] and group[h] == group[b]
    ]
    expected = sum(costs) / len(costs) if costs else 0.0
    assert close(ranking(energy, hijacked, group, temperature=temperature), expected)


def test_a_tie_costs_log_two_and_a_clear_order_nothing() -> None:
    hijacked, group = torch.tensor([True, False, False]), torch.zeros(3, dtype=torch.long)
    assert close(ranking(torch.full((3,), 4.0, dtype=torch.float64), hijacked, group), math.log(2))
    assert ranking(torch.tensor([10.0, 0.0, 0.0]), hijacked, group).item() < 1e-4
    assert ranking(torch.tensor([0.0, 10.0, 10.0]), hijacked, group).item() > 9.9


def test_ranking_raises_the_hijacked_and_lowers_its_benign_siblings_alone() -> None:
    energy = torch.full((5,), 4.0, requires_grad=True)
    hijacked = torch.tensor([True, False, False, True, False])
    loss = ranking(energy, hijacked, torch.tensor([0, 0, 0, 1, 2]))
    (gradient,) = torch.autograd.grad(loss, energy)
    assert gradient.sign().tolist() == [-1, 1, 1, 0, 0]


def test_no_pair_is_a_loss_of_zero_that_can_be_differentiated() -> None:
    energy = torch.ones(2, requires_grad=True)
    loss = ranking(energy, torch.tensor([True, False]), torch.tensor([0, 1]))
    assert loss.item() == 0
    assert torch.autograd.grad(loss, energy)[0].eq(0).all()


# SIGReg


def epps_pulley(x: Tensor) -> float:
    """The statistic with its integrals solved, by ∫ cos(tx)·exp(−a·t²/2) dt = √(2π/a)·exp(−x²/2a).

    |φ_n|² has weight exp(−t²/2) (a = 1), the mixed term exp(−t²) (a = 2), |φ|² exp(−3t²/2) (a = 3). One
    point x alone leaves √(2π) − 2·√π·exp(−x²/4) + √(2π/3).
    """
    n = len(x)
    pairs = math.sqrt(2 * math.pi) * torch.exp(-((x[:, None] - x) ** 2) / 2).sum() / n
    mixed = 2 * math.sqrt(math.pi) * torch.exp(-(x**2) / 4).sum()
    return float(pairs - mixed + n * math.sqrt(2 * math.pi / 3))


@given(st.floats(-10, 10))
def test_sigreg_of_a_single_point_is_its_closed_form(x: float) -> None:
    expected = math.sqrt(2 * math.pi) - 2 * math.sqrt(math.pi) * math.exp(-x * x / 4)
    expected += math.sqrt(2 * math.pi / 3)
    point = torch.tensor([[x]], dtype=torch.float64)
    assert sigreg(point, generator=seeded(0)).item() == pytest.approx(expected, abs=2e-4)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_sigreg_in_one_dimension_is_its_closed_form(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    statistic = sigreg(x[:, None], generator=seeded(0)).item()
    assert statistic == pytest.approx(epps_pulley(x), abs=2e-4 * len(x))


def test_sigreg_is_the_mean_of_its_slices() -> None:
    z = normal(40, 6)
    directions = torch.randn(6, 32, dtype=torch.float64, generator=seeded(3))
    slices = (z @ (directions / directions.norm(dim=0))).T
    expected = sum(epps_pulley(x) for x in slices) / 32
    assert sigreg(z, slices=32, generator=seeded(3)).item() == pytest.approx(expected, abs=2e-4 * 40)


@pytest.mark.parametrize("n", [8, 64, 512])
def test_sigreg_of_normal_samples_does_not_grow_with_their_number(n: int) -> None:
    """E T = n·∫ Var(φ_n) w dt = ∫ (1 − exp(−t²))·exp(−t²/2) dt, so T/n vanishes as 1/n."""
    expected = math.sqrt(2 * math.pi) - math.sqrt(2 * math.pi / 3)
    batches = [sigreg(normal(n, 16, seed=seed), generator=seeded(seed)).item() for seed in range(40)]
    assert sum(batches) / len(batches) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda z: 0 * z, id="all at 0"),
        pytest.param(lambda z: 0 * z + 1, id="all at one point"),
        pytest.param(lambda z: z * (torch.arange(8) < 2), id="few dimensions"),
        pytest.param(lambda z: 3 * z, id="too wide"),
        pytest.param(lambda z: z + 1, id="off centre"),
        pytest.param(lambda z: z[:, :1].sign() * 2 + 0.1 * z, id="two clusters"),
        pytest.param(lambda z: 3 * torch.special.ndtr(z[:, :1]).expand(-1, 8), id="uniform on a line"),
        pytest.param(lambda z: z / z.norm(dim=1, keepdim=True), id="unit length"),
    ],
)
def test_sigreg_tells_samples_that_are_not_standard_normal(spoil: Callable[[Tensor], Tensor]) -> None:
    z = normal(512, 8)
    assert sigreg(z, generator=seeded(1)).item() < 2
    assert sigreg(spoil(z), generator=seeded(1)).item() > 10


def test_uniform_and_bimodal_samples_of_unit_variance_score_above_normal_ones() -> None:
    z = normal(2048, 1)
    uniform = math.sqrt(12) * (torch.special.ndtr(z) - 0.5)
    bimodal = (z + 2 * z.sign()) / (z + 2 * z.sign()).std()
    of_normal, of_uniform, of_bimodal = (sigreg(x, generator=seeded(0)).item() for x in (z, uniform, bimodal))
    assert of_normal < 2 < of_uniform < of_bimodal


def test_all_embeddings_at_zero_have_the_closed_form() -> None:
    expected = 64 * (math.sqrt(2 * math.pi) + math.sqrt(2 * math.pi / 3) - 2 * math.sqrt(math.pi))
    assert sigreg(torch.zeros(64, 8), generator=seeded(0)).item() == pytest.approx(expected, abs=0.02)


def test_rotation_leaves_sigreg_as_it_is_in_expectation() -> None:
    z = normal(64, 6) * torch.tensor([3.0, 1, 1, 0.3, 0.1, 2]) + 0.5
    rotation = torch.linalg.qr(normal(6, 6, seed=1)).Q
    means = [sigreg(x, slices=8192, generator=seeded(5)).item() for x in (z, z @ rotation)]
    assert means[0] == pytest.approx(means[1], rel=0.03)
    assert means[0] != means[1]


def test_sigreg_depends_on_the_generator_alone() -> None:
    z, generator = normal(32, 4), seeded(7)
    first, second = sigreg(z, generator=generator), sigreg(z, generator=generator)
    assert sigreg(z, generator=seeded(7)).equal(first)
    assert not second.equal(first)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert sigreg(z, generator=seeded(7)).equal(first)


@given(SEED)
def test_sigreg_stays_in_its_range(seed: int) -> None:
    n = 1 + seed % 30
    value = sigreg(normal(n, 3, seed=seed) * (1 + seed % 5), generator=seeded(seed)).item()
    assert 0 <= value <= 3.96 * n


# VICReg


def whitened(n: int, d: int) -> Tensor:
    """Embeddings whose covariance is the identity."""
    z = normal(n, d)
    basis: Tensor = torch.linalg.qr(z - z.mean(0)).Q
    return basis * math.sqrt(n - 1)


def test_whitened_embeddings_that_agree_cost_nothing() -> None:
    z = whitened(32, 5)
    assert all(close(part, 0) for part in vicreg(z, z))


def test_collapse_costs_one_hinge_for_each_dimension() -> None:
    parts = vicreg(torch.full((16, 5), 3.0), torch.full((16, 5), 3.0))
    assert parts.variance.item() == pytest.approx(1 - math.sqrt(1e-4))
    assert parts.invariance.item() == parts.covariance.item() == 0


def test_one_view_that_collapses_costs_half_of_both() -> None:
    z = whitened(32, 5)
    assert close(vicreg(z, 0 * z).variance, 0.99 / 2)


@given(SEED, st.integers(2, 9), st.integers(1, 5))
def test_vicreg_is_its_formula(seed: int, n: int, d: int) -> None:
    a, b = normal(n, d, seed=seed) / 2, normal(n, d, seed=1)
    spread, shared = 0.0, 0.0
    for z in (a, b):
        covariance = torch.cov(z.T).reshape(d, d)
        spread += sum(max(0.0, 1 - math.sqrt(float(covariance[k, k]) + 1e-4)) for k in range(d)) / d
        shared += sum(float(covariance[k, m]) ** 2 for k in range(d) for m in range(d) if k != m) / d
    parts = vicreg(a, b)
    assert close(parts.invariance, ((a - b) ** 2).mean())
    assert close(parts.variance, spread / 2)
    assert close(parts.covariance, shared)


@given(SEED)
def test_vicreg_does_not_mind_order_and_shift_and_covariance_none_of_sign(seed: int) -> None:
    a, b, rows = normal(8, 3, seed=seed), normal(8, 3, seed=1), torch.randperm(8, generator=seeded(seed))
    parts = vicreg(a, b)
    assert all(close(x, y) for x, y in zip(vicreg(a[rows] + 4, b[rows] + 4), parts, strict=True))
    mirror = torch.tensor([1.0, -1.0, 1.0])
    assert all(close(x, y) for x, y in zip(vicreg(a * mirror, b * mirror), parts, strict=True))


# All of them


INPUTS: dict[str, tuple[Callable[..., Tensor | tuple[Tensor, ...]], list[Tensor]]] = {
    "info_nce": (
        lambda a, b, c: info_nce(a, b, negatives=c, ignore=torch.rand(4, 6, generator=seeded(0)) < 0.3),
        [normal(4, 3), normal(4, 3, seed=1), normal(2, 3, seed=2)],
    ),
    "energy_regression": (
        lambda a: energy_regression(a, torch.full_like(a, 2.0), torch.rand(5, 4, generator=seeded(0)) < 0.7),
        [4 + 2 * normal(5, 4)],
    ),
    "ranking": (
        lambda a: ranking(a, torch.arange(6) % 2 == 0, torch.arange(6) // 3, temperature=0.5),
        [normal(6)],
    ),
    "sigreg": (lambda a: sigreg(a, slices=8, generator=seeded(0)), [normal(6, 3)]),
    "vicreg": (lambda a, b: vicreg(a, b), [0.5 * normal(6, 3), normal(6, 3, seed=1)]),
}


@pytest.mark.parametrize(("loss", "inputs"), INPUTS.values(), ids=INPUTS)
def test_gradients_are_right(loss: Callable[..., Tensor | tuple[Tensor, ...]], inputs: list[Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, [x.clone().requires_grad_() for x in inputs])


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: info_nce(z, z, negatives=z),
        lambda z: sigreg(z, generator=seeded(0)),
        lambda z: sum(vicreg(z, z)),
    ],
    ids=["info_nce", "sigreg", "vicreg"],
)
@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_gradients_are_finite_in_collapse(loss: Callable[[Tensor], Tensor], value: float) -> None:
    z = torch.full((6, 4), value, requires_grad=True)
    result = loss(z)
    (gradient,) = torch.autograd.grad(result, z)
    assert result.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: info_nce(normal(3, 4), normal(2, 4)), r"actual has shape \(2, 4\), needs \(3, 4\)"),
        (
            lambda: info_nce(
                normal(3, 4), normal(3, 4), negatives=normal(2, 4), ignore=torch.zeros(3, 3).bool()
            ),
            r"ignore has shape \(3, 3\), needs \(3, 5\)",
        ),
        (lambda: energy_regression(normal(3, 4), normal(4), torch.ones(3, 4).bool()), "target has shape"),
        (lambda: energy_regression(normal(3, 4), normal(3, 4), torch.ones(3).bool()), "known has shape"),
        (lambda: ranking(normal(3), torch.ones(3, 1).bool(), torch.zeros(3)), "hijacked has shape"),
        (lambda: ranking(normal(3), torch.ones(3).bool(), torch.zeros(1)), "group has shape"),
        (lambda: vicreg(normal(3, 4), normal(1, 4)), "b has shape"),
        (lambda: vicreg(normal(1, 4), normal(1, 4)), "got 1 rows, give at least 2"),
    ],
)
def test_wrong_shapes_are_refused_where_broadcasting_would_hide_them(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()
