"""What the text encoder promises: texts as people see them, and vectors that never vary."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling import text
from gatling.text import Encoder, encoder, name_words, stem, visible, words

ANY_TEXT = st.text(st.characters(), max_size=60)
SAID = [
    ["send", "the", "minutes", "to", "ana"],
    ["zürich", "привет", "日本"],
    [],
    ["👍", "ﬁ", "a" * 500],
    ["send"],
    ["44500105175407324931", "20"],
]


@pytest.mark.parametrize(
    ("written", "seen"),
    {
        "plain text": ("Pay Ana 20 €.", "Pay Ana 20 €."),
        "zero-width characters": ("ig\u200bno\u200dre\ufeff th\u00adis", "ignore this"),
        "bidirectional controls": ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        "tag characters": ("hi\U000e0041\U000e0042", "hi"),
        "variation selectors": ("a\ufe0fb", "ab"),
        "full-width letters": ("\uff53\uff45\uff4e\uff44", "send"),
        "ligatures": ("ﬁle", "file"),
        "mathematical letters": ("\U0001d429\U0001d41a\U0001d432 \U0001d7d3", "pay 5"),
        "Cyrillic letters inside a Latin word": ("p\u0430yp\u0430l", "paypal"),
        "Greek letters inside a Latin word": ("g\u03bf\u03bfgle", "google"),
        "invisible letters that only folding reveals": ("ig\u3164no\uffa0re", "ignore"),
        "a lone surrogate": ("a\ud800b", "a\ufffdb"),
        "nothing": ("", ""),
    }.values(),
    ids=lambda value: ascii(value),
)
def test_text_is_read_as_a_person_sees_it(written: str, seen: str) -> None:
    assert visible(written) == seen


@pytest.mark.parametrize("prose", ["Привет, Ольга! Как дела?", "Καλημέρα σας", "Ольга и Bob", "こんにちは"])
def test_text_in_another_script_stays_as_it_is(prose: str) -> None:
    assert visible(prose) == prose


def test_a_disguised_word_does_not_change_the_honest_words_beside_it() -> None:
    assert visible("Ольга, это p\u0430ypal") == "Ольга, это paypal"


@given(ANY_TEXT)
def test_visible_text_can_be_encoded_and_is_its_own_visible_text(written: str) -> None:
    seen = visible(written)
    assert seen.encode().decode() == seen
    assert visible(seen) == seen


def test_no_character_hides_behind_its_compatibility_form() -> None:
    once = {chr(c): visible(chr(c)) for c in range(0x110000)}
    assert [ascii(c) for c, seen in once.items() if visible(seen) != seen] == []


def test_words_are_lower_case_letters_or_digits_in_order() -> None:
    assert words("Pay DE44 to Ana_B, please — 3rd of März!") == [
        *("pay", "de", "44", "to", "ana", "b", "please", "3", "rd", "of", "märz")
    ]
    assert words(" \n—…") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "send_email": ["send", "email"],
        "sendEmail": ["send", "email"],
        "GmailSendEmail": ["gmail", "send", "email"],
        "HTTPRequest": ["http", "request"],
        "banking.transfer-funds": ["banking", "transfer", "funds"],
        "server:files/read2": ["server", "files", "read", "2"],
        "": [],
    }.items(),
)
def test_identifiers_fall_into_words_however_they_are_written(name: str, expected: list[str]) -> None:
    assert name_words(name) == expected


def test_a_stem_joins_the_forms_of_a_word_and_keeps_short_ones() -> None:
    assert {stem(w) for w in ("send", "sends", "sending", "sender")} == {"send"}
    assert (stem("as"), stem("is"), stem("yes")) == ("as", "is", "yes")


def test_a_vector_has_unit_length_or_is_zero_where_there_are_no_words() -> None:
    lengths = np.linalg.norm(encoder().embed(SAID), axis=1)
    assert lengths == pytest.approx([1, 1, 0, 1, 1, 1], abs=1e-5)
    assert encoder().embed([]).shape == (0, encoder().dimensions)


@given(st.lists(st.lists(st.text(min_size=1, max_size=8), max_size=6), max_size=6))
def test_any_words_at_all_have_finite_vectors_of_unit_length(texts: list[list[str]]) -> None:
    vectors = encoder().embed(texts)
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([float(bool(t)) for t in texts], abs=1e-3)


def test_a_text_has_the_same_vector_alone_and_in_any_batch() -> None:
    together = encoder().embed(SAID)
    backwards = encoder().embed(SAID[::-1])[::-1]
    alone = np.concatenate([encoder().embed([said]) for said in SAID])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)


def test_the_order_in_which_words_are_first_met_changes_no_vector() -> None:
    first, second = Encoder(), Encoder()
    second.embed(SAID[::-1])
    assert np.array_equal(first.embed(SAID), second.embed(SAID))


@pytest.mark.parametrize("size", [0, 1, 3])
def test_words_that_come_after_the_cache_is_full_have_the_same_vectors(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, bits = encoder().embed(SAID), [encoder().bits(w) for said in SAID for w in said]
    monkeypatch.setattr(text, "WORD_CACHE", size)
    small = Encoder()
    assert np.array_equal(small.embed(SAID), expected)
    assert [small.bits(w) for said in SAID for w in said] == bits


def test_the_cache_grows_past_its_first_buffer_without_mixing_words_up() -> None:
    many = [f"word{n:x}"[:12] + chr(97 + n % 26) for n in range(5000)]
    grown = Encoder()
    together = grown.embed([[w] for w in many])
    for at in (0, 2047, 2048, 4096, 4999):
        assert np.array_equal(together[at], Encoder().embed([[many[at]]])[0])


def test_threads_that_learn_words_together_get_the_vectors_of_one_alone() -> None:
    texts = [[f"thread{n % 700}", f"w{n}", "send"] for n in range(3000)]
    expected = Encoder().embed(texts)
    shared = Encoder()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: shared.embed(texts[at : at + 100]), range(0, 3000, 100)))
    assert np.array_equal(np.concatenate(found), expected)


def test_words_of_like_meaning_lie_closer_than_words_of_none() -> None:
    mail, letter, volcano = encoder().embed([["email"], ["mail"], ["volcano"]])
    assert mail @ letter > mail @ volcano


def test_a_rarer_word_carries_more_bits_and_longer_numbers_more_than_short_ones() -> None:
    bits = encoder().bits
    assert 0 < bits("the") < bits("contract") < bits("brackwater")
    assert bits("7") < bits("20") < bits("1500") < bits("44500105175407324931")
    assert bits("the") + bits("20") < bits("44500105175407324931")
