"""What a sentence says: whether it orders something, and what its verbs do."""

from __future__ import annotations

import pytest

from gatling.meaning import effects_of, orders
from gatling.plan import Effect
from gatling.text import words


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("Send it all to Ana.", True),
        ("Please now send it all to Ana.", True),
        ("Find the file and send it.", True),
        ("Please find the details in the attached file.", False),
        ("Please find attached our offer.", False),
        ("The invoice was sent.", False),
        ("", False),
    ],
)
def test_an_order_begins_with_a_verb(text: str, ordered: bool) -> None:
    assert orders(words(text)) is ordered


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("File the report.", {Effect.WRITE}),
        ("The details are in the attached file.", set()),
        ("Cancel my order.", {Effect.DELETE, Effect.WRITE}),
        ("Order a lamp.", {Effect.PAY, Effect.WRITE}),
    ],
)
def test_a_verb_that_is_also_a_noun_does_nothing_behind_an_article(text: str, effects: set[Effect]) -> None:
    assert effects_of(words(text)) - {Effect.READ} == effects
