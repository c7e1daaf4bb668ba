"""Shards: rows as Parquet files, the same bytes for the same rows, and the manifest that vouches for them.

A folder holds `SPLIT-00000.parquet`, `SPLIT-00001.parquet`, … and `manifest.json`. A file is there whole or
not at all. Nothing in it depends on the time, the machine or the portions in which rows arrived.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatling import __version__
from gatling.data.columns import SCHEMA, Row, read

MANIFEST = "manifest.json"

ROWS_PER_SHARD = 5_000
ROWS_PER_GROUP = 1_000

_SPLIT = r"[a-z][a-z0-9_]*"
"""Splits' names; the Hub takes letters, digits and underscores."""

_LAYOUT: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": True,
    "data_page_size": 1 << 20,
    "dictionary_pagesize_limit": 1 << 20,
    "write_batch_size": 1024,
    "write_statistics": True,
    "write_page_index": False,
    "use_compliant_nested_type": True,
    "store_schema": True,
}
"""Every choice of the writer that changes bytes, so that another default does not."""


class ShardError(ValueError):
    """A folder or a file in it that cannot be used; the message names the file and a remedy, one a line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shard(_Strict):
    """One file as it was written."""

    file: Annotated[str, Field(pattern=rf"^{_SPLIT}-\d{{5,}}\.parquet$")]
    split: Annotated[str, Field(pattern=rf"^{_SPLIT}$")]
    rows: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SourceRows(_Strict):
    """A public source's part in a build, row by row."""

    name: str
    repo: str
    commit: str
    """The one that its revision named when the build began; empty where it could not be had."""
    licence: str
    wanted: int
    """Rows asked for."""
    read: int = 0
    rejected: int = 0
    """Of those read; `rejects.jsonl` says which and why."""
    used: int = 0
    """Of those read, how many stand in some sample. The others found no place."""
    labels: dict[str, int] = {}
    """Rows read by what the dataset calls them; `none` where it says nothing."""
    missing: str = ""
    """Why it could not be had."""


class Manifest(_Strict):
    """What a folder holds and how it was made."""

    format: Literal[1] = 1
    gatling: str
    """Versions: Faker's decides the names in the texts, pyarrow's the bytes of the shards."""
    faker: str
    pyarrow: str
    seed: int
    size: int
    """Rows asked for."""
    preset: str
    mix: Annotated[str, Field(pattern=r"^\d{1,3}/\d{1,3}/\d{1,3}$")] = "60/20/20"
    """Percent of benign, adversarial and mutated rows."""
    made: int = 0
    """Rows that the preset wants and worlds stand in for."""
    sources: tuple[SourceRows, ...] = ()
    """The public sources; empty for a build from worlds alone."""
    shards: tuple[Shard, ...]
    counts: dict[str, dict[str, dict[str, int]]]
    """Split -> category -> kind -> rows."""

    @property
    def splits(self) -> list[str]:
        """The splits in order."""
        return list(dict.fromkeys(shard.split for shard in self.shards))

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(shard.rows for shard in self.shards)


class ShardWriter:
    """Writes one split's shards; tables of `SCHEMA` may come in portions of any size.

    >>> with ShardWriter(folder, "train") as writer:  # doctest: +SKIP
    ...     writer.write(table(rows(records, "train")))
    """

    def __init__(self, folder: Path, split: str, rows_per_shard: int = ROWS_PER_SHARD) -> None:
        if not re.fullmatch(_SPLIT, split):
            raise ValueError(
                f"split {split!a}: use small letters, digits and underscores: the Hub takes no more"
            )
        self.folder, self.split = folder, split
        self.shards: list[Shard] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        """(category, kind) -> rows."""
        self._rows_per_shard = rows_per_shard
        self._waiting: list[pa.Table] = []
        self._rows = 0
        """In the shard that is open."""
        self._open: pq.ParquetWriter | None = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open is not None:
            self._open.close()
            _part(self._target).unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        """Add rows. Raises `OSError` where the folder cannot be written."""
        self.counts.update(zip(table["category"].to_pylist(), table["kind"].to_pylist(), strict=True))
        self._waiting.append(table)
        while sum(map(len, self._waiting)) >= (size := self._group_size()):
            self._write_group(size)

    def close(self) -> None:
        """Write what is left."""
        if left := sum(map(len, self._waiting)):
            self._write_group(left)
        if self._open is not None:
            self._finish()

    @property
    def _target(self) -> Path:
        return self.folder / f"{self.split}-{len(self.shards):05}.parquet"

    def _group_size(self) -> int:
        return min(ROWS_PER_GROUP, self._rows_per_shard - self._rows)

    def _write_group(self, size: int) -> None:
        joined = pa.concat_tables(self._waiting)
        self._waiting = [joined.slice(size)]
        if self._open is None:
            self._open = pq.ParquetWriter(_part(self._target), SCHEMA, **_LAYOUT)
        # In one piece, because pages end where chunks end.
        self._open.write_table(joined.slice(0, size).combine_chunks(), row_group_size=size)
        self._rows += size
        if self._rows == self._rows_per_shard:
            self._finish()

    def _finish(self) -> None:
        assert self._open is not None
        self._open.close()
        target = self._target
        digest = _settle(target)
        self.shards.append(Shard(file=target.name, split=self.split, rows=self._rows, sha256=digest))
        self._open, self._rows = None, 0


