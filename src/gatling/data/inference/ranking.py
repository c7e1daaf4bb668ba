"""Which tool a text asks for: a fixed linear score of words shared, meaning, effects and values at hand.

Each word of a text is compared with each word of the tools once per process, by meaning where the words
differ (`gatling.text`), and kept; a text's score is then a few sums of kept rows. `WEIGHTS` are those of a
conditional logit (McFadden, 1974) fitted by `python -m benchmarks.extraction --fit` on every second BFCL
single-turn prompt, among its own tools and twenty of other prompts: so a softmax of the scores is the
probability of each tool.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gatling.data.inference.schema import Schema
from gatling.plan import Effect
from gatling.text import Matrix, encoder, name_words, stem, words
from gatling.tools.lexicon import VERBS, base
from gatling.tools.vocabulary import word_set

Scores: TypeAlias = NDArray[np.float32]

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "name": 2.85,
        "description": 2.81,
        "parameters": 1.63,
        "asked": 4.33,
        "meaning": 3.97,
        "numbers": 1.14,
        "options": 1.13,
        "effects": 0.64,
    }
)
"""What each quantity adds to a tool's score. All lie in [0, 1] but `numbers`, in [-1, 0], and `meaning`.

name, description, parameters: the share of the tool's words of that kind that the text says; asked: the
share of the text's words that the tool says; meaning: cosine of the text and of the tool's name and main
sentence; numbers: required numbers that the text lacks; options: values of enumerations that it names;
effects: what of the tool's effects the text's verbs may have.
"""

DESCRIBED = 800
"""Characters of a description that are read."""

WORDS = 64
"""Distinct words of a text that are looked at, from its start."""

KEPT_BYTES = 64_000_000
"""Memory for the rows of words seen; when it is full they are forgotten, and made again."""

PORTION = 512
"""Words that are compared with the tools' at once; all new ones of a batch would be thousands."""

_NOISE = 0.2
"""Cosine up to which two words have nothing to do with each other."""
_BITS = 16.0
_STOP = word_set(
    "a an the of to in for on at by with and or is are be this that it its i you my me your we us our can "
    "could would please from as will do does have has if not so what how which there all any some into "
    "about up just let need want like der die das und ich mir mein meine bitte für den dem ein eine el la "
    "los las de "
    "que por un una mi mis le les des je mon ma mes et il lo gli di che per o os um uma e meu minha"
)
_EFFECTS = tuple(Effect)
_NO_EFFECT = (0.0,) * len(_EFFECTS)


@lru_cache(maxsize=65536)
def _verb(word: str) -> int:
    """The effects that a word may have as a verb, one bit each."""
    effects = VERBS.get(base(word), ())
    return sum(1 << at for at, effect in enumerate(_EFFECTS) if effect in effects)


@lru_cache(maxsize=65536)
def _weight(word: str) -> float:
    """How much a word tells, in [0, 1]."""
    return min(encoder().bits(word), _BITS) / _BITS


def _distinct(ws: Sequence[str]) -> list[str]:
    return [w for w in dict.fromkeys(ws) if w not in _STOP]


