"""What each part of the model is worth: variants trained alike on one build, and guards without it.

`python -m benchmarks.ablations [DATA] [--plans FOLDER] [--workers N] [--seeds 3] [--steps S]
[--device cpu|cuda] [--work FOLDER]`. `--plans` names a build, `gatling build FOLDER --preset offline --size
10000 --seed 7`; without it one is made. With `--work` what is encoded and trained stays there, and a run that
was cut short goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.ablation_runs import (
    BUILT,
    COLUMNS,
    RECORDED,
    TRAINING,
    VALIDATION,
    Array,
    Inputs,
    Part,
    encode,
)
from benchmarks.ablation_tables import (
    ALONE,
    ANALYTIC,
    FULL,
    JOINED,
    METRICS,
    PEER,
    Scorings,
    counts,
    intervals,
    means,
    verdict,
)
from benchmarks.common import ROOT, footer, need, parser, progress
from gatling.data.run import TERMS
from gatling.data.shards import MANIFEST
from gatling.energy import analytic
from gatling.evaluate.fusion import fused
from gatling.evaluate.scored import VIOLATES, ScoredCall, ScoredRun
from gatling.model.collapse import CollapseError
from gatling.model.recipe import Recipe, load
from gatling.model.scores import latent, network
from gatling.model.train import train

SIZE, SEED = 10_000, 7
"""Of the build that is made where none is given."""
TWINS = ("resisted", "clean", "authorised", "delegated")
VARIANTS: dict[str, dict[str, Any]] = {
    FULL: {},
    "no latent loss": {"contrast": {"latent": 0.0, "ranking": 0.0}},
    "no InfoNCE": {"contrast": {"info_nce": 0.0}},
    "no hard negatives": {"contrast": {"hard_negatives": False}},
    "no twins": {"kinds": dict.fromkeys(TWINS, 0.0)},
    "no pre-training": {"pretrain": {"steps": 0}},
    # VICReg has an invariance term of its own; 0.04 makes that weigh 1, as alignment does beside SIGReg.
    "VICReg for SIGReg": {"pretrain": {"alignment": 0.0, "sigreg": 0.0, "vicreg": 0.04}},
    "text alone": {"features": "text"},
    "numbers alone": {"features": "numbers"},
}
"""What of the recipe each variant changes."""
WATCHED = {"collapse": {"least_rank": 0.0, "least_deviation": 0.0}}
"""No variant is stopped for collapsed embeddings: what they cost is what is measured."""

HEAD = """\
## Ablations

Variants of the network on one build of {runs:,} training runs (`gatling build --preset offline`, {build}),
each with the recipe `compare` ({steps} steps of the second stage at most) and {seeds}, one core each; no
variant is stopped for collapsed embeddings. A run's score is its worst call's. *Network alone* is the latent
energy; *joined* is the composite of it, with a gain chosen on the build's validation split, and the analytic
terms, with the gains that ship. Analytic terms: these alone. TF-IDF: word 1- and 2-grams of the whole trace
with logistic regression, fitted on the build's training split. Nothing is fitted on the columns, nor on any
recorded run, but for the shipped weights of the analytic terms (`refit/`), which rest on AgentDyn's suites
shopping and github among others; the cap of one half on the network's gain was set by hand with dailylife in
view. dailylife: AgentDyn's recorded runs, raw and with the attacks' wrappers removed.
"""


class Scores(NamedTuple):
    """What one way of scoring says of the runs of every column, higher is worse: column -> (runs,)."""

    alone: Mapping[str, Array]
    joined: Mapping[str, Array]


def recipe(variant: str, seed: int, steps: int | None) -> Recipe:
    """The recipe `compare` with what the variant changes."""
    tables = load("compare").model_dump() | {"seed": seed}
    shorter = {"contrast": {"steps": steps}} if steps else {}
    for changes in (WATCHED, shorter, VARIANTS[variant]):
        for name, change in changes.items():
            tables[name] = tables[name] | change if isinstance(change, dict) else change
    return Recipe.model_validate(tables)


def trained(inputs: Inputs, variant: str, seed: int) -> tuple[Scores, str]:
    """Train one variant with one seed and score all columns; and a line on how it went."""
    began = time.perf_counter()
    out = inputs.work / f"{variant.replace(' ', '-')}-{seed}"
    chosen = recipe(variant, seed, inputs.steps)
    validation = inputs.part(VALIDATION)
    done = train(chosen, inputs.part(TRAINING).encoded, validation.encoded, out, device=inputs.device)
    say = partial(latent, network(done.model, inputs.device), device=inputs.device)
    gains = fused(scored(validation, say(validation.encoded)), analytic().gains)
    alone, joined = {}, {}
    for name in COLUMNS:
        part = inputs.part(name)
        said = say(part.encoded)
        alone[name] = part.worst(said)
        joined[name] = part.worst(composite(part.opinions, gains, said))
    told = ", ".join(f"{name} {gain:g}" for name, gain in gains.items())
    took = time.perf_counter() - began
    return Scores(alone, joined), f"{took:.0f} s, best step {done.best_step} of {done.step}; gains: {told}"


def composite(opinions: Array, gains: Mapping[str, float], logit: Array | None = None) -> Array:
    """(calls,): -log of what `Weights.composite` leaves of 10. It has the same order, and energies near 10,
    which differ less than floats can tell, keep theirs.
    """
    row = np.array([gains.get(term, 1.0) for term in TERMS])
    left: Array = np.log1p(-np.minimum(opinions / 10 * row, 1 - 1e-15)).sum(1)
    if logit is not None:
        left = left + np.log(1 - gains["latent"] + gains["latent"] * expit(-logit))
    return -left


def scored(part: Part, logit: Array) -> list[ScoredRun]:
    """Runs as the search for gains takes them."""
    found = []
    for run, first, last in zip(part.encoded.runs, part.encoded.calls, part.encoded.calls[1:], strict=False):
        terms = [dict(zip(TERMS, row, strict=True)) for row in part.opinions[first:last].tolist()]
        for call, energy in zip(terms, 10 * expit(logit[first:last]), strict=True):
            call["latent"] = float(energy)
        found.append(
            ScoredRun(
                id=run.id,
                group=run.group,
                dataset=run.dataset,
                split=VALIDATION,
                kind=run.kind,
                violation=VIOLATES[run.kind],
                family=run.family,
                domain="",
                suite="",
                language="",
                label_source="construction",
                plan_origin="",
                calls=tuple(ScoredCall("", "", 0.0, call, False, None, ()) for call in terms),
                seconds=0.0,
                steps=(),
            )
        )
    return found


def peer(inputs: Inputs) -> dict[str, Array]:
    """TF-IDF and logistic regression on the whole trace, fitted on the training split."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=10.0, max_iter=1000, class_weight="balanced")
    model.fit(vectorizer.fit_transform(inputs.texts(TRAINING)), inputs.part(TRAINING).violating)
    return {name: model.decision_function(vectorizer.transform(inputs.texts(name))) for name in COLUMNS}


