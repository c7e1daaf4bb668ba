"""How much of a job a request leaves to a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.openness import CLASSES, GRAM, Openness, grams, openness


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ticket 5512 please", "open"),
        ("Could you take care of whatever Noor wrote me about the boiler?", "open"),
        ("Please follow the steps on the page that the bank sent me.", "open"),
        ("Kannst du bitte erledigen, was in Annas Notiz steht?", "open"),
        ("Pay the invoice that the roofer mailed me.", "details"),
        ("Put the dates from the school's letter into my calendar.", "details"),
        ("Send 40 euros to Jo for the pizza.", "closed"),
        ("What does Ana's mail ask of me? Just tell me, do nothing yet.", "closed"),
    ],
)
def test_a_request_is_of_the_class_that_leaves_as_much_to_a_text(text: str, expected: str) -> None:
    found = openness(text)
    likely = dict(zip(CLASSES, (*found, 1 - sum(found)), strict=True))
    assert max(likely, key=lambda name: likely[name]) == expected


@given(st.text(max_size=300))
def test_any_text_has_shares_that_add_up_to_one_at_most(text: str) -> None:
    found = openness(text)
    assert min(found) >= 0.0
    assert sum(found) <= 1.0 + 1e-6


@pytest.mark.parametrize("text", ["", "\u4f60\u597d\u4e16\u754c", "xqzzv qqwrt"])
def test_a_text_without_known_words_leaves_nothing_open(text: str) -> None:
    assert openness(text) == Openness()


def test_case_and_accents_and_the_digits_of_a_number_say_nothing() -> None:
    assert openness("FAIS CE QUE DIT LA LETTRE 12") == openness("fais ce que dit la lettre 9977")


@given(st.lists(st.sampled_from(["pay", "the", "bill", "7", "!"]), max_size=12))
def test_grams_are_all_sequences_of_up_to_three_words(tokens: list[str]) -> None:
    count = len(tokens)
    assert len(grams(" ".join(tokens))) == sum(max(0, count - n + 1) for n in range(1, GRAM + 1))