class Ranking:
    """The tools of a registry, ready to be compared with texts."""

    def __init__(self, schemas: Sequence[Schema]) -> None:
        tools = [schema.tool for schema in schemas]
        kinds = {
            "name": [_distinct(name_words(t.name)) for t in tools],
            "description": [_distinct(words(t.description[:DESCRIBED])) for t in tools],
            "parameters": [_distinct([w for p in t.parameters for w in name_words(p)]) for t in tools],
        }
        shown = [
            list(dict.fromkeys(w for kind in kinds.values() for w in kind[i])) for i in range(len(tools))
        ]
        said = [
            dict.fromkeys([*ws, *_distinct(s.words)]) or {"tool": None}
            for ws, s in zip(shown, schemas, strict=True)
        ]
        self._size = len(tools)
        shown_words = dict.fromkeys(w for ws in shown for w in ws)
        self._shown = len(shown_words) or 1
        vocabulary = list(dict.fromkeys([*shown_words, *(w for ws in said for w in ws)])) or ["tool"]
        column = {w: i for i, w in enumerate(vocabulary)}
        bearers = Counter(s for ws in said for s in set(map(stem, ws)))
        most = math.log(max(2, self._size + 1))
        self._telling = np.array(
            [0.1 + math.log((self._size + 1) / max(1, bearers[stem(w)])) / most for w in vocabulary],
            np.float32,
        )
        worth = self._telling * np.array([_weight(w) for w in vocabulary], np.float32)
        self._shares = {kind: _shares(lists, column, worth[: self._shown]) for kind, lists in kinds.items()}
        self._share = sum(
            (WEIGHTS[kind] * share for kind, share in self._shares.items()),
            np.zeros((self._shown, self._size), np.float32),
        )
        self._said = np.array([column[w] for ws in said for w in ws], np.intp)
        lengths = [len(ws) for ws in said]
        self._starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp)
        self._vectors = encoder().embed([[w] for w in vocabulary])
        self._stems: dict[str, list[int]] = defaultdict(list)
        for word, at in column.items():
            self._stems[stem(word)].append(at)
        self._meaning = encoder().embed([t.words for t in tools])
        self._effects = np.array(
            [[(effect in t.effects) / len(t.effects) for effect in _EFFECTS] for t in tools], np.float32
        ).reshape(self._size, len(_EFFECTS))
        self._masks = np.array(
            [[bool(mask >> at & 1) for at in range(len(_EFFECTS))] for mask in range(1 << len(_EFFECTS))],
            np.float32,
        )
        self._required = np.array([schema.required_numbers for schema in schemas], np.float32)
        self._options: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for at, schema in enumerate(schemas):
            for option in schema.options:
                self._options[option[0]].append((option, at))
        self._lock = Lock()
        self._rows: dict[str, int] = {}
        capacity = KEPT_BYTES // (4 * (self._shown + self._size))
        self._capacity = max(4 * WORDS, capacity)
        self._near = np.zeros((0, self._shown), np.float32)
        self._heard = np.zeros((0, self._size), np.float32)

    def scores(self, texts: Sequence[Sequence[str]], numbers: Sequence[int]) -> Scores:
        """Each tool's score for texts given as words, with how many numbers each holds: (texts, tools)."""
        if not texts or not self._size:
            return np.zeros((len(texts), self._size), np.float32)
        near, *rest = self._gather(texts, numbers)
        out: Scores = np.asarray(near @ self._share, np.float32)
        for name, part in zip(_AFTER_WORDS, rest, strict=True):
            out += np.float32(WEIGHTS[name]) * part
        return out

    def parts(self, texts: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[Scores]:
        """The quantities behind `scores`, in the order of `WEIGHTS`."""
        near, *rest = self._gather(texts, numbers)
        return [*(near @ share for share in self._shares.values()), *rest]

    def _gather(self, texts: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[Scores]:
        asked = [_distinct(ws)[:WORDS] or [""] for ws in texts]
        near = np.empty((len(texts), self._shown), np.float32)
        heard = np.empty((len(texts), self._size), np.float32)
        with self._lock:
            rows = self._learn(asked)
            start = 0
            for at, known in enumerate(asked):  # a loop is faster here than numpy's reduceat
                of = rows[start : start + len(known)]
                start += len(known)
                self._near[of].max(0, out=near[at])
                worth = np.array([_weight(w) for w in known], np.float32)
                np.dot(worth / worth.sum(), self._heard[of], out=heard[at])
        meaning = encoder().embed(texts) @ self._meaning.T
        held = np.array(numbers, np.float32)[:, None]
        lacking = np.minimum(0, held - self._required) / np.maximum(1, self._required)
        masks = []
        for ws in texts:
            mask = 0
            for word in ws:
                mask |= _verb(word)
            masks.append(mask)
        effects = self._masks[masks] @ self._effects.T
        return [near, heard, meaning, lacking, self._named(texts), effects]

    def _named(self, texts: Sequence[Sequence[str]]) -> Scores:
        """Values of each tool's enumerations that the texts name, three of them counting as all."""
        found = np.zeros((len(texts), self._size), np.float32)
        index = self._options
        if index:
            for row, ws in enumerate(texts):
                present = set(ws)
                for word in present.intersection(index):
                    for option, at in index[word]:
                        if len(option) == 1 or present.issuperset(option):
                            found[row, at] += 1
        np.minimum(found, 3, out=found)
        found /= 3
        return found

    def _learn(self, texts: Sequence[Sequence[str]]) -> list[int]:
        """Rows of all words of the texts, in order; words not seen before are compared with the tools'."""
        new = list(dict.fromkeys(w for ws in texts for w in ws if w not in self._rows))
        if len(self._rows) + len(new) > self._capacity:
            self._rows.clear()
            new = list(dict.fromkeys(w for ws in texts for w in ws))
        if new:
            first = len(self._rows)
            self._rows |= {w: first + i for i, w in enumerate(new)}
            if first + len(new) > len(self._near):
                size = max(2 * len(self._near), first + len(new))
                self._near = _grown(self._near, size)
                self._heard = _grown(self._heard, size)
            for at in range(0, len(new), PORTION):
                some = new[at : at + PORTION]
                rows = slice(first + at, first + at + len(some))
                self._near[rows], self._heard[rows] = self._compare(some)
        return [self._rows[w] for ws in texts for w in ws]

    def _compare(self, new: Sequence[str]) -> tuple[Scores, Scores]:
        near = encoder().embed([[w] for w in new]) @ self._vectors.T
        near = np.maximum(near - np.float32(_NOISE), 0) / np.float32(1 - _NOISE)
        for row, word in enumerate(new):
            columns = self._stems.get(stem(word))
            if columns:
                near[row, columns] = 1
        heard = np.maximum.reduceat((near * self._telling)[:, self._said], self._starts, axis=1)
        return near[:, : self._shown], heard


_AFTER_WORDS = tuple(WEIGHTS)[3:]


def _shares(lists: Sequence[Sequence[str]], column: Mapping[str, int], worth: Scores) -> Matrix:
    """What each word adds to the share of a tool's words that are said: (words, tools)."""
    out: Matrix = np.zeros((len(worth), len(lists)), np.float32)
    for at, ws in enumerate(lists):
        for word in ws:
            out[column[word], at] = worth[column[word]]
    shares: Matrix = out / np.maximum(out.sum(0), 1e-9)
    return shares


def _grown(rows: Scores, size: int) -> Scores:
    grown = np.zeros((size, rows.shape[1]), np.float32)
    grown[: len(rows)] = rows
    return grown
