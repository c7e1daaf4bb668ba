"""How much of one text another text says too, in whatever words: greedy matching of word vectors.

After BERTScore (https://arxiv.org/abs/1904.09675), with static vectors: each word of a text is compared with
the word most like it in the other, and counts by the information that it carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gatling.text import Matrix, encoder

MOST_BITS = 60.0
"""Information that a word counts at most: a key or an account number is one word among others."""


class Words(NamedTuple):
    """Words as vectors."""

    vectors: Matrix
    """(words, dimensions), unit, or zero for a word without one."""
    bits: Matrix
    """(words,): what each counts."""
    total: float
    """The sum of `bits`."""


def read(words: Sequence[str]) -> Words:
    """The vectors of words, in order."""
    measure = encoder().bits
    bits = np.array([min(measure(word), MOST_BITS) for word in words], np.float32)
    return Words(encoder().embed([[word] for word in words]), bits, float(bits.sum()))


def matched(a: Words, b: Words) -> tuple[float, float]:
    """The share of `a`'s information that `b` says too, and of `b`'s that `a` does: each in [0, 1].

    Σ_i bits_i · max(0, max_j cos(a_i, b_j)) / Σ_i bits_i, and 0 where either text has no words.

    >>> one, other = read(["send", "money"]), read(["please", "send", "cash", "to", "kim"])
    >>> [round(share, 2) for share in matched(one, one)], matched(one, other) > matched(one, read(["tree"]))
    ([1.0, 1.0], True)
    """
    if not a.total or not b.total:
        return 0.0, 0.0
    similar = a.vectors @ b.vectors.T
    return _share(similar.max(1), a), _share(similar.max(0), b)


def _share(best: Matrix, words: Words) -> float:
    return min(1.0, float(np.maximum(best, 0.0) @ words.bits) / words.total)
