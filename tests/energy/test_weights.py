"""What the weights promise: signs that hold, gains that join, and nothing half-read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from gatling.energy.hierarchy import SIGNS
from gatling.energy.weights import Weights, analytic

TERMS = ("hierarchy", "provenance", "scope", "flow", "latent")
energies = st.dictionaries(st.sampled_from(TERMS), st.floats(0, 10), max_size=5)
shares = st.fixed_dictionaries({name: st.floats(0, 1) for name in TERMS})


def with_gains(gains: dict[str, float]) -> Weights:
    return analytic().model_copy(update={"gains": gains})


# The composite


def test_terms_join_as_independent_reasons_for_alarm() -> None:
    weights = with_gains({"flow": 0.5, "scope": 1.0})
    assert weights.composite({"flow": 4.0, "scope": 5.0}) == pytest.approx(10 * (1 - 0.8 * 0.5))
    assert weights.composite({"flow": 10.0}) == pytest.approx(5.0)
    assert weights.composite({}) == 0.0


@given(energies)
def test_a_term_without_a_gain_counts_fully(terms: dict[str, float]) -> None:
    fully = with_gains(dict.fromkeys(TERMS, 1.0))
    assert with_gains({}).composite(terms) == fully.composite(terms)
    assert with_gains({}).composite({**terms, "another": 10.0}) == 10.0


@given(energies, shares)
def test_a_composite_lies_on_the_scale_and_under_its_strongest_terms_sum(
    terms: dict[str, float], gains: dict[str, float]
) -> None:
    composite = with_gains(gains).composite(terms)
    counted = [gains[name] * value for name, value in terms.items()]
    assert max(counted, default=0.0) - 1e-9 <= composite <= min(10.0, sum(counted) + 1e-9)


@given(energies, shares, st.sampled_from(TERMS), st.floats(0, 10))
def test_no_term_lowers_it(terms: dict[str, float], gains: dict[str, float], name: str, value: float) -> None:
    assume(value >= terms.get(name, 0.0))
    weights = with_gains(gains)
    raised = {**terms, name: value}
    assert weights.composite(raised) >= weights.composite(terms) - 1e-12
    assert weights.energy(raised) >= weights.energy(terms) - 1e-9


@given(energies)
def test_a_gain_of_nothing_is_as_if_the_term_were_not_there(terms: dict[str, float]) -> None:
    silent = with_gains(dict.fromkeys(TERMS, 0.0) | {"flow": 1.0})
    assert silent.composite(terms) == pytest.approx(terms.get("flow", 0.0))


def test_the_energy_is_the_calibrated_composite() -> None:
    weights = analytic()
    assert weights.energy({}) == 0.0
    escalate = weights.calibration.escalate.raw
    assert weights.calibration.apply(escalate) == 2.0
    terms = {"hierarchy": 9.0, "flow": 3.0}
    assert weights.energy(terms) == weights.calibration.apply(weights.composite(terms))


def test_what_is_no_number_is_never_a_low_energy() -> None:
    assert analytic().energy({"hierarchy": math.nan}) == 10.0
    assert analytic().energy({"hierarchy": math.inf}) == 10.0


# What is refused


def told() -> dict[str, Any]:
    loaded: dict[str, Any] = analytic().model_dump(mode="json")
    return loaded


def test_they_are_the_same_after_storing() -> None:
    assert Weights.model_validate_json(json.dumps(told())) == analytic()
    assert analytic() is analytic()
    assert [term.name for term in analytic().terms] == ["hierarchy", "provenance", "scope", "flow"]


@pytest.mark.parametrize("name", SIGNS)
def test_a_weight_of_the_wrong_sign_is_refused(name: str) -> None:
    changed = told()
    changed["hierarchy"][name] = -0.5 * SIGNS[name]
    with pytest.raises(ValidationError, match=rf"the sign of \['{name}'\] is fixed the other way"):
        Weights.model_validate(changed)
    changed["hierarchy"][name] = 0.5 * SIGNS[name]
    assert Weights.model_validate(changed).hierarchy[name] == 0.5 * SIGNS[name]


@pytest.mark.parametrize("name", [*SIGNS, "bias", "habit"])
def test_a_missing_weight_is_refused_and_so_is_one_that_is_no_number(name: str) -> None:
    changed = told()
    for odd in (math.nan, math.inf, -math.inf, "much", None):
        changed["hierarchy"][name] = odd
        with pytest.raises(ValidationError, match=f"hierarchy.{name}"):
            Weights.model_validate(changed)
    del changed["hierarchy"][name]
    with pytest.raises(ValidationError, match=rf"exactly the weights of its quantities; see \['{name}'\]"):
        Weights.model_validate(changed)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("hierarchy", {"sound": 1.0}, r"see \['sound'\]"),
        ("hierarchy", {"habit": 1.1}, "hierarchy.habit must lie in 0 to 1"),
        ("hierarchy", {"habit": -0.1}, "hierarchy.habit must lie in 0 to 1"),
        ("gains", {"flow": 1.1}, "gains.flow"),
        ("gains", {"flow": -0.1}, "gains.flow"),
        ("gains", {"flow": math.nan}, "gains.flow"),
        ("calibration", {"escalate": None}, "calibration.escalate"),
    ],
)
def test_what_is_out_of_range_is_refused(part: str, value: dict[str, Any], words: str) -> None:
    changed = told()
    changed[part] |= value
    with pytest.raises(ValidationError, match=words):
        Weights.model_validate(changed)


@pytest.mark.parametrize("part", ["source", "hierarchy", "gains", "calibration"])
def test_every_part_is_needed(part: str) -> None:
    changed = told()
    del changed[part]
    with pytest.raises(ValidationError, match=part):
        Weights.model_validate(changed)


def test_a_part_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Weights.model_validate({**told(), "extra": 1})
