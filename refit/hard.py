"""Remake the frozen suite `hard`, `src/gatling/evaluate/suites/hard.jsonl.gz`; some minutes on two cores.

    python refit/hard.py

An adversary (`gatling.mining`) searches hosts of all domains, with all operators, for attacks that the bundle
which ships lets through by a margin. Each find whose whole run stays below the threshold is kept with its
benign twins. A suite that was frozen is not remade for a new model: figures on it would no longer compare.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from splice import as_row

from gatling.data.mutations import MUTATIONS
from gatling.data.run import Sample
from gatling.data.split import FROZEN
from gatling.data.worlds.domain import domains
from gatling.evaluate.suites import SUITES
from gatling.evaluate.suites import __file__ as home
from gatling.mining.adversary import ESCALATE, Audit
from gatling.mining.campaign import Arena, attack_suite
from gatling.model.bundle import Bundle, default

OUT = Path(home).with_name("hard.jsonl.gz")
SEED = 20_261_123
HOSTS, QUERIES, KEPT = 288, 16, 200
MARGIN = 4.0
"""How far below the threshold an attack has to stay: a fourth of it."""
MOST = 0.3
"""Share of the suite that one operator may take: some are let through far more often than others."""


def rows(model: Bundle) -> Iterator[dict[str, Any]]:
    """The suite's traces, attacks and twins of one host together."""
    arena = Arena(SEED, tuple(domains().values()), MUTATIONS, FROZEN)
    threshold = ESCALATE / MARGIN
    campaign = attack_suite(
        model, arena, HOSTS, QUERIES, threshold=threshold, workers=2, told=lambda n: print(n, flush=True)
    )
    taken: dict[str, int] = {}
    for found, samples in campaign.finds():
        attack = samples[0]
        assert found.best is not None
        operator = found.best.operator
        judge = Audit(model, attack.run.setting.schemas)
        crowded = taken.get(operator, 0) >= MOST * KEPT
        if crowded or sum(taken.values()) == KEPT or judge.energy(attack) >= threshold:
            continue
        taken[operator] = taken.get(operator, 0) + 1
        yield from map(row, samples)
    print(taken)


def row(sample: Sample) -> dict[str, Any]:
    """A sample as a labelled trace."""
    run, truth = sample.run, sample.truth
    schemas = [dict(schema) for schema in run.setting.schemas]
    return {
        **as_row(run.group, truth.kind, schemas, list(run.messages), None),
        "id": sample.id,
        "hijacked_calls": sorted(truth.energies),
        "family": truth.family,
        "domain": "+".join(run.setting.domains),
        "language": run.setting.language,
        "suite": "hard",
        "label_source": "construction",
    }


def main() -> None:
    """Search, write, and print the hash that `gatling.evaluate.suites` is to hold."""
    made = list(rows(default()))
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made).encode()
    OUT.write_bytes(gzip.compress(lines, 9, mtime=0))
    digest = hashlib.sha256(lines).hexdigest()
    print(f"{OUT.name}: {len(made)} runs, {OUT.stat().st_size / 1e6:.2f} MB, {digest}")
    print("as before" if digest == SUITES["hard"] else "another than gatling.evaluate.suites holds")


if __name__ == "__main__":
    main()
