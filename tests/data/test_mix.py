"""What the mix promises: the shares hold at every moment, and at the end exactly."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.mix import DEFAULT, SLACK, Mix, Shares, stratum_of
from gatling.data.run import Kind
from gatling.data.split import SPLITS, Split

KINDS: tuple[Kind, ...] = (
    "gold",
    "gold",
    "gold",
    "clean",
    "resisted",
    "authorised",
    "delegated",
    "hijacked",
    "hijacked",
    "mutated",
    "mutated",
)


def admitted(size: int, seed: int) -> list[tuple[Split, Kind]]:
    rng, mix = Random(seed), Mix(size)
    found: list[tuple[Split, Kind]] = []
    while not mix.full():
        offered = rng.choice(SPLITS), rng.choice(KINDS)
        if mix.admit(*offered):
            found.append(offered)
    return found


@given(st.integers(1, 400), st.integers())
def test_a_full_build_holds_each_share_to_the_sample_and_at_least_half_of_the_benign_is_gold(
    size: int, seed: int
) -> None:
    strata = Counter(stratum_of(kind) for _, kind in admitted(size, seed))
    benign = strata["gold"] + strata["twin"]
    assert strata.total() == size
    assert strata["adversarial"] == strata["mutated"]
    assert abs(strata["adversarial"] - size / 5) < 1
    assert abs(benign - size * 3 / 5) <= 1
    assert strata["gold"] >= benign / 2


@given(st.integers())
def test_at_any_prefix_a_stratum_is_a_few_samples_from_its_share(seed: int) -> None:
    counts: Counter[str] = Counter()
    for _, kind in admitted(400, seed):
        counts[stratum_of(kind)] += 1
        for stratum, halves in DEFAULT.strata.items():
            ahead = counts[stratum] - counts.total() * halves / 200
            assert -3 * SLACK <= ahead <= SLACK


@pytest.mark.parametrize("part", ["train", "validation", "test", "heldout"])
def test_train_validation_and_test_hold_the_shares_as_well(part: str) -> None:
    counts = Counter(stratum_of(kind) for split, kind in admitted(3000, 7) if split.startswith(part))
    for stratum, halves in DEFAULT.strata.items():
        assert abs(counts[stratum] - counts.total() * halves / 200) <= 3 * SLACK


def test_a_scarce_stratum_holds_the_others_back_and_not_the_other_way_round() -> None:
    mix = Mix(1000)
    for _ in range(200):
        mix.admit("train", "gold")
    assert mix.total < 10
    assert mix.admit("train", "mutated")


@given(st.integers(), st.integers(0, 60))
def test_a_mix_goes_on_from_its_counts(seed: int, stop: int) -> None:
    rng, one = Random(seed), Mix(100)
    other = one
    for step in range(120):
        if step == stop:
            other = Mix(100, one.counts())
        offered = rng.choice(SPLITS), rng.choice(KINDS)
        admitted = one.admit(*offered)
        assert other is one or other.admit(*offered) is admitted
    assert other.counts() == one.counts()


@pytest.mark.parametrize("shares", [(60, 20, 20), (50, 30, 20), (80, 20, 0), (33, 33, 34), (100, 0, 0)])
def test_any_mix_ends_in_its_shares(shares: tuple[int, int, int]) -> None:
    rng, mix = Random(1), Mix(500, shares=Shares(*shares))
    while not mix.full():
        mix.admit("train", rng.choice(KINDS))
    counts: Counter[str] = sum((Counter(part) for part in mix.counts().values()), Counter())
    assert counts.total() == 500
    assert counts["gold"] + counts["twin"] == 500 - counts["adversarial"] - counts["mutated"]
    for stratum, percent in (("adversarial", shares[1]), ("mutated", shares[2])):
        assert abs(counts[stratum] - 5 * percent) <= 1


def test_a_mix_is_written_as_it_is_read() -> None:
    assert str(Shares.read("50/30/20")) == "50/30/20"
    for written in ("", "60/20", "60/20/30", "60/20/x", "-10/60/50", "60/20/20/0", "600/20/20"):
        with pytest.raises(ValueError, match=r"^mix "):
            Shares.read(written)


def test_what_is_for_evaluation_counts_for_nothing() -> None:
    mix = Mix(10)
    assert all(mix.admit("evaluation", "hijacked") for _ in range(50))
    assert mix.total == 0
