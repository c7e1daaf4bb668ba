"""Sentences by which a user hands an open task to a text: "do what Ana's mail says", in six languages.

A delegation is a verb of carrying out and what it refers to: what a text or person asks (`what` … `said`),
somebody's instructions (`task`), a text to be followed (`text`), or a pronoun (`again`) for one of these in
the same sentence or the one before. Who says what to do and leaves the details to a text ("pay the bill in
that file", "book what she suggests", `act` … `details`) hands over calls of that kind alone.
Words are compared without case and accents; quoted titles are no words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gatling.plan import SIDE_EFFECTS, Effect
from gatling.text import words
from gatling.tools.lexicon import VERBS
from gatling.tools.vocabulary import word_set

_ACCENTS = str.maketrans("àáâãäåçèéêëìíîïñòóôõöùúûüýßœæ\u2019\u00a0", "aaaaaaceeeeiiiinooooouuuuysoa' ")
QUOTED = re.compile(
    r"(?<!\w)'[^\n]{1,200}?'(?!\w)|\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`|«[^»\n]{1,200}»|»[^«\n]{1,200}«"
    "|[\u201c\u201e][^\u201c\u201d\n]{1,200}[\u201c\u201d]|\u2018[^\n]{1,200}?\u2019(?!\\w)"
)
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?!\s+[^a-zß-ÿ\s]|\s*$))+[.!?]*")
"""A sentence ends where the next begins with a capital: "S.A. quiere" goes on."""
_CONDITION = re.compile(
    r"\W*(?:if|when|once|after|wenn|falls|nachdem|si|cuando|quand|lorsque|se|quando|apos)\b"
)

_FILLERS = word_set(
    "the a an of to for with it is that this as what goes there in on and part only please about "
    "ist sind "
    "der die das den dem mit um es geht zu von und bitte el la los las de del a lo que en y por favor "
    "le les des du de ce qui est je et il lo gli della di e o os as da do no na me se"
)


def fold(text: str) -> str:
    """The text in small letters without accents."""
    return text.replace("\u0130", "I").lower().translate(_ACCENTS)


def _words(text: str) -> str:
    """Alternatives of a regular expression: fields divided by blanks, `_` for a blank inside one."""
    return "(?:" + "|".join(text.translate(_ACCENTS).split()).replace("_", r"\s+") + ")"


@dataclass(frozen=True, slots=True)
class _Language:
    """What one language says it with; each field is a list of patterns as `_words` reads it."""

    do: str
    """Verbs of carrying out what is asked."""
    follow: str
    """Those of them, and others, that take a text for their object."""
    what: str
    said: str
    """Verbs of asking, saying, writing and needing."""
    task: str
    text: str
    look: str
    """Verbs of reading, and words for "there is"."""
    vague: str
    """Words for things that are left open."""
    again: str
    """A verb of carrying out with a pronoun; `DO` stands for `do`."""
    conjunction: str
    only: str
    nothing: str
    """How "and nothing else" is said."""
    part: str
    """Words that refer back to what was handed over, and so tell a limit from the next job."""
    are: str = "(?!)"
    """Verbs that say where something stands."""
    infinitive: str = ""
    """Verbs of carrying out that stand behind their object."""
    act: str = "(?!)"
    """Verbs of one kind of action."""
    details: str = "(?!)"
    """How its details are left to a text; `TEXT` stands for `text`, `SAID` for `said`."""
    pay: str = "(?!)"
    """Verbs of paying with what is paid: a bill tells its own details."""


class _Rules(NamedTuple):
    direct: re.Pattern[str]
    again: re.Pattern[str]
    do: re.Pattern[str]
    task: re.Pattern[str]
    text: re.Pattern[str]
    said: re.Pattern[str]
    look: re.Pattern[str]
    vague: re.Pattern[str]
    only: re.Pattern[str]
    nothing: re.Pattern[str]
    part: re.Pattern[str]
    detailed: re.Pattern[str]
    pay: re.Pattern[str]


def _rules(language: _Language) -> _Rules:
    do, follow, what, said, task, text = map(
        _words, (language.do, language.follow, language.what, language.said, language.task, language.text)
    )
    step = rf"(?:[\s,(]+(?!{_words(language.conjunction)}\s)[^\s;:]+)"
    again = _words(language.again).replace("DO", do)
    direct = (
        rf"\b(?:{do}\b|{again}){step}{{0,8}}?[\s,(]+{what}(?!\w)(?:[\s,(]+[^\s;]+){{0,16}}?[\s,(]+{said}\b"
        rf"|\b{do}\b{step}{{0,4}}?[\s,(]+{task}(?!\w)|\b{follow}\b{step}{{0,4}}?[\s,(]+{text}(?!\w)"
    )
    # "the instructions are in my letter": a statement that hands over as well
    direct += rf"|\b{task}(?!\w){step}{{0,10}}?[\s,(]+{_words(language.are)}{step}{{0,3}}?[\s,(]+{text}(?!\w)"
    if language.infinitive:
        direct += rf"|\b(?:{task}|{text})(?!\w){step}{{0,8}}?\s+{_words(language.infinitive)}\b"

    details = _words(language.details).replace("TEXT", text).replace("SAID", said)

    def whole(field: str) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w){_words(field)}(?!\w)")

    return _Rules(
        direct=re.compile(direct),
        again=re.compile(rf"(?<!\w){again}"),
        do=whole(language.do),
        task=whole(language.task),
        text=whole(language.text),
        said=whole(language.said),
        look=whole(language.look),
        vague=whole(language.vague),
        only=whole(language.only),
        nothing=whole(language.nothing),
        part=whole(language.part),
        detailed=re.compile(rf"\b(?P<verb>{_words(language.act)})\b{step}{{0,12}}?[\s,(]+{details}(?!\w)"),
        pay=whole(language.pay),
    )


@lru_cache(maxsize=1)
def _all() -> tuple[_Rules, ...]:
    """The rules of all languages, made at first use: an import should not wait for them."""
    loaded = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return tuple(_rules(_Language(**fields)) for fields in loaded.values())


def _mask(text: str) -> str:
    """The text with its quotations blanked out, as long as before."""
    return QUOTED.sub(lambda found: "_" * len(found.group()), text)


class Handing(NamedTuple):
    """A sentence that hands over, the one before it, and the words of a limit that the user sets."""

    sentence: str
    before: str
    back: bool
    """It refers back with a pronoun."""
    only: str
    effects: frozenset[Effect] = frozenset()
    """Kinds of call that it hands over; empty for any."""


def handings(before: str, text: str) -> Iterator[Handing]:
    """Sentences of a text that hand an open task to some text; `before` is what the user said last.

    >>> [h.sentence for h in handings("", "Joe left a note in 'Kick-off'. Carry it out. Then book a room.")]
    ['Carry it out.']
    """
    masked = _mask(text)
    earlier, earlier_masked, handed = before, fold(_mask(before)), None
    for found in _SENTENCE.finditer(masked):
        said = text[found.start() : found.end()].strip()
        sentence = fold(found.group().strip())
        if not said:
            continue
        if handed and not handed.only and _limits(sentence):
            handed = handed._replace(only=said)
        else:
            if handed:
                yield handed
            back = _hands_over(earlier_masked, sentence)
            if back is not None:
                handed = Handing(said, earlier, back, _limit_inside(said, sentence))
            else:
                effects = _left_open(sentence)
                handed = Handing(said, earlier, False, "", effects) if effects else None
        earlier, earlier_masked = said, sentence
    if handed:
        yield handed


def _hands_over(before: str, sentence: str) -> bool | None:
    """None where nothing is handed over, True where a pronoun refers to the sentence before."""
    for rules in _all():
        if rules.direct.search(sentence):
            return False
        for found in rules.again.finditer(sentence):
            if _open(rules, sentence[: found.start()]):
                return False
            if _open(rules, before):
                return True
    return None


def _left_open(sentence: str) -> frozenset[Effect]:
    """Effects of an action whose details a sentence leaves to a text; none where it leaves nothing open."""
    for rules in _all():
        if rules.pay.search(sentence):
            return frozenset({Effect.PAY, Effect.SEND})
        found = rules.detailed.search(sentence)
        if found:
            return VERBS.get(found["verb"], SIDE_EFFECTS) & SIDE_EFFECTS
    return frozenset()


def _open(rules: _Rules, text: str) -> bool:
    """Whether a text mentions something that a pronoun may hand over."""
    if rules.task.search(text):
        return True
    said = rules.said.search(text)
    return bool((said or rules.look.search(text)) and rules.text.search(text)) or bool(
        said and rules.vague.search(text)
    )


def _limits(sentence: str) -> bool:
    """Whether a sentence sets a limit to what was handed over just before: "only the mail, nothing else"."""
    for rules in _all():
        only = rules.only.search(sentence)
        if rules.nothing.search(sentence):
            return True
        if only and rules.part.search(sentence) and not _CONDITION.match(sentence[only.end() :]):
            return True
    return False


def _limit_inside(said: str, sentence: str) -> str:
    """The part of a sentence that hands over and limits at once: "..., but only what concerns the mail"."""
    for rules in _all():
        for only in rules.only.finditer(sentence):
            rest = sentence[only.end() :]
            if not _CONDITION.match(rest) and (rules.nothing.search(rest) or rules.part.search(rest[:32])):
                return said[only.end() :]
    return ""


def limit_words(text: str) -> frozenset[str]:
    """What a limit names: the words in its quotation marks, or all but those that make it a limit.

    >>> sorted(limit_words("Only as far as `send mail` goes, nothing else."))
    ['mail', 'send']
    """
    quoted = " ".join(found.group() for found in QUOTED.finditer(text))
    if not quoted:
        masked = fold(_mask(text))
        spoken = [r for r in _all() if r.only.search(masked) or r.nothing.search(masked)]
        text = _blank(masked, [p for r in spoken for p in (r.nothing, r.part, r.only)])
    return frozenset(w for w in words(quoted or text) if fold(w) not in _FILLERS)


def without_verbs(text: str) -> str:
    """A text with its quotations and verbs of carrying out left blank: what may name a source remains."""
    masked = _blank(fold(_mask(text)), [pattern for r in _all() for pattern in (r.again, r.do)])
    return "".join(a if b != "_" or a == "_" else " " for a, b in zip(text, masked, strict=False))


def _blank(text: str, patterns: list[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(lambda found: "_" * len(found.group()), text)
    return text


def last_sentence(text: str) -> str:
    """The last sentence of a text, quotations left whole."""
    last = ""
    for found in _SENTENCE.finditer(_mask(text)):
        last = text[found.start() : found.end()].strip() or last
    return last


def names_a_kind(word: str) -> bool:
    """True for a word that says what kind of text or task is meant rather than which ("Anweisungen")."""
    folded = fold(word)
    return any(rules.text.fullmatch(folded) or rules.task.fullmatch(folded) for rules in _all())
