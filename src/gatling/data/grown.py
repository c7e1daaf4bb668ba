"""A build with more rows than it was built with: its own shards, and further ones of the split `train`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from gatling.data.build import DROPPED, REJECTS
from gatling.data.card import write_card
from gatling.data.columns import SCHEMA
from gatling.data.shards import MANIFEST, Manifest, ShardWriter, verify, write_manifest


def grow(base: Path, rounds: Sequence[pa.Table], out: Path) -> Manifest:
    """Write the build `base` with further training rows, round after round, to the folder `out`.

    What `out` held of the same base before is replaced; the base's shards are linked where the file system
    can, else copied. Seed and preset stay those of the base, so its groups keep their names.

    Raises:
        ShardError: the base is damaged.
        OSError: the folder cannot be written.
    """
    manifest = verify(base)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    for old in out.glob("*.parquet"):
        old.unlink()
    for name in (DROPPED, REJECTS):
        if (base / name).exists():
            shutil.copyfile(base / name, out / name)
    writers: dict[str, ShardWriter] = {}
    for shard in manifest.shards:
        writer = writers.setdefault(shard.split, ShardWriter(out, shard.split))
        writer.shards.append(shard)
        _link(base / shard.file, out / shard.file)
    for split, categories in manifest.counts.items():
        for category, kinds in categories.items():
            for kind, rows in kinds.items():
                writers[split].counts[category, kind] = rows
    for table in rounds:
        writers["train"].write(table.select(SCHEMA.names))
        writers["train"].close()
    grown = write_manifest(
        out,
        writers.values(),
        seed=manifest.seed,
        size=manifest.size + sum(map(len, rounds)),
        preset=manifest.preset,
        mix=manifest.mix,
        made=manifest.made,
        sources=manifest.sources,
    )
    write_card(out)
    return grown


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
