"""Texts taken apart and compared by meaning: segments, vectors, and what a sentence says about a tool.

A sentence "means" a tool when the tool's likelihood given the sentence stands out from everyday actions':

    log p(tool | sentence) - log mean_a p(a | sentence),   p(a | s) ~ exp(cos(a, s) / temperature)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gatling.plan import JSON
from gatling.spans import Segment, segments
from gatling.text import Matrix, encoder, words
from gatling.values import value_words

WINDOW = 2048
"""Latest spans of one standing compared with a call by meaning; older ones are found by their values."""

TEMPERATURE = 0.06
"""Softmax temperature of the tool likelihood, in cosine units."""


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


class Reading(NamedTuple):
    """A text taken apart: its segments with their words, vectors and background, and what was cut."""

    segments: list[Segment]
    words: list[list[str]]
    vectors: Matrix
    background: Matrix
    cut: int


def _take_apart(content: JSON) -> Reading:
    found, cut = segments(content)
    kept = [(s, w) for s in found if (w := value_words(s.text))]
    vectors = encoder().embed([w for _, w in kept])
    return Reading([s for s, _ in kept], [w for _, w in kept], vectors, background(vectors), cut)


_take_apart_once = lru_cache(maxsize=64)(_take_apart)


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

    def latest(self) -> tuple[Matrix, Matrix, list[int]]:
        """The latest `WINDOW` spans: vectors, background, ids."""
        start, end = max(0, len(self.spans) - WINDOW), len(self.spans)
        return self.rows[start:end], self.background[start:end], self.spans[start:]
