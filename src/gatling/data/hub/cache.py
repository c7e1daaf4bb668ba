"""Files that are fetched in part, on disk: which blocks are there, and whether they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np

BLOCK = 1 << 16
"""Bytes of a block. A file's last one may be shorter."""

_THERE = 1 << 32
"""Set in a block's entry beside its CRC-32; an entry of 0 is a block that was not fetched."""


class Blocks:
    """The blocks of one file of `size` bytes.

    Two files on disk: `PATH.data`, with holes where nothing was fetched, and `PATH.blocks`, eight bytes a
    block. A block is written before its entry and checked whenever it is read, so that a process may die
    and several may write at any moment.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._data, self._index = path.with_name(path.name + ".data"), path.with_name(path.name + ".blocks")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._data.touch()
        self._index.touch()
        self._entries = np.zeros(-(-size // BLOCK), "<u8")
        found = np.fromfile(self._index, "<u8")[: len(self._entries)]
        self._entries[: len(found)] = found

    def missing(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """What has to be fetched for the bytes from `start` up to `stop`: ranges, in whole blocks."""
        first, last = start // BLOCK, -(-min(stop, self.size) // BLOCK)
        absent = np.flatnonzero(self._entries[first:last] == 0) + first
        for run in np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1):
            if len(run):
                yield int(run[0]) * BLOCK, min((int(run[-1]) + 1) * BLOCK, self.size)

    def put(self, start: int, data: bytes) -> None:
        """Keep the block that starts at `start`, whole."""
        number = start // BLOCK
        entry = np.array([crc32(data) | _THERE], "<u8")
        for path, place, written in ((self._data, start, data), (self._index, number * 8, entry.tobytes())):
            with open(path, "r+b") as file:
                file.seek(place)
                file.write(written)
        self._entries[number] = entry[0]

    def get(self, start: int, stop: int) -> bytes | None:
        """Bytes of blocks that are there; None where one of them is not whole, which is then missing."""
        first, last = start // BLOCK, -(-stop // BLOCK)
        with open(self._data, "rb") as file:
            file.seek(first * BLOCK)
            found = file.read(min(last * BLOCK, self.size) - first * BLOCK)
        whole = True
        for number in range(first, last):
            block = found[(number - first) * BLOCK : (number - first + 1) * BLOCK]
            if self._entries[number] != crc32(block) | _THERE:
                self._entries[number] = 0
                whole = False
        return found[start - first * BLOCK : stop - first * BLOCK] if whole else None
