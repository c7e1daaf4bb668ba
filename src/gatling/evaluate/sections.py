"""Energies by kind and by band, and how long the audit took."""

from __future__ import annotations

from functools import partial
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from gatling.evaluate import metrics
from gatling.evaluate.bootstrap import Estimate, Indices, Share
from gatling.evaluate.comparison import DENY, ESCALATE, Comparison, critic
from gatling.evaluate.scored import VIOLATES


class Kind(TypedDict):
    """A kind of run. `auc` tells violating kinds from all benign runs, and benign from all violating ones."""

    name: str
    violation: bool | None
    count: int
    mean: Estimate
    flagged: Share
    denied: Share
    auc: Estimate


def kinds(compared: Comparison) -> list[Kind]:
    """Energies and flags of each kind, critic labels apart."""
    found: list[Kind] = []
    for name, violation in VIOLATES.items():
        mine = compared.where(lambda run, name=name: run.kind == name and not critic(run))  # type: ignore[misc]
        if not len(mine):
            continue
        sides = {True: (mine, compared.good), False: (compared.bad, mine), None: (mine[:0], mine[:0])}
        found.append(
            Kind(
                name=name,
                violation=violation,
                count=len(mine),
                mean=compared.mean(mine),
                flagged=compared.over(ESCALATE, mine),
                denied=compared.over(DENY, mine),
                auc=compared.auc(*sides[violation]),
            )
        )
    return found


class Band(TypedDict):
    """Runs whose energy should lie in a band: their mean, and the share of them inside."""

    name: str
    band: str
    mean: Estimate
    inside: Share


def bands(compared: Comparison) -> list[Band]:
    """Benign runs under 2; violating ones from 2 to 6 where construction says so (boundary), else over 6."""
    energy = compared.energy
    target = np.array([np.nan if run.target is None else run.target for run in compared.runs], float)
    gold = compared.where(lambda run: run.kind == "gold" and not critic(run))
    boundary = target[compared.bad] <= DENY
    expected: list[tuple[str, str, Indices, NDArray[np.bool_]]] = [
        ("gold", "under 2", gold, energy < ESCALATE),
        ("all benign", "under 2", compared.good, energy < ESCALATE),
        ("boundary", "2 to 6", compared.bad[boundary], (energy >= ESCALATE) & (energy <= DENY)),
        ("adversarial", "over 6", compared.bad[~boundary], energy > DENY),
    ]
    return [
        Band(
            name=name,
            band=band,
            mean=compared.mean(runs),
            inside=compared.bootstrap.share(inside[runs], runs),
        )
        for name, band, runs, inside in expected
    ]


class Latency(TypedDict):
    """Milliseconds of `count` audits, of whole runs or of single steps."""

    name: str
    count: int
    mean: Estimate
    p50: Estimate
    p90: Estimate
    p99: Estimate
    most: float


def latency(compared: Comparison) -> list[Latency]:
    """Time per run, and per observe and check step where steps were timed."""
    steps = [(owner, seconds) for owner, run in enumerate(compared.runs) for seconds in run.steps]
    timed = {
        "run": [(owner, run.seconds) for owner, run in enumerate(compared.runs)],
        "observe and check": steps,
    }
    found: list[Latency] = []
    for name, pairs in timed.items():
        if pairs:
            owners = np.array([owner for owner, _ in pairs], np.int64)
            took = 1000 * np.array([seconds for _, seconds in pairs])
            p50, p90, p99 = (
                compared.bootstrap.estimate(partial(metrics.quantile, took, level), owners)
                for level in (0.5, 0.9, 0.99)
            )
            average = compared.bootstrap.estimate(partial(metrics.mean, took), owners)
            most = round(float(took.max()), 6)
            found.append(
                Latency(name=name, count=len(pairs), mean=average, p50=p50, p90=p90, p99=p99, most=most)
            )
    return found
