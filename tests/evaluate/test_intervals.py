"""What the intervals promise: groups are drawn, not runs, and the same ones for every figure."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from gatling.evaluate import metrics
from gatling.evaluate.bootstrap import DRAWS, Bootstrap, Estimate


def width(estimate: Estimate) -> float:
    assert estimate["low"] is not None and estimate["high"] is not None
    return estimate["high"] - estimate["low"]


def test_an_interval_holds_its_estimate() -> None:
    rng = np.random.default_rng(1)
    bad, good = rng.normal(2, 1, 300), rng.normal(0, 1, 500)
    strap = Bootstrap([str(n // 2) for n in range(800)], seed=0)
    sides = np.arange(300), np.arange(300, 800)
    for metric in (metrics.auc, metrics.margin):
        found = strap.estimate(partial(metric, bad, good), *sides)
        assert found["low"] is not None and found["value"] is not None and found["high"] is not None
        assert found["low"] < found["value"] < found["high"]


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(2).normal(0, 1, 2000)
    found = Bootstrap([str(n) for n in range(2000)], seed=0).estimate(
        partial(metrics.mean, values), np.arange(2000)
    )
    assert width(found) == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_siblings_that_agree_widen_the_interval() -> None:
    values = np.repeat(np.random.default_rng(3).normal(0, 1, 100), 9)
    runs = np.arange(900)
    by_group = Bootstrap([str(n // 9) for n in runs], 0).estimate(partial(metrics.mean, values), runs)
    by_run = Bootstrap([str(n) for n in runs], 0).estimate(partial(metrics.mean, values), runs)
    assert by_group["value"] == by_run["value"]
    # Nine siblings that agree are worth one: a factor of three.
    assert width(by_group) == pytest.approx(3 * width(by_run), rel=0.2)


def test_a_draw_takes_as_many_groups_as_there_are() -> None:
    strap = Bootstrap(["a", "b", "a", "c\x00", "c"], seed=5)
    assert strap.counts.shape == (DRAWS, 4)
    assert (strap.counts.sum(1) == 4).all()
    assert strap.members.tolist() == [0, 1, 0, 3, 2]


def test_a_seed_gives_one_resampling_and_another_seed_another() -> None:
    groups = [str(n) for n in range(50)]
    assert (Bootstrap(groups, 0).counts == Bootstrap(groups, 0).counts).all()
    assert (Bootstrap(groups, 0).counts != Bootstrap(groups, 1).counts).any()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, runs = np.random.default_rng(4).normal(0, 1, 60), np.arange(60)
    strap = Bootstrap([str(n // 2) for n in runs], 0)
    whole = strap.estimate(partial(metrics.mean, values), runs)
    monkeypatch.setattr("gatling.evaluate.bootstrap._CHUNK", 100)
    assert strap.estimate(partial(metrics.mean, values), runs) == whole


def test_one_group_and_no_unit_have_no_interval() -> None:
    strap = Bootstrap(["a", "a", "b"], 0)
    values, first = np.array([1.0, 3.0]), np.array([0, 1])
    assert strap.estimate(partial(metrics.mean, values), first) == {"value": 2.0, "low": None, "high": None}
    none = strap.estimate(partial(metrics.mean, values[:0]), first[:0])
    assert none == {"value": None, "low": None, "high": None}


def test_a_share_of_nothing_seen_is_not_certainly_nothing() -> None:
    runs = np.arange(100)
    strap = Bootstrap([str(n // 2) for n in runs], 0)
    none, all_ = strap.share(runs < 0, runs), strap.share(runs >= 0, runs)
    assert (none["count"], none["of"], none["value"], none["low"]) == (0, 100, 0.0, 0.0)
    # Clopper and Pearson for 0 of 50 groups.
    assert none["high"] == pytest.approx(0.0711, abs=1e-4)
    assert (all_["count"], all_["value"], all_["high"]) == (100, 1.0, 1.0)
    assert all_["low"] == pytest.approx(1 - 0.0711, abs=1e-4)
