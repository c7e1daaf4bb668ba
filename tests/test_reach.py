"""What a call reaches for, and the smallest budget that a request can mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.plan import Scope
from gatling.reach import EVERYTHING, MANY, PLURAL, needed, reach, sensitivity_of
from gatling.tools import describe

SEARCH = describe("search_contacts", "Searches contacts.", ["name", "limit", "recursive", "depth"])
DELETE = describe("delete_file", "Deletes a file.", ["path"])


@pytest.mark.parametrize(
    ("arguments", "volume"),
    [
        ({}, 1.0),
        ({"name": "Ana"}, 1.0),
        ({"name": "Ana", "limit": 1}, 1.0),
        ({"limit": 50}, 50.0),
        ({"limit": -50}, 50.0),
        ({"limit": 10**30}, EVERYTHING),
        ({"limit": float("inf")}, EVERYTHING),
        ({"limit": float("-inf")}, EVERYTHING),
        ({"limit": float("nan")}, 1.0),
        ({"name": "*"}, EVERYTHING),
        ({"name": "select * from contacts"}, EVERYTHING),
        ({"ids": ["a", "b", "c"]}, 3.0),
        ({"recursive": True}, EVERYTHING),
        ({"recursive": False}, 1.0),
    ],
    ids=str,
)
def test_volume_is_the_number_of_things_a_call_reaches_for(arguments: dict[str, Any], volume: float) -> None:
    assert reach(SEARCH, arguments).volume == volume


def test_a_star_in_prose_is_no_wildcard() -> None:
    send = describe("send_note", "Sends a note.", ["to", "body"])
    assert reach(send, {"to": "Ana", "body": "all"}).volume == 1.0


def test_the_window_spans_the_dates_of_the_arguments() -> None:
    assert reach(SEARCH, {"name": "2026-01-01 to 2026-01-31"}).window_days == 30.0
    assert reach(SEARCH, {"name": "2026-01-01"}).window_days == 0.0
    assert reach(SEARCH, {"name": "2026-99-99 and 0000-00-00"}).window_days == 0.0


def test_recursion_is_deep_and_depth_is_bounded() -> None:
    assert reach(SEARCH, {"recursive": True}).depth == 10
    assert reach(SEARCH, {"depth": 3}).depth == 3
    assert 10 <= reach(SEARCH, {"depth": 10**9}).depth <= 100


def test_a_tool_that_deletes_is_at_least_confidential() -> None:
    assert reach(DELETE, {"path": "a"}).sensitivity >= 4


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("the weather in Kranichstein", 1),
        ("my inbox", 3),
        ("the salary sheet", 4),
        ("the database password", 5),
        ("api_key", 5),
        ("", 1),
    ],
)
def test_sensitivity_follows_from_whole_words(text: str, level: int) -> None:
    assert sensitivity_of(text) == level


@pytest.mark.parametrize(
    ("said", "volume"),
    [
        ("call the small shop", 1.0),
        ("my last 3 invoices", 3.0),
        ("my last three invoices", 3.0),
        ("my invoices", PLURAL),
        ("several invoices", MANY),
        ("all invoices", EVERYTHING),
        ("the address of the glass house", 1.0),
    ],
)
def test_a_request_needs_what_its_words_say(said: str, volume: float) -> None:
    assert needed([said]).volume == volume


def test_no_request_needs_the_least() -> None:
    assert needed([]) == Scope()


@given(st.lists(st.sampled_from(["all my files", "3 notes of last week", "the password", "hello"])))
def test_more_said_never_shrinks_the_budget(said: list[str]) -> None:
    before, after = needed(said), needed([*said, "two mails of this month"])
    assert after.volume >= before.volume
    assert after.window_days >= before.window_days
    assert after.sensitivity >= before.sensitivity


@given(
    st.dictionaries(
        st.sampled_from(["name", "limit", "depth", "ids"]), st.integers() | st.text() | st.floats()
    )
)
def test_reach_is_finite_and_at_least_one_thing(arguments: dict[str, Any]) -> None:
    found = reach(SEARCH, arguments)
    assert 1.0 <= found.volume <= EVERYTHING
    assert 0.0 <= found.window_days < 4_000_000
    assert 1 <= found.sensitivity <= 5
