"""Builds: groups made by worker processes, admitted in order, written as shards.

The bytes of a build follow from its order (size, seed, preset and the versions of the code), not from the
number of workers nor from how often it was stopped. The parent admits the samples of one chunk after the
other; after a block of chunks it closes the shards and writes down where it stands. A build that is killed
goes on from there, with the chunks that are made already.

While it is under way a folder holds `.build/`: `order.json`, `state.json`, `chunks/`, and `runs` and `groups`
(see `dedupe`). A finished one holds shards, manifest, card, and `dropped.jsonl`: what was left out, and why.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from gatling.data.card import write_card
from gatling.data.chunks import chunk_path, chunks, name_of
from gatling.data.code import code, versions
from gatling.data.columns import SCHEMA, values
from gatling.data.dedupe import Seen
from gatling.data.hosting import Hosted
from gatling.data.mix import DEFAULT, Mix, Shares
from gatling.data.presets import OFFLINE
from gatling.data.run import Place
from gatling.data.shards import (
    MANIFEST,
    Manifest,
    Shard,
    ShardWriter,
    SourceRows,
    read_manifest,
    verify,
    write_file,
    write_manifest,
)
from gatling.data.split import EVALUATION, SPLITS
from gatling.plan import JSON

DROPPED = "dropped.jsonl"

REJECTS = "rejects.jsonl"
"""Rows of public datasets of which nothing could be made, and why."""

BLOCK = 128
"""Chunks between two places from which a killed build goes on: about 20,000 samples."""

MOST_FAILED = 0.001
"""Groups that may fail, as a share of the size."""


class BuildError(RuntimeError):
    """The build cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a build is."""

    samples: int
    size: int
    dropped: Mapping[str, int]
    """Reason -> samples; for the reason `error`, groups."""


@dataclass(frozen=True, slots=True)
class Stock:
    """The public rows of a build: what it hosts, and what is known of each source."""

    hosted: Hosted
    sources: tuple[SourceRows, ...]
    rejects: tuple[Path, ...]
    """One file of lines per source."""
    made: int
    """Rows that worlds stand in for."""


def build(
    out: Path,
    size: int,
    seed: int,
    *,
    preset: str = OFFLINE,
    workers: int = 1,
    told: Callable[[Standing], None] = lambda standing: None,
    mix: Shares = DEFAULT,
    stock: Callable[[Path], Stock] | None = None,
    recipe: Mapping[str, JSON] | None = None,
) -> tuple[Manifest, Standing]:
    """Build `size` samples in the folder `out`, or go on with a build that was stopped.

    `told` hears about every chunk. A build that is finished already is verified and left as it is.
    `stock` brings public rows into a folder of the build's own and says what to host of them; without it,
    samples are made from worlds alone. `recipe` is what else decides the bytes.

    Raises:
        BuildError: the folder holds something else, a shard changed meanwhile, too many groups failed,
            or a worker died.
        gatling.data.shards.ShardError: a finished build is damaged.
        OSError: the folder cannot be written.
    """
    order, folder = _order(size, seed, preset, mix, recipe or {}), out / ".build"
    if (out / MANIFEST).exists():
        _same(out, order, read_manifest(out).model_dump())
        manifest = verify(out)
    else:
        _begin(out, order)
        try:
            brought = stock(folder / "sources") if stock is not None else None
            manifest = _Build(out, order, mix, brought, told).run(workers)
        except BrokenProcessPool:
            raise BuildError(
                f"{out}: a worker process died, perhaps for want of memory; give the same command again "
                "to go on, perhaps with fewer --workers"
            ) from None
    if folder.exists():
        write_card(out)
        shutil.rmtree(folder)
    with open(out / DROPPED, encoding="utf-8") as file:
        dropped = Counter(json.loads(line)["reason"] for line in file)
    return manifest, Standing(manifest.rows, size, dropped)


def _order(size: int, seed: int, preset: str, mix: Shares, recipe: Mapping[str, JSON]) -> dict[str, Any]:
    """Everything that decides the bytes."""
    wanted = {"size": size, "seed": seed, "preset": preset, "mix": str(mix), **recipe}
    return {**wanted, **versions("faker", "pyarrow"), "code": code()}


def _same(out: Path, order: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    differing = [
        f"{name} {found[name]!a}, not {order[name]!a}"
        for name in order
        if name in found and found[name] != order[name]
    ]
    if differing:
        remedy = "name another folder, or remove this one"
        raise BuildError(f"{out}: holds a build with {'; '.join(differing)}: {remedy}")


def _begin(out: Path, order: Mapping[str, Any]) -> None:
    """Make the folder of a new build, or make sure that what it holds is this build."""
    path = out / ".build" / "order.json"
    if path.exists():
        _same(out, order, json.loads(path.read_bytes()))
        return
    if out.exists() and not out.is_dir():
        raise BuildError(f"{out}: not a folder; name one that is new or empty")
    if out.exists() and any(entry.name != ".build" for entry in out.iterdir()):
        raise BuildError(f"{out}: holds files and no build; name a folder that is new or empty")
    (path.parent / "chunks").mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(order).encode())


class _State(BaseModel):
    """Where a build stands after a block."""

    chunks: int = 0
    mix: dict[str, dict[str, int]] = {}
    runs: int = 0
    groups: int = 0
    dropped: dict[str, int] = {}
    listed: int = 0
    """Bytes of `dropped.jsonl`."""
    used: dict[str, int] = {}
    """Source -> rows that stand in some sample."""
    shards: list[Shard] = []
    counts: list[tuple[str, str, str, int]] = []
    """(split, category, kind, rows)."""


class _Build:
    def __init__(
        self,
        out: Path,
        order: Mapping[str, Any],
        shares: Shares,
        stock: Stock | None,
        told: Callable[[Standing], None],
    ) -> None:
        self.out, self.order, self.stock, self.told = out, order, stock, told
        self.hosted = stock.hosted if stock is not None else None
        self.size: int = order["size"]
        self.folder = out / ".build"
        path = self.folder / "state.json"
        state = _State.model_validate_json(path.read_bytes()) if path.exists() else _State()
        self._check(state.shards)
        self.chunks = self.settled = state.chunks
        self.mix = Mix(self.size, state.mix, shares)
        self.seen = Seen(self.folder, state.runs, state.groups)
        self.dropped = Counter(state.dropped)
        self.used = Counter(state.used)
        self.listed = state.listed
        self.listing: list[bytes] = []
        self.writers: dict[str, ShardWriter] = {
            split: ShardWriter(out, split) for split in (*SPLITS, EVALUATION)
        }
        for shard in state.shards:
            self.writers[shard.split].shards.append(shard)
        for split, category, kind, number in state.counts:
            self.writers[split].counts[category, kind] = number

    def _check(self, shards: list[Shard]) -> None:
        for shard in shards:
            path = self.out / shard.file
            try:
                with open(path, "rb") as file:
                    if file_digest(file, "sha256").hexdigest() == shard.sha256:
                        continue
                reason = "changed since it was written"
            except FileNotFoundError:
                reason = "gone"
            raise BuildError(f"{path}: {reason}; remove {self.out} and build again")

    def run(self, workers: int) -> Manifest:
        """Make, admit and write until the build has its size."""
        made = chunks(self.folder / "chunks", self.order["seed"], self.chunks, workers, self.hosted)
        with closing(made):
            while not self.mix.full():
                self._tell()
                self._take(next(made))
                self.chunks += 1
                if self.mix.full() or self.chunks % BLOCK == 0:
                    self._settle()
        self._tell()
        return self._finish()

    def _finish(self) -> Manifest:
        order, stock = self.order, self.stock
        sources: list[SourceRows] = []
        if stock is not None:
            write_file(self.out / REJECTS, b"".join(path.read_bytes() for path in stock.rejects))
            sources = [s.model_copy(update={"used": self.used[s.name]}) for s in stock.sources]
        return write_manifest(
            self.out,
            self.writers.values(),
            seed=order["seed"],
            size=self.size,
            preset=order["preset"],
            mix=order["mix"],
            made=stock.made if stock is not None else 0,
            sources=sources,
        )

    def _tell(self) -> None:
        self.told(Standing(self.mix.total, self.size, self.dropped))

    def _take(self, chunk: pa.Table) -> None:
        """Admit a chunk's samples in order, and pass them to their splits' writers."""
        for failure in json.loads(chunk.schema.metadata[b"failures"]):
            self._drop("error", **failure)
        if self.dropped["error"] > MOST_FAILED * self.size:
            self._list()
            raise BuildError(
                f"{self.dropped['error']} groups failed, more than {MOST_FAILED:.1%} of {self.size}: a bug; "
                f"please report the lines of {self.out / DROPPED} with the reason error"
            )
        kept: dict[str, list[int]] = {}
        columns = [chunk[name].to_pylist() for name in ("id", "group", "split", "kind", "exact", "signature")]
        near: int | None = None
        new: bytes | None = None
        for at, (name, group, split, kind, key, signed) in enumerate(zip(*columns, strict=True)):
            if self.mix.full():
                break
            if signed is not None:  # the run that others are made from
                near, new = self.seen.group(signed), signed
            if near is not None:
                self._drop("near-duplicate", id=name, of=name_of(near, self.hosted))
            elif self.seen.run(key):
                self._drop("duplicate", id=name)
            elif not self.mix.admit(split, kind):
                self._drop("quota", id=name)
            else:
                kept.setdefault(split, []).append(at)
                self.seen.add_run(key)
                if new is not None:
                    self.seen.add_group(int(group[1:]), new)
                    new = None
        hosted: set[Place] = set()
        for split, indices in kept.items():
            taken = chunk.select(SCHEMA.names).take(indices)
            hosted.update(place for places in values(taken, "rows") for place in places)
            self.writers[split].write(taken)
        # A row is in one group, and a group in one chunk: none is counted twice.
        self.used.update(place.source for place in hosted)

    def _drop(self, reason: str, **what: Any) -> None:
        self.dropped[reason] += 1
        self.listing.append(json.dumps({"reason": reason, **what}).encode() + b"\n")

    def _list(self) -> int:
        """Bring what was dropped to its file; how long that is now."""
        path = self.out / DROPPED
        path.touch()
        with open(path, "r+b") as file:
            file.truncate(self.listed)
            file.seek(self.listed)
            file.writelines(self.listing)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _settle(self) -> None:
        """Close the shards and write down where the build stands: from here it goes on if it is killed."""
        for writer in self.writers.values():
            writer.close()
        self.listed, self.listing = self._list(), []
        runs, groups = self.seen.save()
        state = _State(
            chunks=self.chunks,
            mix=self.mix.counts(),
            runs=runs,
            groups=groups,
            dropped=self.dropped,
            listed=self.listed,
            used=self.used,
            shards=[shard for writer in self.writers.values() for shard in writer.shards],
            counts=[(s, *k, n) for s, writer in self.writers.items() for k, n in writer.counts.items()],
        )
        write_file(self.folder / "state.json", state.model_dump_json().encode())
        for number in range(self.settled, self.chunks):
            chunk_path(self.folder / "chunks", number).unlink(missing_ok=True)
        self.settled = self.chunks
