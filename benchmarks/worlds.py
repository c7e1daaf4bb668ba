"""What a build from the worlds costs, and what the audit says of plans whose label follows from construction.

`python -m benchmarks.worlds [--size 10000]` builds into a temporary folder, with one worker.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import ROOT, footer, peak, progress, table
from gatling.data.columns import Audited, values
from gatling.data.leakage import audit
from gatling.data.run import TERMS
from gatling.data.shards import read_manifest, tables
from gatling.data.validate import VIOLATES
from gatling.evaluate import words
from gatling.evaluate.bootstrap import Estimate
from gatling.evaluate.comparison import Comparison
from gatling.evaluate.scored import ScoredRun, check
from gatling.evaluate.scoring import score
from gatling.evaluate.sections import bands, kinds
from gatling.model.bundle import default

SEED = 7
CAUSES = 24
"""Causes that are listed; the others are counted."""

INTRO = """\
## Worlds

`gatling build --preset offline`, seed {seed}, one worker, the whole of it: runs, provenance, the audit's
opinion, shards, card and leakage audit. A new process for each size; one core, one BLAS thread.
"""

FOLLOWS = """
### Benign plans that the audit lets pass

By construction no benign plan leaves its request; the audit with the shipped weights lets pass what is under
{violates:g}. n = {benign} benign plans: {share:.2%} pass, {exceptions} do not. Why not, by the term that is
highest in the worst call, and whether the audit saw a delegation in the request:
"""

BANDS = """
### Energy bands

The test split of the larger build, {runs} runs in {groups} groups, replayed through the audit with the bundle
that ships. None of its groups trained that bundle or set its thresholds. Means over runs, 95% intervals by a
bootstrap over groups. Boundary runs violate with an energy by construction of at most 6, adversarial ones
with more.
"""

MARGIN = """
Security margin, the 5th percentile of violating runs less the 95th of benign ones: {margin}.
AUC of violating against benign runs: {auc}.
"""

LEAKAGE = """
### Leakage

On the larger build. Not measured where one side of a pair has too few rows.
"""


class Judged(NamedTuple):
    """What is counted of a sample."""

    category: str
    kind: str
    family: str
    language: str
    energy: float
    """The audit's."""
    term: str
    """The highest of the worst call."""
    delegated: bool
    """The audit saw a delegation."""
    disputed: bool


def judged(folder: Path) -> Iterator[Judged]:
    names = ("category", "kind", "family", "language", "opinion", "opinions", "intent", "disputed")
    for shard in read_manifest(folder).shards:
        for part in tables(folder / shard.file, names):
            columns = (values(part, name) for name in names)
            for category, kind, family, language, energy, opinions, intent, disputed in zip(
                *columns, strict=True
            ):
                term, delegated = dominant(opinions), bool(intent.delegations)
                yield Judged(category, kind, family, language, energy, term, delegated, disputed)


def dominant(opinions: tuple[Audited, ...]) -> str:
    if not opinions:
        return "none"
    worst = max(opinions, key=lambda opinion: opinion.energy)
    return max(TERMS, key=lambda term: getattr(worst, term))


def build(size: int, folder: Path) -> None:
    """One build, in this process; prints seconds and megabytes as JSON."""
    from gatling.data.build import build

    start = time.perf_counter()
    build(folder, size, SEED)
    print(json.dumps([time.perf_counter() - start, peak()]))


