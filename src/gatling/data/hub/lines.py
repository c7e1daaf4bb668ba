"""JSONL: a JSON object a line. Plain files are also read by windows, with seeks.

A line that is none is a row with a problem, and the others are read; a file of which most lines are none is
damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
"""Rows at a file's start that must show its columns; fewer say little of how sound the rest of it is."""

MOST_MALFORMED = 0.5
"""Share of a file's lines that may be no JSON objects."""

_WIDEST = 64 * BLOCK


class Lines(DataFile):
    """A JSONL file, perhaps compressed."""

    def __init__(self, blob: Blob, wanted: Wanted) -> None:
        self.blob, self.wanted = blob, wanted
        self.cost = blob.size
        self._mean: int | None = None
        self._read = self._malformed = 0
        self._last = ""

    def check(self) -> None:
        """See `DataFile`. Raises `Damaged` where most of the first lines are no JSON objects."""
        # No more is fetched than that: the rest may be read by windows.
        counted, first = Lines(self.blob, self.wanted), list[Mapping[str, Any]]()
        for number, line in enumerate(islice(self._lines(ahead=BLOCK), LOOKED_AT)):
            with suppress(Malformed):
                first.append(counted._object(f"row {number}", line))
        counted._judge()
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
            yield self.row(number, f"row {number}", line)
        if chosen is None:
            self._judge()

    def row(self, number: int, place: str, line: bytes) -> Fetched:
        """A line as a row. Raises `Damaged` once most of the lines that were read are no JSON objects."""
        try:
            return Fetched(self.blob.name, number, self.wanted.cut(self._object(place, line)))
        except Malformed as error:
            if self._read >= LOOKED_AT:
                self._judge()
            return Fetched(self.blob.name, number, {}, str(error))

    def _object(self, place: str, line: bytes) -> Mapping[str, Any]:
        self._read += 1
        try:
            return read_line(line)
        except Malformed as error:
            self._malformed, self._last = self._malformed + 1, f"{place}: {error}"
            raise

    def _judge(self) -> None:
        if self._malformed > MOST_MALFORMED * self._read:
            many = (
                f"{self._malformed} of {self._read} lines are no JSON objects, the last of them {self._last}"
            )
            raise damaged(self.blob.name, many)

    def parts(self, places: int, count: int) -> Sequence[Part] | None:
        """Windows of a width from which an equal share of the rows is about half of what is there."""
        if self.blob.name.endswith(PACKED):
            return None
        enough, width = 2 * self._line() * -(-count // places), BLOCK
        while width < min(enough, _WIDEST):
            width *= 2
        return [
            Window(self, start, min(start + width, self.blob.size), self._line())
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

    def __init__(self, file: Lines, start: int, stop: int, line: int) -> None:
        self._file, self._blob, self._start, self._stop = file, file.blob, start, stop
        self.weight = self.cost = stop - start
        self.expected = max(1, self.cost // line)

    def count(self) -> int:
        """See `Rows`."""
        return len(self._places(self._blob.read(self._start, self._stop)))

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`; a row's number is the byte at which its line begins."""
        data = self._blob.read(self._start, self._stop)
        for _, at in picked(self._places(data), chosen):
            yield self._file.row(at, f"byte {at}", self._line(at, data))

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


class Malformed(ValueError):
    """A line that is no JSON object, and why."""


def read_line(line: bytes) -> Mapping[str, Any]:
    """A line's object. Raises `Malformed`."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error!s:.200}") from None
    if not isinstance(found, dict):
        raise Malformed(f"found {type(found).__name__}, expected a JSON object")
    return found
