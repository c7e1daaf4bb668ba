"""Duplicates: runs that say the same, and groups whose requests and calls are nearly the same.

The runs of one group resemble each other by design, so that a group is compared by the run it began with,
and only with other groups. Near duplicates are found by MinHash over word triples: 64 rows of which one byte
each is kept (Li and König, "b-Bit Minwise Hashing", 2010); eight of them in a row are one band of the LSH.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from gatling.trace import Message

ROWS = 64
"""Bytes of a signature."""

SIMILAR = 0.8
"""Least Jaccard similarity of near duplicates, as the signatures estimate it.

The LSH finds 77% of the pairs at 0.8 and 99% of those at 0.9."""

_BLANK = MinHash(ROWS, seed=1, hashfunc=crc32, scheme="affine32")
_WORD = re.compile(r"\w+")
_SIGNED = np.dtype([("group", "<u8"), ("signature", "u1", ROWS)])


def exact(messages: Iterable[Message]) -> int:
    """64 bits that runs share if all messages are the same, whatever their calls' ids."""
    said = [[m.role, m.content, m.tool, [[c.tool, c.arguments] for c in m.calls]] for m in messages]
    text = json.dumps(said, sort_keys=True)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def signature(messages: Iterable[Message]) -> bytes:
    """The MinHash of what was asked for and which calls were made: `ROWS` bytes."""
    words = _WORD.findall(" ".join(_asked_and_called(messages)).lower())
    triples = {" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))}
    sketch = _BLANK.copy()
    sketch.update_batch(triples)
    # The least bits of a minimum are those of its affine map alone; the product mixes in all others.
    mixed = sketch.hashvalues.astype(np.uint32) * np.uint32(2654435761)
    kept: NDArray[np.uint8] = (mixed >> np.uint32(24)).astype(np.uint8)
    return kept.tobytes()


def _asked_and_called(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        if message.role == "user":
            yield str(message.content)
        for call in message.calls:
            yield f"{call.tool} {json.dumps(call.arguments, ensure_ascii=False)}"


class Seen:
    """The runs and groups of a build so far: about 80 bytes a sample, in memory and in a folder.

    `save` adds what is new to the folder's files and gives their lengths; a `Seen` with that folder and those
    lengths goes on from there, whatever was added to the files since.
    """

    def __init__(self, folder: Path, runs: int = 0, groups: int = 0) -> None:
        self._files = folder / "runs", folder / "groups"
        self._saved = runs, groups
        keys = _cut(self._files[0], runs, np.dtype("<u8"))
        self._signed = _cut(self._files[1], groups, _SIGNED)
        self._keys = _Index(keys, np.zeros(runs, np.uint32))
        bands = np.ascontiguousarray(self._signed["signature"]).view(np.uint64)
        self._bands = _Index(bands.reshape(-1), np.arange(groups, dtype=np.uint32).repeat(bands.shape[1]))
        self._new_keys: list[int] = []
        self._new_groups: list[tuple[int, NDArray[np.uint8]]] = []

    def run(self, key: int) -> bool:
        """Whether a run with this `exact` key was added."""
        return bool(self._keys.find(np.array([key], np.uint64)))

    def group(self, signature: bytes) -> int | None:
        """The number of a group that was added and is a near duplicate."""
        wanted = np.frombuffer(signature, np.uint8)
        for at in sorted(set(self._bands.find(wanted.view(np.uint64)))):
            number, known = self._at(at)
            agreeing = float(np.mean(known == wanted))
            # One byte agrees by chance once in 256 times.
            if (agreeing - 1 / 256) / (1 - 1 / 256) >= SIMILAR:
                return number
        return None

    def _at(self, index: int) -> tuple[int, NDArray[np.uint8]]:
        old = len(self._signed)
        if index >= old:
            return self._new_groups[index - old]
        return int(self._signed[index]["group"]), self._signed[index]["signature"]

    def add_run(self, key: int) -> None:
        """Add a run by its `exact` key."""
        self._keys.add(np.array([key], np.uint64), 0)
        self._new_keys.append(key)

    def add_group(self, number: int, signature: bytes) -> None:
        """Add a group by its number and its first run's signature."""
        kept = np.frombuffer(signature, np.uint8)
        self._bands.add(kept.view(np.uint64), len(self._signed) + len(self._new_groups))
        self._new_groups.append((number, kept))

    def save(self) -> tuple[int, int]:
        """Bring what is new to the files; how many runs and groups they hold now."""
        new = np.array(self._new_keys, "<u8"), np.array(self._new_groups, _SIGNED)
        for path, added in zip(self._files, new, strict=True):
            with open(path, "ab") as file:
                file.write(added.tobytes())
                file.flush()
                os.fsync(file.fileno())
        self._saved = self._saved[0] + len(new[0]), self._saved[1] + len(new[1])
        self._signed = np.concatenate([self._signed, new[1]])
        self._new_keys, self._new_groups = [], []
        return self._saved


def _cut(path: Path, count: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """The first `count` entries of a file, which holds no more afterwards."""
    path.touch()
    with open(path, "r+b") as file:
        file.truncate(count * kind.itemsize)
        return np.fromfile(file, kind, count)


class _Index:
    """64-bit keys with an owner each: most of them sorted, the latest in a dictionary."""

    _MOST_LATE = 1 << 16

    def __init__(self, keys: NDArray[np.uint64], owners: NDArray[np.uint32]) -> None:
        self._late: dict[int, list[int]] = {}
        self._sort(keys, owners)

    def _sort(self, keys: NDArray[np.uint64], owners: NDArray[np.uint32]) -> None:
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]

    def find(self, keys: NDArray[np.uint64]) -> list[int]:
        """The owners of all entries with one of these keys."""
        found: list[int] = []
        starts = np.searchsorted(self._keys, keys, "left")
        ends = np.searchsorted(self._keys, keys, "right")
        for key, start, end in zip(keys.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if end > start:
                found += self._owners[start:end].tolist()
            if key in self._late:
                found += self._late[key]
        return found

    def add(self, keys: NDArray[np.uint64], owner: int) -> None:
        """Add entries of one owner."""
        for key in keys.tolist():
            self._late.setdefault(key, []).append(owner)
        if len(self._late) >= self._MOST_LATE:
            late = self._late
            self._late = {}
            keys = np.fromiter(chain.from_iterable([key] * len(late[key]) for key in late), np.uint64)
            owners = np.fromiter(chain.from_iterable(late.values()), np.uint32)
            self._sort(np.concatenate([self._keys, keys]), np.concatenate([self._owners, owners]))
