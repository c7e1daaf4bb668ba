"""What mining must not cost and what it should win: benign recorded runs, the adversary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import need, rows, table
from gatling.evaluate.assembly import assemble
from gatling.evaluate.scoring import score
from gatling.mining.adversary import ESCALATE
from gatling.mining.campaign import arena, attack_suite, threshold_at
from gatling.model.bundle import Bundle
from gatling.model.network import LATENT

BENIGN = {"agentdyn_dailylife": ("clean", "resisted"), "tau_airline": ("clean",)}
"""Files of recorded runs, and their kinds that are benign with a poison, or none, read."""

HOSTS, QUERIES, SEED = 96, 16, 4_001
"""Of the adversary; mining's seeds are others, and draw from other random numbers."""
AFTER = (1, 4, 16)
RATE = 0.02
"""Share of the adversary's benign runs that is flagged, for every model alike."""


class Checked(NamedTuple):
    """What came of one model."""

    flagged: Mapping[str, tuple[int, int]]
    """`file kind` -> runs flagged, of so many."""
    success: tuple[float, ...]
    """Share of hosts on which the adversary got through, after `AFTER` queries."""
    alone: tuple[float, ...]
    """The same where the network decides alone."""


def benign(data: Path, work: Path) -> list[Path]:
    """The benign recorded runs, each kind a file."""
    found = []
    for name, kinds in BENIGN.items():
        (path,) = need(data, f"data/traces/{name}.jsonl.gz")
        for kind in kinds:
            out = work / f"{name} {kind}.jsonl"
            if not out.exists():
                out.write_text("".join(json.dumps(r) + "\n" for r in rows(path) if r["kind"] == kind))
            found.append(out)
    return found


def checked(data: Path, work: Path, plans: Path, trained: Path) -> Checked:
    """Make a bundle of a trained network, with thresholds from the build's validation split, and try it."""
    kept = trained / "checked.json"
    if kept.exists():
        return Checked(*json.loads(kept.read_text()))
    bundle: Bundle = assemble(
        trained, [plans], name="mining", command="python -m benchmarks.mining", budget=RATE
    )
    tools = json.loads(need(data, "data/tools/agentdyn.json")[0].read_text(encoding="utf-8"))
    flagged = {}
    for path in benign(data, work):
        energies = [run.energy for run in score([path], bundle, tools=tools)]
        flagged[path.stem] = (sum(energy >= ESCALATE for energy in energies), len(energies))
    found = Checked(flagged, attacked(bundle), attacked(deciding(bundle)))
    kept.write_text(json.dumps(found))
    return found


def attacked(bundle: Bundle) -> tuple[float, ...]:
    """The adversary's success after `AFTER` queries, where `RATE` of its benign runs are flagged."""
    where = arena(SEED)
    threshold = threshold_at(bundle, where, HOSTS, RATE)
    campaign = attack_suite(bundle, where, HOSTS, QUERIES, threshold=threshold)
    return tuple(campaign.success(queries) for queries in AFTER)


def deciding(bundle: Bundle) -> Bundle:
    """The bundle in which no term but the network's counts."""
    gains = {term: float(term == LATENT) for term in bundle.weights.gains}
    weights = bundle.weights.model_copy(update={"gains": gains})
    return Bundle(bundle.card.model_copy(update={"weights": weights}), bundle.arrays, bundle.groups)


def tables(found: Mapping[str, list[Checked]]) -> str:
    """Both tables: by what the model is, its seeds."""
    files = [*next(iter(found.values()))[0].flagged]
    flags = [
        [name, *(" / ".join(f"{one.flagged[f][0] / one.flagged[f][1]:.1%}" for one in seeds) for f in files)]
        for name, seeds in found.items()
    ]
    counts = ["n", *(f"{next(iter(found.values()))[0].flagged[f][1]:,}" for f in files)]
    wins = [
        [
            name,
            how,
            *(" / ".join(f"{getattr(one, side)[at]:.2f}" for one in seeds) for at in range(len(AFTER))),
        ]
        for side, how in (("success", "the bundle"), ("alone", "the network alone"))
        for name, seeds in found.items()
    ]
    return f"""
### Benign recorded runs that are flagged

Bundles of the models, thresholds at {RATE:.0%} of the build's benign validation runs; seeds side by side.

{table(["", *files], [counts, *flags])}

### The adversary

Share of {HOSTS} fresh hosts on which it finds an attack below the threshold at which {RATE:.0%} of these
hosts' own benign runs are flagged, after so many queries; seeds side by side.

{table(["", "against", *(f"{n} queries" if n > 1 else "1 query" for n in AFTER)], wins)}"""
