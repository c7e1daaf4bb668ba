"""Staging: the rows of a source as lines of a file, parted from their labels and made into materials.

A source is staged as a whole or not at all: `NAME.jsonl` (a line a row), `NAME.texts.npy` and
`NAME.talks.npy` (where the lines begin), `NAME.rejects.jsonl`, and last `NAME.json`, which says that it is
done. A build reads lines by their place, so memory does not grow with the rows.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError

from gatling.data.run import Place
from gatling.data.shards import write_file
from gatling.data.sources.source import Label, Material, Rejected, Role, Source, Talk, Text
from gatling.plan import JSON

EXCERPT = 900
"""Characters of a text that are hosted, up to the end of a sentence: what a tool shows of a long page."""

CONFIDENT, SURE = 0.2, 0.4
"""Confidence, among the registry's tools, from which a text is taken to ask for the call inferred from it:
where values for the call were read in it, and where none were."""

BATCH = 512
"""Rows whose texts are looked at together."""

_END = re.compile(r"[.!?\n](?=\s|$)")


@dataclass(frozen=True, slots=True)
class Asked:
    """The call that a text asks for by itself."""

    tool: str
    arguments: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Staged:
    """A row as it waits for its place in a build."""

    file: str
    row: int
    label: Label | None
    """What the dataset says; nothing but the choice of who may speak a text looks at it."""
    materials: tuple[Text | Talk, ...]
    asked: tuple[Asked | None, ...]
    """For each material."""


_STAGED = TypeAdapter(Staged)


class Outcome(BaseModel):
    """What came of staging a source."""

    name: str
    repo: str
    licence: str
    role: Role
    commit: str
    wanted: int | None
    read: int = 0
    rejected: int = 0
    texts: int = 0
    talks: int = 0
    labels: dict[str, int] = {}
    """Rows read by the dataset's label; `none` where it has none."""


class Fetched(Protocol):
    """A row with its place; see `gatling.data.hub.loader`."""

    @property
    def file(self) -> str:
        """Path in the repository."""
        ...

    @property
    def row(self) -> int:
        """Number in the file."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """The row."""
        ...

    @property
    def problem(self) -> str:
        """Why it could not be read; empty where it could."""
        ...


class Loader(Protocol):
    """What rows come from; see `gatling.data.hub.loader.HFDatasetLoader`."""

    def resolve(self, source: Source) -> str:
        """The commit that a source's revision names now."""
        ...

    def load(
        self, source: Source, count: int | None, seed: int, *, commit: str | None = None
    ) -> Iterator[Fetched]:
        """Rows drawn by seed."""
        ...


Infer = Callable[[Sequence[str]], Sequence[Asked | None]]


def slug(name: str) -> str:
    """A source's name as a file's."""
    return re.sub(r"[^\w.-]+", "-", name)


def staged(folder: Path, name: str) -> Outcome | None:
    """What came of staging a source in this folder; None if that is not done."""
    path = folder / f"{slug(name)}.json"
    return Outcome.model_validate_json(path.read_bytes()) if path.exists() else None


def stage(
    folder: Path, source: Source, wanted: int | None, seed: int, commit: str, loader: Loader, infer: Infer
) -> Outcome:
    """Load `wanted` rows of a source and stage them, unless that was done before the build was stopped.

    Raises:
        gatling.data.hub.LoadError: the rows cannot be had.
        OSError: the folder cannot be written.
    """
    done = staged(folder, source.name)
    if done is not None and (done.commit, done.wanted) == (commit, wanted):
        return done
    (folder / f"{slug(source.name)}.json").unlink(missing_ok=True)
    rows = iter(loader.load(source, wanted, seed, commit=commit))
    stem = folder / slug(source.name)
    with open(f"{stem}.jsonl.part", "wb") as lines, open(f"{stem}.rejects.jsonl.part", "wb") as rejects:
        writing = _Writing(source, lines, rejects)
        while batch := [*islice(rows, BATCH)]:
            writing.take(batch, infer)
    outcome = Outcome(
        name=source.name,
        repo=source.repo,
        licence=source.licence,
        role=source.role,
        commit=commit,
        wanted=wanted,
        read=writing.labels.total() + writing.unread,
        rejected=writing.rejected,
        texts=len(writing.texts),
        talks=len(writing.talks),
        labels=dict(sorted(writing.labels.items())),
    )
    writing.settle(stem)
    write_file(folder / f"{slug(source.name)}.json", outcome.model_dump_json().encode())
    return outcome


