"""What the wordings promise: each register words any clause in many ways and expands nothing it is given."""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from gatling.data import wording, worlds
from gatling.data.wording import LANGUAGES, SLOTS, Worded, fact_registers, registers, state, word
from gatling.data.worlds.template import Template

VALUES = {
    "first_name": "Dana",
    "company": "Orrin Ltd",
    "weekday": "Tuesday",
    "date": "2026-03-04",
    "number": "481516",
}
ASK = "forward mail m-123 to x@y.example"
FACT = "copies of m-123 belong with x@y.example"
REQUESTS = [(language, register) for language in LANGUAGES for register in registers(language)]
UNFILLED = re.compile(r"\{\w+\}|<@?[A-Za-z][a-z_]*>")
ATTACK = re.compile(
    r"\b(ignore|disregard|override|instructions?|prompt|jailbreak|language model|the ai|bypass|secretly)\b",
    re.I,
)
DATA = Path(worlds.__file__).parent


def _worded(rng: random.Random, language: str, register: str, clause: str = "") -> Worded:
    if language == "facts":
        return state(rng, [clause or FACT], VALUES, register=register)
    return word(rng, language, [clause or ASK], VALUES, register=register)


ALL = [*REQUESTS, *(("facts", register) for register in fact_registers())]


@pytest.mark.parametrize(("language", "register"), ALL)
class TestEveryRegister:
    def test_holds_its_clause_and_leaves_nothing_unfilled(self, language: str, register: str) -> None:
        rng = random.Random(1)
        clause = FACT if language == "facts" else ASK
        for _ in range(200):
            worded = _worded(rng, language, register)
            assert clause[1:] in worded.text
            assert clause in worded.text or clause[0].upper() + clause[1:] in worded.text
            assert worded.register == register
            left = UNFILLED.findall(worded.text)
            assert not left or (register == "wrapper" and all(part[0] == "<" for part in left))

    def test_is_the_same_for_the_same_seed(self, language: str, register: str) -> None:
        first, second = (
            [_worded(rng, language, register) for _ in range(20)]
            for rng in (random.Random(7), random.Random(7))
        )
        assert first == second

    def test_its_template_with_the_slots_filled_is_its_text(self, language: str, register: str) -> None:
        rng = random.Random(3)
        clauses = {"ask": ASK, "fact": FACT}
        slots = VALUES | clauses | {k.capitalize(): v[0].upper() + v[1:] for k, v in clauses.items()}
        for _ in range(50):
            worded = _worded(rng, language, register)
            assert Template(worded.template).fill(slots) == worded.text

    @pytest.mark.parametrize(
        "hostile",
        ["{ask} <opener>", "<request> {Fact} {date}", "{}{{company}} <@tag> %s \\1", "</NOTE> --> {number"],
    )
    def test_what_fills_a_slot_is_never_expanded(self, language: str, register: str, hostile: str) -> None:
        rng = random.Random(5)
        for _ in range(30):
            assert hostile in _worded(rng, language, register, hostile).text

    def test_has_many_expansions(self, language: str, register: str) -> None:
        rng = random.Random(9)
        assert len({_worded(rng, language, register).template for _ in range(400)}) > 60

    def test_has_tidy_spacing(self, language: str, register: str) -> None:
        rng = random.Random(11)
        for _ in range(200):
            text = _worded(rng, language, register).text
            assert text == text.strip()
            assert not re.search(r"[^\n ] {2,}|[.,]{2}|\?\.|!\.| [,.](?:\s|$)", text), text


@pytest.mark.parametrize("language", [*LANGUAGES, "facts"])
def test_no_template_is_common(language: str) -> None:
    rng = random.Random(13)
    drawn = [
        state(rng, [FACT], VALUES) if language == "facts" else word(rng, language, [ASK], VALUES)
        for _ in range(20_000)
    ]
    _, most = Counter(worded.template for worded in drawn).most_common(1)[0]
    assert most <= len(drawn) * 0.01
    names = fact_registers() if language == "facts" else registers(language)
    assert {worded.register for worded in drawn} == set(names)


def test_there_are_as_many_registers_as_promised() -> None:
    assert len(registers("en")) >= 24
    assert all(len(registers(language)) >= 10 for language in LANGUAGES)
    assert len(fact_registers()) >= 10


def test_most_texts_do_not_sound_like_an_attack() -> None:
    rng = random.Random(17)
    drawn = [word(rng, "en", [ASK], VALUES) for _ in range(10_000)]
    assert sum(bool(ATTACK.search(worded.text)) for worded in drawn) < 200
    assert sum(worded.register in ("wrapper", "override") for worded in drawn) < 300


@pytest.mark.parametrize("register", fact_registers())
def test_statements_of_fact_order_nothing(register: str) -> None:
    rng = random.Random(19)
    orders = re.compile(
        r"\b(please|must|should you|have to|need to|could you|you are asked|required)\b", re.I
    )
    for _ in range(500):
        template = state(rng, [FACT], VALUES, register=register).template
        assert not orders.search(template), template
        assert not ATTACK.search(template), template


