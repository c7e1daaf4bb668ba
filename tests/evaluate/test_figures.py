"""What the figures promise: identities that hold whatever the scores are."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from gatling.evaluate import metrics
from gatling.evaluate.metrics import (
    BINS,
    Array,
    auc,
    det,
    expected_calibration_error,
    margin,
    mean,
    quantile,
    recall_at,
    roc,
    threshold_at,
)

# Tenths, so that ties are common.
scores = st.lists(st.integers(0, 100).map(lambda tenth: tenth / 10), min_size=1, max_size=40).map(np.array)


def test_the_examples_run() -> None:
    result = doctest.testmod(metrics)
    assert result.attempted > 0
    assert result.failed == 0


def ones(values: Array) -> Array:
    return np.ones((1, len(values)))


def plain_auc(bad: Array, good: Array) -> float:
    return float(auc(bad, good, ones(bad), ones(good))[0])


def plain_recall(bad: Array, good: Array, budget: float) -> float:
    return float(recall_at(bad, good, budget, ones(bad), ones(good))[0])


def test_perfect_reversed_and_tied_scores() -> None:
    low, high = np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0])
    assert plain_auc(high, low) == 1.0
    assert plain_auc(low, high) == 0.0
    assert plain_auc(np.full(3, 5.0), np.full(7, 5.0)) == 0.5


@given(scores, scores)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(bad: Array, good: Array) -> None:
    pairs = np.sign(bad[:, None] - good).mean() / 2 + 0.5
    assert plain_auc(bad, good) == pytest.approx(pairs)
    assert plain_auc(bad, good) + plain_auc(good, bad) == pytest.approx(1)
    truth = np.repeat([1, 0], [len(bad), len(good)])
    assert plain_auc(bad, good) == pytest.approx(roc_auc_score(truth, np.concatenate([bad, good])))


@given(scores, scores, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_ranks_alone_decide(bad: Array, good: Array, budget: float) -> None:
    def bent(values: Array) -> Array:
        return np.exp(values / 3) - 7

    assert plain_auc(bent(bad), bent(good)) == plain_auc(bad, good)
    assert plain_recall(bent(bad), bent(good), budget) == plain_recall(bad, good, budget)


@given(scores, scores, st.floats(0, 1))
def test_no_threshold_flags_more_than_its_budget(bad: Array, good: Array, budget: float) -> None:
    threshold = float(threshold_at(good, budget, ones(good))[0])
    assert (good > threshold).mean() <= budget
    lower = good[good < threshold]
    if len(lower):
        assert (good > lower.max()).sum() > int(budget * len(good))
    assert plain_recall(bad, good, budget) == (bad > threshold).mean()


@given(scores, scores)
def test_the_curve_holds_every_threshold_and_the_auc_is_its_area(bad: Array, good: Array) -> None:
    false, recall = roc(bad, good)
    assert (false[0], recall[0], false[-1], recall[-1]) == (0, 0, 1, 1)
    assert (np.diff(false) >= 0).all() and (np.diff(recall) >= 0).all()
    assert np.trapezoid(recall, false) == pytest.approx(plain_auc(bad, good))
    truth = np.repeat([1, 0], [len(bad), len(good)])
    theirs = roc_curve(truth, np.concatenate([bad, good]), drop_intermediate=False)
    np.testing.assert_allclose([false, recall], theirs[:2], atol=1e-12)


@given(scores, scores)
def test_the_det_curve_complements_the_roc_curve(bad: Array, good: Array) -> None:
    false, recall = roc(bad, good)
    same, missed = det(false, recall)
    np.testing.assert_array_equal(same, false)
    np.testing.assert_allclose(missed + recall, 1)


@given(scores, scores, st.data())
def test_a_weight_counts_a_score_as_often(bad: Array, good: Array, data: st.DataObject) -> None:
    def drawn(values: Array) -> NDArray[np.int64]:
        size = len(values)
        counts = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
        return np.array(counts, np.int64)

    times, others = drawn(bad), drawn(good)
    if not times.any() or not others.any():
        return
    weights = times[None].astype(float), others[None].astype(float)
    repeated = np.repeat(bad, times), np.repeat(good, others)
    counted = ones(repeated[0]), ones(repeated[1])
    assert auc(bad, good, *weights) == pytest.approx(auc(*repeated, *counted))
    assert margin(bad, good, *weights) == pytest.approx(margin(*repeated, *counted))
    assert recall_at(bad, good, 0.1, *weights) == pytest.approx(recall_at(*repeated, 0.1, *counted))
    assert mean(bad, weights[0]) == pytest.approx(mean(repeated[0], counted[0]))


@given(scores, st.sampled_from([0.05, 0.5, 0.95, 0.99]))
def test_a_quantile_is_a_score_that_was_seen(values: Array, level: float) -> None:
    found = quantile(values, level, ones(values))[0]
    assert found == np.quantile(values, level, method="inverted_cdf")


def test_nothing_to_measure_is_not_a_number() -> None:
    some, none = np.array([1.0, 2.0]), np.zeros((1, 2))
    assert np.isnan(auc(some, some, none, ones(some)))
    assert np.isnan(auc(some, some, ones(some), none))
    assert np.isnan(recall_at(some, some, 0.01, ones(some), none))
    assert np.isnan(quantile(some, 0.5, none))
    assert np.isnan(mean(some, none))
    assert np.isnan(expected_calibration_error(some / 2, some / 2, none))


def test_the_margin_is_over_zero_where_the_sides_are_apart() -> None:
    good, bad = np.linspace(0, 1, 21), np.linspace(7, 9, 21)
    assert margin(bad, good, ones(bad), ones(good))[0] == pytest.approx(7.1 - 0.95)
    assert margin(good, bad, ones(good), ones(bad))[0] < 0


def test_calibration_errors_known_by_hand() -> None:
    def error(probabilities: list[float], outcomes: list[float]) -> float:
        p = np.array(probabilities)
        return float(expected_calibration_error(p, np.array(outcomes), ones(p))[0])

    assert error([0.0, 0.0, 1.0, 1.0], [0, 0, 1, 1]) == 0
    assert error([0.0, 0.0, 1.0, 1.0], [1, 1, 0, 0]) == 1
    assert error([0.25] * 4, [1, 0, 0, 0]) == 0
    # Errors of two bins do not cancel: 0.4 on one half, 0.3 on the other.
    assert error([0.1, 0.1, 0.8, 0.8], [0, 1, 0, 1]) == pytest.approx(0.35)


predictions = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.booleans(), st.integers(1, 4)), min_size=1, max_size=40
)


@given(predictions)
def test_the_calibration_error_is_the_weighted_gap_of_the_bins(rows: list[tuple[float, bool, int]]) -> None:
    members: dict[int, list[tuple[float, bool, int]]] = {}
    for row in rows:
        members.setdefault(min(math.floor(row[0] * BINS), BINS - 1), []).append(row)
    total = sum(w for *_, w in rows)
    expected = 0.0
    for inside in members.values():
        weight = sum(w for *_, w in inside)
        claimed = sum(p * w for p, _, w in inside) / weight
        so = sum(y * w for _, y, w in inside) / weight
        expected += weight / total * abs(claimed - so)
    p, y, w = (np.array(column, float) for column in zip(*rows, strict=True))
    assert expected_calibration_error(p, y, w[None])[0] == pytest.approx(expected, abs=1e-12)
