"""From 35,000 samples to 100,000: a build grown by mining, checked as a build is, and what it is worth.

`python -m benchmarks.expansion [DATA] [--size 35000] [--budget 65000] [--rounds 2] [--workers 2]
[--threads 2] [--work FOLDER]`. With `--work` what is made stays there, and a run that was cut short goes on.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import TypeVar

import torch
import typer

from benchmarks.ablation_runs import COLUMNS, RECORDED, Array, Inputs, encode
from benchmarks.ablation_tables import METRICS, interval, shown
from benchmarks.ablations import build
from benchmarks.common import footer, need, parser, progress, table
from benchmarks.pipeline import EVERY, resident
from gatling.cli.data import validate
from gatling.data.chunks import KNOWN, known
from gatling.data.dedupe import Seen
from gatling.data.shards import MANIFEST, read_manifest, tables
from gatling.mining.results import Mined
from gatling.mining.rounds import mine
from gatling.model.corpus import gather
from gatling.model.recipe import load
from gatling.model.scores import latent, network, worst
from gatling.model.train import MODEL, train

T = TypeVar("T")

HEAD = """\
## Expansion

A build of {size:,} samples (`gatling build --preset offline`), the recipe `compare`, then `mine` with a
budget of {budget:,} samples in {rounds} rounds, going on though a round gains less than its noise:
{rows:,} samples. {parts}. At most {memory:.1f} GB of resident
memory, all processes added up.
"""


class Clock:
    """Minutes by part, and the most memory of this process and its children meanwhile."""

    def __init__(self) -> None:
        self.minutes: dict[str, float] = {}
        self.memory = 0
        Thread(target=self._watch, daemon=True).start()

    def __call__(self, part: str, work: Callable[[], T]) -> T:
        progress(f"{part} ...")
        began = time.monotonic()
        made = work()
        self.minutes[part] = (time.monotonic() - began) / 60
        return made

    def _watch(self) -> None:
        while True:
            self.memory = max(self.memory, resident(os.getpgrp()))
            time.sleep(EVERY)


def repeats(plans: Path, folder: Path) -> tuple[int, int]:
    """Runs that stand twice word for word, and groups whose first run is nearly another group's."""
    seen = Seen(folder)
    runs = near = 0
    parts = (tables(plans / shard.file, [*KNOWN]) for shard in read_manifest(plans).shards)
    for number, (key, signed) in enumerate(known(chain.from_iterable(parts))):
        runs += seen.run(key)
        seen.add_run(key)
        if signed is not None:
            near += seen.group(signed) is not None
            seen.add_group(number, signed)
    return runs, near


def checked(plans: Path) -> str:
    """What `gatling validate` prints, and how it exits."""
    said, code = StringIO(), 0
    with redirect_stdout(said):
        try:
            validate(plans)
        except typer.Exit as exit:
            code = exit.exit_code
    text = said.getvalue().replace(str(plans), "OUT").strip()
    return f"`gatling validate` exits with {code}:\n\n```text\n{text}\n```"


def columns(inputs: Inputs, models: dict[str, Path]) -> str:
    """The network alone, of each model, on each column; then the last less the first."""
    parts = {name: inputs.part(name) for name in COLUMNS}

    def scores(path: Path) -> dict[str, Array]:
        net = network(path)
        return {name: worst(part.encoded, latent(net, part.encoded)) for name, part in parts.items()}

    found = {name: scores(path) for name, path in models.items()}
    first, *_, last = found.values()
    said = []
    for title, metric in METRICS.items():
        body = [
            [name, *(shown(interval(metric, parts[c], [one[c]])) for c in COLUMNS)]
            for name, one in found.items()
        ]
        body.append(
            [
                "the last less the first",
                *(shown(interval(metric, parts[c], [last[c]], [first[c]]), "+") for c in COLUMNS),
            ]
        )
        said.append(f"{title}, network alone\n\n{table(['', *COLUMNS.values()], body)}")
    return "\n\n".join(said)


def told(mined: Mined) -> str:
    body = [
        [
            str(r.number),
            str(len(r.weaknesses)),
            f"{r.candidates:,}",
            ", ".join(f"{count:,} {why}" for why, count in r.dropped.items()),
            f"{sum(r.added.values()):,}",
            shown(r.gain, "+"),
        ]
        for r in mined.rounds
    ]
    return table(["round", "weak regions", "candidates", "dropped", "added", "gain on validation"], body)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--size", type=int, default=35_000)
    arguments.add_argument("--budget", type=int, default=65_000)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--work", type=Path)
    given = arguments.parse_args()
    need(given.data, *(f"data/traces/{name}.jsonl.gz" for name in RECORDED), "data/tools/agentdyn.json")
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary) / "work"
        (work / "encoded").mkdir(parents=True, exist_ok=True)
        grow(work, given.data, given.size, given.budget, given.rounds, given.workers)


def grow(work: Path, data: Path, size: int, budget: int, rounds: int, workers: int) -> None:
    plans, base, out = work / "plans", work / "base", work / "mined"
    inputs, clock, recipe = Inputs(data, plans, work, "cpu", None), Clock(), load("compare")
    if not (plans / MANIFEST).is_file():
        clock("building", lambda: build(plans, size, workers))
    corpus = gather([plans], cache=plans / ".encoded", told=progress)
    clock("training", lambda: train(recipe, corpus.training, corpus.validation, base, data=corpus.data))
    mined = clock(
        "mining",
        lambda: mine(
            base,
            plans,
            out,
            rounds=rounds,
            budget=budget,
            recipe=recipe,
            workers=workers,
            patient=True,
            told=progress,
        ),
    )
    grown = read_manifest(mined.data)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for name in pool.map(encode, [inputs] * len(COLUMNS), COLUMNS):
            progress(f"encoded {name}")
    verdict = clock("validating", lambda: checked(mined.data))
    (work / "seen").mkdir(exist_ok=True)
    runs, near = repeats(mined.data, work / "seen")
    minutes = ", ".join(f"{part} {minutes:.1f}" for part, minutes in clock.minutes.items())
    print(
        HEAD.format(
            size=size,
            budget=budget,
            rounds=rounds,
            rows=grown.rows,
            parts=f"Minutes with {workers} workers: {minutes}",
            memory=clock.memory / 1e9,
        )
    )
    print(told(mined))
    print(f"\nOf {grown.rows:,} runs {runs} stand twice; {near} groups are nearly another. {verdict}\n")
    names = [f"{size:,} samples", *(f"and round {r.number}" for r in mined.rounds)]
    weights = [base, *(out / f"round-{r.number:02}" / "model" for r in mined.rounds)]
    print(columns(inputs, {n: folder / MODEL for n, folder in zip(names, weights, strict=True)}))
    print(f"\n{footer()} PyTorch {torch.__version__}.")


if __name__ == "__main__":
    main()