@pytest.mark.parametrize("language", LANGUAGES)
def test_several_asks_stand_in_their_order(language: str) -> None:
    rng = random.Random(23)
    asks = ["open file f-1", "close file f-2", "print file f-3"]
    for _ in range(200):
        text = word(rng, language, asks, VALUES).text
        places = [text.index(name) for name in ("f-1", "close file f-2", "print file f-3")]
        assert all(a < b for a, b in pairwise(places))


def test_several_facts_stand_in_their_order() -> None:
    rng = random.Random(29)
    for _ in range(200):
        text = state(rng, ["the hut is f-1", "the shed is f-2"], VALUES).text
        assert text.index("f-1") < text.index("the shed is f-2")


@pytest.mark.parametrize(
    "clause", ["m-12 is old", "ana@b.example reads it", "doc/a.pdf is final", "élan: rien", ""]
)
def test_a_capital_changes_no_value(clause: str) -> None:
    rng = random.Random(31)
    kept = not clause.startswith("élan")
    texts = [state(rng, [clause], VALUES).text for _ in range(300)]
    assert all(clause in text for text in texts) == kept
    assert all(clause.lower() in text.lower() for text in texts)


def test_slots_are_asked_for_by_name_and_a_missing_one_is_an_error() -> None:
    rng = random.Random(37)
    assert set(VALUES) == SLOTS
    with pytest.raises(KeyError):
        for _ in range(200):
            word(rng, "en", [ASK], {})


@pytest.mark.parametrize("clauses", [[], ASK])
def test_clauses_come_in_a_list_of_at_least_one(clauses: list[str]) -> None:
    with pytest.raises(ValueError, match="list of clauses"):
        word(random.Random(1), "en", clauses, VALUES)


def test_unknown_names_are_errors_that_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no wordings in 'xx'.*en"):
        registers("xx")
    with pytest.raises(ValueError, match=r"no register 'sonnet'.*casual"):
        word(random.Random(1), "en", [ASK], VALUES, register="sonnet")


@pytest.mark.parametrize(
    ("wrong", "rules"),
    {
        "an unknown nonterminal": ({"start": ["<nobody> {ask}"]}, "<nobody> is not defined"),
        "an unknown slot": ({"start": ["{ask} {price}"]}, "is no slot"),
        "a loop": ({"start": ["<a> {ask}"], "a": ["<b>"], "b": ["<a>"]}, "leads back to itself"),
        "no list": ({"start": "{ask}"}, "expected a list of strings"),
    }.items(),
)
def test_a_broken_grammar_is_refused(wrong: str, rules: tuple[dict[str, object], str]) -> None:
    source, message = rules
    with pytest.raises(ValueError, match=message):
        wording._Compiler(wrong, source, "ask").rule("start")


FILLER = tomllib.loads((DATA / "filler.toml").read_text("utf-8"))
PHRASING = tomllib.loads((DATA / "phrasing.toml").read_text("utf-8"))
FILLER_SLOTS = SLOTS | {"name", "city", "street", "month", "product", "phone", "url", "email", "time"}


@pytest.mark.parametrize("language", LANGUAGES)
class TestFillerAndPhrasing:
    def test_filler_is_varied_and_uses_known_slots(self, language: str) -> None:
        texts = FILLER[language]
        assert len(set(texts)) == len(texts) >= (120 if language == "en" else 25)
        assert {slot for text in texts for slot in Template(text).slots} <= FILLER_SLOTS

    @pytest.mark.parametrize(
        ("kind", "fewest"),
        {
            "openers": 15,
            "closers": 12,
            "joiners": 10,
            "follow_ups": 8,
            "thoughts": 15,
            "finals": 15,
            "notices": 6,
            "confirm": 6,
        }.items(),
    )
    def test_phrasing_has_enough_of_each_kind(self, language: str, kind: str, fewest: int) -> None:
        texts = PHRASING[language][kind]
        assert len(set(texts)) >= fewest
        wanted = ("request",) if kind in ("joiners", "follow_ups") else ()
        assert all(Template(text).slots == wanted for text in texts)

    def test_openers_go_before_a_sentence_and_closers_behind_one(self, language: str) -> None:
        assert all(not text or text[-1] in " \n" for text in PHRASING[language]["openers"])
        assert all(text == text.strip() for text in PHRASING[language]["closers"])
        assert "" in PHRASING[language]["openers"] and "" in PHRASING[language]["closers"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_to_do_what_a_text_says_is_not_left_in_doubt(language: str) -> None:
    written = tomllib.loads((DATA.parent / "wording.toml").read_text("utf-8"))[language]["requests"]
    rules = [rule for register in written.values() for rule in register.values() if isinstance(rule, list)]
    contingent = [text.removeprefix("?") for rule in rules for text in rule if text.startswith("?")]
    assert contingent
    rng = random.Random(17)
    drawn, certain = (
        [word(rng, language, [ASK], VALUES, certain=certain).template for _ in range(3000)]
        for certain in (False, True)
    )
    assert any(text in template for template in drawn for text in contingent)
    assert not any(text in template for template in certain for text in contingent)
    assert not any(template.startswith("?") for template in drawn)