def write_manifest(
    folder: Path,
    writers: Iterable[ShardWriter],
    *,
    seed: int,
    size: int,
    preset: str,
    mix: str = "60/20/20",
    made: int = 0,
    sources: Iterable[SourceRows] = (),
) -> Manifest:
    """Write the manifest of closed writers; it comes last, so a folder with one is complete."""
    writers = list(writers)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for writer in writers:
        for (category, kind), rows in sorted(writer.counts.items()):
            counts.setdefault(writer.split, {}).setdefault(category, {})[kind] = rows
    manifest = Manifest(
        gatling=__version__,
        faker=version("faker"),
        pyarrow=version("pyarrow"),
        seed=seed,
        size=size,
        preset=preset,
        mix=mix,
        made=made,
        sources=tuple(sources),
        shards=tuple(shard for writer in writers for shard in writer.shards),
        counts=counts,
    )
    write_file(folder / MANIFEST, (json.dumps(manifest.model_dump(), indent=2) + "\n").encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        ShardError: there is none, or it cannot be used.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        reason = "not there; the build did not finish, or this is no folder of shards"
        raise ShardError(f"{path}: {reason}: build again") from None
    except ValidationError as error:
        found = (f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ShardError("\n".join(f"{reason}; build again, or fetch it again" for reason in found)) from None


def faults(folder: Path, manifest: Manifest) -> list[str]:
    """How the files differ from their manifest, one line each: missing, cut short, changed, not listed."""
    remedy = f"fetch it again, or build again with seed {manifest.seed} and size {manifest.size}"
    found = []
    for shard in manifest.shards:
        path = folder / shard.file
        if not path.is_file():
            found.append(f"{path}: missing; {remedy}")
            continue
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256:
                continue
            file.seek(max(0, os.path.getsize(path) - 4))
            what = "not the bytes that the manifest names" if file.read() == b"PAR1" else "cut short"
        found.append(f"{path}: {what}; {remedy}")
    listed = {shard.file for shard in manifest.shards}
    for path in sorted(folder.glob("*.parquet")):
        if path.name not in listed:
            found.append(f"{path}: not in {MANIFEST}; remove it: readers take every shard of a split")
    return found


def verify(folder: Path) -> Manifest:
    """The manifest, once it is sure that the files are those it names.

    Raises:
        ShardError: every file that is not, and what to do.
    """
    manifest = read_manifest(folder)
    if found := faults(folder, manifest):
        raise ShardError("\n".join(found))
    return manifest


def tables(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """A shard's row groups, at most `ROWS_PER_GROUP` rows each; `columns` may name leaves (`calls.list…`).

    Raises:
        ShardError: the file is no shard, is damaged, or was written with another schema.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(path, file.schema_arrow)
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ShardError(f"{path}: cannot be read ({reason}); fetch it again, or build again") from None


def _check_schema(path: Path, schema: pa.Schema) -> None:
    if schema.equals(SCHEMA):
        return
    differing = [
        f"column {name!a} is {schema.field(name) if name in schema.names else 'missing'!s:.200}"
        for name in SCHEMA.names
        if name not in schema.names or not schema.field(name).equals(SCHEMA.field(name))
    ]
    differing += [f"column {name!a} is unknown" for name in schema.names if name not in SCHEMA.names]
    what = differing[0] if differing else "the columns stand in another order"
    raise ShardError(f"{path}: {what}; build again with gatling {__version__}")


def read_rows(folder: Path, split: str | None = None) -> Iterator[Row]:
    """Stream the rows of all shards, or of one split's, in order.

    Raises:
        ShardError: the manifest or a shard cannot be read, or there is no such split.
    """
    manifest = read_manifest(folder)
    if split is not None and split not in manifest.splits:
        raise ShardError(f"{folder}: no split {split!a}; there are {', '.join(manifest.splits)}")
    for shard in manifest.shards:
        if split in (None, shard.split):
            for table in tables(folder / shard.file):
                yield from read(table)


def find(folder: Path, id: str) -> Row:
    """The row of that id.

    Raises:
        ShardError: there is none, or a shard cannot be read.
    """
    manifest = read_manifest(folder)
    for shard in manifest.shards:
        path = folder / shard.file
        for group, ids in enumerate(tables(path, ["id"])):
            names = ids["id"].to_pylist()
            if id in names:
                with pq.ParquetFile(path) as file:
                    return read(file.read_row_group(group).slice(names.index(id), 1))[0]
    example = next(read_rows(folder)).id if manifest.shards else "none"
    raise ShardError(f"{folder}: no sample {id!a} in {manifest.rows} rows; the first is {example!a}")


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    _part(path).write_bytes(content)
    _settle(path)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _settle(path: Path) -> str:
    """Bring a part to the disk and give it its name; return its SHA-256."""
    with open(_part(path), "rb+") as part:
        os.fsync(part.fileno())
        digest = hashlib.file_digest(part, "sha256").hexdigest()
    os.replace(_part(path), path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return digest
