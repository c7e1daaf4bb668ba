"""Streaming: batches straight from the shards of a build that does not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from torch.utils.data import IterableDataset, get_worker_info

from gatling.data.columns import read
from gatling.data.shards import ShardError, read_manifest, tables
from gatling.model.encoded import Encoded
from gatling.model.examples import from_row
from gatling.model.tensors import Batch, Int64, PlanDataset, Resumable, collate, packed


class ShardStream(Resumable, IterableDataset[Batch]):
    """Batches of at most `size` runs from a build's split, a group's runs in one batch.

        for batch in stream.follow(DataLoader(stream, batch_size=None, num_workers=2)): ...

    Shards come in random order, `buffer` of them at a time; groups are shuffled within these. A group that
    ends one shard and begins the next may be parted: there is at most one such group a shard. The order
    depends on `seed` and `epoch` alone; any number of workers yields the same batches in the same order, each
    reading and encoding its own. Of several processes (`ranks`), each takes every `ranks`-th batch, all
    equally many; a last round that is not full is left out.

    Raises:
        ShardError: the manifest cannot be read, or there is no such split; in iteration, a damaged shard.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        size: int,
        *,
        seed: int,
        buffer: int = 2,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if min(size, buffer) < 1 or not 0 <= rank < ranks:
            given = f"size {size}, buffer {buffer}, rank {rank} of {ranks}"
            raise ValueError(f"{given}: sizes are 1 or more, ranks count from 0")
        manifest = read_manifest(folder)
        if split not in manifest.splits:
            raise ShardError(f"{folder}: no split {split!a}; there are {', '.join(manifest.splits)}")
        self._shards = [folder / shard.file for shard in manifest.shards if shard.split == split]
        self._size, self._seed, self._buffer, self._rank, self._ranks = size, seed, buffer, rank, ranks
        self._dataset = folder.name

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for shards, rows in islice(self._own(), self.position + first, None, every):
            taken = read(_table(shards).take(rows))
            data = PlanDataset(Encoded.of(from_row(row, self._dataset) for row in taken))
            yield collate([data[run] for run in range(len(data))])

    def _own(self) -> Iterator[tuple[tuple[Path, ...], Int64]]:
        """Every batch of this rank, as rows of some shards."""
        made = self._all()
        while len(together := [*islice(made, self._ranks)]) == self._ranks:
            yield together[self._rank]

    def _all(self) -> Iterator[tuple[tuple[Path, ...], Int64]]:
        random = np.random.default_rng([self._seed, self.epoch])
        order = [self._shards[at] for at in random.permutation(len(self._shards))]
        for start in range(0, len(order), self._buffer):
            shards = tuple(order[start : start + self._buffer])
            groups = [table["group"].to_numpy() for shard in shards for table in tables(shard, ["group"])]
            member = np.unique(np.concatenate(groups), return_inverse=True)[1]
            for rows in packed(member, self._size, random):
                yield shards, rows


@lru_cache(maxsize=1)
def _table(shards: tuple[Path, ...]) -> pa.Table:
    return pa.concat_tables([table for shard in shards for table in tables(shard)])
