"""How fast the network trains: runs a second with one thread, with two, and on a GPU where there is one.

`python -m benchmarks.training [--plans FOLDER] [--steps 100]`. FOLDER is a build, made where none is named.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

import torch

from benchmarks.common import footer, parser, progress, table
from gatling.model.corpus import gather
from gatling.model.recipe import load
from gatling.model.train import Standing, train

SIZE, SEED = 5_000, 7
WARM = 20
"""Steps before the clock starts."""

HEAD = """\
## Training

Runs a second in the second stage, evaluation left out, {steps} steps after {warm} to warm up, each in a
process of its own; batches of {batch} runs, on a GPU of {large}. {runs:,} training runs of `gatling build`,
encoded before.
"""


def speed(plans: Path, device: str, threads: int, steps: int, said: Queue[tuple[int, float]]) -> None:
    """Train for some steps and put runs and seconds into the queue `said`."""
    torch.set_num_threads(threads)
    recipe = load("gpu" if device == "cuda" else "compare")
    stage = recipe.contrast.model_copy(update={"steps": WARM + steps})
    recipe = recipe.model_copy(
        update={
            "pretrain": recipe.pretrain.model_copy(update={"steps": 0}),
            "contrast": stage,
            "validation": recipe.validation.model_copy(update={"every": 10 * (WARM + steps)}),
        }
    )
    corpus = gather([plans], cache=plans / ".encoded")
    clock: list[float] = []
    runs = 0

    def told(standing: Standing) -> None:
        nonlocal runs
        if standing.step < WARM or standing.measured is not None:
            return
        if clock:
            runs += standing.runs
        clock.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as out:
        train(recipe, corpus.training, corpus.validation, Path(out) / "model", device=device, told=told)
    said.put((runs, clock[-1] - clock[0]))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--plans", type=Path, metavar="FOLDER")
    arguments.add_argument("--steps", type=int, default=100)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plans = given.plans or Path(folder) / "plans"
        if given.plans is None:
            progress(f"building {SIZE} samples")
            command = ["build", str(plans), "--size", str(SIZE), "--seed", str(SEED), "--workers", "2"]
            code = "from gatling.cli import main; main()"
            subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=sys.stderr)
        count = len(gather([plans], cache=plans / ".encoded").training)
        batches = load("compare").batch, load("gpu").batch
        print(HEAD.format(steps=given.steps, warm=WARM, batch=batches[0], large=batches[1], runs=count))
        ways = [("cpu", 1), ("cpu", 2)] + ([("cuda", 1)] if torch.cuda.is_available() else [])
        rows = []
        for device, threads in ways:
            progress(f"{device}, {threads} threads")
            context = get_context("spawn")
            said: Queue[tuple[int, float]] = context.Queue()
            process = context.Process(target=speed, args=(plans, device, threads, given.steps, said))
            process.start()
            runs, seconds = said.get()
            process.join()
            name = (
                torch.cuda.get_device_name()
                if device == "cuda"
                else f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"
            )
            rows.append([name, f"{runs / seconds:,.0f}"])
        print(table(["on", "runs/s"], rows))
        print(f"\n{footer()}")


if __name__ == "__main__":
    main()
