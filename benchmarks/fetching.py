"""How many bytes a sample of a large file costs: the loader beside a streamed shuffle of `datasets`.

`python -m benchmarks.fetching [--megabytes 1000]` writes Parquet files into a temporary folder and serves
them on the loopback.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import ROOT, footer, progress, table
from gatling.data.hub import Fetched, HFDatasetLoader
from gatling.data.sources.source import Kind, Material, Source, Unlabelled
from tests.data.hub import Hub, serving

ROWS = 1_000
SEED = 7
GROUPS = 120
MOST = 0.05
"""The share that may be fetched."""

INTRO = """\
## Fetching

{rows:,} rows with `text` and `label` of one Parquet file of random bytes, from a Hub on the loopback: bytes
that the server sent, listings included. `datasets` streams the same columns, shuffled with its default buffer
of 1,000 rows, and takes as many. Stretches: how many of 100 equal stretches of the file the rows come from.
The bar is {most:.0%} of the bytes.
"""


class Notes(Source):
    """The source whose file is written here."""

    name = "notes"
    repo = "bench/notes"
    files = ("data/*.parquet",)
    licence = "CC0-1.0"
    role = "benign"
    columns: ClassVar[Mapping[str, Kind]] = {"text": "text", "label": "integer"}
    labels = frozenset({"label"})
    meaning = "nothing"
    terms = frozenset({"hierarchy"})
    form = "text"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """None: only bytes are counted."""
        yield from ()


class Measured(NamedTuple):
    """One way to take rows."""

    sent: int
    """Bytes."""
    requests: int
    seconds: float
    numbers: list[int]
    """The rows' places in the file."""


def write(path: Path, megabytes: int, texts: bool) -> int:
    """A file of `GROUPS` row groups; its bytes stand in the texts alone, or in a column beside them."""
    rng = np.random.default_rng(SEED)
    per_group = 1_000
    size = megabytes * 1_000_000 // (GROUPS * per_group)
    schema = pa.schema([("text", pa.string()), ("label", pa.int64()), ("image", pa.binary())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for group in range(GROUPS):
            numbers = range(group * per_group, (group + 1) * per_group)
            length = size if texts else 400
            # Printable noise: six random bits a character.
            noise = (rng.integers(0, 64, per_group * length, np.uint8) + 48).tobytes().decode("ascii")
            said = [f"{n} {noise[i * length : (i + 1) * length]}" for i, n in enumerate(numbers)]
            images = [b""] * per_group if texts else [rng.bytes(size - length) for _ in numbers]
            writer.write_table(
                pa.table([said, [n % 2 for n in numbers], images], schema=schema), row_group_size=per_group
            )
    return GROUPS * per_group


def loaded(hub: Hub, cache: Path) -> list[int]:
    rows: Iterator[Fetched] = HFDatasetLoader(cache, endpoint=hub.endpoint).load(Notes(), ROWS, SEED)
    return [int(row.columns["text"].split(" ", 1)[0]) for row in rows]


def streamed(hub: Hub, cache: Path) -> list[int]:
    """In a process of its own: `datasets` reads the endpoint as it is imported."""
    env = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "benchmarks.fetching", "--stream"]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def stream() -> None:
    """Take the rows with `datasets`, and print their numbers."""
    from datasets import load_dataset

    rows = load_dataset(Notes.repo, split="train", streaming=True, columns=list(Notes.columns))
    for row in rows.shuffle(seed=SEED).take(ROWS):
        print(row["text"].split(" ", 1)[0])


def measured(megabytes: int, texts: bool, folder: Path) -> tuple[int, int, list[tuple[str, Measured]]]:
    """The file's bytes and rows, and what each way costs."""
    path = folder / "train.parquet"
    progress(f"writing {megabytes} MB, {'texts alone' if texts else 'texts and images'}")
    rows = write(path, megabytes, texts)
    found = []
    with serving() as hub:
        hub.add(Notes.repo, "data/train-00000-of-00001.parquet", path)
        for name, take in (("gatling", loaded), ("datasets", streamed)):
            progress(f"taking rows with {name}")
            sent, requests, start = hub.sent(), len(hub.log), time.perf_counter()
            numbers = take(hub, folder / f"{name}-{texts}")
            seconds = time.perf_counter() - start
            one = Measured(hub.sent() - sent, len(hub.log) - requests, seconds, numbers)
            found.append((name, one))
        size = path.stat().st_size
    path.unlink()
    return size, rows, found


def report(megabytes: int) -> bool:
    body, passed = [], True
    with tempfile.TemporaryDirectory() as temporary:
        for texts in (False, True):
            size, rows, found = measured(megabytes, texts, Path(temporary))
            for name, one in found:
                share = one.sent / size
                assert len(set(one.numbers)) == ROWS
                if name == "gatling":
                    passed = passed and share <= MOST
                stretches = len({number * 100 // rows for number in one.numbers})
                body.append(
                    [
                        "text and label alone" if texts else "and a column of images",
                        f"{size / 1e6:,.0f}",
                        name,
                        f"{one.sent / 1e6:,.1f}",
                        f"{share:.2%}",
                        str(one.requests),
                        str(stretches),
                        f"{one.seconds:.1f}",
                    ]
                )
    print(INTRO.format(rows=ROWS, most=MOST))
    head = ["the file holds", "MB", "by", "MB sent", "share", "requests", "stretches of 100", "seconds"]
    print(table(head, body))
    print(f"\n{footer()}")
    return passed


def main() -> None:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--megabytes", type=int, default=1_000, help="the file's size (default 1,000)")
    made.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)
    given = made.parse_args()
    if given.stream:
        stream()
    elif not report(given.megabytes):
        sys.exit("more was fetched than the bar allows")


if __name__ == "__main__":
    main()
