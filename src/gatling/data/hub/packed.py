"""Compressed files as streams, and their ends told from their middles."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import pyarrow as pa

from gatling.data.hub.blobs import AHEAD, Blob
from gatling.data.hub.errors import Damaged
from gatling.terminal import safe

PACKED = (".gz", ".zst")
"""Endings of compressed files that are read."""


@contextmanager
def unpacked(blob: Blob, ahead: int = AHEAD) -> Iterator[IO[bytes]]:
    """A file's bytes from its start, decompressed where its name says so; `ahead` bytes are fetched at once.

    Raises:
        Damaged: the compressed data is cut short or is none.
    """
    with blob.open(ahead) as raw:
        if not blob.name.endswith(PACKED):
            yield raw
            return
        try:
            with _opened(blob.name, raw) as stream:
                yield stream
        except (EOFError, OSError, zlib.error) as error:
            raise damaged(blob.name, f"cut short or not compressed as its name says: {error}") from None


def _opened(name: str, raw: io.BufferedReader) -> IO[bytes]:
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))


def damaged(file: str, reason: str, row: str = "") -> Damaged:
    """What is said of a file that cannot be read: which, where, why, and what to do."""
    where = f"{safe(file)}, {row}" if row else safe(file)
    return Damaged(
        f"{where}: {safe(reason, 200)}; bring the file again if it is your copy, else load another revision "
        "and tell the dataset's owners"
    )
