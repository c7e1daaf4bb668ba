"""What is inferred from a text alone: counts by whole words, values that stand in it, a registry's tool."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.inference import ToolRegistry, default_registry, sensitivity, volume, window_days
from gatling.data.inference.arguments import values
from gatling.plan import JSON
from gatling.tools import ToolError


def tool(name: str, description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "parameters": schema}


MAIL = tool(
    "send_email",
    "Sends an email to somebody.",
    to={"type": "string", "format": "email"},
    subject={"type": "string"},
    body={"type": "string"},
)
PAY = tool(
    "transfer_money",
    "Transfers money to an account.",
    iban={"type": "string"},
    amount={"type": "number"},
    date={"type": "string", "format": "date"},
)
FILES = tool(
    "delete_files",
    "Deletes files from a folder.",
    path={"type": "string"},
    limit={"type": "integer"},
    mode={"type": "string", "enum": ["fast", "secure"]},
)
PAGE = tool("open_page", "Opens a page on the web.", url={"type": "string"})
ROOM = tool(
    "book_room",
    "Books a hotel room in a city.",
    city={"type": "string"},
    guests={"type": "integer"},
    breakfast={"type": "boolean"},
)
REGISTRY = ToolRegistry([MAIL, PAY, FILES, PAGE, ROOM])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my last 3 invoices", 3),
        ("twelve emails", 12),
        ("twenty-five photos", 25),
        ("two hundred contacts", 200),
        ("delete 1,200 rows", 1200),
        ("3 dozen eggs", 36),
        ("the first 50 rows", 50),
        ("no more than 7 comments", 7),
        ("two tickets and 3 posters", 5),
        ("return the desk, lamp, and chair", 3),
        ("two of my reservations", 2),
        ("both files", 2),
        ("a couple of files", 2),
        ("a table for 4", 4),
    ],
)
def test_numbers_are_read(text: str, expected: float) -> None:
    assert volume(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "all files",
        "every file",
        "delete everything",
        "each customer",
        "call them all",
        "the entire list of users",
    ],
)
def test_all_and_every_are_ten_thousand(text: str) -> None:
    assert volume(text) == 10_000


@pytest.mark.parametrize("text", ["many files", "multiple users", "several lines", "various reports"])
def test_many_and_multiple_are_a_hundred(text: str) -> None:
    assert volume(text) == 100


@pytest.mark.parametrize(
    "text",
    [
        "call the small shop",
        "call the ball hall about the wall",
        "finally, the overall total",
        "everyday Germany",
        "order 4711",
        "ticket #7423",
        "task_3",
        "card 2345-6789-1234-5678",
        "pay $500",
        "20 dollars",
        "on 2026-05-03",
        "May 3, 2026",
        "at 10:30",
        "within 5 days",
        "the last two weeks",
        "10 meters",
        "3 bedrooms",
        "version 2",
        "a length of 7 units",
        "please make sure all details are right",
        "send 'delete all files' to Ana",
        "",
    ],
)
def test_what_counts_nothing_is_one(text: str) -> None:
    assert volume(text) == 1


@pytest.mark.parametrize("three", ["all three files", "all 3 of them", "each of the 3 files"])
def test_all_of_a_number_is_the_number(three: str) -> None:
    assert volume(three) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lösche alle E-Mails", 10_000),
        ("borra todos los correos", 10_000),
        ("supprime tous les messages", 10_000),
        ("cancella tutti i messaggi", 10_000),
        ("apague todas as mensagens", 10_000),
        ("mehrere Dateien", 100),
        ("muchos archivos", 100),
        ("plusieurs fichiers", 100),
        ("molti documenti", 100),
        ("muitos arquivos", 100),
        ("die letzten drei Rechnungen", 3),
        ("las últimas cuatro facturas", 4),
        ("mes 5 dernières factures", 5),
        ("gli ultimi due ordini", 2),
        ("as últimas duas mensagens", 2),
    ],
)
def test_other_languages_count_as_english_does(text: str, expected: float) -> None:
    assert volume(text) == expected


def test_a_word_of_another_language_is_no_number_in_english() -> None:
    assert volume("the due invoices, once files arrive") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the last two weeks", 14),
        ("last week", 7),
        ("the past 3 months", 93),
        ("today", 1),
        ("from 2026-05-01 to 2026-05-15", 14),
        ("die letzten 3 Tage", 3),
        ("la semana pasada", 7),
        ("les deux dernières semaines", 14),
        ("le ultime due settimane", 14),
        ("a weak moment", 0),
        ("2026-99-99 to 2026-98-98", 0),
    ],
)
def test_windows_are_days(text: str, expected: float) -> None:
    assert window_days(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is the password", 5),
        ("show my API key", 5),
        ("mostra la contraseña", 5),
        ("the confidential contract", 4),
        ("delete the draft", 4),
        ("lösche den Entwurf", 4),
        ("her phone number", 3),
        ("the weather in Rome", 2),
        ("a keyboard", 2),
        ("", 2),
    ],
)
def test_sensitivity_follows_the_words(text: str, expected: int) -> None:
    assert sensitivity(text) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (
            "Send an email to ana@example.org with the subject 'Lunch' and body 'At noon?'",
            "send_email",
            {"to": "ana@example.org", "subject": "Lunch", "body": "At noon?"},
        ),
        (
            "Transfer money: $1,250.50 to account DE89370400440532013000 on 2026-05-07",
            "transfer_money",
            {"iban": "DE89370400440532013000", "amount": 1250.5, "date": "2026-05-07"},
        ),
        (
            "Delete files in /tmp/old, limit 20, secure",
            "delete_files",
            {"path": "/tmp/old", "limit": 20, "mode": "secure"},
        ),
        ("Open the page https://example.org/a?b=1.", "open_page", {"url": "https://example.org/a?b=1"}),
        ("Book a hotel room in New York for 3 guests", "book_room", {"city": "New York", "guests": 3}),
        ("Book a hotel room", "book_room", {}),
    ],
)
def test_arguments_stand_in_the_text(text: str, name: str, expected: Mapping[str, JSON]) -> None:
    call = REGISTRY.infer(text)
    assert call is not None
    assert (call.tool, call.arguments) == (name, expected)


def test_a_call_bears_what_the_text_says_of_its_scope() -> None:
    call = REGISTRY.infer("Delete all files of the last two weeks from the folder, recursively")
    assert call is not None
    scope = call.scope
    assert (scope.volume, scope.window_days, scope.depth, scope.sensitivity) == (10_000, 14, 10, 4)


@pytest.mark.parametrize("text", ["", "   ", "!?", "0", "\ud800", "ok"])
def test_a_text_that_asks_for_nothing_has_no_call(text: str) -> None:
    assert REGISTRY.infer(text) is None


def test_a_tool_is_found_by_meaning_where_no_word_is_shared() -> None:
    assert REGISTRY.rank("wipe these documents")[0][0] == "delete_files"


def test_rank_gives_probabilities_among_those_asked_about() -> None:
    ranked = REGISTRY.rank("mail it to Ana", among=["open_page", "send_email"])
    assert [name for name, _ in ranked] == ["send_email", "open_page"]
    assert math.isclose(sum(likely for _, likely in ranked), 1, rel_tol=1e-5)
    assert len(REGISTRY.rank("mail it")) == len(REGISTRY)
    assert REGISTRY.rank("mail it", among=[]) == []


def test_a_name_that_is_no_tool_is_an_error() -> None:
    with pytest.raises(KeyError, match="fly"):
        REGISTRY.rank("fly", among=["fly"])


def test_every_form_of_schema_makes_the_same_registry() -> None:
    openai = {"type": "function", "function": MAIL}
    anthropic = {"name": MAIL["name"], "description": MAIL["description"], "input_schema": MAIL["parameters"]}
    gemini = {"functionDeclarations": [MAIL]}
    properties = {
        name: {**about, "type": "String"} for name, about in MAIL["parameters"]["properties"].items()
    }
    bfcl = {**MAIL, "parameters": {**MAIL["parameters"], "type": "dict", "properties": properties}}
    text = "Send an email to ana@example.org"
    calls = [ToolRegistry([form, PAGE]).infer(text) for form in (MAIL, openai, anthropic, gemini, bfcl)]
    assert calls[0] is not None
    assert all(call == calls[0] for call in calls)


def test_of_two_tools_of_one_name_the_first_is_kept() -> None:
    registry = ToolRegistry([MAIL, {**MAIL, "description": "Something else."}])
    assert len(registry) == 1
    assert "send_email" in registry
    assert registry.tool("send_email").description == MAIL["description"]


def test_an_empty_registry_finds_nothing() -> None:
    assert ToolRegistry([]).infer("send an email") is None
    assert ToolRegistry([]).rank("send an email") == []


def test_a_schema_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ToolError, match="name"):
        ToolRegistry([{"description": "nameless"}])


def test_hostile_schemas_are_read_without_harm() -> None:
    odd = {
        "name": "odd",
        "parameters": {
            "type": "object",
            "properties": {
                "a": None,
                "b": {"type": ["null", "integer"], "enum": [None, 3]},
                "c": {"items": 5},
            },
            "required": "a",
        },
    }
    assert ToolRegistry([odd]).rank("odd 3")[0][0] == "odd"


def test_the_default_registry_holds_the_worlds_tools() -> None:
    registry = default_registry()
    assert len(registry) > 200
    assert registry is default_registry()
    call = registry.infer("Send an email to ana@example.org")
    assert call is not None
    assert {str(e) for e in registry.tool(call.tool).effects} >= {"send"}


@given(st.text(max_size=400))
def test_any_text_gives_a_valid_result_twice_the_same(text: str) -> None:
    assert 1 <= volume(text) <= 10_000
    assert 0 <= window_days(text) <= 36_600
    assert 2 <= sensitivity(text) <= 5
    call = REGISTRY.infer(text)
    assert call == REGISTRY.infer(text)
    if call is not None:
        assert call.tool in REGISTRY
        assert 0 < call.confidence <= 1
        assert call.scope.volume == volume(text)


@given(st.text(max_size=400))
def test_values_stand_in_the_text(text: str) -> None:
    for value in values(text):
        assert value.text in text[value.start : value.end]


SAID = (
    "send delete all 3 files 'a b' to ana@x.org $5 on 2026-01-02 http://x.y /tmp page every two New York . ,"
)
WORDS = st.sampled_from(SAID.split())


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=20))
def test_a_batch_says_what_single_texts_say(texts: list[str]) -> None:
    together, alone = REGISTRY.infer_many(texts), [REGISTRY.infer(text) for text in texts]
    for a, b in zip(together, alone, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert (a.tool, a.arguments, a.scope) == (b.tool, b.arguments, b.scope)
            assert math.isclose(a.confidence, b.confidence, rel_tol=1e-4)


def test_words_forgotten_are_learnt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatling.data.inference.ranking.KEPT_BYTES", 0)
    small = ToolRegistry([MAIL, PAY, FILES, PAGE, ROOM])
    texts = [f"open the page number{'abcdefghij'[i % 10] * (i % 60 + 1)} now" for i in range(600)]
    assert small.infer_many(texts) == REGISTRY.infer_many(texts)


def test_a_long_text_is_read_in_bounded_time() -> None:
    for piece in ("a, ", "the a, ", "1,", "'", "a-", "A ", "@a.", "all "):
        text = piece * 50_000
        volume(text)
        REGISTRY.infer(text)
