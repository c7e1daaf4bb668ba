"""The bytes of one data file, wherever they lie: on the Hub, in parts, or in a folder."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gatling.data.hub.cache import BLOCK, Blocks
from gatling.data.hub.errors import Damaged, LoadError
from gatling.data.hub.web import FAILED, Web
from gatling.terminal import safe

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

AHEAD = 8 << 20
"""Bytes that one request brings where a file is read from its start to its end."""

_BUFFER = 1 << 20


class Blob(ABC):
    """A file's bytes, to be read at any place."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        """Its path in the repository, and its bytes."""

    @abstractmethod
    def fetch(self, start: int, stop: int) -> None:
        """Bring bytes to hand, in few requests. Raises `LoadError`."""

    @abstractmethod
    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, both within the file. Raises `LoadError`."""

    def open(self, ahead: int = AHEAD) -> io.BufferedReader:
        """A file object; `ahead` bytes are fetched at once."""
        return io.BufferedReader(_Opened(self, ahead), min(max(ahead, BLOCK), _BUFFER))


class LocalBlob(Blob):
    """A file in a folder."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, path.stat().st_size)
        self._path = path

    def fetch(self, start: int, stop: int) -> None:
        """They are at hand."""

    def read(self, start: int, stop: int) -> bytes:
        """See `Blob`."""
        with open(self._path, "rb") as file:
            file.seek(start)
            return file.read(stop - start)


class HubBlob(Blob):
    """A file on the Hub; what was fetched of it stays in the cache."""

    def __init__(
        self, name: str, blocks: Blocks, web: Web, url: str, meaning: Callable[[Exception], LoadError]
    ) -> None:
        super().__init__(name, blocks.size)
        self._blocks, self._web, self._url, self._meaning = blocks, web, url, meaning

    def fetch(self, start: int, stop: int) -> None:
        """See `Blob`."""
        for first, last in self._blocks.missing(start, stop):
            self._fetch(first, last)

    def _fetch(self, start: int, stop: int) -> None:
        waiting, at = bytearray(), start

        def keep(chunk: bytes) -> None:
            nonlocal at
            waiting.extend(chunk)
            while len(waiting) >= BLOCK or (waiting and at + len(waiting) == stop):
                block = bytes(waiting[:BLOCK])
                self._blocks.put(at, block)
                del waiting[:BLOCK]
                at += len(block)

        try:
            end = self._web.pour(self._url, start, stop, keep)
        except FAILED as error:
            raise self._meaning(error) from None
        if end < stop:
            raise Damaged(
                f"{safe(self.name)}: ends after {end:,} of the {self.size:,} bytes that the Hub lists; run "
                "again later, or tell the dataset's owners"
            )

    def read(self, start: int, stop: int) -> bytes:
        """See `Blob`."""
        for _ in range(2):
            self.fetch(start, stop)
            if (found := self._blocks.get(start, stop)) is not None:
                return found
        raise OSError(f"{safe(self.name)}: the cache does not give back what was written; check the disk")


class _Opened(io.RawIOBase):
    def __init__(self, blob: Blob, ahead: int) -> None:
        self._blob, self._ahead, self._at, self._ready = blob, ahead, 0, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._blob.size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        stop = min(self._at + len(view), self._blob.size)
        if self._at >= stop:
            return 0
        if self._ahead and stop > self._ready:
            self._ready = min(self._at + max(self._ahead, len(view)), self._blob.size)
            self._blob.fetch(self._at, self._ready)
        found = self._blob.read(self._at, stop)
        view[: len(found)] = found
        self._at += len(found)
        return len(found)