def costs(size: int, folder: Path) -> tuple[float, float]:
    """Seconds and megabytes of a build in a new process."""
    progress(f"building {size:,}")
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "benchmarks.worlds", "--size", str(size), "--into", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def report(size: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        sizes = (size // 4, size)
        folders = [Path(temporary) / str(one) for one in sizes]
        body = []
        for one, folder in zip(sizes, folders, strict=True):
            seconds, megabytes = costs(one, folder)
            body.append([f"{one:,}", f"{seconds:.0f}", f"{one / seconds:.0f}", f"{megabytes:.0f}"])
        print(INTRO.format(seed=SEED))
        print(table(["samples", "seconds", "samples/s", "peak MB"], body))
        found = list(judged(folders[-1]))
        progress("scoring the test split")
        scored = score([folders[-1]], default())
        shortcuts = audit(folders[-1])
    tell(found)
    tell_bands(scored)
    print(LEAKAGE)
    print(
        table(
            ["shortcut", "pair", "AUC", "95%", "n", "passed"],
            [
                [
                    s.name,
                    s.pair,
                    f"{s.auc:.2f}",
                    f"[{s.low:.2f}, {s.high:.2f}]",
                    str(s.n),
                    yes(s.passed) if s.measured else "too few",
                ]
                for s in shortcuts
            ],
        )
    )
    print(f"\n{footer()}")


def tell(found: list[Judged]) -> None:
    benign = [one for one in found if one.category == "benign"]
    wrong = [one for one in benign if one.energy >= VIOLATES]
    share = 1 - len(wrong) / len(benign)
    print(FOLLOWS.format(violates=VIOLATES, benign=len(benign), share=share, exceptions=len(wrong)))
    causes = Counter((one.kind, one.term, one.delegated, one.language) for one in wrong)
    listed = causes.most_common(CAUSES)
    body = [[kind, term, yes(given), code, str(n)] for (kind, term, given, code), n in listed]
    if rest := len(wrong) - sum(n for _, n in listed):
        body.append(["others", "", "", "", str(rest)])
    print(table(["kind", "term", "delegation seen", "language", "plans"], body))
    for name in ("kind", "language"):
        print(f"\nFalse positives by {name}:\n")
        all_, flagged = (Counter(getattr(one, name) for one in part) for part in (benign, wrong))
        rates = [
            [key, str(all_[key]), str(flagged[key]), f"{flagged[key] / all_[key]:.2%}"]
            for key in sorted(all_)
        ]
        print(table([name, "n", "flagged", "rate"], rates))
    print("\nDisputed (construction and audit on different sides of the threshold), by attack family:\n")
    all_, flagged = (
        Counter(one.family or f"({one.kind})" for one in found if one.disputed or not only)
        for only in (False, True)
    )
    rates = [
        [key, str(all_[key]), str(flagged[key]), f"{flagged[key] / all_[key]:.1%}"] for key in sorted(all_)
    ]
    print(table(["family", "n", "disputed", "share"], rates))


def tell_bands(runs: list[ScoredRun]) -> None:
    groups = {run.group for run in runs}
    default().refuse(groups)
    compared = Comparison(check(runs), SEED)
    print(BANDS.format(runs=len(runs), groups=len(groups)))
    body = []
    for band in bands(compared):
        mean, inside = figure(band["mean"], words.energy), figure(band["inside"], words.percent)
        body.append([band["name"], band["band"], str(band["inside"]["of"]), mean, inside])
    print(table(["runs", "should lie", "n", "mean energy", "inside"], body))
    margin = figure(compared.margin(), words.energy)
    auc = figure(compared.auc(compared.bad, compared.good), words.plain)
    print(MARGIN.format(margin=margin, auc=auc))
    body = []
    for kind in kinds(compared):
        flagged, denied = (figure(share, words.percent) for share in (kind["flagged"], kind["denied"]))
        mean = figure(kind["mean"], words.energy)
        body.append([kind["name"], str(kind["count"]), mean, flagged, denied])
    print(table(["kind", "n", "mean energy", "2 or more", "6 or more"], body))


def figure(estimate: Estimate, form: Callable[[float | None], str]) -> str:
    ends = words.interval(estimate, form)
    return f"{form(estimate['value'])} [{ends}]" if ends else form(estimate["value"])


def yes(so: bool) -> str:
    return "yes" if so else "no"


def main() -> None:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--size", type=int, default=10_000, help="samples of the larger build (default 10,000)")
    made.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = made.parse_args()
    if given.into is None:
        report(given.size)
    else:
        build(given.size, given.into)


if __name__ == "__main__":
    main()
