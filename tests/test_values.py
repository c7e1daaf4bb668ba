"""Values keep their identity however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.values import spellings, value_words

SAME = {
    "thousands": ["1500", "1,500", "1'500", "1,500.00", "$1,500.00", "1500.0", "01500"],
    "decimals": ["1500.5", "1,500.50", "1500.500"],
    "zero": ["0", "00", "0.0", "0.00"],
    "case": ["Ana@Corp.Example", "ana@corp.example", "ANA@CORP.EXAMPLE"],
    "white space": ["DE44 Brackwater", " de44\tbrackwater\n"],
    "separators": ["2026-05-07", "2026/5/7", "2026.05.07", "2026 05 07"],
    "punctuation": ["Kranichstein, Hall 3", '"kranichstein" (hall 3)'],
}


@pytest.mark.parametrize("written", SAME.values(), ids=SAME)
def test_one_value_has_one_form_however_it_is_written(written: list[str]) -> None:
    forms = {tuple(value_words(text)) for text in written}
    assert len(forms) == 1, forms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1500", "150"),
        ("1,500", "1,5"),
        ("1500.05", "1500.5"),
        ("1500.5", "15005"),
        ("2026-05-07", "2026-07-05"),
        ("ana@corp.example", "ana@corp.test"),
        ("10.0.0.1", "10.1"),
    ],
)
def test_different_values_stay_different(one: str, other: str) -> None:
    assert value_words(one) != value_words(other)


def test_a_number_in_arguments_has_the_form_of_its_text() -> None:
    assert value_words(repr(1500.0)) == value_words(repr(1500)) == ["1500"]


@given(st.text(st.characters(), max_size=40))
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    form = value_words(text)
    assert value_words(" ".join(form)) == form
    assert all(word and not word.isspace() for word in form)


@given(st.integers(0, 10**15))
def test_a_number_is_one_word_with_or_without_separators(number: int) -> None:
    assert value_words(f"{number:,}") == value_words(str(number)) == [str(number)]


@pytest.mark.parametrize(
    "prose",
    ["May 7, 2026", "7 May 2026", "7 May", "May 7", "7. May 2026", "may 07 2026", "on MAY 7 at noon"],
)
def test_an_iso_date_is_found_in_prose(prose: str) -> None:
    held = f" {' '.join(value_words(prose))} "
    assert any(f" {' '.join(form)} " in held for form in spellings("2026-05-07"))


def test_a_date_is_not_found_under_another_day_or_month() -> None:
    for prose in ("May 8, 2026", "7 June 2026", "27 May"):
        held = f" {' '.join(value_words(prose))} "
        assert not any(f" {' '.join(form)} " in held for form in spellings("2026-05-07"))


@pytest.mark.parametrize("text", ["2026-13-07", "2026-00-07", "May", "no date", "", "12026-05-07"])
def test_what_is_no_date_has_no_other_spelling(text: str) -> None:
    assert spellings(text) == []


def test_an_encoded_value_is_also_spelt_in_the_clear() -> None:
    assert ["drop", "evil", "example"] in spellings("drop%40evil.example")
