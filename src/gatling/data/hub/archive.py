"""Release archives over plain HTTP: fetched once, checked against their SHA-256, read without unpacking them.

Nothing is ever written under a member's name.
"""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from gatling.data.hub.errors import Damaged, LoadError, NotFound, Refused, unreachable
from gatling.data.hub.web import FAILED, Web
from gatling.terminal import safe

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_FETCHED = 4 << 30
"""Bytes of an archive."""

MOST_MEMBER = 2 << 30
"""Bytes of one member, unpacked."""

MOST_UNPACKED = 16 << 30
"""Bytes of all members together, unpacked."""

_UNSAFE = "a member's name leads out of the archive"


@dataclass(frozen=True, slots=True)
class Archive:
    """A `.tar.gz`, `.tgz`, `.tar` or `.zip` at an address."""

    url: str
    sha256: str
    """64 hexadecimal digits. What has others is not used."""

    def fetch(
        self,
        cache: Path,
        *,
        told: Callable[[str], None] = lambda note: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Path:
        """The file in a folder, fetched if it is not there; what was begun before is gone on with.

        Raises:
            NotFound: nothing stands at the address.
            Damaged: its digest is another one, or it passes `MOST_FETCHED`.
            Unreachable: no answer that helps.
        """
        target = cache / f"{self.sha256}{''.join(PurePosixPath(urlsplit(self.url).path).suffixes[-2:])}"
        part = target.with_name(f"{self.sha256}.part")
        if target.is_file() and _digest(target) == self.sha256:
            return target
        cache.mkdir(parents=True, exist_ok=True)
        web = Web({"user-agent": "gatling"}, waiting=told, sleep=sleep)
        with open(part, "ab") as file:
            begun = file.tell()

            def keep(chunk: bytes) -> None:
                if file.tell() + len(chunk) > MOST_FETCHED:
                    raise Damaged(f"{self.url}: more than {MOST_FETCHED:,} bytes; it is not what was named")
                file.write(chunk)

            try:
                web.pour(self.url, begun, None, keep)
            except FAILED as error:
                raise self._meaning(error) from None
        if (found := _digest(part)) != self.sha256:
            part.unlink()
            raise Damaged(
                f"{self.url}: SHA-256 {found}, expected {self.sha256}; run again to fetch it anew, and if it "
                "stays so, the file at that address has changed"
            )
        part.replace(target)
        return target

    def _meaning(self, error: Exception) -> LoadError:
        if isinstance(error, Refused) and error.status in (401, 403, 404, 410):
            return NotFound(f"{self.url}: {error}; look whether the release has moved")
        return unreachable(error, urlsplit(self.url).netloc, self.url)


def members(path: Path, pattern: str = "*") -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files in an archive whose path matches, each with its bytes, to be read before the next.

    `*` stays within a folder, and a pattern without folders matches names in any of them. Links and devices
    are left out.

    Raises:
        Damaged: it is cut short or no archive, a name leads out of it, or it unpacks to more than is allowed.
    """
    with _reading(path):
        yield from _zipped(path, pattern) if zipfile.is_zipfile(path) else _tarred(path, pattern)


def _tarred(path: Path, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    unpacked = 0
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            unpacked = _allowed(path, member.name, member.size, unpacked)
            if member.isfile() and PurePosixPath(member.name).match(pattern):
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, _guarded(path, content)


def _zipped(path: Path, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    unpacked = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            unpacked = _allowed(path, member.filename, member.file_size, unpacked)
            link = member.external_attr >> 28 == 0xA
            if not (member.is_dir() or link) and PurePosixPath(member.filename).match(pattern):
                with archive.open(member) as content:
                    yield member.filename, _guarded(path, content)


def _allowed(path: Path, name: str, size: int, unpacked: int) -> int:
    """What is unpacked with this member. Raises `Damaged` where it is too much, or leads elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
        raise Damaged(f"{path}: {safe(name, 100)}: {_UNSAFE}; do not use it, and tell its publisher")
    if size > MOST_MEMBER or unpacked + size > MOST_UNPACKED:
        raise Damaged(
            f"{path}: {safe(name, 100)}: unpacks to more than {MOST_MEMBER:,} bytes, or the archive to more "
            f"than {MOST_UNPACKED:,}; it is not what was named"
        )
    return unpacked + size


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        if isinstance(error, LoadError):
            raise
        raise Damaged(f"{path}: cannot be read: {safe(str(error), 200)}; fetch it again") from None


def _guarded(path: Path, content: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Member(path, content))


class _Member(io.RawIOBase):
    """A member's bytes, with errors that say which archive they came from."""

    def __init__(self, path: Path, content: IO[bytes]) -> None:
        self._path, self._content = path, content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        with _reading(self._path):
            found = self._content.read(len(view))
        view[: len(found)] = found
        return len(found)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
