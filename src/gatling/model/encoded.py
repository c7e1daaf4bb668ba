"""Encoded runs: examples as flat arrays with a table of their texts' vectors, kept on disk between trainings.

A text that stands in many places is stored once, and so is an intent: calls of one run, and often of its
siblings, read the same trusted texts.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gatling.data.run import TERMS
from gatling.matching import read as words_of
from gatling.model.examples import KINDS, Example, FloatArray
from gatling.model.view import ARGUMENT_NUMBERS, CALL_NUMBERS, EXPLANATION_NUMBERS, ROLES, Items, ends
from gatling.text import encoder

Ints: TypeAlias = NDArray[np.integer[Any]]
Told: TypeAlias = Callable[[str], None]

CHUNK = 512
"""Examples that are encoded at a time."""

_PACKAGE = Path(__file__).parents[1]
_CODE = (
    "*.py",
    "*.toml",
    "*.txt",
    "*.npz",
    "tools/*.py",
    "trace/*.py",
    "energy/hierarchy.py",
    "data/columns.py",
    "data/label.py",
    "data/run.py",
    "model/view.py",
    "model/standing.py",
    "model/examples.py",
    "model/encoded.py",
)
"""Files of the package by which a plan, its view and what is kept of it are made."""


class CacheError(ValueError):
    """A file of encoded runs that cannot be used; the message names the file and says why."""


class Labels(NamedTuple):
    """What names a run."""

    id: str
    group: str
    kind: str
    family: str
    dataset: str


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Many examples. Offsets have one entry more than what they part: i's rows are `[i]` up to `[i + 1]`.

    Texts are rows of `vectors`; numbers are those of `gatling.model.view`.
    """

    runs: tuple[Labels, ...]
    vectors: NDArray[np.float16]
    """(texts, dimensions): unit vectors of the distinct texts."""
    word_vectors: NDArray[np.float16]
    """(distinct words, dimensions): unit vectors."""
    word_bits: FloatArray
    """(distinct words,): what each counts, see `gatling.matching.Words`."""
    texts: Ints
    """(texts + 1,): offsets of words."""
    word: Ints
    """The words of the distinct texts, those in the middle of long ones left out; see `view.ends`."""
    calls: Ints
    """(runs + 1,): offsets of calls."""
    energies: FloatArray
    """(calls, 4): 0–10, NaN where unknown."""
    violating: FloatArray
    """(calls,): 1, 0, NaN unknown."""
    tool: Ints
    """(calls,): the tool's name, a text."""
    values: Ints
    """(calls,): the arguments' values, a text."""
    numbers: FloatArray
    """(calls, len(CALL_NUMBERS))."""
    intent: Ints
    """(calls,): which distinct intent it is."""
    intents: Ints
    """(distinct intents + 1,): offsets in `trusted`."""
    trusted: Ints
    """The distinct trusted texts that each distinct intent holds."""
    trusted_text: Ints
    """(distinct trusted texts,): a text; one that has two roles stands here twice."""
    trusted_numbers: FloatArray
    """(distinct trusted texts, len(ROLES))."""
    arguments: Ints
    """(calls + 1,): offsets of arguments."""
    argument_text: Ints
    argument_numbers: FloatArray
    explanations: Ints
    """(calls + 1,): offsets of explanations."""
    explanation_text: Ints
    explanation_numbers: FloatArray
    sources: Ints
    """(calls + 1,): offsets of edges."""
    source: Ints
    """(edges,): the call of the same run that feeds this one."""

    def __len__(self) -> int:
        return len(self.runs)

    @classmethod
    def of(cls, examples: Iterable[Example], told: Told = lambda line: None) -> Encoded:
        """Encode examples, in order; `told` hears how far it is.

        Raises:
            ValueError: an example has a kind that is not one of `KINDS`, or there are none.
        """
        building = _Building()
        for example in examples:
            building.add(example)
            if len(building.runs) % CHUNK == 0:
                building.settle()
                if len(building.runs) % (10 * CHUNK) == 0:
                    told(f"{len(building.runs)} runs encoded")
        return building.done()

    @classmethod
    def join(cls, parts: Sequence[Encoded]) -> Encoded:
        """The runs of all parts, one part after the other.

        Texts and intents that stand in several parts stand several times; nothing else differs from encoding
        all runs at once.
        """
        shifts: dict[str, int] = dict.fromkeys(_BASES, 0)
        shifted: dict[str, list[NDArray[Any]]] = {name: [] for name in _ARRAYS}
        for part in parts:
            for name in _ARRAYS:
                array = getattr(part, name)
                if name in _OFFSETS:
                    base = len(getattr(part, _PARTED[name]))
                    array = (array if not shifted[name] else array[1:]) + shifts[name]
                    shifts[name] += base
                elif name in _POINTERS:
                    array = array + shifts[_POINTERS[name]]
                shifted[name].append(array)
            shifts["vectors"] += len(part.vectors)
            shifts["word_vectors"] += len(part.word_vectors)
            shifts["trusted_text"] += len(part.trusted_text)
            shifts["distinct"] += len(part.intents) - 1
        runs = tuple(run for part in parts for run in part.runs)
        return cls(runs, **{name: np.concatenate(arrays) for name, arrays in shifted.items()})

    def save(self, path: Path, key: str) -> None:
        """Write the arrays to a safetensors file, with what they were made from."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        labels = json.dumps([*map(list, zip(*self.runs, strict=True))], ensure_ascii=False).encode()
        arrays["runs"] = np.frombuffer(labels, np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # two trainings may encode one build
        save_file(arrays, partial, {"key": key})
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path, key: str) -> Encoded:
        """Read what `save` wrote.

        Raises:
            CacheError: there is no such file, it is damaged, or it was made from something else.
        """
        try:
            with safe_open(path, "np") as file:
                if (file.metadata() or {}).get("key") != key:
                    raise CacheError(f"{path}: made from other data or by another version")
                arrays = {name: file.get_tensor(name) for name in (*_ARRAYS, "runs")}
            labels = json.loads(arrays.pop("runs").tobytes())
            runs = tuple(map(Labels, *labels)) if labels else ()
        except FileNotFoundError:
            raise CacheError(f"{path}: not there") from None
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            if isinstance(error, CacheError):
                raise
            raise CacheError(f"{path}: damaged ({type(error).__name__})") from None
        return cls(runs, **arrays)


def cached(path: Path, key: str, make: Callable[[], Encoded], told: Told = lambda line: None) -> Encoded:
    """What stands in the file, if it was made from what `key` names; else what `make` makes, written there.

    `told` hears why a file that is there cannot be used.
    """
    try:
        return Encoded.load(path, key)
    except CacheError as error:
        if path.exists():
            told(f"{error}; encoding again")
    made = make()
    made.save(path, key)
    return made


def key_of(*inputs: str) -> str:
    """A key for `cached`: a hash of the inputs' hashes and names, and of the code that encodes."""
    digest = hashlib.sha256(json.dumps(inputs).encode())
    for pattern in _CODE:
        for file in sorted(_PACKAGE.glob(pattern)):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