def seeded(
    inputs: Inputs, seeds: int, workers: int
) -> tuple[dict[str, list[Scores]], dict[str, Array], list[str]]:
    """All variants with all seeds, the peer, and what could not be trained."""
    found: dict[str, dict[int, Scores]] = {variant: {} for variant in VARIANTS}
    failed: list[str] = []
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        names = (TRAINING, *RECORDED, VALIDATION, *BUILT)
        for encoded in as_completed([pool.submit(encode, inputs, name) for name in names]):
            progress(f"encoded {encoded.result()}")
        jobs = {
            pool.submit(trained, inputs, variant, seed): (variant, seed)
            for seed in range(seeds)
            for variant in VARIANTS
        }
        said = pool.submit(peer, inputs)
        for count, future in enumerate(as_completed(jobs), 1):
            variant, seed = jobs[future]
            try:
                found[variant][seed], line = future.result()
            except CollapseError as error:
                line = str(error)
                failed.append(f"{variant}, seed {seed}: {line}")
            progress(f"{count} of {len(jobs)}: {variant}, seed {seed}: {line}")
        by_seed = {name: [scores[seed] for seed in sorted(scores)] for name, scores in found.items()}
        return by_seed, said.result(), failed


def by_column(scores: Sequence[Mapping[str, Array]]) -> Scorings:
    return {name: [one[name] for one in scores] for name in COLUMNS}


def report(inputs: Inputs, seeds: int, workers: int) -> None:
    networks, said, failed = seeded(inputs, seeds, workers)
    parts = {name: inputs.part(name) for name in COLUMNS}
    lines: dict[tuple[str, str], Scorings] = {}
    for variant, scores in networks.items():
        lines[variant, ALONE] = by_column([one.alone for one in scores])
        lines[variant, JOINED] = by_column([one.joined for one in scores])
    gains = analytic().gains
    lines[ANALYTIC, ""] = {c: [part.worst(composite(part.opinions, gains))] for c, part in parts.items()}
    lines[PEER, ""] = by_column([said])

    manifest = json.loads((inputs.plans / MANIFEST).read_text(encoding="utf-8"))
    print(
        HEAD.format(
            runs=len(inputs.part(TRAINING).encoded),
            build=f"{manifest['size']:,} samples, seed {manifest['seed']}",
            steps=recipe(FULL, 0, inputs.steps).contrast.steps,
            seeds=f"{seeds} seeds" if seeds > 1 else "one seed",
        )
    )
    print(counts(parts))
    for name, metric in METRICS.items():
        print(f"\n### {name}\n\nMean over seeds (lowest–highest).\n\n{means(metric, parts, lines)}")
        print("\n95% intervals by bootstrap over groups, of the mean over seeds.\n")
        print(intervals(metric, parts, lines))
        if seeds > 1:
            print(f"\n{verdict(name, metric, parts, lines[FULL, JOINED], lines[ANALYTIC, ''])}")
    if seeds == 1:
        print("\nOne seed has no spread, so nothing is said of who wins.")
    if failed:
        print(f"\nNot trained, and left out of the means: {'; '.join(failed)}.")
    print(f"\n{footer()} Trained on {inputs.device}, PyTorch {torch.__version__}.")


def build(folder: Path, size: int = SIZE, workers: int = 1) -> None:
    progress(f"building {size} samples ...")
    command = "import sys; from gatling.cli import main; sys.exit(main())"
    options = ["--preset", "offline", "--size", str(size), "--seed", str(SEED), "--plain"]
    options += ["--workers", str(workers)]
    run = [sys.executable, "-c", command, "build", str(folder), *options]
    subprocess.run(run, cwd=ROOT, stdout=sys.stderr, check=True)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--plans", type=Path, help="a build (default: one is made)")
    arguments.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)"
    )
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--steps", type=int, help="of the second stage (default: the recipe's)")
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments.add_argument("--work", type=Path, help="keeps what is encoded and trained, and goes on from it")
    given = arguments.parse_args()
    need(given.data, *(f"data/traces/{name}.jsonl.gz" for name in RECORDED), "data/tools/agentdyn.json")
    # Processes that are started inherit it; each has one core.
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary) / "work"
        (work / "encoded").mkdir(parents=True, exist_ok=True)
        plans = given.plans or work / "plans"
        if not (plans / MANIFEST).is_file():
            build(plans)
        report(Inputs(given.data, plans, work, given.device, given.steps), given.seeds, given.workers)


if __name__ == "__main__":
    main()
