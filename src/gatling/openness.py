"""How much of a job a request leaves to a text that the agent will read, learned from requests.

Rules see a delegation that is worded as rules expect it (`gatling.delegation`); most people word it otherwise
("ticket 4411 pls", "the stuff on the whiteboard needs doing"). Here a logistic regression on a request's
words, pairs and triples says how likely it is of each class: *open* (what is to be done stands in a text),
*details* (the kind of action is said, its values stand in a text) or *closed* (all else).
`refit/openness.py` fits it and says how well it does.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gatling.delegation import fold
from gatling.text import Matrix

CLASSES = ("open", "details", "closed")
LONGEST = 2_000
"""Characters of a message that are read."""
GRAM = 3
"""Words of the longest sequence that is counted."""

_TOKEN = re.compile(r"\w+|[?.!:,;]")


class Openness(NamedTuple):
    """Probabilities; what is left to 1 is that of a closed request."""

    open: float = 0.0
    details: float = 0.0


class _Model(NamedTuple):
    rows: dict[str, int]
    rarity: Matrix
    """(grams,): the inverse document frequency of each."""
    weights: Matrix
    """(grams, classes)."""
    bias: Matrix


@lru_cache(maxsize=1)
def _model() -> _Model:
    with Path(__file__).with_suffix(".npz").open("rb") as handle:
        archive = np.load(handle, allow_pickle=False)
        grams = archive["grams"].tobytes().decode().split("\n")
        rarity, weights, bias = (archive[name].astype(np.float32) for name in ("rarity", "weights", "bias"))
    return _Model({gram: row for row, gram in enumerate(grams)}, rarity, weights, bias)


def grams(text: str) -> list[str]:
    """Words and marks of a text, numbers as 0, and their sequences of up to `GRAM`, in order.

    >>> grams("Pay 12!")
    ['pay', '0', '!', 'pay 0', '0 !', 'pay 0 !']
    """
    tokens = ["0" if token.isdigit() else token for token in _TOKEN.findall(fold(text[:LONGEST]))]
    return [" ".join(tokens[i : i + n]) for n in range(1, GRAM + 1) for i in range(len(tokens) - n + 1)]


@lru_cache(maxsize=256)
def openness(text: str) -> Openness:
    """How likely a message leaves what is to be done, or its details, to a text.

    softmax(W · x / |x| + b), x the logarithmic counts of known grams times their rarity.
    """
    model = _model()
    counts: dict[int, int] = {}
    for gram in grams(text):
        row = model.rows.get(gram)
        if row is not None:
            counts[row] = counts.get(row, 0) + 1
    if not counts:
        return Openness()
    rows = list(counts)
    x = (1 + np.log(np.array(list(counts.values()), np.float64))) * model.rarity[rows]
    logits = (x / math.sqrt(float(x @ x))) @ model.weights[rows] + model.bias
    likely = np.exp(logits - logits.max())
    likely /= likely.sum()
    return Openness(float(likely[0]), float(likely[1]))
