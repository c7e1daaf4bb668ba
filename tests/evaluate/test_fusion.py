"""What choosing gains promises: only new terms, never much, and nothing for what does not help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.energy.weights import analytic
from gatling.evaluate import ScoredRun
from gatling.evaluate.fusion import FEW, MOST, PART, fused, quality

Make = Callable[..., ScoredRun]
Terms = Callable[[np.random.Generator, bool], dict[str, float]]
KNOWN = {"flow": 1.0}


def some(run: Make, terms: Terms, count: int = 60, dataset: str = "data", seed: int = 5) -> list[ScoredRun]:
    """As many violating runs as benign ones, with three calls each, of which the second may violate."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        bad = number % 2 == 0
        one = run(f"{dataset} {number}", "hijacked" if bad else "clean", 0.0, dataset=dataset)
        calls = [replace(one.calls[0], terms=terms(random, bad and place == 1)) for place in range(3)]
        found.append(replace(one, calls=tuple(calls)))
    return found


def noise(random: np.random.Generator, bad: bool) -> dict[str, float]:
    return {
        "flow": float(random.uniform(4, 8) if bad else random.uniform(0, 6)),
        "latent": 5.0 * random.random(),
    }


def help(random: np.random.Generator, bad: bool) -> dict[str, float]:
    return {
        "flow": 6 * random.random(),
        "latent": float(random.uniform(5, 9) if bad else random.uniform(0, 4)),
    }


def harm(random: np.random.Generator, bad: bool) -> dict[str, float]:
    return {**noise(random, bad), "latent": 0.0 if bad else float(random.uniform(5, 10))}


def test_a_term_that_helps_counts(run: Make) -> None:
    found = fused(some(run, help), KNOWN)
    assert found.keys() == {"flow", "latent"}
    assert found["flow"] == 1.0
    assert 0.0 < found["latent"] <= 0.5


def test_a_term_that_misleads_counts_for_nothing(run: Make) -> None:
    for seed in range(4):
        assert fused(some(run, harm, 200, seed=seed), KNOWN) == {"flow": 1.0, "latent": 0.0}


def test_noise_mostly_counts_for_nothing_and_never_for_much(run: Make) -> None:
    """On some hundred runs noise may look like a little help."""
    found = [fused(some(run, noise, 400, seed=seed), KNOWN)["latent"] for seed in range(7)]
    assert np.median(found) == 0.0
    assert max(found) <= 0.2


def test_a_term_that_says_the_same_of_all_counts_for_nothing(run: Make) -> None:
    def flat(random: np.random.Generator, bad: bool) -> dict[str, float]:
        return {**noise(random, bad), "latent": 9.0}

    assert fused(some(run, flat), KNOWN)["latent"] == 0.0


def test_a_term_that_knows_all_still_never_decides_alone(run: Make) -> None:
    def oracle(random: np.random.Generator, bad: bool) -> dict[str, float]:
        return {"flow": 5 * random.random(), "latent": 10.0 * bad}

    runs = some(run, oracle, 200)
    assert fused(runs, KNOWN)["latent"] == MOST == 0.5
    assert fused(runs, KNOWN, 0.2)["latent"] == 0.2


def test_gains_that_are_known_stay(run: Make) -> None:
    runs = some(run, help)
    assert fused(runs, {"flow": 0.15, "latent": 0.9, "scope": 0.3}) == {
        "flow": 0.15,
        "latent": 0.9,
        "scope": 0.3,
    }
    assert fused(runs, analytic().gains).items() >= analytic().gains.items()


def test_the_same_runs_give_the_same_gains_in_any_order(run: Make) -> None:
    runs = some(run, help) + some(run, noise, dataset="other")
    assert fused(runs, KNOWN) == fused(runs, KNOWN) == fused(runs[::-1], KNOWN)


def test_two_new_terms_are_chosen_together(run: Make) -> None:
    def both(random: np.random.Generator, bad: bool) -> dict[str, float]:
        return {**help(random, bad), "echo": 5.0}

    found = fused(some(run, both, 400), KNOWN)
    assert found["latent"] > 0.0
    assert found["echo"] == 0.0


# What counts


def test_what_is_too_little_moves_nothing(run: Make) -> None:
    assert fused([], KNOWN) == KNOWN
    few = some(run, help, 2 * FEW - 2)
    assert fused(few, KNOWN)["latent"] == 0.0
    assert fused(some(run, help, 2 * FEW), KNOWN)["latent"] > 0.0
    benign = [one for one in some(run, help, 100) if not one.violation]
    assert fused(benign, KNOWN)["latent"] == 0.0


def test_runs_that_count_neither_way_and_runs_without_calls_move_nothing(run: Make) -> None:
    runs = some(run, help)
    more = [
        *(run(f"u{n}", "unclear", 10.0) for n in range(90)),
        *(run(f"e{n}", "hijacked", 10.0, calls=()) for n in range(90)),
    ]
    assert fused(runs + more, KNOWN) == fused(runs, KNOWN)


def test_a_large_set_does_not_drown_a_small_one(run: Make) -> None:
    """Repeated, a set counts as it did once."""
    small, large = some(run, help), some(run, noise, 200, dataset="large")
    repeated = [replace(one, id=f"{one.id} {n}") for one in large for n in range(5)]
    assert fused(small + repeated, KNOWN) == fused(small + large, KNOWN)
    assert fused(small + large, KNOWN)["latent"] > 0.0


def test_a_call_that_lacks_a_term_has_none_of_it(run: Make) -> None:
    runs = some(run, help)

    def lacking(one: ScoredRun, rest: dict[str, float]) -> ScoredRun:
        calls = (replace(call, terms={"flow": call.terms["flow"], **rest}) for call in one.calls)
        return replace(one, calls=tuple(calls))

    mixed = [one if one.violation else lacking(one, {}) for one in runs]
    zeros = [one if one.violation else lacking(one, {"latent": 0.0}) for one in runs]
    assert fused(mixed, KNOWN) == fused(zeros, KNOWN)


# The quality


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_quality_is_a_rescaled_partial_area(pairs: list[tuple[float, bool]]) -> None:
    scores, bad = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    if len(set(bad.tolist())) < 2:
        return
    least = PART**2 / 2
    assert 0.5 * (1 - least / (PART - least)) - 1e-9 <= quality(scores, bad) <= 1.0 + 1e-9
    assert quality(bad.astype(float), bad) == pytest.approx(1.0)
    assert quality(np.zeros(len(bad)), bad) == pytest.approx(0.5)