_ARRAYS = tuple(field.name for field in fields(Encoded))[1:]


class _Building:
    """Arrays that grow."""

    def __init__(self) -> None:
        self.runs: list[Labels] = []
        self._texts: dict[bytes, int] = {}
        self._new: list[list[str]] = []
        """Texts whose vectors are not taken yet."""
        self._words: dict[str, int] = {}
        self._trusted: dict[tuple[int, bytes], int] = {}
        self._intents: dict[bytes, int] = {}
        self._whole = {name: array("i") for name in _WHOLE}
        self._offsets = {name: array("q", [0]) for name in _OFFSETS}
        self._open: dict[str, list[NDArray[Any]]] = {name: [] for name in _TABLES}
        self._settled: dict[str, list[NDArray[Any]]] = {"vectors": [], "word_vectors": [], "word_bits": []}
        self._settled |= {name: [np.zeros((0, *row), np.float32)] for name, row in _TABLES.items()}

    def add(self, example: Example) -> None:
        """Take in one more example."""
        if example.kind not in KINDS:
            raise ValueError(f"run {example.id!a}: kind {example.kind!a}; give one of {', '.join(KINDS)}")
        self.runs.append(Labels(example.id, example.group, example.kind, example.family, example.dataset))
        for view in example.views:
            tool, values = map(self._text, view.call.words)
            self._whole["tool"].append(tool)
            self._whole["values"].append(values)
            self._whole["intent"].append(self._intent(view.intent))
            self._open["numbers"].append(view.call.numbers[:1])
            self._items("argument", view.arguments)
            self._items("explanation", view.explanations)
            self._whole["source"].extend(view.sources)
            self._offsets["sources"].append(len(self._whole["source"]))
        self._open["energies"].append(example.energies)
        self._open["violating"].append(example.violating)
        self._offsets["calls"].append(len(self._whole["intent"]))

    def settle(self) -> None:
        """Join what is open, and take the vectors of texts that are new."""
        for name, parts in self._open.items():
            if parts:
                self._settled[name].append(np.concatenate(parts))
                parts.clear()
        # Floats of 16 bits move energies by less than 0.01, and halve the memory.
        self._settled["vectors"].append(encoder().embed(self._new).astype(np.float16))
        self._new.clear()
        read = words_of([*islice(self._words, sum(map(len, self._settled["word_bits"])), None)])
        self._settled["word_vectors"].append(read.vectors.astype(np.float16))
        self._settled["word_bits"].append(read.bits)

    def done(self) -> Encoded:
        """All of it."""
        self.settle()
        if not self.runs:
            raise ValueError("no examples: give a split or traces that hold some")
        self._texts.clear()  # the largest of what is no longer needed
        self._words.clear()
        arrays: dict[str, Any] = {name: np.array(ints, np.int32) for name, ints in self._whole.items()}
        arrays |= {name: np.array(ints, np.int64) for name, ints in self._offsets.items()}
        arrays |= {name: _joined(parts) for name, parts in self._settled.items()}
        return Encoded(tuple(self.runs), **arrays)

    def _text(self, words: list[str]) -> int:
        # A digest in the words' place, because there are as many keys as texts.
        key = hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
        row = self._texts.get(key)
        if row is None:
            row = self._texts[key] = len(self._texts)
            self._new.append(words)
            self._whole["word"].extend(self._words.setdefault(w, len(self._words)) for w in ends(words))
            self._offsets["texts"].append(len(self._whole["word"]))
        return row

    def _items(self, name: str, items: Items) -> None:
        self._whole[f"{name}_text"].extend(map(self._text, items.words))
        self._open[f"{name}_numbers"].append(items.numbers)
        self._offsets[f"{name}s"].append(len(self._whole[f"{name}_text"]))

    def _intent(self, items: Items) -> int:
        members = array("i")
        for words, numbers in zip(items.words, items.numbers, strict=True):
            text = self._text(words)
            member = self._trusted.setdefault((text, numbers.tobytes()), len(self._trusted))
            if member == len(self._whole["trusted_text"]):
                self._whole["trusted_text"].append(text)
                self._open["trusted_numbers"].append(numbers[None])
            members.append(member)
        intent = self._intents.setdefault(members.tobytes(), len(self._intents))
        if intent == len(self._offsets["intents"]) - 1:
            self._whole["trusted"].extend(members)
            self._offsets["intents"].append(len(self._whole["trusted"]))
        return intent


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts one after another. Each is let go once it is copied, so that memory never holds all twice."""
    joined = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    end = len(joined)
    while parts:
        part = parts.pop()
        joined[end - len(part) : end] = part
        end -= len(part)
    return joined


_WHOLE = (
    "tool",
    "values",
    "intent",
    "trusted",
    "trusted_text",
    "argument_text",
    "explanation_text",
    "source",
    "word",
)
_OFFSETS = ("texts", "calls", "intents", "arguments", "explanations", "sources")
_PARTED = {
    "texts": "word",
    "calls": "tool",
    "intents": "trusted",
    "arguments": "argument_text",
    "explanations": "explanation_text",
    "sources": "source",
}
"""What offsets part."""
_POINTERS = {
    "tool": "vectors",
    "values": "vectors",
    "trusted_text": "vectors",
    "argument_text": "vectors",
    "explanation_text": "vectors",
    "trusted": "trusted_text",
    "intent": "distinct",
    "word": "word_vectors",
}
"""What indices point to."""
_BASES = (*_OFFSETS, "vectors", "word_vectors", "trusted_text", "distinct")
_TABLES: dict[str, tuple[int, ...]] = {
    "energies": (len(TERMS),),
    "violating": (),
    "numbers": (len(CALL_NUMBERS),),
    "trusted_numbers": (len(ROLES),),
    "argument_numbers": (len(ARGUMENT_NUMBERS),),
    "explanation_numbers": (len(EXPLANATION_NUMBERS),),
}
"""Arrays of numbers, with the shape of a row."""
