"""The frozen text encoder: words, vectors, and the information that a value carries.

The vectors are WordLlama's static token embeddings (MIT, https://github.com/dleemiller/WordLlama), cut to
their first principal components and stored as one byte per value (`refit/vectors.py` remakes the table).
A text's vector is the mean of its words' vectors, a word's the mean of its tokens', so each distinct word
is tokenised once per process. Nothing here is learned from labelled attacks.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:  # numpy.typing takes longer to import than the rest of this module
    from numpy.typing import NDArray

Matrix: TypeAlias = "NDArray[np.float32]"

WORD_CACHE = 50_000
"""Distinct words kept in memory; words that come after are measured each time, so memory stays flat."""

MAX_WORD = 64
"""Longer words (base64, hashes) are measured by their first letters: their meaning is noise anyway."""

_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MIXED_SCRIPT = re.compile("[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")
_LETTERS = re.compile(r"\w+")
# Cyrillic and Greek letters drawn like Latin ones (a selection of Unicode TR39's confusables).
_CONFUSABLE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u0410\u0412\u0415\u041a\u041c"
    "\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u03b1\u03bf\u03c1\u03b9\u03ba\u03bd\u0391\u0392"
    "\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijshdABEKMHOPCTXIJSaopikvABEZHIKMNOPTYX",
)


def visible(text: str) -> str:
    """The text as a person sees it.

    Invisible and bidirectional controls are dropped, compatibility forms folded, look-alike letters inside
    Latin words made Latin, lone surrogates replaced by U+FFFD, so that the result can always be encoded.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text)))
    text = unicodedata.normalize(
        "NFKC", _INVISIBLE.sub("", text)
    )  # folding reveals some, removal joins others
    return _LETTERS.sub(_unmask, text) if _MIXED_SCRIPT.search(text) else text


def _unmask(word: re.Match[str]) -> str:
    """A word of two scripts written in one; a word of one script is what it is."""
    found = word.group()
    return found.translate(_CONFUSABLE) if _MIXED_SCRIPT.search(found) else found


def words(text: str) -> list[str]:
    """Lower-case words and numbers, in order."""
    return _WORD.findall(text.lower())


def name_words(name: str) -> list[str]:
    """Words of an identifier: snake_case, camelCase, dotted and kebab-case names alike.

    >>> name_words("GmailSendEmail"), name_words("banking.transfer_funds")
    (['gmail', 'send', 'email'], ['banking', 'transfer', 'funds'])
    """
    return words(_CAMEL.sub(" ", name))


_SUFFIX = re.compile(r"(?:ations?|ments?|ings?|ions?|ies|ers?|ors?|es|ed|s|e|y)$")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude English stem, good enough to see that "sending", "sends" and "send" are one word."""
    if len(word) <= 3:
        return word
    cut = _SUFFIX.sub("", word, count=1)
    return cut if len(cut) >= 3 else word


class Encoder:
    """Maps words to vectors without unit; see the module's docstring. One instance serves a process."""

    def __init__(self) -> None:
        with Path(__file__).with_name("vectors.npz").open("rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            tokens = archive["tokens"].tobytes().decode().split("\n")
            self._codes: NDArray[np.int8] = archive["codes"]
            self._scale: Matrix = archive["scale"]
        self._ids = {token: index for index, token in enumerate(tokens)}
        self.dimensions = int(self._codes.shape[1])
        self._lock = Lock()
        self._index: dict[str, int] = {}
        self._bits: list[float] = []
        self._rows: Matrix = np.zeros((2048, self.dimensions), np.float32)

    def _tokens(self, word: str) -> list[int]:
        """Byte-pair encoding as Llama's: merge the adjacent pair that makes the most frequent token."""
        pieces = ["\u2581", *word[:MAX_WORD]]
        ids = self._ids
        while len(pieces) > 1:
            ranks = [ids.get(a + b, 1 << 30) for a, b in pairwise(pieces)]
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
        if word.isdecimal():
            bits = len(word) * math.log2(10)
        else:
            # Token ids are ordered by frequency; Zipf's law turns a rank into a probability.
            bits = sum(math.log2(t - 200) if 259 <= t < 29871 else 5.0 for t in tokens)
        vector: Matrix = (self._codes[tokens] * self._scale[tokens, None]).mean(0, dtype=np.float32)
        return vector, bits

    def _learn(self, word: str) -> int | None:
        """The row of a new word, or None when the cache is full."""
        with self._lock:
            row = self._index.get(word, len(self._index))
            if row < len(self._index):
                return row
            if row >= WORD_CACHE:
                return None
            vector, bits = self._measure(word)
            if row >= len(self._rows):
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._rows[row] = vector
            self._bits.append(bits)
            self._index[word] = row  # last, so that a reader without the lock never sees a row half made
            return row

    def embed(self, texts: Sequence[Sequence[str]]) -> Matrix:
        """Unit vectors (len(texts), dimensions) of texts given as words; a text without words is zero."""
        get = self._index.get
        flat = [w for text in texts for w in text]
        rows = [get(w, -1) for w in flat]
        extra: list[tuple[int, Matrix]] = []
        if -1 in rows:
            for at, row in enumerate(rows):
                if row < 0:
                    learned = self._learn(flat[at])
                    if learned is None:
                        extra.append((at, self._measure(flat[at])[0]))
                        learned = 0
                    rows[at] = learned
        if not flat:
            return np.zeros((len(texts), self.dimensions), np.float32)
        gathered = self._rows.take(rows, 0)
        for at, vector in extra:
            gathered[at] = vector
        lengths = [len(text) for text in texts if text]
        sums: Matrix = np.add.reduceat(gathered, [0, *accumulate(lengths[:-1])], axis=0)
        sums /= np.maximum(np.sqrt(np.einsum("ij,ij->i", sums, sums)), 1e-9)[:, None]
        if len(lengths) == len(texts):
            return sums
        out = np.zeros((len(texts), self.dimensions), np.float32)
        out[[bool(text) for text in texts]] = sums
        return out

    def informative(self, ws: Sequence[str], least: float) -> list[str]:
        """The distinct words that carry more than `least` bits, in order."""
        index, bits = self._index, self._bits
        found = []
        for word in dict.fromkeys(ws):
            row = index.get(word)
            if (self.bits(word) if row is None else bits[row]) > least:
                found.append(word)
        return found

    def bits(self, word: str) -> float:
        """Information in a word, in bits, if words were drawn by Zipf's law: "the" 6, an IBAN over 40."""
        row = self._index.get(word)
        if row is None:
            row = self._learn(word)
        return self._measure(word)[1] if row is None else self._bits[row]


@lru_cache(maxsize=1)
def encoder() -> Encoder:
    """The process's encoder, loaded at first use."""
    return Encoder()
