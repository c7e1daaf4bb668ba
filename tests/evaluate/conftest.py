"""Scored runs made up for tests: as many as wanted, of all kinds, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gatling.evaluate import ScoredCall, ScoredRun
from gatling.evaluate.scored import VIOLATES

TERMS = ("hierarchy", "provenance", "scope", "flow")


@pytest.fixture(scope="session")
def run() -> Callable[..., ScoredRun]:
    """One run of one call; whatever is named differs."""

    def make(id: str, kind: str, energy: float, **fields: Any) -> ScoredRun:
        call = ScoredCall("c1", "send_email", energy, {"flow": energy}, VIOLATES[kind] is True, None, ())
        known: dict[str, Any] = {
            "group": id,
            "dataset": "data",
            "split": "test",
            "kind": kind,
            "violation": VIOLATES[kind],
            "family": "",
            "domain": "mail",
            "suite": "",
            "language": "en",
            "label_source": "construction",
            "plan_origin": "generated",
            "calls": (call,),
            "seconds": 0.01,
            "steps": (),
        }
        return ScoredRun(id=id, **{**known, **fields})

    return make


@pytest.fixture(scope="session")
def runs(run: Callable[..., ScoredRun]) -> Callable[..., list[ScoredRun]]:
    """Many runs in groups of three, with three calls each and some errors of both sorts."""

    def make(count: int, kinds: Sequence[str] = tuple(VIOLATES), seed: int = 0) -> list[ScoredRun]:
        rng = np.random.default_rng(seed)
        return [_run(run, n, kinds[n % len(kinds)], rng) for n in range(count)]

    return make


def _run(run: Callable[..., ScoredRun], number: int, kind: str, rng: np.random.Generator) -> ScoredRun:
    bad = VIOLATES[kind] is True
    # A tenth is rounded to, so that there are ties.
    worst = round(float(10 * (rng.beta(3, 1.5) if bad else rng.beta(0.7, 5))), 1)
    calls = []
    for place, energy in enumerate((worst / 4, worst, worst / 2)):
        terms = {term: round(energy * float(rng.random()), 3) for term in (*TERMS, "latent")}
        target = {term: min(10.0, value + (3.0 if bad else 0.0)) for term, value in terms.items()}
        target.pop("latent")
        evidence = (f"to: call {place} sends it where mail {number} says",)
        calls.append(
            ScoredCall(f"c{place}", "send_email", energy, terms, bad and place == 1, target, evidence)
        )
    return run(
        f"r{number:04}",
        kind,
        worst,
        group=f"g{number // 3}",
        family=f"family {number % 5}" if bad else "",
        domain=("mail", "drive", "banking", "wiki")[number // 3 % 4],
        suite=("office", "shop")[number // 3 % 2],
        language=("en", "de")[number % 2],
        calls=tuple(calls),
        seconds=round(0.001 + float(rng.gamma(2, 0.002)), 6),
        steps=tuple(round(float(x), 6) for x in rng.gamma(2, 0.001, 3)),
    )
