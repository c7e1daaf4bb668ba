"""Texts taken apart and compared by meaning: segments, vectors, and what a sentence says about a tool.

A sentence "means" a tool when the tool's likelihood given the sentence stands out from everyday actions':

    log p(tool | sentence) - log mean_a p(a | sentence),   p(a | s) ~ exp(cos(a, s) / temperature)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gatling.plan import JSON, Effect
from gatling.spans import Segment, segments
from gatling.text import Matrix, encoder, stem, words
from gatling.tools.lexicon import ALSO_NOUNS, VERBS
from gatling.tools.vocabulary import word_set
from gatling.values import value_words

WINDOW = 2048
"""Latest spans of one standing compared with a call by meaning; older ones are found by their values."""

TEMPERATURE = 0.06
"""Softmax temperature of the tool likelihood, in cosine units."""

ALONE = 0.5
"""Coherence and belonging of a sentence that stands alone."""

LONG = 64
"""Words of a segment looked at for what it names."""

_NONE: frozenset[Effect] = frozenset()

INDEXED_BITS = 8.0
"""Words with less information are not indexed: a value made of such words explains nothing."""

TELLING_BITS = 18.0
"""A word of at least this information is a name or a value."""

_VALUE = re.compile(r"[\d@/]")

_POLITE = word_set(
    "please kindly also then now just and first next finally immediately you must should need to bitte"
)
_DETERMINERS = word_set("the a an this that these those my your his her its our their any some no each every")


@lru_cache(maxsize=1)
def _actions() -> Matrix:
    """Vectors of everyday tool descriptions: the background against which a sentence "means" a tool."""
    lines = Path(__file__).with_name("actions.txt").read_text("utf-8").splitlines()
    return encoder().embed([words(line) for line in lines])


def background(vectors: Matrix) -> Matrix:
    """log of the mean over everyday actions of exp(cosine / temperature), per vector: shape (n,)."""
    logits = vectors @ _actions().T / TEMPERATURE
    peak = logits.max(1, keepdims=True)
    out: Matrix = (peak[:, 0] + np.log(np.exp(logits - peak).mean(1))).astype(np.float32)
    return out


class Piece(NamedTuple):
    """What is measured of one segment, wherever its text stands."""

    segment: Segment
    words: list[str]
    padded: str
    """Its words, joined and padded with blanks, so that a value is found as a substring."""
    informative: list[str]
    """Its words that carry more than `INDEXED_BITS`."""
    telling: list[set[str]]
    """Its numbers, addresses and paths of at least `TELLING_BITS`, each as its words."""
    prose: float
    """1 for a sentence of six words or more, less for shorter ones."""
    imperative: bool
    """It starts with a verb, politeness aside."""
    coherence: float
    """Cosine of the segment and the rest of the text."""
    belonging: float
    """Cosine of the segment and the rest of its record."""
    stems: frozenset[str]
    effects: frozenset[Effect]
    """Effects that its verbs may have."""


class Reading(NamedTuple):
    """A text taken apart: its pieces with their vectors and background, its length, and what was cut."""

    pieces: list[Piece]
    vectors: Matrix
    background: Matrix
    length: int
    cut: int


def orders(ws: list[str]) -> bool:
    """True when a text's first word, politeness aside, is a verb. "Please find attached" orders nothing."""
    if ws[:2] == ["please", "find"]:
        return False
    for word in ws[:4]:
        if word in VERBS:
            return True
        if word not in _POLITE:
            return False
    return False


def effects_of(ws: list[str]) -> frozenset[Effect]:
    """Effects that the verbs among a text's words may have; "the attached file" has none."""
    found = [
        VERBS[word]
        for word, before in zip(ws[:LONG], ["", *ws], strict=False)
        if word in VERBS and not (word in ALSO_NOUNS and (before in _DETERMINERS or before.endswith("ed")))
    ]
    return frozenset().union(*found) if found else _NONE


def _telling(text: str) -> list[set[str]]:
    bits = encoder().bits
    tokens = (value_words(token) for token in text.split() if _VALUE.search(token))
    return [set(ws) for ws in tokens if sum(map(bits, ws)) >= TELLING_BITS]


def _take_apart(content: JSON) -> Reading:
    found, cut = segments(content)
    kept = [(s, w) for s in found if (w := value_words(s.text))]
    vectors = encoder().embed([w for _, w in kept])
    coherence = _close(vectors, [0] * len(kept))
    belonging = _close(vectors, [s.record for s, _ in kept])
    informative = encoder().informative
    pieces = [
        Piece(
            segment,
            ws,
            f" {' '.join(ws)} ",
            informative(ws, INDEXED_BITS),
            _telling(segment.text),
            min(1.0, sum(map(str.isalpha, ws[:32])) / 6),
            orders(ws),
            together,
            belongs,
            frozenset(map(stem, ws[:LONG])),
            effects_of(ws),
        )
        for (segment, ws), together, belongs in zip(kept, coherence, belonging, strict=True)
    ]
    length = sum(len(s.text) for s, _ in kept)
    return Reading(pieces, vectors, background(vectors), length, cut)


def _close(vectors: Matrix, records: list[int]) -> list[float]:
    """Cosine of each vector and the sum of the others of its record, which stand together; `ALONE` where
    there are none."""
    if not records:
        return []
    begins = np.diff(records, prepend=records[0] - 1) != 0
    part = begins.cumsum() - 1
    others = np.add.reduceat(vectors, np.flatnonzero(begins))[part] - vectors
    cosines = np.einsum("ij,ij->i", vectors, others) / np.maximum(np.linalg.norm(others, axis=1), 1e-6)
    found: list[float] = np.where(np.bincount(part)[part] == 1, ALONE, cosines).tolist()
    return found


_take_apart_once = lru_cache(maxsize=128)(_take_apart)


def read_text(content: JSON) -> Reading:
    """A text taken apart. Prompts and pages come again from run to run, so the latest short ones are kept."""
    if isinstance(content, str) and len(content) < 20_000:
        return _take_apart_once(content)
    return _take_apart(content)


@dataclass(slots=True)
class Vectors:
    """Vectors of one standing's spans with their background, in buffers that grow; `spans` are their ids."""

    rows: Matrix = field(default_factory=lambda: np.zeros((0, encoder().dimensions), np.float32))
    background: Matrix = field(default_factory=lambda: np.zeros(0, np.float32))
    spans: list[int] = field(default_factory=list)

    def add(self, ids: list[int], vectors: Matrix, background: Matrix) -> None:
        """Take in more spans."""
        used, more = len(self.spans), len(ids)
        if used + more > len(self.rows):
            size = max(64, 2 * (used + more))
            rows, backgrounds = np.zeros((size, vectors.shape[1]), np.float32), np.zeros(size, np.float32)
            rows[:used], backgrounds[:used] = self.rows[:used], self.background[:used]
            self.rows, self.background = rows, backgrounds
        self.rows[used : used + more] = vectors
        self.background[used : used + more] = background
        self.spans += ids

    def fork(self) -> Vectors:
        """The same spans in buffers of their own."""
        return Vectors(self.rows.copy(), self.background.copy(), self.spans[:])

    def latest(self) -> tuple[Matrix, Matrix, list[int]]:
        """The latest `WINDOW` spans: vectors, background, ids."""
        start, end = max(0, len(self.spans) - WINDOW), len(self.spans)
        return self.rows[start:end], self.background[start:end], self.spans[start:]
