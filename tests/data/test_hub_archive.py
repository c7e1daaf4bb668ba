"""What the reader of archives promises: the bytes that were named or none, and nothing outside of them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from gatling.data.hub import Archive, Damaged, NotFound, Unreachable
from gatling.data.hub.archive import members
from tests.data.hub import Hub, serving

FILES = {"set/a.jsonl": b'{"n": 1}\n', "set/deep/b.jsonl": Random(1).randbytes(200_000), "README": b"read"}


def tar(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


Pack = Callable[[Mapping[str, bytes]], bytes]
KINDS: dict[str, Pack] = {
    "set.tar.gz": tar,
    "set.tgz": tar,
    "set.tar": lambda files: tar(files, "w"),
    "set.zip": zipped,
}
kinds = pytest.mark.parametrize("name", KINDS)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


def put(hub: Hub, name: str, data: bytes) -> Archive:
    hub.plain[f"releases/v1/{name}"] = data
    return Archive(f"{hub.endpoint}/releases/v1/{name}?raw=1", sha256(data).hexdigest())


def read(path: Path, pattern: str = "*") -> dict[str, bytes]:
    return {name: stream.read() for name, stream in members(path, pattern)}


@kinds
def test_an_archive_is_fetched_once_and_its_files_are_read(name: str, hub: Hub, tmp_path: Path) -> None:
    archive = put(hub, name, KINDS[name](FILES))
    path = archive.fetch(tmp_path)
    assert read(path) == FILES
    assert list(read(path, "*.jsonl")) == ["set/a.jsonl", "set/deep/b.jsonl"]
    assert list(read(path, "set/*.jsonl")) == ["set/a.jsonl"]
    assert archive.fetch(tmp_path) == path
    assert len(hub.asked()) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_was_begun_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    data = tar(FILES)
    archive = put(hub, "set.tar.gz", data)
    hub.cut("releases", 50_000, times=2)
    hub.refuse("releases", 503, times=7)
    slept: list[float] = []
    with pytest.raises(Unreachable, match=r"set\.tar\.gz.*HTTP 503"):
        archive.fetch(tmp_path, sleep=slept.append)
    assert read(archive.fetch(tmp_path)) == FILES
    assert [asked.range for asked in hub.asked() if asked.sent == 50_000] == ["bytes=0-", "bytes=50000-"]
    assert hub.log[-1].range == "bytes=100000-"
    assert hub.sent("releases") - sum(a.sent for a in hub.log if a.status == 503) == len(data)


def test_other_bytes_than_were_named_are_not_used(hub: Hub, tmp_path: Path) -> None:
    archive = put(hub, "set.zip", zipped(FILES))
    hub.plain["releases/v1/set.zip"] = zipped({"set/a.jsonl": b"changed"})
    with pytest.raises(Damaged, match=rf"SHA-256 [0-9a-f]{{64}}, expected {archive.sha256}; run again"):
        archive.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []
    path = put(hub, "set.zip", zipped(FILES)).fetch(tmp_path)
    path.write_bytes(b"changed on disk")
    assert read(archive.fetch(tmp_path)) == FILES


def test_no_such_archive(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"releases/v2/set\.zip: HTTP 404; look whether the release has moved"):
        Archive(f"{hub.endpoint}/releases/v2/set.zip", "0" * 64).fetch(tmp_path)


def test_an_archive_larger_than_any_is_not_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatling.data.hub.archive.MOST_FETCHED", 1_000)
    with pytest.raises(Damaged, match="more than 1,000 bytes"):
        put(hub, "set.tar.gz", tar(FILES)).fetch(tmp_path)


@kinds
@pytest.mark.parametrize("member", ["../evil", "set/../../evil", "/etc/evil", "..\\evil", "C:\\evil"])
def test_a_name_that_leads_out_is_refused(name: str, member: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(KINDS[name]({"a": b"good", member: b"evil"}))
    with pytest.raises(Damaged, match="leads out of the archive"):
        read(path)


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo(f"member-{kind.decode()}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert read(path) == {}
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as zipping:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        zipping.writestr(link, "/etc/passwd")
    assert read(path) == {}


@kinds
@pytest.mark.parametrize("limit", ["MOST_MEMBER", "MOST_UNPACKED"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    name: str, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"gatling.data.hub.archive.{limit}", 100_000)
    path = tmp_path / name
    path.write_bytes(
        KINDS[name]({"a": bytes(60_000), "b": bytes(60_000 if limit != "MOST_MEMBER" else 100_001)})
    )
    with pytest.raises(Damaged, match="unpacks to more than"):
        read(path)


@kinds
def test_an_archive_that_is_cut_short_or_none_says_so(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(KINDS[name](FILES)[:-150_000])
    with pytest.raises(Damaged, match=r"cannot be read: .*; fetch it again"):
        read(path)
    path.write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(Damaged, match="cannot be read"):
        read(path)
