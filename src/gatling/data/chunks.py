"""Chunks: consecutive groups, made by worker processes and left in files for the parent to admit in order."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import count
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import pyarrow as pa

from gatling.data.columns import rows, table
from gatling.data.dedupe import ROWS, exact, signature
from gatling.data.groups import group
from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS, Mutation
from gatling.data.split import Split, group_id, shown, split_of
from gatling.data.worlds.domain import Domain, domains

CHUNK = 64
"""Groups that a worker makes at once: about 150 samples, 3 MB."""

CHUNKS_AHEAD = 3
"""Chunks per worker that may be under way."""


def chunk_path(folder: Path, number: int) -> Path:
    """Where a chunk lies."""
    return folder / f"{number:07}.arrow"


def chunks(folder: Path, seed: int, first: int, workers: int) -> Generator[pa.Table, None, None]:
    """Chunks in order from number `first`, without end.

    Each is a table of `columns.SCHEMA` with two columns more: every run's `exact` key, and the `signature` of
    each group's first run. The schema's metadata lists the groups that could not be made (`failures`, JSON).

    Raises:
        concurrent.futures.process.BrokenProcessPool: a worker died.
    """
    if workers == 1:
        for number in count(first):
            make_chunk(folder, seed, number)
            yield read_chunk(folder, number)
    # Spawned on every system: a fork would share the locks of whatever threads the caller has.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin)
    ahead: deque[Future[None]] = deque()
    try:
        for number in count(first):
            while len(ahead) < workers * CHUNKS_AHEAD:
                ahead.append(pool.submit(make_chunk, folder, seed, number + len(ahead)))
            ahead.popleft().result()
            yield read_chunk(folder, number)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers, and they would wait for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def read_chunk(folder: Path, number: int) -> pa.Table:
    """A chunk that was made, in the file's own memory. Raises `OSError` or `pyarrow.ArrowInvalid`."""
    with pa.memory_map(str(chunk_path(folder, number))) as file:
        return pa.ipc.open_file(file).read_all()


@cache
def _shown(split: Split) -> tuple[tuple[Domain, ...], tuple[Mutation, ...]]:
    return shown(split, tuple(domains().values()), MUTATIONS)


def make_chunk(folder: Path, seed: int, number: int) -> None:
    """Make a chunk, if that was not done before the build was stopped."""
    try:
        read_chunk(folder, number)
    except (OSError, pa.ArrowInvalid):
        _write(chunk_path(folder, number), _chunk(seed, number))


def _chunk(seed: int, number: int) -> pa.Table:
    found, keys, failures = [], [], []
    signatures: list[bytes | None] = []
    for index in range(number * CHUNK, (number + 1) * CHUNK):
        split = split_of(group_id(index), seed)
        try:
            samples = group(index, seed, *_shown(split))
            made = rows(finish(samples), split)
        except Exception as error:  # one world's fault must not stop a build of many hours
            reason = f"{type(error).__name__}: {error}"
            failures.append({"group": group_id(index), "index": index, "seed": seed, "error": reason})
            continue
        found += made
        keys += [exact(sample.run) for sample in samples]
        signatures += [signature(samples[0].run), *[None] * (len(samples) - 1)]
    return (
        table(found)
        .append_column("exact", pa.array(keys, pa.uint64()))
        .append_column("signature", pa.array(signatures, pa.binary(ROWS)))
        .replace_schema_metadata({"failures": json.dumps(failures)})
    )


def _write(path: Path, chunk: pa.Table) -> None:
    # A worker that outlives its parent for a moment may write the same chunk.
    part = path.with_suffix(f".{os.getpid()}")
    with pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, chunk.schema) as writer:
        writer.write_table(chunk)
    os.replace(part, path)
