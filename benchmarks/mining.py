"""What mining is worth: mined samples against as many random ones, and an adversary before and after.

`python -m benchmarks.mining [DATA] [--plans FOLDER] [--workers N] [--seeds 3] [--rounds 3] [--budget 4500]
[--work FOLDER]
[--plot FILE]`. `--plans` names a build, `gatling build FOLDER --preset offline --size 10000 --seed 7`;
without it one is made. With `--work` what is made stays there, and a run that was cut short goes on.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.ablation_runs import COLUMNS, RECORDED, TRAINING, VALIDATION, Inputs, encode
from benchmarks.ablation_tables import METRICS
from benchmarks.ablations import build, composite, scored
from benchmarks.common import footer, need, parser, progress
from benchmarks.mining_checks import benign, checked, tables
from benchmarks.mining_tables import HOW, Results, Scores, curves, drawn
from gatling.data.shards import MANIFEST
from gatling.energy import analytic
from gatling.evaluate.fusion import fused
from gatling.mining.results import Mined
from gatling.mining.rounds import MINED, RANDOM, mine
from gatling.model.corpus import gather
from gatling.model.recipe import load
from gatling.model.scores import latent, network
from gatling.model.train import MODEL, train

ARMS = {strategy.name: strategy for strategy in (MINED, RANDOM)}


class Job(NamedTuple):
    """One arm with one seed."""

    inputs: Inputs
    seed: int
    arm: str
    rounds: int
    budget: int

    @property
    def base(self) -> Path:
        return self.inputs.work / f"base-{self.seed}"

    @property
    def out(self) -> Path:
        return self.inputs.work / f"{self.arm}-{self.seed}"


def begin(job: Job) -> str:
    """Train the model that both arms of a seed begin with."""
    began = time.perf_counter()
    recipe = load("compare").model_copy(update={"seed": job.seed})
    corpus = gather([job.inputs.plans], cache=job.inputs.plans / ".encoded")
    train(recipe, corpus.training, corpus.validation, job.base, data=corpus.data)
    return f"base, seed {job.seed}: {time.perf_counter() - began:.0f} s"


def run(job: Job) -> tuple[Mined, str]:
    """Mine with one arm."""
    began = time.perf_counter()
    recipe = load("compare").model_copy(update={"seed": job.seed})
    mined = mine(
        job.base,
        job.inputs.plans,
        job.out,
        rounds=job.rounds,
        budget=job.budget,
        recipe=recipe,
        seed=job.seed,
        strategy=ARMS[job.arm],
        patient=True,
        told=lambda line: progress(f"{job.arm}, seed {job.seed}: {line}") if "added" in line else None,
    )
    return mined, f"{job.arm}, seed {job.seed}: {time.perf_counter() - began:.0f} s"


def scores(inputs: Inputs, weights: Path) -> Scores:
    """What a model says of all columns."""
    net, validation = network(weights), inputs.part(VALIDATION)
    gains = fused(scored(validation, latent(net, validation.encoded)), analytic().gains)
    alone, joined = {}, {}
    for name in COLUMNS:
        part = inputs.part(name)
        said = latent(net, part.encoded)
        alone[name] = part.worst(said)
        joined[name] = part.worst(composite(part.opinions, gains, said))
    return Scores(alone, joined)


def models(job: Job) -> list[Path]:
    """The base model, then that of every round."""
    rounds = (job.out / f"round-{number:02}" / "model" / MODEL for number in range(1, job.rounds + 1))
    return [job.base / MODEL, *rounds]


def report(jobs: list[Job], first: Mined, inputs: Inputs, plot: Path | None) -> None:
    parts = {name: inputs.part(name) for name in COLUMNS}
    seeds, rounds, size = len(jobs) // len(ARMS), jobs[0].rounds, jobs[0].budget // jobs[0].rounds
    found: Results = {
        arm: [[scores(inputs, path) for path in models(job)] for job in jobs if job.arm == arm]
        for arm in ARMS
    }
    print(
        f"""## Mining

Training on from one model with mined samples, and with as many drawn at random from the same worlds: on a
build of {first.samples:,} training runs, {rounds} rounds of {size:,} samples each, with the recipe `compare`
in each round ({sum(r.steps for r in first.rounds):,} steps in all), and {seeds} seeds, of both the first
model and the mining. A run's score is its worst call's. *Network alone* is the latent energy, *joined* the
composite of it and the analytic terms. Nothing is fitted on the columns.
"""
    )
    for name, metric in METRICS.items():
        for what in HOW:
            print(f"\n### {name}, {HOW[what]}\n\nMean over seeds (lowest–highest).\n")
            print(curves(metric, what, parts, found))
    if plot is not None:
        samples = [first.samples + size * number for number in range(rounds + 1)]
        plot.write_text(drawn(samples, parts, found), encoding="utf-8")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--plans", type=Path, help="a build (default: one is made)")
    arguments.add_argument("--workers", type=int, default=os.cpu_count())
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--budget", type=int, default=4500)
    arguments.add_argument("--work", type=Path)
    arguments.add_argument("--plot", type=Path, help="where the learning curves go, as SVG")
    given = arguments.parse_args()
    need(given.data, *(f"data/traces/{name}.jsonl.gz" for name in RECORDED), "data/tools/agentdyn.json")
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary) / "work"
        (work / "encoded").mkdir(parents=True, exist_ok=True)
        plans = given.plans or work / "plans"
        if not (plans / MANIFEST).is_file():
            build(plans)
        inputs = Inputs(given.data, plans, work, "cpu", None)
        jobs = [
            Job(inputs, seed, arm, given.rounds, given.budget) for seed in range(given.seeds) for arm in ARMS
        ]
        mined: dict[tuple[str, int], Mined] = {}
        context = get_context("spawn")
        gather([plans], cache=plans / ".encoded", told=progress)
        with ProcessPoolExecutor(
            given.workers, context, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            names = (TRAINING, VALIDATION, *COLUMNS)
            for encoded in as_completed([pool.submit(encode, inputs, name) for name in names]):
                progress(f"encoded {encoded.result()}")
            for based in as_completed([pool.submit(begin, job) for job in jobs[:: len(ARMS)]]):
                progress(based.result())
            waiting = {pool.submit(run, job): job for job in jobs}
            for done in as_completed(waiting):
                job = waiting[done]
                mined[job.arm, job.seed], line = done.result()
                progress(line)
            trained = {"before": [job.base for job in jobs[:: len(ARMS)]]}
            trained |= {
                arm: [mined[job.arm, job.seed].model for job in jobs if job.arm == arm] for arm in ARMS
            }
            benign(given.data, work)
            tried = {
                name: [pool.submit(checked, given.data, work, plans, path) for path in paths]
                for name, paths in trained.items()
            }
            found = {name: [one.result() for one in futures] for name, futures in tried.items()}
        report(jobs, mined["mined", 0], inputs, given.plot)
        print(tables(found))
        print(f"\n{footer()} PyTorch {torch.__version__}.")


if __name__ == "__main__":
    main()
