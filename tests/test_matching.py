"""How much of one text another says too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.matching import matched, read

TEXTS = st.lists(st.text("abcdefghij0123456789é你", min_size=1, max_size=70), max_size=12)
SAID = [["send", "fifty", "euros", "to", "kim"], ["open", "the", "door"], ["invoice", "77120"]]


@given(TEXTS, TEXTS)
def test_shares_lie_between_nothing_and_all_and_each_has_its_side(a: list[str], b: list[str]) -> None:
    one, other = matched(read(a), read(b))
    assert 0.0 <= one <= 1.0 and 0.0 <= other <= 1.0
    assert matched(read(b), read(a)) == pytest.approx((other, one), abs=1e-6)


@pytest.mark.parametrize("words", SAID)
def test_a_text_says_all_of_itself_in_any_order(words: list[str]) -> None:
    assert matched(read(words), read(words[::-1])) == pytest.approx((1.0, 1.0), abs=1e-5)


@pytest.mark.parametrize("words", SAID)
def test_what_says_more_says_all_of_a_part_and_the_part_not_all_of_it(words: list[str]) -> None:
    part, whole = matched(read(words[:-1]), read(words))
    assert part == pytest.approx(1.0, abs=1e-5)
    assert whole < 0.99


def test_other_words_for_the_same_match_better_than_words_for_something_else() -> None:
    asked = read(["pay", "the", "bill"])
    alike, unlike = (matched(read(w), asked)[0] for w in (["payment", "invoice"], ["window", "garden"]))
    assert alike > unlike


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    texts = read(["the"]), read(["hydroelectric"])
    common, rare = (matched(read(["the", "hydroelectric"]), text)[0] for text in texts)
    assert rare > common


def test_nothing_matches_nothing() -> None:
    assert matched(read([]), read(["word"])) == matched(read([]), read([])) == (0.0, 0.0)