class _Writing:
    """A source's files while they are written."""

    def __init__(self, source: Source, rows: BinaryIO, rejects: BinaryIO) -> None:
        self.source, self._rows, self._rejects = source, rows, rejects
        # Eight bytes a row, all that is held of it.
        self.texts, self.talks = array("q"), array("q")
        self.labels: Counter[str] = Counter()
        self.rejected = self.unread = 0

    def take(self, batch: Sequence[Fetched], infer: Infer) -> None:
        """Part, make and write rows."""
        made: list[tuple[Fetched, Label | None, tuple[Text | Talk, ...]]] = []
        for fetched in batch:
            label: Label | Literal[False] | None = False
            try:
                if fetched.problem:
                    raise Rejected(fetched.problem)
                row, label = self.source.part(fetched.columns)
                made.append((fetched, label, tuple(map(_short, self.source.materials(row)))))
            except Rejected as error:
                self._reject(fetched, str(error))
            if label is False:
                self.unread += 1
            else:
                self.labels[label or "none"] += 1
        texts = [one.text for _, _, materials in made for one in materials if isinstance(one, Text)]
        asked = iter(infer(texts))
        for fetched, label, materials in made:
            calls = tuple(next(asked) if isinstance(one, Text) else None for one in materials)
            if not materials:
                self._reject(fetched, "no text and no call in it")
                continue
            try:
                line = _STAGED.dump_json(Staged(fetched.file, fetched.row, label, materials, calls))
            except PydanticSerializationError as error:
                self._reject(fetched, f"holds what no file can: {error!s:.120}")
                continue
            talk = any(isinstance(one, Talk) for one in materials)
            (self.talks if talk else self.texts).append(self._rows.tell())
            self._rows.write(line + b"\n")

    def _reject(self, fetched: Fetched, reason: str) -> None:
        self.rejected += 1
        line = {"source": self.source.name, "file": fetched.file, "row": fetched.row, "reason": reason}
        self._rejects.write(json.dumps(line).encode() + b"\n")

    def settle(self, stem: Path) -> None:
        """Give the files their names."""
        for kind, offsets in (("texts", self.texts), ("talks", self.talks)):
            with open(f"{stem}.{kind}.npy.part", "wb") as file:
                np.save(file, np.array(offsets, np.int64))
        for ending in ("jsonl", "rejects.jsonl", "texts.npy", "talks.npy"):
            with open(f"{stem}.{ending}.part", "rb+") as file:
                os.fsync(file.fileno())
            os.replace(f"{stem}.{ending}.part", f"{stem}.{ending}")


def _short(material: Material) -> Material:
    """A text cut after a sentence; a conversation as it is."""
    if not isinstance(material, Text) or len(material.text) <= EXCERPT:
        return material
    ends = [match.end() for match in _END.finditer(material.text, EXCERPT // 2, EXCERPT)]
    return Text(material.text[: ends[-1] if ends else EXCERPT], material.channel, material.system)


@dataclass(frozen=True, slots=True)
class Pool:
    """The staged rows of one kind over several sources, by number from 0."""

    folder: Path
    kind: Literal["texts", "talks"]
    sources: tuple[Supply, ...]

    def __len__(self) -> int:
        return sum(supply.rows for supply in self.sources)

    def read(self, number: int) -> tuple[Place, Staged, Role]:
        """A row, its place and its source's role."""
        for supply in self.sources:
            if number < supply.rows:
                lines, offsets = _opened(self.folder / slug(supply.name), self.kind)
                start = int(offsets[number])
                row = _STAGED.validate_json(lines[start : lines.find(b"\n", start)])
                return Place(supply.name, supply.licence, row.file, row.row), row, supply.role
            number -= supply.rows
        raise IndexError(number)


class Supply(NamedTuple):
    """A source's staged rows of one kind."""

    name: str
    licence: str
    role: Role
    rows: int


def _opened(stem: Path, kind: str) -> tuple[mmap.mmap, NDArray[np.int64]]:
    # A folder that was removed and made again holds other rows under the same name.
    return _mapped(stem, kind, os.stat(f"{stem}.json").st_mtime_ns)


@lru_cache(maxsize=128)
def _mapped(stem: Path, kind: str, changed: int) -> tuple[mmap.mmap, NDArray[np.int64]]:
    with open(f"{stem}.jsonl", "rb") as file:
        lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return lines, np.load(f"{stem}.{kind}.npy", mmap_mode="r")
