"""Chunks: consecutive groups, made by worker processes and left in files for the parent to admit in order."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gatling.data import hosting
from gatling.data.adapter import ExecutionPlanAdapter
from gatling.data.columns import Row, rows, table, values
from gatling.data.dedupe import ROWS, exact, signature
from gatling.data.groups import group
from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS, Mutation
from gatling.data.run import Sample
from gatling.data.split import Split, group_id, shown, split_of
from gatling.data.worlds.domain import Domain, domains
from gatling.worker import follow_parent

CHUNK = 64
"""Groups that a worker makes at once: about 150 samples, 3 MB."""

_ADAPTER = ExecutionPlanAdapter()

KNOWN = ("group", "kind", "messages")
"""Columns by which `known` tells rows apart."""

CHUNKS_AHEAD = 3
"""Chunks per worker that may be under way."""


def chunk_path(folder: Path, number: int) -> Path:
    """Where a chunk lies."""
    return folder / f"{number:07}.arrow"


def chunks(
    folder: Path, seed: int, first: int, workers: int, hosted: hosting.Hosted | None = None
) -> Generator[pa.Table, None, None]:
    """Chunks in order from number `first`, without end: groups that host public rows, then worlds alone.

    Each is a table of `columns.SCHEMA` with two columns more: every run's `exact` key, and the `signature` of
    each group's first run and of every run without an attack sibling. The schema's metadata lists the groups
    that could not be made (`failures`, JSON).

    Raises:
        concurrent.futures.process.BrokenProcessPool: a worker died.
    """
    if workers == 1:
        for number in count(first):
            make_chunk(folder, seed, number, hosted)
            yield read_chunk(folder, number)
    # Spawned on every system: a fork would share the locks of whatever threads the caller has.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin)
    ahead: deque[Future[None]] = deque()
    try:
        for number in count(first):
            while len(ahead) < workers * CHUNKS_AHEAD:
                ahead.append(pool.submit(make_chunk, folder, seed, number + len(ahead), hosted))
            ahead.popleft().result()
            yield read_chunk(folder, number)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    follow_parent()
    # The workers share the cores already: matrix products on all of them take almost twice as long.
    threadpool_limits(1)


def read_chunk(folder: Path, number: int) -> pa.Table:
    """A chunk that was made, in the file's own memory. Raises `OSError` or `pyarrow.ArrowInvalid`."""
    return read_table(chunk_path(folder, number))


def read_table(path: Path) -> pa.Table:
    """A table from an Arrow file, in the file's own memory. Raises `OSError` or `pyarrow.ArrowInvalid`."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def marked(found: Sequence[Row], groups: Iterable[Sequence[Sample]]) -> pa.Table:
    """The rows of groups as a table with two columns more, by which duplicates are known.

    `exact` is every run's, `signature` that of each group's first run and of every run without an attack
    sibling; see `dedupe`.
    """
    keys: list[int] = []
    signatures: list[bytes | None] = []
    for samples in groups:
        keys += [exact(sample.run.messages) for sample in samples]
        signatures += [
            signature(s.run.messages) if s is samples[0] or s.truth.kind == "gold" else None for s in samples
        ]
    return (
        table(found)
        .append_column("exact", pa.array(keys, pa.uint64()))
        .append_column("signature", pa.array(signatures, pa.binary(ROWS)))
    )


def known(parts: Iterable[pa.Table]) -> Iterator[tuple[int, bytes | None]]:
    """What `marked` knows the runs of groups by, of rows that stand in tables with `KNOWN`."""
    groups: set[str] = set()
    for part in parts:
        for id, kind, messages in zip(*(values(part, name) for name in KNOWN), strict=True):
            signed = id not in groups or kind == "gold"
            groups.add(id)
            yield exact(messages), signature(messages) if signed else None


@cache
def _shown(split: Split) -> tuple[tuple[Domain, ...], tuple[Mutation, ...]]:
    return shown(split, tuple(domains().values()), MUTATIONS)


def make_chunk(folder: Path, seed: int, number: int, hosted: hosting.Hosted | None = None) -> None:
    """Make a chunk, if that was not done before the build was stopped."""
    try:
        read_chunk(folder, number)
    except (OSError, pa.ArrowInvalid):
        _write(chunk_path(folder, number), _chunk(seed, number, hosted))


def name_of(index: int, hosted: hosting.Hosted | None) -> str:
    """The id of a group."""
    return group_id(index, hosted.groups, hosted.held_apart) if hosted is not None else group_id(index)


def _samples(index: int, seed: int, split: Split, hosted: hosting.Hosted | None) -> list[Sample]:
    if hosted is None or index >= hosted.groups:
        return group(index, seed, *_shown(split))
    return hosting.group(index, hosted, name_of(index, hosted), *_shown(split), _ADAPTER)


def _chunk(seed: int, number: int, hosted: hosting.Hosted | None) -> pa.Table:
    found: list[Row] = []
    groups, failures = [], []
    for index in range(number * CHUNK, (number + 1) * CHUNK):
        name = name_of(index, hosted)
        split = split_of(name, seed)
        try:
            samples = _samples(index, seed, split, hosted)
            made = rows(finish(samples), split)
        except Exception as error:  # one world's fault must not stop a build of many hours
            reason = f"{type(error).__name__}: {error}"
            failures.append({"group": name, "index": index, "seed": seed, "error": reason})
            continue
        found += made
        groups.append(samples)
    return marked(found, groups).replace_schema_metadata({"failures": json.dumps(failures)})


def _write(path: Path, chunk: pa.Table) -> None:
    # A worker that outlives its parent for a moment may write the same chunk.
    part = path.with_suffix(f".{os.getpid()}")
    with pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, chunk.schema) as writer:
        writer.write_table(chunk)
    os.replace(part, path)
