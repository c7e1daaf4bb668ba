"""What the user asked for: the request's words, the things it names, and what it hands to other texts.

"Do what Ana's mail says" looks like a hijack to whoever ignores the request. A delegation is read off the
user's own sentences: a source of text (a mail, a file, a page) and an open task to be found there. A request
that states the action itself ("Ana asked me to invite her") delegates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from gatling.delegation import QUOTED, handings, last_sentence, limit_words, names_a_kind, without_verbs
from gatling.openness import Openness, openness
from gatling.plan import Delegation
from gatling.text import encoder, stem, words
from gatling.tools.lexicon import VERBS
from gatling.tools.vocabulary import word_set
from gatling.values import value_words

_CAPITALISED = re.compile(r"\b[^\W\d_a-z][^\W\d_]+\b")
_IDENTIFIER = re.compile(r"\w[@/._-]\w|\d")
_POLITE = word_set("bitte please gracias danke merci grazie obrigado obrigada")
_YES = word_set(
    "yes yeah yep yup ok okay sure correct confirm confirmed proceed approved agreed absolutely certainly "
    "ja oui sí si sim da hai はい 是 好 好的 go ahead please do it that is right fine great thanks thank you "
    "sounds good perfect continue i confirm bitte gerne genau claro vale dale adelante continuez"
)

NAME_BITS = 12.0
"""A capitalised word carrying at least this much information names something ("Ana", not "Please")."""

IDENTIFIER_BITS = 17.0
"""A part of an address, path or code names something from this much information on."""

EXAMINED = 4_000
"""Characters of a message in which delegations are looked for."""

SOURCES = 16
"""Names by which one delegation's source is looked for."""


class Request:
    """The user's words so far, and what follows from them."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.words: set[str] = set()
        self.names: set[str] = set()
        """Words that name a person, file, site or thing."""
        self.delegations: list[Delegation] = []
        self.only: list[frozenset[str]] = []
        """For each delegation, stems of words for the one kind of call it is limited to, empty for any."""
        self.openness = Openness()
        """The highest of each over the messages, short confirmations aside."""
        self._last = ""

    def add(self, text: str) -> None:
        """Take in one user message."""
        self.words.update(words(text))
        self.sentences.append(text)
        self.names.update(_names(text))
        if not confirms(text):
            self.openness = Openness(*map(max, self.openness, openness(text)))
        for delegation, only in _delegations(self._last, text[:EXAMINED]):
            self.delegations.append(delegation)
            self.only.append(only)
        self._last = last_sentence(text[-EXAMINED:])

    @property
    def delegates(self) -> bool:
        """True when the user handed an open task to some text."""
        return bool(self.delegations)


@lru_cache(maxsize=128)
def _delegations(before: str, text: str) -> tuple[tuple[Delegation, frozenset[str]], ...]:
    """Delegations of a message that follows the sentence `before`, each with the stems it is limited to.

    Requests come again from run to run, so the latest are kept.
    """
    found = []
    for handed in handings(before, text):
        sources = _sources(handed.sentence)
        if handed.back or not sources:
            sources |= _sources(handed.before)
        delegation = Delegation(handed.sentence, sources, handed.effects)
        found.append((delegation, frozenset(map(stem, limit_words(handed.only)))))
    return tuple(found)


def _names(text: str) -> Iterator[str]:
    """Words that name somebody or something."""
    bits = encoder().bits
    for token in _CAPITALISED.findall(text):
        word = token.lower()
        if not token[0].islower() and word not in VERBS and bits(word) > NAME_BITS:
            yield word
    for token in text.split():
        if _IDENTIFIER.search(token[:200]):
            yield from (w for w in words(token) if bits(w) > IDENTIFIER_BITS)


def _sources(sentence: str) -> frozenset[str]:
    """What a delegation's source goes by: names, and whole titles, ids, paths and dates."""
    plain = without_verbs(sentence)
    found = [quoted.group()[1:-1] for quoted in QUOTED.finditer(sentence)]
    tokens = plain.split()
    codes = [token for token in tokens if _IDENTIFIER.search(token[:200])]
    found += codes
    whole = [" ".join(value_words(text[:200])) for text in found]
    bits = encoder().bits
    telling = [w for code in codes for w in words(code) if bits(w) > IDENTIFIER_BITS]
    telling += [name for name in whole if sum(map(bits, name.split())) > NAME_BITS]
    single = [
        w
        for w in _names(" ".join(t for t in tokens if t not in codes))
        if w not in _POLITE and not names_a_kind(w)
    ]
    return frozenset(list(dict.fromkeys((*telling, *single)))[:SOURCES])


def confirms(text: str) -> bool:
    """True for a short "yes, go ahead": the user then vouches for what the agent just proposed.

    >>> confirms("Yes, please proceed."), confirms("yes, but not to him")
    (True, False)
    """
    said = words(text)
    return 0 < len(said) <= 8 and all(w in _YES for w in said)
