"""What renderings promise: whatever a tool prints, the audit's reader finds the values in it."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.data.worlds.domain import LANGUAGES, Domain, domains
from gatling.data.worlds.render import STYLES, choose, render
from gatling.data.worlds.world import World
from gatling.plan import JSON
from gatling.spans import segments

EVERY = (*dict.fromkeys(STYLES), "mail")
SPLIT = re.compile(r"[.!?;:|•][\s\"')\]]")
"""Where the reader may end a sentence or a field's name: what holds this is no short field."""
MARKUP = re.compile(r"[&\"'<>]")

each_style = pytest.mark.parametrize("style", EVERY)


def _short(value: Any) -> list[str]:
    """The values that must be found again: a few words, or a number."""
    if isinstance(value, list):
        return [text for one in value for text in _short(one)]
    text = "" if isinstance(value, bool) else str(value)
    plain = not SPLIT.search(text) and text == text.strip(" \"',{}[]") and not MARKUP.search(text)
    return [text] if plain and 0 < len(text) <= 60 and "\n" not in text else []


def _lost(shown: Any, output: str) -> list[str]:
    read = [segment.text for segment in segments(output)[0]]
    rows = shown if isinstance(shown, list) else [shown]
    wanted = [text for row in rows for value in row.values() for text in _short(value)]
    return [text for text in wanted if not any(text in segment for segment in read)]


@each_style
@pytest.mark.parametrize("domain", domains().values(), ids=domains())
def test_the_reader_finds_every_short_field_of_a_table(domain: Domain, style: str) -> None:
    for seed, language in enumerate(LANGUAGES[:3]):
        world = World([domain], language, Random(seed))
        for table in domain.tables:
            rows = world.states[domain.name].tables[table][:3]
            for shown in (rows, *rows[:1]):
                if shown:
                    output = render(shown, style, Random(seed))
                    assert _lost(shown, output) == [], output


_CODES = st.from_regex(r"[A-Z]{2,4}-[0-9]{3,6}", fullmatch=True)
_WORDS = st.from_regex(r"[A-Za-zäéñç]{2,9}( [a-zäéñç]{2,9}){0,3}", fullmatch=True)
_AMOUNTS = st.floats(1, 99_999).map(lambda amount: round(amount, 2))
_FIELDS = st.one_of(_WORDS, _CODES, st.integers(0, 10**6), _AMOUNTS, st.lists(_WORDS, min_size=1, max_size=3))
_ROWS = st.lists(
    st.fixed_dictionaries({"id": _CODES, "owner_name": _WORDS, "total": _AMOUNTS, "tags": _FIELDS}),
    min_size=1,
    max_size=4,
)


@each_style
@settings(max_examples=40)
@given(rows=_ROWS, seed=st.integers(0, 99))
def test_the_reader_finds_any_words_codes_and_numbers(style: str, rows: list[Any], seed: int) -> None:
    for shown in (rows, rows[0]):
        assert _lost(shown, render(shown, style, Random(seed))) == []


def test_sentences_end_in_one_stop() -> None:
    row = {"id": "A-1", "firm": "Neri S.p.A.", "status": "open", "said": "Is that so?"}
    for seed in range(60):
        assert not re.search(r"[.?]\.", render([row, row], "prose", Random(seed)).replace("S.p.A", ""))


@each_style
def test_a_sentence_is_printed_as_it_is_and_nothing_is_said_to_be_nothing(style: str) -> None:
    assert render("Sent {id}.", style, Random(0)) == "Sent {id}."
    assert render([], style, Random(0))


@given(value=st.recursive(st.text() | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=4))
@each_style
def test_no_value_breaks_a_rendering(style: str, value: JSON) -> None:
    for shown in ([{"a": value, "b": "x"}], {"a": "x", "b": value}, {"b": value}):
        assert isinstance(render(shown, style, Random(1)), str)


@settings(max_examples=30)
@given(rows=_ROWS)
def test_json_is_json(rows: list[Any]) -> None:
    for seed in range(4):
        assert json.loads(render(rows, "json", Random(seed))) == rows


def test_a_style_suits_the_tool() -> None:
    assert {choose(("mail", "yaml"), Random(seed)) for seed in range(40)} == {"mail", "yaml"}
    assert {choose((), Random(seed)) for seed in range(200)} == set(STYLES)
