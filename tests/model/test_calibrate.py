"""Fitted thresholds: they hold their budget, know how sure they are, and refuse what cannot support them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gatling.energy.calibration import HIGHEST, LOWEST, Calibration, CalibrationError, least_deny
from gatling.model import thresholds
from gatling.model.calibrate import fit, groups_needed

Floats = NDArray[np.float64]


def scale(logits: Any) -> Floats:
    """Logits as energies on 0–10."""
    energies: Floats = 10.0 / (1.0 + np.exp(-np.asarray(logits, float)))
    return energies


def ids(count: int, runs: int = 1) -> list[str]:
    return [f"w{number:05d}" for number in range(count) for _ in range(runs)]


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the thresholds are tested and not their intervals."""
    monkeypatch.setattr(thresholds, "DRAWS", 20)


RNG = np.random.default_rng(5)
BENIGN = scale(RNG.normal(1.0, 2.0, 1600))
GROUPS = ids(800, 2)
BUDGETS: dict[str, Any] = {"budget": 0.02, "deny_budget": 0.005}


# The budget


@st.composite
def benign_runs(draw: st.DrawFn) -> tuple[Floats, list[str], list[str]]:
    """Between 60 and 120 groups of one to three runs of three kinds; few distinct scores, so many ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = np.repeat(np.arange(draw(st.integers(60, 120))), 3)
    groups = np.append(np.unique(groups), groups[rng.random(len(groups)) < 0.5])
    scores = scale(rng.normal(0.0, 2.0, len(groups))).round(draw(st.integers(0, 6)))
    kinds = rng.choice(["clean", "resisted", "authorised"], len(groups), p=[0.6, 0.35, 0.05])
    return np.minimum(scores, 9.9), [f"g{g}" for g in groups], kinds.tolist()


@pytest.mark.usefixtures("few_draws")
@given(benign_runs(), st.sampled_from((0.05, 0.1, 0.25, 0.3)))
@settings(max_examples=60)
def test_a_threshold_flags_at_most_the_budget_of_every_kind_and_is_the_smallest_that_does(
    runs: tuple[Floats, list[str], list[str]], budget: float
) -> None:
    scores, groups, kinds = runs
    fitted = fit(scores, groups, kinds=kinds, budget=budget, deny_budget=0.05).escalate
    parts = {"all": scores}
    for kind in set(kinds):
        mine = np.array(kinds) == kind
        if len({g for g, m in zip(groups, mine, strict=True) if m}) * budget >= 1:
            parts[kind] = scores[mine]
    flagged = {kind: float(np.mean(part >= fitted.raw)) for kind, part in parts.items()}
    assert all(share <= budget for share in flagged.values())
    assert fitted.false_positives.value == flagged[fitted.kind]
    assert set(fitted.untested) == set(kinds) - set(parts)
    if not fitted.untested and fitted.raw > LOWEST:
        lower = math.nextafter(fitted.raw, 0.0)
        assert any(np.mean(part >= lower) > budget for part in parts.values())


@pytest.mark.usefixtures("few_draws")
@given(benign_runs())
@settings(max_examples=30)
def test_smaller_budgets_never_have_lower_thresholds(runs: tuple[Floats, list[str], list[str]]) -> None:
    scores, groups, kinds = runs
    fitted = fit(scores, groups, kinds=kinds, budget=0.2, deny_budget=0.05)
    raws = [level.raw for level in fitted.benign]
    assert raws == sorted(raws)
    assert fitted.deny.raw >= least_deny(fitted.escalate.raw) > fitted.escalate.raw


@pytest.mark.usefixtures("few_draws")
def test_the_flagged_runs_are_those_whose_calibrated_energy_reaches_the_band() -> None:
    fitted = fit(BENIGN, GROUPS, **BUDGETS)
    energies = np.array([fitted.apply(float(raw)) for raw in BENIGN])
    assert (energies >= 2.0).sum() == 32 == round(0.02 * len(BENIGN))
    assert (energies >= 6.0).sum() == 8 == round(0.005 * len(BENIGN))
    for level in fitted.benign:
        assert level.calibrated is not None
        assert np.mean(energies >= level.calibrated) <= level.budget


@pytest.mark.usefixtures("few_draws")
def test_runs_that_tie_with_the_threshold_are_not_flagged() -> None:
    scores = np.repeat([1.0, 5.0, 9.0], [900, 95, 5])
    fitted = fit(scores, ids(1000), budget=0.05, deny_budget=0.004)
    assert fitted.escalate.raw == math.nextafter(5.0, 10.0)
    assert fitted.escalate.false_positives.value == 0.005
    assert fitted.deny.raw == math.nextafter(9.0, 10.0)
    assert fitted.deny.false_positives.value == 0.0


@pytest.mark.usefixtures("few_draws")
def test_where_both_budgets_fall_on_one_score_deny_is_raised_so_that_the_map_has_no_cliff() -> None:
    fitted = fit(np.full(1000, 5.0), ids(1000), budget=0.05, deny_budget=0.004)
    assert fitted.escalate.raw == math.nextafter(5.0, 10.0)
    assert fitted.deny.raw == least_deny(fitted.escalate.raw)
    assert Calibration.from_json(fitted.to_json()) == fitted


@pytest.mark.usefixtures("few_draws")
def test_thresholds_keep_off_zero() -> None:
    fitted = fit(np.zeros(1000), ids(1000), budget=0.05, deny_budget=0.004)
    assert fitted.escalate.raw == LOWEST
    assert fitted.escalate.false_positives.value == 0.0


def test_the_budget_holds_for_the_kind_that_scores_highest() -> None:
    kinds = ["clean", "authorised"] * 800
    scores = scale(RNG.normal(0.0, 1.0, 1600) + np.tile([0.0, 3.0], 800))
    by_kind = fit(scores, GROUPS, kinds=kinds, **BUDGETS).escalate
    pooled = fit(scores, GROUPS, **BUDGETS).escalate
    assert (by_kind.kind, by_kind.false_positives.runs, by_kind.false_positives.groups) == (
        "authorised",
        800,
        800,
    )
    assert (pooled.kind, pooled.false_positives.runs, pooled.false_positives.groups) == ("all", 1600, 800)
    assert by_kind.raw > pooled.raw
    assert np.mean(scores[1::2] >= pooled.raw) > 0.02 >= np.mean(scores[1::2] >= by_kind.raw)


@pytest.mark.usefixtures("few_draws")
def test_a_kind_too_small_for_a_budget_is_named_and_keeps_its_last_threshold() -> None:
    kinds = ["authorised"] * 100 + ["clean"] * 1500
    scores = np.append(scale(RNG.normal(6.0, 0.1, 100)), scale(RNG.normal(0.0, 0.1, 1500)))
    fitted = fit(scores, ids(1600), kinds=kinds, **BUDGETS)
    assert fitted.escalate.kind == "authorised"
    assert fitted.escalate.untested == ()
    assert fitted.deny.untested == ("authorised",)
    assert fitted.deny.kind != "authorised"
    assert fitted.deny.raw >= np.sort(scores)[-2]


# What does not matter, and what does


@pytest.mark.usefixtures("few_draws")
@given(st.permutations(range(120)))
@settings(max_examples=10)
def test_the_order_of_the_runs_does_not_matter(order: list[int]) -> None:
    scores, groups = BENIGN[:120].round(1), ids(60, 2)
    kinds = ["clean", "resisted", "clean"] * 40
    straight = fit(scores, groups, kinds=kinds, budget=0.2, deny_budget=0.05)
    mixed = fit(
        scores[order],
        [groups[n] for n in order],
        kinds=[kinds[n] for n in order],
        budget=0.2,
        deny_budget=0.05,
    )
    assert mixed == straight


def test_the_same_seed_gives_the_same_bytes_and_the_seed_moves_only_intervals() -> None:
    first, again, other = (fit(BENIGN, GROUPS, **BUDGETS, seed=seed) for seed in (1, 1, 2))
    assert json.dumps(first.to_json()) == json.dumps(again.to_json())
    assert first.escalate.interval != other.escalate.interval
    assert first.escalate.raw == other.escalate.raw


def test_how_the_bootstrap_is_cut_into_blocks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(BENIGN, GROUPS, **BUDGETS)
    monkeypatch.setattr(thresholds, "_BLOCK", 100_000)
    assert fit(BENIGN, GROUPS, **BUDGETS) == whole


def test_copies_in_a_group_are_no_evidence() -> None:
    single = fit(BENIGN[:400], ids(400), budget=0.05, deny_budget=0.01).escalate
    copied = fit(np.repeat(BENIGN[:400], 5), ids(400, 5), budget=0.05, deny_budget=0.01).escalate
    assert copied.raw == single.raw
    assert copied.interval == single.interval
    assert copied.false_positives.low == single.false_positives.low


# How sure it is


@pytest.mark.parametrize(("groups", "runs", "spread"), [(300, 1, 0.0), (100, 3, 1.0)])
def test_the_interval_covers_the_share_of_new_runs_that_are_flagged(
    groups: int, runs: int, spread: float
) -> None:
    """Over 200 samples; `spread` is how far groups differ. The true share follows from the distribution."""
    rng = np.random.default_rng(11)
    covered = []
    for _ in range(200):
        logits = np.repeat(rng.normal(0.0, 1.0, groups) * spread, runs) + rng.normal(0.0, 1.0, groups * runs)
        fitted = fit(scale(logits), ids(groups, runs), budget=0.05, deny_budget=0.05).escalate
        logit = math.log(fitted.raw / (10.0 - fitted.raw))
        true = 0.5 * math.erfc(logit / math.sqrt(2.0 * (1.0 + spread**2)))
        covered.append(fitted.false_positives.low <= true <= fitted.false_positives.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_more_groups_narrow_the_interval_and_it_holds_the_threshold() -> None:
    widths = []
    for count in (300, 4800):
        scores = scale(np.random.default_rng(3).normal(0.0, 1.0, count))
        fitted = fit(scores, ids(count), budget=0.05, deny_budget=0.01).escalate
        low, high = fitted.interval
        assert low <= fitted.raw <= high
        assert fitted.false_positives.low <= fitted.false_positives.value <= fitted.false_positives.high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_what_a_threshold_detects_is_measured_and_moves_nothing() -> None:
    hijacked = scale(RNG.normal(6.0, 2.0, 300))
    fitted = fit(BENIGN, GROUPS, **BUDGETS, hijacked=hijacked, hijacked_groups=ids(150, 2))
    found = fitted.escalate.detected
    assert found is not None
    assert found.value == np.mean(hijacked >= fitted.escalate.raw)
    assert found.low < found.value < found.high
    assert (found.runs, found.groups) == (300, 150)
    assert fitted.escalate.raw == fit(BENIGN, GROUPS, **BUDGETS).escalate.raw
    assert fit(BENIGN, GROUPS, **BUDGETS).escalate.detected is None


@pytest.mark.parametrize(("energy", "expected"), [(9.9999, (1.0, 0.94, 1.0)), (0.1, (0.0, 0.0, 0.06))])
def test_a_share_of_all_or_none_is_bounded_by_the_rule_of_three(
    energy: float, expected: tuple[float, float, float]
) -> None:
    found = fit(BENIGN, GROUPS, **BUDGETS, hijacked=[energy] * 50, hijacked_groups=ids(50)).escalate.detected
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx(expected)


# What is refused


def test_the_rule_of_three() -> None:
    assert [groups_needed(budget) for budget in (0.3, 0.07, 0.05, 0.01, 0.002)] == [10, 43, 60, 300, 1500]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {},
            r"deny_budget 0\.002 needs 1500 groups of benign runs \(rule of three: 3 / budget\); "
            r"these 800 support no budget under 0\.0037: add runs or raise deny_budget",
        ),
        ({**BUDGETS, "groups": ["one"] * 1600}, r"budget 0\.02 needs 150 .* these 1 support none"),
        ({**BUDGETS, "scores": [], "groups": []}, "scores: no runs"),
        ({**BUDGETS, "groups": GROUPS[1:]}, r"scores: shape \(1600,\) beside 1599 group ids"),
        ({**BUDGETS, "scores": BENIGN[:, None]}, r"scores: shape \(1600, 1\)"),
        ({**BUDGETS, "kinds": ["clean"]}, "kinds: 1 of them beside 1600 runs"),
        ({**BUDGETS, "scores": [*BENIGN[1:], math.nan]}, r"scores\[1599\] is nan; .*finite .*\(1 of 1600"),
        ({**BUDGETS, "scores": [math.inf, *BENIGN[1:]]}, r"scores\[0\] is inf"),
        ({**BUDGETS, "scores": [-0.1, *BENIGN[2:], 10.1]}, r"scores\[0\] is -0\.1; .*\(2 of 1600 do not\)"),
        ({"budget": 0.005, "deny_budget": 0.01}, "must not exceed budget"),
        ({"budget": 0.005, "deny_budget": 0.0}, r"deny_budget is 0\.0; it is a share"),
        ({"budget": 1.0, "deny_budget": 0.01}, r"budget is 1\.0; it is a share"),
        ({"budget": math.nan, "deny_budget": 0.01}, "budget is nan"),
        ({**BUDGETS, "hijacked": [9.0]}, "hijacked and hijacked_groups together"),
        ({**BUDGETS, "hijacked_groups": ["a"]}, "hijacked and hijacked_groups together"),
        ({**BUDGETS, "hijacked": [math.nan], "hijacked_groups": ["a"]}, r"hijacked\[0\] is nan"),
        (
            {**BUDGETS, "scores": np.append(np.full(60, 10.0), BENIGN[60:])},
            r"no threshold holds the budget 0\.02: 3\.75% of 1600 benign runs \(kind: all\) score 9\.999999",
        ),
    ],
)
def test_what_supports_no_threshold_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit(**{"scores": BENIGN, "groups": GROUPS, **arguments})


# Terms


@pytest.mark.usefixtures("few_draws")
def test_each_term_has_its_own_threshold_at_the_same_budget() -> None:
    terms = {"flow": BENIGN, "scope": np.zeros(1600), "stuck": np.full(1600, 10.0)}
    fitted = fit(BENIGN, GROUPS, **BUDGETS, terms=terms)
    assert [name for name, _ in fitted.terms] == ["flow", "scope"]
    (_, flow), (_, scope) = fitted.terms
    assert (flow.raw, flow.interval, flow.budget) == (
        fitted.escalate.raw,
        fitted.escalate.interval,
        fitted.escalate.budget,
    )
    assert flow.calibrated is None
    assert scope.raw == LOWEST
    assert Calibration.from_json(fitted.to_json()) == fitted
    assert fit(BENIGN, GROUPS, **BUDGETS) == fitted.model_copy(update={"terms": ()})


@pytest.mark.parametrize(
    ("energies", "message"),
    [([math.nan] * 1600, r"flow\[0\] is nan"), ([1.0], r"flow: shape \(1,\) beside 1600 group ids")],
)
def test_a_terms_energies_are_checked(energies: list[float], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit(BENIGN, GROUPS, **BUDGETS, terms={"flow": energies})


def test_highest_leaves_room_for_a_threshold_above_any_confident_run() -> None:
    fitted = fit(np.minimum(scale(RNG.normal(12.0, 1.0, 1000)), HIGHEST - 1e-6), ids(1000), **BUDGETS)
    assert 9.99 < fitted.escalate.raw < fitted.deny.raw <= HIGHEST
