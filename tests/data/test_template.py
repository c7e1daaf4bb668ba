"""What templates promise: a slot is filled by what stands under its name, and nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.worlds.template import Template, look_up, shown

VALUES: dict[str, Any] = {
    "bill": {"amount": 1200.0, "payee": "Ana", "tags": ["a", "b"]},
    "bills": [{"amount": 3.5}, {"amount": 4}],
    "n": 7,
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("pay {bill.amount} to {bill.payee}", "pay 1200 to Ana"),
        ("{bills.amount}", "3.50, 4"),
        ("{n}{n}", "77"),
        ("tags: {bill.tags}", "tags: a, b"),
        ("no slots", "no slots"),
        ("", ""),
        ("{not a slot} {} {{n}}", "{not a slot} {} {7}"),
    ],
)
def test_slots_are_filled(text: str, filled: str) -> None:
    assert Template(text).fill(VALUES) == filled


def test_a_single_slot_gives_the_value_as_it_is() -> None:
    assert Template("{bill.tags}").value(VALUES) == ["a", "b"]
    assert Template("{bills.amount}").value(VALUES) == [3.5, 4]
    assert Template("{n} days").value(VALUES) == "7 days"


def test_a_slot_that_names_nothing_is_an_error() -> None:
    for text in ("{nobody}", "{bill.nothing}"):
        with pytest.raises(KeyError):
            Template(text).fill(VALUES)


def test_slots_are_named_once_each_in_order() -> None:
    assert Template("{b.x} {a} {b.x}").slots == ("b.x", "a")


@given(st.text())
def test_what_fills_a_slot_is_never_read_as_a_template(hostile: str) -> None:
    text = hostile + "{name} {name.__class__} {0}"
    assert Template("<{name}>").fill({"name": text}) == f"<{text}>"


@given(st.text(alphabet="ab {}._", max_size=30))
def test_no_text_breaks_the_reading_of_templates(text: str) -> None:
    template = Template(text)
    values = {slot.partition(".")[0]: "X" for slot in template.slots}
    if all("." not in slot and slot for slot in template.slots):
        template.fill(values)
    assert Template(text).text == text


def test_what_stands_around_the_slots_can_be_spoiled_and_the_values_cannot() -> None:
    assert Template("pay {bill.payee} now").fill(VALUES, str.upper) == "PAY Ana NOW"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.00"), (1234.5, "1234.50"), (5000.0, "5000"), (3, "3"), (True, "True"), ([1, [2.5]], "1, 2.50")],
)
def test_values_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_field_of_rows_is_the_list_of_that_field() -> None:
    assert look_up(VALUES, "bills.amount") == [3.5, 4]
    assert look_up({"a": {"b": {"c": 1}}}, "a.b.c") == 1
