"""How far generated data alone carries: the hierarchy refitted on worlds, then tried on real runs.

    python refit/generated.py DATA [GROUPS]

DATA is the folder that the benchmarks take (`benchmarks/README.md`). Nothing of it is fitted on: the real
runs are read for the test alone, and tool knowledge, vectors and gains are those that ship. Prints AUC and
recall at 1% false positives per suite, raw and without wrappers, with 95% intervals over tasks, for a fit on
everything and for ablations: one language or six, without twins, without delegation, without obfuscation,
with half of the domains. Writes nothing. GROUPS (default 4,000) groups make about ten thousand samples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from hierarchy import NAMES, Call, energies, fit, load, measured
from splice import SEED

from gatling.data.groups import group
from gatling.data.label import compute
from gatling.data.worlds.domain import Domain, domains
from gatling.energy import analytic, hierarchy

SUITES = ("dailylife", "shopping", "github")
TESTS = {
    "dailylife": ("dailylife",),
    "dailylife, plain": ("dailylife_plain",),
    "shopping + github": ("shopping", "github"),
    "shopping + github, plain": ("shopping_plain", "github_plain"),
}


@dataclass
class Made:
    """A call of a generated run, and what an ablation may leave out by."""

    call: Call
    family: str
    language: str
    delegates: bool
    half: bool
    """Its main domain is in the first half of the alphabet."""


def _half(domain: str) -> bool:
    return sorted(domains()).index(domain) < len(domains()) // 2


def make(chosen: Sequence[str], indices: range) -> list[Made]:
    """The calls of some groups."""
    pool: list[Domain] = [domains()[name] for name in chosen]
    found: list[Made] = []
    for index in indices:
        samples = [s for s in group(index, SEED, pool) if s.truth.kind != "mutated"]
        for sample, computed in zip(samples, compute([s.run for s in samples]), strict=True):
            for node, opinion in zip(computed.plan.calls, computed.opinions, strict=True):
                bad = node.id in sample.truth.energies
                rows = [hierarchy.quantities(node, e) for e in node.explanations]
                others = {name: value for name, value in opinion.terms.items() if name != "hierarchy"}
                counts = sample.truth.kind != "hijacked" or bad
                table = np.array(rows).reshape(-1, len(NAMES))
                call = Call(sample.id, sample.truth.kind, bad, table, others, sample.run.group, counts)
                found.append(
                    Made(
                        call,
                        sample.truth.family,
                        sample.run.setting.language,
                        bool(sample.run.delegated),
                        all(map(_half, sample.run.setting.domains)),
                    )
                )
    return found


ABLATIONS: dict[str, Callable[[Made], bool]] = {
    "all": lambda made: True,
    "English alone": lambda made: made.language == "en",
    "English, without twins": lambda made: (
        made.language == "en" and made.call.kind in ("hijacked", "gold", "clean")
    ),
    "English, without delegation": lambda made: made.language == "en" and not made.delegates,
    "English, without obfuscation": lambda made: made.language == "en" and made.family != "obfuscation",
    "English, half the domains": lambda made: made.language == "en" and made.half,
}


def main() -> None:
    """Make, fit, and print the table."""
    data, count = Path(sys.argv[1]) / "data", int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    gains = dict(analytic().gains)
    with ProcessPoolExecutor(2) as pool:
        steps = [range(at, min(at + 100, count)) for at in range(0, count, 100)]
        made = [one for part in pool.map(partial(make, sorted(domains())), steps) for one in part]
        names = [f"{suite}{plain}" for suite in SUITES for plain in ("", "_plain")]
        real = dict(zip(names, pool.map(partial(load, data), names), strict=True))
    print(f"{count} groups, {len({m.call.run for m in made})} runs, {len(made)} calls; seed {SEED}")
    print(f"{'fitted on generated runs: ':30s}{'tested on':26s}AUC                   recall at 1% FPR")
    for title, keep in ABLATIONS.items():
        weights, bias = fit((1.0, [m.call for m in made if keep(m)]))
        for test, suites in TESTS.items():
            runs = {
                f"{suite}/{run}": scored
                for suite in suites
                for run, scored in energies(real[suite], weights, bias, gains).items()
            }
            tasks = {f"{suite}/{c.run}": f"{suite}/{c.task}" for suite in suites for c in real[suite]}
            print(f"{title:30s}{test:26s}{measured(runs, tasks)}", flush=True)


if __name__ == "__main__":
    main()
