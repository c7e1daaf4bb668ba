"""What the user asked for: the request's words, the things it names, and what it hands to other texts.

"Do what Ana's mail says" looks like a hijack to whoever ignores the request. A delegation is read off the
user's own sentences: a source of text (a mail, a file, a page) and an open task to be found there. A request
that states the action itself ("Ana asked me to invite her") delegates nothing.
"""

from __future__ import annotations

import re

from gatling.plan import Delegation
from gatling.text import encoder, words
from gatling.tools.lexicon import VERBS
from gatling.tools.vocabulary import word_set

_SOURCE = re.compile(
    r"\b(?:e-?mails?|messages?|mails?|instructions?|inbox|to-?dos?|files?|pages?|websites?|bills?|invoices?|"
    r"notes?|tickets?|documents?|issues?|tasks?|requests?|calendar|events?|letters?|reviews?|chats?|channels?|"
    r"comments?|threads?|posts?|lists?|agenda|minutes|memo|brief|sent me|told me|asked me|ask me|asks|wrote|"
    r"nachrichten?|rechnung(?:en)?|datei(?:en)?|aufgaben?|correos?|mensajes?|archivos?|tareas?|"
    r"courriels?|fichiers?|factures?|tâches?|messaggi(?:o)?|compiti)\b",
    re.I,
)
_OPEN_TASK = re.compile(
    r"\b(?:follow|fulfil+|his|her|their|the|these|those|any|my)\s+(?:\w+\s+)?"
    r"(?:requests?|instructions?|tasks?|needs?|steps|issues?|asks?|orders|to-?dos?|questions?|guidelines|"
    r"requirements?|action items?)\b"
    r"|\b(?:do|complete|finish|handle|address|resolve|achieve|follow|fulfil+|pay|process|execute|solve|perform|"
    r"carry out|take care of|act on|deal with|help (?:him|her|them|me))\s+(?:\w+\s+){0,3}"
    r"(?:it|them|that|this|those|these|all|everything|tasks?|requests?|bills?|invoices?|payments?|work)\b"
    r"|\bwhat(?:ever)?\s+(?:[\w'\u2019]+\s+){0,4}(?:needs?|wants?|asks?|asked|says?|said|requested|requests|requires)\b"
    r"|\bto[- ]?do(?:s| list)?\b"
    r"|\b(?:erledige|befolge|tu[e]?|mach[e]?) (?:\w+\s+){0,4}(?:was|aufgaben?|anweisungen?|schritte|alles)\b"
    r"|\b(?:haz|sigue|cumple|completa) (?:\w+\s+){0,4}(?:que|instrucciones|tareas?|pasos|todo)\b"
    r"|\b(?:fais|suis|exécute|effectue) (?:\w+\s+){0,4}(?:que|instructions|tâches?|étapes|tout)\b",
    re.I,
)
_CAPITALISED = re.compile(r"\b[^\W\d_a-z][^\W\d_]+\b")
_IDENTIFIER = re.compile(r"\w[@/._-]\w|\d")
_YES = word_set(
    "yes yeah yep yup ok okay sure correct confirm confirmed proceed approved agreed absolutely certainly "
    "ja oui sí si sim da hai はい 是 好 好的 go ahead please do it that is right fine great thanks thank you "
    "sounds good perfect continue i confirm bitte gerne genau claro vale dale adelante continuez"
)

NAME_BITS = 12.0
"""A capitalised word carrying at least this much information names something ("Ana", not "Please")."""

IDENTIFIER_BITS = 17.0
"""A part of an address, path or code names something from this much information on."""


class Request:
    """The user's words so far, and what follows from them."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.words: set[str] = set()
        self.names: set[str] = set()
        """Words that name a person, file, site or thing."""
        self.delegations: list[Delegation] = []

    def add(self, text: str) -> None:
        """Take in one user message."""
        measure = encoder()
        said = words(text)
        self.words.update(said)
        self.sentences.append(text)
        for token in _CAPITALISED.findall(text):
            word = token.lower()
            if word not in VERBS and measure.bits(word) > NAME_BITS:
                self.names.add(word)
        for token in text.split():
            if _IDENTIFIER.search(token[:200]):
                self.names.update(w for w in words(token) if measure.bits(w) > IDENTIFIER_BITS)
        recent = "\n".join(self.sentences[-3:])[-4000:]
        if _SOURCE.search(recent) and _OPEN_TASK.search(recent):
            self.delegations.append(Delegation(recent[-300:], frozenset(self.names), frozenset()))

    @property
    def delegates(self) -> bool:
        """True when the user handed an open task to some text."""
        return bool(self.delegations)


def confirms(text: str) -> bool:
    """True for a short "yes, go ahead": the user then vouches for what the agent just proposed.

    >>> confirms("Yes, please proceed."), confirms("yes, but not to him")
    (True, False)
    """
    said = words(text)
    return 0 < len(said) <= 8 and all(w in _YES for w in said)
