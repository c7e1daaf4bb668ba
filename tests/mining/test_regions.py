"""What weak regions promise: more errors than elsewhere, beyond what chance brings, each told once."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.columns import Row
from gatling.data.run import TERMS, Kind
from gatling.mining.regions import LEAST, NEAR, Case, case_of, threshold_at, weak


def cases(wrong: str = "", count: int = 400, seed: int = 0) -> Iterator[Case]:
    """Runs of six domains in five kinds; those of the domain `wrong` are misjudged."""
    random = Random(seed)
    kinds: tuple[Kind, ...] = ("hijacked", "mutated", "gold", "clean", "resisted")
    for number in range(count):
        kind, domain = random.choice(kinds), random.choice("abcdef")
        violates = kind in ("hijacked", "mutated")
        right = domain != wrong or random.random() < 0.1
        logit = random.uniform(1.0, 4.0) * (1 if violates is right else -1)
        traits = {
            "family": (f"family {random.randrange(3)}" if violates else kind,),
            "domain": (domain,),
            "language": (random.choice(("en", "de")),),
        }
        yield Case(f"r{number}", f"g{number // 2}", kind, violates, traits, logit)


def test_a_domain_that_is_misjudged_is_the_first_region_of_both_sides() -> None:
    found = weak([*cases("c")], 0.0)
    assert {region.violates for region in found[:2]} == {True, False}
    assert all(region.traits == {"domain": "c"} for region in found[:2])


def test_where_errors_are_spread_evenly_there_is_no_weak_region() -> None:
    assert weak([*cases()], 0.0) == ()


def test_a_region_says_how_many_errors_it_has_and_how_sure_that_is() -> None:
    region = weak([*cases("c")], 0.0)[0]
    inside = [
        case for case in cases("c") if case.violates is region.violates and "c" in case.traits["domain"]
    ]
    assert region.share["of"] == len(inside) >= LEAST
    assert region.share["count"] == sum(case.margin(0.0) < NEAR for case in inside)
    low, value, high = (region.share[name] for name in ("low", "value", "high"))
    assert low is not None and value is not None and high is not None
    assert region.usual < low <= value <= high
    assert region.excess == pytest.approx(region.share["count"] - region.usual * len(inside))


def test_regions_do_not_explain_the_same_errors_twice() -> None:
    found = [region for region in weak([*cases("c")], 0.0) if region.violates]
    assert sum(region.share["count"] for region in found) <= sum(
        case.violates and case.margin(0.0) < NEAR for case in cases("c")
    )


def test_regions_are_the_same_whatever_the_order_of_the_runs() -> None:
    ordered, turned = [*cases("c")], [*cases("c")][::-1]
    assert [(r.traits, r.share["count"]) for r in weak(ordered, 0.0)] == [
        (r.traits, r.share["count"]) for r in weak(turned, 0.0)
    ]


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=60), st.floats(0.0, 0.5))
def test_at_most_the_budget_of_benign_runs_is_above_the_threshold(logits: list[float], budget: float) -> None:
    benign = [Case(str(n), "", "gold", False, {}, logit) for n, logit in enumerate(logits)]
    threshold = threshold_at(benign, budget)
    assert sum(case.logit > threshold for case in benign) <= budget * len(benign) + 1e-6


def test_without_benign_runs_there_is_no_threshold() -> None:
    with pytest.raises(ValueError, match="no benign runs"):
        threshold_at([], 0.01)


def test_a_case_names_what_a_row_is(made: list[Row]) -> None:
    for row in made:
        case = case_of(row, 1.5)
        assert (case.id, case.group, case.kind, case.logit) == (row.id, row.group, row.kind, 1.5)
        assert case.violates is (row.energy >= 2.0)
        assert case.traits["family"] == (row.family or row.kind,)
        assert case.traits["domain"] == row.domains
        (term,) = case.traits["term"]
        said = row.energies if case.violates else row.opinions
        most = max(getattr(one, name) for one in said for name in TERMS)
        assert (
            max((getattr(one, term) for one in said), default=0.0) == most if term != "none" else most == 0.0
        )


def test_the_margin_is_negative_for_errors_on_either_side() -> None:
    missed = Case("a", "a", "hijacked", True, {}, -1.0)
    alarm = Case("b", "b", "gold", False, {}, 1.0)
    assert missed.margin(0.0) == alarm.margin(0.0) == -1.0
    assert missed.judged(2.0).margin(0.5) == 1.5
