"""JSONL: a JSON object a line. Plain files are also read by windows, with seeks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from gatling.data.hub.blobs import AHEAD, Blob
from gatling.data.hub.cache import BLOCK
from gatling.data.hub.packed import PACKED, damaged, unpacked
from gatling.data.hub.rows import DataFile, Fetched, Part, picked
from gatling.data.hub.schema import Wanted, check_values

MOST_LINE = 64 << 20
"""Bytes of a line. What is longer is no row of anything, and has to be held whole."""

LOOKED_AT = 100
"""Rows at a file's start that must show its columns."""

_WIDEST = 64 * BLOCK


class Lines(DataFile):
    """A JSONL file, perhaps compressed."""

    def __init__(self, blob: Blob, wanted: Wanted) -> None:
        self.blob, self.wanted = blob, wanted
        self.cost = blob.size
        self._mean: int | None = None

    def check(self) -> None:
        """See `DataFile`."""
        # No more is fetched than that: the rest may be read by windows.
        lines = islice(self._lines(ahead=BLOCK), LOOKED_AT)
        first = [self._read(number, line) for number, line in enumerate(lines)]
        check_values(self.blob.name, first, self.wanted)

    def _lines(self, ahead: int = AHEAD) -> Iterator[bytes]:
        with unpacked(self.blob, ahead) as stream:
            while line := stream.readline(MOST_LINE + 1):
                if len(line) > MOST_LINE:
                    raise damaged(self.blob.name, f"a line of more than {MOST_LINE} bytes")
                if line.strip():
                    yield line

    def count(self) -> int:
        """See `Rows`."""
        return sum(1 for _ in self._lines())

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`."""
        for number, line in picked(self._lines(), chosen):
            yield Fetched(self.blob.name, number, self.wanted.cut(self._read(number, line)))

    def _read(self, number: int, line: bytes) -> Mapping[str, Any]:
        return read_line(self.blob.name, f"row {number}", line)

    def parts(self, places: int, count: int) -> Sequence[Part] | None:
        """Windows of a width from which an equal share of the rows is about half of what is there."""
        if self.blob.name.endswith(PACKED):
            return None
        enough, width = 2 * self._line() * -(-count // places), BLOCK
        while width < min(enough, _WIDEST):
            width *= 2
        return [
            Window(self.blob, self.wanted, start, min(start + width, self.blob.size), self._line())
            for start in range(0, self.blob.size, width)
        ]

    def _line(self) -> int:
        """Bytes of a line, as the file's first block has them."""
        if self._mean is None:
            start = self.blob.read(0, min(BLOCK, self.blob.size))
            self._mean = max(1, len(start) // max(1, start.count(b"\n")))
        return self._mean


class Window(Part):
    """The lines that begin after a line's end within a range of bytes; the first window has line one too.

    Every line of a file belongs to one window, whatever its length.
    """

    def __init__(self, blob: Blob, wanted: Wanted, start: int, stop: int, line: int) -> None:
        self._blob, self._wanted, self._start, self._stop = blob, wanted, start, stop
        self.weight = self.cost = stop - start
        self.expected = max(1, self.cost // line)

    def count(self) -> int:
        """See `Rows`."""
        return len(self._places(self._blob.read(self._start, self._stop)))

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`; a row's number is the byte at which its line begins."""
        data = self._blob.read(self._start, self._stop)
        for _, at in picked(self._places(data), chosen):
            row = read_line(self._blob.name, f"byte {at}", self._line(at, data))
            yield Fetched(self._blob.name, at, self._wanted.cut(row))

    def _places(self, data: bytes) -> list[int]:
        """Where lines begin that are not blank."""
        found, at = [], 0 if self._start == 0 else data.find(b"\n") + 1
        if at == 0 < self._start:
            return []  # the middle of a line
        while at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            if data[at:end].strip() or (end == len(data) and self._line(self._start + at, data).strip()):
                found.append(self._start + at)
            at = end
        if data.endswith(b"\n") and self._stop < self._blob.size and self._line(self._stop, data).strip():
            found.append(self._stop)
        return found

    def _line(self, at: int, data: bytes) -> bytes:
        """The line that begins at a byte, which may end long after the window."""
        start = at - self._start
        end = data.find(b"\n", start) + 1
        if end:
            return data[start:end]
        line, at = bytearray(data[start:]), self._stop
        while at < self._blob.size:
            more = self._blob.read(at, min(at + BLOCK, self._blob.size))
            end = more.find(b"\n") + 1
            line += more[:end] if end else more
            if end:
                break
            if len(line) > MOST_LINE:
                raise damaged(self._blob.name, f"a line of more than {MOST_LINE} bytes", f"byte {at}")
            at += len(more)
        return bytes(line)


def read_line(file: str, row: str, line: bytes) -> Mapping[str, Any]:
    """A line's object. Raises `Damaged`."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise damaged(file, f"no JSON: {error}", row) from None
    if not isinstance(found, dict):
        raise damaged(file, f"found {type(found).__name__}, expected a JSON object", row)
    return found
