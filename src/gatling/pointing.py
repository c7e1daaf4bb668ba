"""Which of the texts that an agent reads its user pointed to: those that carry the request's words."""

from __future__ import annotations

from collections.abc import Iterable

from gatling.meaning import INDEXED_BITS
from gatling.text import encoder, stem
from gatling.values import value_words

LONGEST = 4_000
"""Characters of a request, and of a call's tool and arguments, that are read."""


class Pointing:
    """For each record, the request's informative words that it or the call it answers carries."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        """Stems of the request's informative words, with their information in bits."""
        self._carried: list[set[str]] = []
        self._bits: list[float] = []
        """Information of the words in `_carried`."""
        self._most = 0.0

    def fork(self) -> Pointing:
        """A copy that goes its own way."""
        twin = Pointing()
        twin._asked, twin._bits, twin._most = dict(self._asked), self._bits[:], self._most
        twin._carried = [set(stems) for stems in self._carried]
        return twin

    def ask(self, text: str, read: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Take in a user's message; `read` are the stems of what was read before, each with its record. They
        are gone through only if the message has words that none before it had."""
        bits = encoder().bits
        new: dict[str, float] = {}
        for word in value_words(text[:LONGEST]):
            if bits(word) > INDEXED_BITS and stem(word) not in self._asked:
                new.setdefault(stem(word), bits(word))
        if not new:
            return
        self._asked |= new
        for record, stems in read:
            self._carried[record] |= new.keys() & stems
        self._bits.clear()
        self._most = 0.0
        self.weigh()

    def begin(self, stems: Iterable[str]) -> None:
        """Begin a record that answers a call whose tool and arguments have these stems."""
        self._carried.append(self._asked.keys() & stems)

    def read(self, record: int, stems: frozenset[str]) -> None:
        """Note the stems of one of a record's texts; `weigh` once they are all noted."""
        self._carried[record] |= stems & self._asked.keys()

    def weigh(self) -> None:
        """Weigh the records that were read since the last time."""
        # In order: a sum of floats must not depend on the process's hash seed.
        found = [sum(self._asked[w] for w in sorted(s)) for s in self._carried[len(self._bits) :]]
        self._bits += found
        self._most = max([self._most, *found])

    def of(self, record: int) -> float:
        """The record's share of the information that the record with most carries: [0, 1]."""
        return self._bits[record] / self._most if self._most else 0.0
