"""Memory and speed of staging: peaks for ten times as many rows, from JSON Lines and from Parquet.

`python -m benchmarks.staging` writes invented texts into a temporary folder and stages them from there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import ROOT, footer, peak, progress, table
from gatling.data import ExecutionPlanAdapter
from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.hub import HFDatasetLoader
from gatling.data.inference import InferredCall, ToolRegistry
from gatling.data.presets import Part, Preset
from gatling.data.sources import source

SEED = 7
ROWS = (10_000, 100_000)
MORE = (10_000, 1_000_000)
"""Rows that are staged without a look at what texts ask for, which takes nearly all the time."""

FORMS = {
    "superior_reasoning": (("data-stage1.jsonl", "data-stage2.jsonl"), "input"),
    "geekyrakshit": (("data/train-00000-of-00001.parquet",), "prompt"),
}
PORTION = 10_000

INTRO = """\
## Staging

All rows of a local file, parted, made into texts and written down, each with the call that it may ask for;
and without a look at that, which takes nearly all the time and keeps up to a fixed number of words. The
texts are invented, of 3 to 40 words, {words:,} different ones. Each size has a process of its own.
"""


def vocabulary(rng: Random) -> list[str]:
    """Invented words, of which some are everyday ones: what texts ask for is looked at."""
    parts = (
        "ba",
        "den",
        "fel",
        "gor",
        "hu",
        "kin",
        "lom",
        "mar",
        "nel",
        "os",
        "pri",
        "qua",
        "ros",
        "ti",
        "vu",
    )
    made = {"".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(20_000)}
    common = ("send", "mail", "open", "file", "find", "page", "book", "move", "transfer", "money", "delete")
    return [*common * 200, *sorted(made)]


def texts(count: int) -> Iterator[str]:
    rng = Random(SEED)
    words = vocabulary(rng)
    for number in range(count):
        yield f"{' '.join(rng.choices(words, k=rng.randint(3, 40)))} {number}."


def write(path: Path, column: str, given: Iterator[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({column: text, "label": 0, "output": "", "domain": "math"} for text in given)
    if path.suffix == ".jsonl":
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)
        return
    schema = pa.schema([(column, pa.string()), ("label", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        while portion := [{name: row[name] for name in schema.names} for row in islice(rows, PORTION)]:
            writer.write_table(pa.Table.from_pylist(portion, schema))


class Idle(ToolRegistry):
    """Finds that no text asks for anything."""

    def infer_many(self, texts: Sequence[str]) -> list[InferredCall | None]:
        return [None] * len(texts)


def stage(mirror: Path, name: str, count: int, calls: bool) -> None:
    """Stage in this process; prints rows, seconds and peak megabytes as JSON."""
    preset = Preset("staging", "", (Part("all", {name: count}),))
    adapter = ExecutionPlanAdapter(None if calls else Idle([]))
    loader = HFDatasetLoader(mirror=mirror)
    builder = GatlingDatasetBuilder(preset, loader=loader, adapter=adapter, seed=SEED)
    start = time.perf_counter()
    (supply,) = builder.stock(mirror / "staged").sources
    print(json.dumps([supply.read, time.perf_counter() - start, peak()]))


def measured(name: str, count: int, calls: bool) -> tuple[int, float, float]:
    """Rows, seconds and peak megabytes of staging in a new process."""
    files, column = FORMS[name]
    with tempfile.TemporaryDirectory() as mirror:
        progress(f"staging {count:,} rows of {Path(files[0]).suffix}")
        made = texts(count)
        for file in files:
            write(Path(mirror) / source(name).repo / file, column, islice(made, count // len(files)))
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "benchmarks.staging", "--of", name, str(count), mirror, str(calls)]
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
        rows, seconds, megabytes = json.loads(done.stdout)
        return rows, seconds, megabytes


def main() -> None:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--of", nargs=4, help=argparse.SUPPRESS)
    given: list[str] | None = made.parse_args().of
    if given:
        name, number, mirror, looking = given
        stage(Path(mirror), name, int(number), looking == "True")
        return
    body = []
    for name, (files, _) in FORMS.items():
        for calls, count in [*((True, count) for count in ROWS), *((False, count) for count in MORE)]:
            rows, seconds, megabytes = measured(name, count, calls)
            found = [f"{rows:,}", f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{megabytes:.0f}"]
            body.append([Path(files[0]).suffix, "yes" if calls else "no", *found])
    print(INTRO.format(words=len(set(vocabulary(Random(SEED))))))
    print(table(["file", "calls looked for", "rows", "seconds", "rows/s", "peak MB"], body))
    print(f"\n{footer()}")


if __name__ == "__main__":
    main()
