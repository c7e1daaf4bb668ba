"""The map from raw to calibrated energies: what it promises, and what it refuses to be loaded from."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gatling.energy.calibration import (
    DENY,
    ESCALATE,
    HIGHEST,
    LOWEST,
    Calibration,
    CalibrationError,
    Share,
    Threshold,
    against,
    least_deny,
    onto_bands,
)
from gatling.policy import Thresholds

Pair = tuple[float, float]


@st.composite
def pins(draw: st.DrawFn, least: float = LOWEST) -> Pair:
    """A raw escalate and a raw deny threshold that may stand together."""
    highest = TOP_ESCALATE
    escalate = draw(st.floats(least, highest))
    return escalate, draw(st.floats(least_deny(escalate), HIGHEST))


TOP_ESCALATE = 10.0 / (1.0 + against(HIGHEST) * 1.06)
ENERGY = st.floats(0.0, 10.0)
SHIPPED = (9.3331, 9.7714)


def threshold(raw: float, budget: float, pinned: Pair, **changed: Any) -> Threshold:
    share = Share(value=budget / 2, low=0.0, high=budget * 2, runs=900, groups=300)
    fields = {
        "raw": raw,
        "interval": (raw, raw),
        "calibrated": onto_bands(raw, *pinned),
        "budget": budget,
        "false_positives": share,
        "kind": "clean",
        "untested": ("authorised",),
        "detected": share,
    }
    return Threshold(**{**fields, **changed})


def calibration(pinned: Pair = SHIPPED) -> Calibration:
    escalate, deny = pinned
    return Calibration(
        escalate=threshold(escalate, 0.01, pinned),
        deny=threshold(deny, 0.002, pinned, detected=None),
        benign=tuple(
            threshold(raw, budget, pinned)
            for raw, budget in ((LOWEST, 0.5), (escalate, 0.01), (deny, 0.002), (deny, 0.001))
        ),
        terms=(("flow", threshold(3.0, 0.01, pinned, calibrated=None)),),
    )


# The map


def test_the_thresholds_are_those_of_a_policy_that_names_none() -> None:
    assert (Thresholds().escalate, Thresholds().deny) == (ESCALATE, DENY) == (2.0, 6.0)


@given(pins())
def test_the_pins_and_the_ends_stay_exactly_where_they_belong(pinned: Pair) -> None:
    assert [onto_bands(raw, *pinned) for raw in (0.0, *pinned, 10.0)] == [0.0, 2.0, 6.0, 10.0]


@given(pins(), ENERGY, ENERGY)
def test_no_higher_raw_energy_gets_a_lower_calibrated_one(pinned: Pair, a: float, b: float) -> None:
    low, high = (onto_bands(raw, *pinned) for raw in sorted((a, b)))
    assert 0.0 <= low <= high <= 10.0


@given(pins(), ENERGY, st.sampled_from((-math.inf, math.inf)))
def test_not_even_rounding_turns_two_neighbours_round(pinned: Pair, raw: float, towards: float) -> None:
    pair = sorted((raw, min(max(math.nextafter(raw, towards), 0.0), 10.0)))
    assert onto_bands(pair[0], *pinned) <= onto_bands(pair[1], *pinned)


@given(pins(), st.floats(0.0, 10.0 - 1e-9))
def test_energies_a_billionth_apart_never_tie(pinned: Pair, raw: float) -> None:
    assert onto_bands(raw, *pinned) < onto_bands(raw + 1e-9, *pinned)


@given(pins(least=9.0), st.floats(0.0, 1.0))
def test_above_a_high_deny_threshold_not_even_neighbouring_floats_tie(pinned: Pair, share: float) -> None:
    escalate, deny = pinned[0], max(pinned[1], 9.5)
    raw = min(deny + share * (10.0 - deny), math.nextafter(10.0, 0.0))
    assert onto_bands(raw, escalate, deny) < onto_bands(math.nextafter(raw, 11.0), escalate, deny)


@given(pins(), st.sampled_from((0, 1)), st.integers(1, 3))
def test_a_call_is_flagged_exactly_when_its_raw_energy_reaches_the_pin(
    pinned: Pair, which: int, steps: int
) -> None:
    pin, band = pinned[which], (ESCALATE, DENY)[which]
    below = above = pin
    for _ in range(steps):
        below, above = math.nextafter(below, 0.0), math.nextafter(above, 10.0)
    assert onto_bands(below, *pinned) < band <= onto_bands(pin, *pinned) <= onto_bands(above, *pinned)


@given(pins(), ENERGY)
def test_the_map_has_no_jump(pinned: Pair, raw: float) -> None:
    near = min(10.0, raw + 1e-12 * (10.0 - raw) * min(raw, 1.0))
    assert onto_bands(near, *pinned) - onto_bands(raw, *pinned) < 1e-8


@given(pins(), st.floats(0.5, 9.5))
def test_outside_the_pins_the_logit_moves_by_a_constant(pinned: Pair, raw: float) -> None:
    if pinned[0] <= raw <= pinned[1]:
        return
    pin, band = (pinned[0], ESCALATE) if raw < pinned[0] else (pinned[1], DENY)
    moved = against(onto_bands(raw, *pinned)) / against(raw)
    assert moved == pytest.approx(against(band) / against(pin), rel=1e-6)


@given(pins(), st.floats(0.1, 0.9))
def test_between_the_pins_the_odds_move_linearly(pinned: Pair, share: float) -> None:
    def between(low: float, high: float) -> float:
        return against(low) + share * (against(high) - against(low))

    mapped = onto_bands(10.0 / (1.0 + between(*pinned)), *pinned)
    assert against(mapped) == pytest.approx(between(ESCALATE, DENY), rel=1e-6)


def test_confident_calls_that_crowd_below_ten_are_spread_out() -> None:
    mapped = [onto_bands(raw, *SHIPPED) for raw in (9.99, 9.999, 9.9999)]
    assert np.diff(mapped).min() > 0.02
    assert mapped[-1] < 9.999


def test_what_is_no_energy_fails_closed_or_keeps_to_the_scale() -> None:
    assert (
        onto_bands(math.nan, *SHIPPED) == onto_bands(math.inf, *SHIPPED) == onto_bands(11.0, *SHIPPED) == 10.0
    )
    assert onto_bands(-math.inf, *SHIPPED) == onto_bands(-1.0, *SHIPPED) == onto_bands(-0.0, *SHIPPED) == 0.0
    assert onto_bands(5e-324, *SHIPPED) == 0.0


def test_the_same_bytes_on_every_machine() -> None:
    """Worked out once; IEEE 754 leaves no machine another answer, so these are compared bit by bit."""
    mapped = [onto_bands(raw, *SHIPPED).hex() for raw in (1e-6, 0.1, 1.0, 5.0, 9.0, 9.5, 9.7, 9.8, 9.99)]
    assert mapped == GOLDEN


GOLDEN = [
    "0x1.32e60126c80e2p-26",
    "0x1.d8ef483656685p-10",
    "0x1.448e9c123ed19p-6",
    "0x1.676e3d2f0c2fcp-3",
    "0x1.62937841b7248p+0",
    "0x1.5a77713c016f1p+1",
    "0x1.245a5bdbb082cp+2",
    "0x1.94aa08b7ed015p+2",
    "0x1.37200c8b3efd6p+3",
]


# The stored form


@given(pins())
def test_json_gives_an_equal_calibration_back(pinned: Pair) -> None:
    stored = calibration(pinned)
    text = json.dumps(stored.to_json(), allow_nan=False)
    assert Calibration.from_json(json.loads(text)) == stored
    assert json.dumps(Calibration.from_json(json.loads(text)).to_json()) == text


def test_without_terms_of_its_own_it_is_stored_as_before_there_were_any() -> None:
    plain = calibration().model_copy(update={"terms": ()})
    assert plain.to_json().keys() == {"escalate", "deny", "benign"}
    assert Calibration.from_json(plain.to_json()) == plain


def test_a_calibration_cannot_be_changed() -> None:
    stored = calibration()
    with pytest.raises(ValidationError, match="frozen"):
        stored.deny = stored.escalate
    with pytest.raises(ValidationError, match="frozen"):
        stored.escalate.raw = 1.0
    assert len({stored, calibration()}) == 1


def changed(*path: str | int, to: Any) -> Any:
    stored: Any = calibration().to_json()
    place = stored
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return stored


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (None, "calibration: .*dict"),
        ([], "calibration: .*dict"),
        ({}, r"calibration\.escalate: Field required"),
        (changed("more", to=1), r"calibration\.more: Extra inputs"),
        (changed("escalate", "raw", to=math.nan), r"calibration\.escalate\.raw: .*"),
        (changed("escalate", "raw", to=math.inf), r"calibration\.escalate\.raw: .*"),
        (changed("escalate", "raw", to="9.3"), r"calibration\.escalate\.raw: .*number"),
        (changed("escalate", "raw", to=10**400), r"calibration\.escalate\.raw: .*"),
        (changed("escalate", "raw", to=0.0), r"calibration\.escalate\.raw: .*greater than or equal to 0\.01"),
        (changed("deny", "raw", to=10.0), r"calibration\.deny\.raw: .*less than or equal to 9\.999999"),
        (changed("deny", "raw", to=9.3332), r"deny\.raw \(9\.3332\) must be .* or more .* cliff"),
        (changed("deny", "raw", to=9.8), r"benign\[2\]\.calibrated is 6\.0, but the map gives 5"),
        (changed("escalate", "calibrated", to=3.0), r"escalate\.calibrated is 3\.0, but the map gives 2\.0"),
        (changed("benign", 0, "calibrated", to=None), r"benign\[0\]\.calibrated is None"),
        (changed("terms", 0, 1, "calibrated", to=2.0), r"calibration: terms: calibrated must be null"),
        (changed("terms", 0, 1, "raw", to=0.0), r"calibration\.terms\.0\.1\.raw: .*greater than"),
        (changed("benign", 1, "budget", to=0.6), "benign must go from large budgets to small ones"),
        (changed("escalate", "budget", to=0.001), r"escalate: .*exceed the budget 0\.001"),
        (changed("escalate", "budget", to=0.0), r"escalate\.budget: .*greater than 0"),
        (changed("escalate", "interval", to=[9.0]), r"escalate\.interval\.1: Field required"),
        (changed("escalate", "interval", to=[9.5, 9.0]), "must run from low to high"),
        (changed("escalate", "false_positives", "high", to=1.5), r"false_positives\.high: .*less than"),
        (changed("escalate", "false_positives", "low", to=0.9), r"low \(0\.9\) must not exceed high"),
        (changed("escalate", "false_positives", "groups", to=901), "901 groups cannot hold 900 runs"),
        (changed("escalate", "false_positives", "runs", to=0), "greater than or equal to 1"),
        (changed("escalate", "kind", to=7), r"escalate\.kind: .*string"),
    ],
)
def test_what_cannot_be_a_calibration_is_refused_by_field(stored: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as refused:
        Calibration.from_json(stored)
    assert "calibrate.fit" in str(refused.value)


def test_the_deny_budget_is_the_smaller_one() -> None:
    with pytest.raises(ValueError, match=r"deny\.budget must not exceed"):
        Calibration(escalate=threshold(9.0, 0.01, (9.0, 9.5)), deny=threshold(9.5, 0.02, (9.0, 9.5)))
