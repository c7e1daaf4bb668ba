"""Lines of JSON from a file or standard input, gzipped or not; what is broken is told, never raised."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gatling.plan import JSON

LINE_LIMIT = 64 * 2**20
"""Bytes; a longer line is skipped and told."""

FILE_LIMIT = 256 * 2**20
"""Bytes of a `.json` file, which is loaded whole."""

_CHUNK = 2**18
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """A row, or the problem that stands in its place. In a JSON array `number` counts elements."""

    number: int
    row: JSON
    problem: str | None = None


def read_lines(path: str | Path, stdin: BinaryIO | None = None) -> Iterator[Line]:
    """Yield the rows of a JSON Lines file, or of standard input for `-`, in memory that does not grow.

    A `.json` file is read whole: an array of traces, one trace over many lines, or lines after all. Gzip is
    known by its first bytes. Raises `OSError` if the file cannot be opened or read, and nothing else.
    """
    if str(path) == "-":
        yield from _rows(_pieces(stdin or sys.stdin.buffer))
        return
    with open(path, "rb") as file:
        if str(path).endswith(".json"):
            yield from _document(_pieces(file))
        else:
            yield from _rows(_pieces(file))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content in pieces, unpacked; raises `EOFError` or `zlib.error` where an archive breaks."""
    # `read1` hands over what a pipe holds by now; `read` would wait for a full chunk.
    read = getattr(file, "read1", file.read)
    head: bytes = read(_CHUNK)
    while len(head) < len(_GZIP) and (more := read(_CHUNK)):
        head += more
    if not head.startswith(_GZIP):
        yield head
        while piece := read(_CHUNK):
            yield piece
        return
    data = head
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            data = data or read(_CHUNK)
            spare = member.copy()
            try:
                piece = member.decompress(data, _CHUNK)
            except zlib.error:
                # The fault takes with it what this call had unpacked; byte by byte, that is kept.
                for byte in data:
                    yield spare.decompress(bytes((byte,)))
                raise
            if not piece and not data:
                raise EOFError
            yield piece
            data = member.unconsumed_tail
        # Another member may follow, or the zeros with which tapes are filled up.
        data = member.unused_data.lstrip(b"\0")
        while not data and (more := read(_CHUNK)):
            data = more.lstrip(b"\0")


def _rows(pieces: Iterator[bytes]) -> Iterator[Line]:
    number, pending, too_long = 1, bytearray(), False
    try:
        for piece in pieces:
            *ended, rest = piece.split(b"\n")
            for end in ended:
                if too_long or len(pending) + len(end) > LINE_LIMIT:
                    yield _overlong(number)
                else:
                    yield from _row(number, bytes(pending) + end)
                number, too_long = number + 1, False
                pending.clear()
            if too_long or len(pending) + len(rest) > LINE_LIMIT:
                too_long = True
                pending.clear()
            else:
                pending += rest
    except (EOFError, zlib.error) as error:
        for line in _row(number, bytes(pending)):
            if line.problem is None:
                yield line
                number += 1
        yield Line(number, None, _broken(error))
        return
    if too_long:
        yield _overlong(number)
    else:
        yield from _row(number, bytes(pending), last=True)


def _row(number: int, raw: bytes, last: bool = False) -> Iterator[Line]:
    if not raw.strip():
        return
    row, problem = _parsed(raw)
    if problem is None:
        yield _line(number, row)
    else:
        yield Line(number, None, f"the last line may be half-written: {problem}" if last else problem)


def _document(pieces: Iterator[bytes]) -> Iterator[Line]:
    content = bytearray()
    try:
        for piece in pieces:
            content += piece
            if len(content) > FILE_LIMIT:
                yield Line(
                    1, None, f"the file is larger than {FILE_LIMIT} bytes; write one trace a line (.jsonl)"
                )
                return
    except (EOFError, zlib.error) as error:
        yield Line(1, None, _broken(error))
        return
    raw = bytes(content)
    if not raw.strip():
        return
    value, problem = _parsed(raw)
    if problem is not None:
        # Many a .json file holds lines; if this is one, the first can be read.
        lines = _rows(iter((raw,)))
        first = next(lines, None)
        if b"\n" in raw.strip() and first is not None and first.problem is None:
            yield first
            yield from lines
        else:
            yield Line(1, None, problem)
    elif isinstance(value, list) and not _is_conversation(value):
        for number, row in enumerate(value, start=1):
            yield _line(number, row)
    else:
        yield _line(1, value)


def _is_conversation(array: list[JSON]) -> bool:
    """Tell a list of messages or items, which is one trace, from a list of traces."""
    return bool(array) and all(
        isinstance(item, dict) and ("role" in item or "type" in item) for item in array
    )


def _line(number: int, row: JSON) -> Line:
    if isinstance(row, dict | list):
        return Line(number, row)
    return Line(number, None, f"a JSON {type(row).__name__}, not an object or array")


def _parsed(raw: bytes) -> tuple[JSON, str | None]:
    try:
        return json.loads(raw.decode("utf-8-sig")), None
    except UnicodeDecodeError as error:
        return None, f"invalid UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return None, f"invalid JSON: {error.msg} at character {error.pos}"
    except RecursionError:
        return None, "JSON that is nested too deep"
    except ValueError:
        return None, "JSON with an integer of too many digits"


def _overlong(number: int) -> Line:
    return Line(number, None, f"a line longer than {LINE_LIMIT} bytes was skipped")


def _broken(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the gzip archive ends early; what follows is lost"
    return f"the gzip archive is corrupt ({error}); what follows is lost"
