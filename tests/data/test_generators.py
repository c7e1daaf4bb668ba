"""What generators promise: the kind of value they name, of nobody real, the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatling.data.worlds.domain import LANGUAGES, Domain, domains
from gatling.data.worlds.generators import (
    _MONTHS,
    _WEEKDAYS,
    LOCALES,
    SUFFIXES,
    Maker,
    generator,
    known,
    pool,
    slug,
    surround,
)
from gatling.data.worlds.state import State
from gatling.data.worlds.template import Template
from gatling.data.worlds.world import mistype

TODAY = date(2026, 3, 4)
UNFILLED = re.compile(r"\{[\w.]+\}")
EMAIL = re.compile(r"[a-z0-9._-]+@[a-z0-9-]+\.[a-z.]+")

SHAPES: dict[str, Callable[[Any], object]] = {
    "email": EMAIL.fullmatch,
    "username": re.compile(r"[a-z0-9._-]+").fullmatch,
    "iban": re.compile(r"[A-Z]{2}\d{20}").fullmatch,
    "url": re.compile(r"https://[a-z0-9.-]+/\w+/\d+").fullmatch,
    "ip": re.compile(r"203\.0\.113\.\d+").fullmatch,
    "version": re.compile(r"\d+\.\d+\.\d+").fullmatch,
    "number": re.compile(r"\d{6}").fullmatch,
    "time": re.compile(r"\d\d:\d\d").fullmatch,
    "datetime": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d").fullmatch,
    "bool": lambda value: isinstance(value, bool),
    "id(AB-##?*)": re.compile(r"AB-\d\d[A-Z][0-9a-f]").fullmatch,
    "int(3, 5)": lambda value: value in (3, 4, 5),
    "money(10, 90)": lambda value: 10 <= value <= 90 and round(value, 2) == value,
    "choice(red, blue)": lambda value: value in ("red", "blue"),
    "date(past)": lambda value: date.fromisoformat(value) < TODAY,
    "date(future)": lambda value: date.fromisoformat(value) > TODAY,
    "datetime(future)": lambda value: date.fromisoformat(value[:10]) > TODAY,
    "path(pdf)": re.compile(r"\w+/\w+-\d{3}\.pdf").fullmatch,
    "list(word, 2, 3)": lambda value: len(value) <= 3 and len(set(value)) == len(value) > 0,
    "template(to {name})": lambda value: value.startswith("to ") and len(value) > 6,
}


def maker(seed: int, language: str = "en") -> Maker:
    return Maker(Random(seed), language, TODAY)


@pytest.mark.parametrize("written", SHAPES)
def test_a_generator_makes_what_it_names(written: str) -> None:
    for language in LANGUAGES:
        for seed in range(25):
            value = generator(written)(maker(seed, language))
            assert SHAPES[written](value), f"{written} [{language}] gave {value!r}"
            assert generator(written)(maker(seed, language)) == value


@pytest.mark.parametrize("language", LOCALES)
def test_pools_are_large_and_clean(language: str) -> None:
    people = pool(language)
    assert len(people.name) > 500
    for kind in ("name", "company", "city", "street", "phone", "country", "first_name"):
        texts = getattr(people, kind)
        assert len(set(texts)) == len(texts) > 50
        assert all(text == text.strip() and "\n" not in text and "{" not in text for text in texts)


def test_addresses_are_nobodys() -> None:
    for language in LANGUAGES:
        for seed in range(60):
            host = str(generator("email")(maker(seed, language))).partition("@")[2]
            assert host.partition(".")[2] in SUFFIXES


def test_an_address_follows_the_name_beside_it() -> None:
    row = maker(1).make({"name": generator("name"), "email": generator("email")})
    assert slug(row["name"]).split(".")[-1] in row["email"]


def test_columns_that_refer_to_a_row_refer_to_the_same_one() -> None:
    rows = [{"id": n, "name": f"n{n}"} for n in range(20)]
    made = maker(3)
    made.tables = {"people": rows}
    row = made.make({"who": generator("ref(people.id)"), "name": generator("ref(people.name)")})
    assert row["name"] == f"n{row['who']}"


def test_what_is_no_generator_is_a_constant_or_a_mistake() -> None:
    assert known("email")
    assert known("int(1, 2)")
    assert not known("open")
    assert not known("{to}")
    with pytest.raises(ValueError, match=r"no generator 'emial'; known: .*email"):
        generator("emial")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_row_of_any_domain_has_a_slot_left(language: str) -> None:
    for domain in domains().values():
        state = State(domain, maker(4, language))
        for table in domain.tables:
            for row in (*state.tables[table], state.grow(table)):
                texts = [text for text in row.values() if isinstance(text, str)]
                assert all(texts), f"{domain.name}.{table}: {row}"
                assert not any(re.search(r"\{[\w.]+\}", text) for text in texts), (
                    f"{domain.name}.{table}: {row}"
                )


@pytest.mark.parametrize("language", LANGUAGES)
def test_chatter_stands_around_a_text_and_leaves_it_whole(language: str) -> None:
    text = "The parcel is on its way to you."
    sizes = set()
    for seed in range(60):
        whole = surround(maker(seed, language), [text])
        assert text in whole
        assert not UNFILLED.search(whole)
        sizes.add(len(whole))
    assert len(sizes) > 5


def test_a_slip_of_the_finger_changes_one_word_by_one_letter() -> None:
    text = "please forward the minutes to Ana_B and 4711"
    for seed in range(60):
        slipped = mistype(Random(seed), text)
        old, new = text.split(" "), slipped.split(" ")
        different = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        assert len(different) <= 1
        for before, after in different:
            assert abs(len(before) - len(after)) <= 1
            assert before[0] == after[0]
    assert mistype(Random(0), "A1 B2") == "A1 B2"


def test_slugs_hold_letters_and_digits_alone() -> None:
    assert slug("Jörg Weiß & Söhne KG") == "jorg.weiss.sohne.kg"
    assert slug("") == ""


def test_a_message_is_signed_by_who_wrote_it_and_by_no_thing() -> None:
    signed = 0
    for domain in domains().values():
        for seed, language in enumerate(LANGUAGES):
            state = State(domain, maker(seed, language))
            for table, columns in domain.writers.items():
                for row in state.tables[table]:
                    for column, writer in columns.items():
                        lines = str(row[column]).split("\n")
                        if FAREWELL.match(lines[-2] if len(lines) > 1 else ""):
                            assert lines[-1] == row[writer], f"{domain.name}.{table}: {row}"
                            signed += 1
    assert signed > 100


FAREWELL = re.compile(
    r"(Best,|Thanks|Kind regards|Viele Grüße|Mit freundlichen|Un saludo,|Cordialement,|A presto|Abraço)$"
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_names_days_and_months_in_its_own_language(language: str) -> None:
    wordings = (Template("on {weekday} in {month}"),)
    both = SimpleNamespace(of=lambda tongue: (Template(f"{tongue} {{weekday}} {{month}}"),))
    for seed in range(60):
        made = maker(seed, language)
        made.domain = cast(Domain, SimpleNamespace(prose={"english": wordings, "both": both}))
        _, day, _, month = made.prose("english").split(" ")
        assert day in _WEEKDAYS["en"]
        assert month in _MONTHS["en"].split()
        tongue, day, month = made.prose("both").split(" ")
        assert tongue in (language, "en")
        assert day in _WEEKDAYS[tongue]
        assert month in _MONTHS[tongue].split()
        assert generator("weekday")(made) in _WEEKDAYS[language], "what is no text is the world's"


def test_days_fit_the_articles_that_stand_before_them() -> None:
    assert all(day.endswith("-feira") for day in _WEEKDAYS["pt"])
    assert "domenica" not in _WEEKDAYS["it"]


def test_chatter_speaks_of_people_even_where_a_row_has_a_thing_by_that_name() -> None:
    for seed in range(80):
        made = maker(seed)
        made.row = {"name": "Budget 371871", "company": "#4", "first_name": "#5"}
        made.writers, made.column = {"text": "by"}, "text"
        whole = surround(made, ["The parcel is on its way to you."])
        assert not re.search(r"Budget 371871|#4|#5", whole), whole
