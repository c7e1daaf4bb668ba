"""The comparison of words at audit time: `gatling.model.word_encoder` again with NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from gatling.matching import MOST_BITS, read
from gatling.model.layers import Floats, Linear, gelu
from gatling.text import encoder

OTHERS = {"asked": 1, "said": 2, "saying": 2}
"""The comparisons, and how many texts each sets a text's words beside."""
CALL, REQUEST, TEXT = 0, 1, 2
READ = (
    ("match", "asked.own", "said.own", "saying.others.1"),
    ("match", "asked.others.0", "said.others.0", "saying.others.0"),
    ("match", "said.others.1", "saying.own"),
)
"""By role: the layers through which a call's, a request's and a text's words are read."""
REMEMBERED = 256
"""Texts that a process remembers as its networks read them, some 100 KB each."""


class Text(NamedTuple):
    """A text's words, as the network reads them in one role."""

    bits: Floats
    """(words, 1): what each counts, 0 to 1."""
    keys: Floats
    """(words, width): what similarities are taken of."""
    contents: tuple[Floats, ...]
    """(words, width) each, by `READ`."""


class WordNetwork:
    """The trained comparison of words; weights are those of `word_encoder.WordLayer`, by name."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._read = [np.concatenate([weights[f"{name}.weight"] for name in names]).T for names in READ]
        self._sharpness = math.exp(min(float(weights["sharpness"]), 50.0))
        self._threshold = float(weights["threshold"])
        self._numbers, self._out = (
            {
                name: Linear(weights[f"{name}.{part}.weight"].T, weights.get(f"{name}.{part}.bias"))
                for name in OTHERS
            }
            for part in ("numbers", "out")
        )

    def asked(self, call: Text, named: int, request: Text) -> tuple[Floats, _Call]:
        """The call beside the request: (hidden,), and what `met` needs of it.

        The first `named` of the call's words are its tool's name.
        """
        weights, numbers = self._attention(call.keys @ request.keys.T)
        names = np.arange(len(call.bits))[:, None] < named
        numbers = np.concatenate([call.bits, names, numbers], 1)
        asked, said, _ = call.contents
        compared = gelu(asked + weights @ request.contents[0] + self._numbers["asked"](numbers))
        said = said + weights @ request.contents[1]
        return self._out["asked"](_pooled(compared, call.bits)), _Call(call, said, numbers)

    def met(self, call: _Call, request: Text, texts: Sequence[Text]) -> Floats:
        """Texts that may explain the call, one or more, beside call and request: (texts, hidden)."""
        keys, bits, said_by, saying = (
            np.concatenate(p) for p in zip(*(_columns(t) for t in texts), strict=True)
        )
        similar = call.text.keys @ keys.T
        in_call, by_call = self._attention(similar.T)
        in_request, by_request = self._attention(keys @ request.keys.T)
        numbers = np.concatenate([bits, np.zeros_like(bits), by_request, by_call], 1)
        saying += in_request @ request.contents[2]
        saying += in_call @ call.text.contents[2]
        saying += self._numbers["saying"](numbers)
        saying = gelu(saying)
        ends = [0, *accumulate(len(text.bits) for text in texts)]
        slices = [slice(*pair) for pair in pairwise(ends)]
        said = []
        for part in slices:
            weights, numbers = self._attention(similar[:, part])
            numbers = np.concatenate([call.numbers, numbers], 1)
            said.append(call.said + weights @ said_by[part] + self._numbers["said"](numbers))
        compared = gelu(np.array(said))
        found = self._out["said"](np.array([_pooled(one, call.text.bits) for one in compared]))
        found += self._out["saying"](np.array([_pooled(saying[part], bits[part]) for part in slices]))
        return found

    def _attention(self, similar: Floats) -> tuple[Floats, Floats]:
        """`word_encoder.WordLayer._attention`, of one pair."""
        if not similar.shape[1]:
            return similar, np.zeros((len(similar), 2))
        best = similar.max(1, keepdims=True)
        highest = np.maximum(self._sharpness * best - self._threshold, 0.0)
        weights = np.exp(self._sharpness * similar - (self._threshold + highest))
        weights /= weights.sum(1, keepdims=True) + np.exp(-highest)
        return weights, np.concatenate([weights.sum(1, keepdims=True), np.maximum(best, 0.0)], 1)


class _Call(NamedTuple):
    """A call that was set beside the request."""

    text: Text
    said: Floats
    """(words, width): what `said` compares, but for the explaining text's part."""
    numbers: Floats
    """(words, 4): its numbers, but for the explaining text's."""


def _columns(text: Text) -> tuple[Floats, ...]:
    return text.keys, text.bits, *text.contents


def _pooled(compared: Floats, bits: Floats) -> Floats:
    """Of words (words, width) the mean by their bits (words, 1) and the highest: (2 · width,)."""
    mean = (compared * bits).sum(0) / max(1e-6, float(bits.sum()))
    return np.concatenate([mean, compared.max(0, initial=-1.0)])


@lru_cache(maxsize=REMEMBERED)
def words_read(network: WordNetwork, role: int, words: tuple[str, ...]) -> Text:
    """Words as the network reads them: in the role of `CALL`, `REQUEST` or `TEXT`."""
    found = read(words)
    keys, *contents = np.split(
        found.vectors.astype(np.float64) @ network._read[role], len(READ[role]), axis=1
    )
    return Text(found.bits[:, None].astype(np.float64) / MOST_BITS, keys, tuple(contents))


def shapes(hidden: int, compared: int) -> dict[str, tuple[int, ...]]:
    """The arrays by name, with their shapes."""
    dimensions = encoder().dimensions
    found: dict[str, tuple[int, ...]] = {
        "match.weight": (compared, dimensions),
        "sharpness": (),
        "threshold": (),
    }
    for name, others in OTHERS.items():
        for layer in ("own", *(f"others.{at}" for at in range(others))):
            found[f"{name}.{layer}.weight"] = (compared, dimensions)
        found[f"{name}.numbers.weight"] = (compared, 2 + 2 * others)
        found[f"{name}.numbers.bias"] = (compared,)
        found[f"{name}.out.weight"] = (hidden, 2 * compared)
    return found
