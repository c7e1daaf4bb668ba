"""The frozen text encoder: words, sentences, vectors and the information a value carries.

The vectors are WordLlama's static token embeddings (MIT, https://github.com/dleemiller/WordLlama), cut to
their first principal components and stored as one byte per value (`refit/vectors.py` remakes the table).
A text's vector is the mean of its words' vectors, a word's the mean of its tokens', so each distinct word
is tokenised once per process. Nothing here is learned from labelled attacks.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from importlib import resources
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]

_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]")
# Letters of other scripts that are drawn like Latin ones (Unicode TR39, the single-letter confusables).
_CONFUSABLE = str.maketrans("аеорсухіјѕһԁԛԝАВЕКМНОРСТХІЈЅαορυικνΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijshdqwABEKMHOPCTXIJSaopuikvABEZHIKMNOPTYX")
_SUFFIX = re.compile(r"(?:ations?|ments?|ings?|ions?|ies|ers?|ors?|es|ed|s|e|y)$")

WORD_CACHE = 200_000
"""Distinct words kept in memory; past it, words are embedded without being kept, so memory stays flat."""

MAX_WORD = 64
"""Longer words (base64, hashes) are embedded by their first letters alone: they mean nothing anyway."""


def visible(text: str) -> str:
    """The text as a person sees it: invisible and bidirectional controls gone, compatibility forms folded.

    Lone surrogates become U+FFFD, so that what comes out can always be encoded.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(text) else text


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def words(text: str) -> list[str]:
    """Lower-case words and numbers of a visible text, in order."""
    if not text.isascii():
        text = text.translate(_CONFUSABLE) if text.upper() != text.lower() else text
    return _WORD.findall(text.lower())


def name_words(name: str) -> list[str]:
    """Words of an identifier: snake_case, camelCase, dotted and kebab-case names alike.

    >>> name_words("GmailSendEmail"), name_words("banking.transfer_funds")
    (['gmail', 'send', 'email'], ['banking', 'transfer', 'funds'])
    """
    return words(_CAMEL.sub(" ", name))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude English stem, good enough to match "sending", "sends" and "send"."""
    if len(word) <= 3:
        return word
    cut = _SUFFIX.sub("", word, count=1)
    return cut if len(cut) >= 3 else word


class Encoder:
    """Maps words to unit-free vectors; see the module's docstring. One instance serves a process."""

    def __init__(self) -> None:
        with resources.files("gatling").joinpath("vectors.npz").open("rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            tokens = archive["tokens"].tobytes().decode().split("\n")
            self._table: Matrix = archive["codes"].astype(np.float32) * archive["scale"][:, None]
        self._ids = {token: index for index, token in enumerate(tokens)}
        self.dimensions = int(self._table.shape[1])
        self._index: dict[str, int] = {}
        self._bits: list[float] = []
        self._rows: Matrix = np.zeros((4096, self.dimensions), np.float32)
        self._lock = Lock()

    def _tokens(self, word: str) -> list[int]:
        """Byte-pair encoding as Llama's: merge the adjacent pair that makes the most frequent token."""
        pieces = ["\u2581", *word[:MAX_WORD]]
        ids = self._ids
        while len(pieces) > 1:
            ranks = [ids.get(a + b, 1 << 30) for a, b in zip(pieces, pieces[1:], strict=False)]
            best = min(ranks)
            if best == 1 << 30:
                break
            at = ranks.index(best)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        found: list[int] = []
        for piece in pieces:
            if piece in ids:
                found.append(ids[piece])
            else:  # a character outside the vocabulary is spelt in UTF-8 bytes, which the vocabulary holds
                found += [ids[f"<0x{byte:02X}>"] for byte in piece.encode("utf-8", "replace")]
        return found

    def _measure(self, word: str) -> tuple[Matrix, float]:
        tokens = self._tokens(word)
        if word.isdigit():
            bits = len(word) * math.log2(10)
        else:
            # Token ids are ordered by frequency; Zipf's law makes the rank a probability.
            bits = sum(math.log2(t - 200) if 259 <= t < 29871 else 5.0 for t in tokens)
        return self._table[tokens].mean(0), bits

    def _learn(self, word: str) -> int:
        row = len(self._index)
        if row >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[row], bits = self._measure(word)
        self._bits.append(bits)
        self._index[word] = row
        return row

    def _lookup(self, ws: list[str]) -> list[int]:
        get = self._index.get
        rows = [get(w, -1) for w in ws]
        if -1 in rows:
            for at, (word, row) in enumerate(zip(ws, rows, strict=True)):
                if row < 0:
                    known = get(word)
                    rows[at] = self._learn(word) if known is None else known
        return rows

    def embed(self, texts: list[list[str]]) -> Matrix:
        """Unit vectors (len(texts), dimensions) of texts given as words; a text without words is zero."""
        with self._lock:
            if len(self._index) > WORD_CACHE:
                self._index.clear()
                self._bits.clear()
            rows = self._lookup([w for ws in texts for w in ws])
            gathered = self._rows[rows]
        out = np.zeros((len(texts), self.dimensions), np.float32)
        filled = [i for i, ws in enumerate(texts) if ws]
        if filled:
            starts = np.cumsum([0] + [len(texts[i]) for i in filled[:-1]])
            sums = np.add.reduceat(gathered, starts, axis=0)
            norms = np.sqrt((sums * sums).sum(1, keepdims=True))
            out[filled] = sums / np.maximum(norms, 1e-9)
        return out

    def bits(self, word: str) -> float:
        """Information in a word, in bits, if words were drawn by Zipf's law: "the" 6, an IBAN over 40."""
        with self._lock:
            row = self._index.get(word)
            return self._bits[self._learn(word) if row is None else row]


@lru_cache(maxsize=1)
def encoder() -> Encoder:
    """The process's encoder, loaded at first use (about 60 ms)."""
    return Encoder()
