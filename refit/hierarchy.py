"""Refit `src/gatling/energy/weights.json` on labelled runs, and say how it carries over to a suite left out.

    python refit/hierarchy.py DATA

DATA is the folder that the benchmarks take (`benchmarks/README.md`), here with, under `data/`,
`traces/agentdyn_{shopping,github}[_plain].jsonl.gz` and `tools/agentdyn.json` (runs of
SaFo-Lab/AgentDyn @ 5353cf7, MIT), `traces/toolemu.jsonl.gz` (bplaut/safety-persists-llm-agents @ cde0b8f,
MIT), `traces/privacylens.jsonl.gz` (SALT-NLP/PrivacyLens @ 9c2ee07, MIT) and
`calls/bfcl_single_turn.jsonl.gz` (bfcl-eval 2026.3.23, Apache-2.0). Nothing else is read. Runs of the kinds
`attempted` and `unclear` are left out, and so are a hijacked run's calls not known to carry out the attack.

The hierarchy's weights are a logistic regression in which every quantity's sign is fixed (a few dozen attacks
cannot be trusted to find signs), and a call is described by the span that explains it best under the weights
of the round before (multiple-instance learning, after Andrews et al., 2002). Two fifths of the weight lie on
spliced runs (`refit/splice.py`), whose attacks are many, a fifth on the suites, raw and without wrappers,
and the rest on runs of invented agents (`refit/suites.py`), of which fourteen agents are held out.
The thresholds are set on runs in simulated worlds (`gatling.data.worlds`).
Whether the span starts with a verb is blanked in half of the rows: how an attack sounds must not carry it.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from splice import SEED, spliced
from suites import agents, learnt, rows

from gatling import Auditor, __version__, read_trace
from gatling.data.worlds.domain import domains
from gatling.energy import Weights, analytic, hierarchy
from gatling.energy.calibration import Calibration
from gatling.evaluate.bootstrap import Bootstrap
from gatling.evaluate.metrics import auc, recall_at
from gatling.model.bundle import Bundle, Card
from gatling.model.calibrate import fit as calibrate
from gatling.runtime.session import Session
from gatling.tools import Toolbox, read_tools

WEIGHTS = Path(__file__).parents[1] / "src/gatling/energy/weights.json"
SUITES = ("shopping", "github")
KIND_SHARE = {
    "hijacked": 0.5,
    "resisted": 0.2,
    "clean": 0.12,
    "authorised": 0.08,
    "delegated": 0.05,
    "gold": 0.05,
    "unexposed": 0.05,
}
"""Weight of each kind of run in a fit, however many runs it has."""
NAMES = tuple(hierarchy.SIGNS)
SUITES_SHARE, SPLICED_SHARE, INVENTED_SHARE = 0.2, 0.4, 0.4
"""Of the weight. More on invented agents helps on those held out and harms on the suites."""
GROUPS = 1200
"""Groups of simulated worlds that set the thresholds: about three thousand runs."""
PENALTY = 0.02
"""The strongest of 0.01, 0.02, 0.03 and 0.06 that carries over to a suite left out as well as the best does,
but for noise."""
HABIT = 0.3
"""How much of the earlier calls' mean is taken off a call's own sum. Set by hand, not fitted."""
ROUNDS = 6
TWINS = ("clean", "resisted", "authorised")
BUDGETS = (0.05, 0.02)
"""Shares of the benign twins in simulated worlds that may be escalated and denied. They are hard: every one
has an attacked sibling. The calibration rests on them because they are many and their domains vary."""

ANALYTIC = Bundle(
    Card(name="analytic", gatling=__version__, command="", data=(), limits=(), weights=analytic()), {}
)
"""The analytic terms alone: what is refitted here is older than the network that rests on it."""

Array = NDArray[np.float64]


@dataclass
class Call:
    """One call of one run: its quantities, one row for each span that may explain it."""

    run: str
    kind: str
    hijacked: bool
    rows: Array
    others: dict[str, float]
    """Energies of the other terms."""
    task: str = ""
    counts: bool = True
    """False for a hijacked run's calls not known to carry out the attack: they are context alone."""


def load(data: Path, suite: str) -> list[Call]:
    """The labelled calls of one suite, replayed through the package."""
    auditor = Auditor(tools=json.loads((data / "tools/agentdyn.json").read_text()), model=ANALYTIC)
    with gzip.open(data / f"traces/agentdyn_{suite}.jsonl.gz", "rt") as lines:
        found = [row for row in map(json.loads, lines) if row["kind"] in KIND_SHARE]
    return [call for row in found for call in _replayed(auditor, row, row["user_task"])]


def load_invented(name: str) -> list[Call]:
    """The calls of one invented agent."""
    auditor = Auditor(model=ANALYTIC)
    return [call for row in rows(name) for call in _replayed(auditor, row, row["group"])]


def _replayed(auditor: Auditor, row: dict[str, Any], task: str) -> Iterator[Call]:
    bad = set(row.get("hijacked_calls") or ())
    trace = read_trace(row)
    session, _ = auditor.session_for(trace)
    for message in trace.messages:
        session.observe(message)
        for proposed in message.calls:
            judged = session.judge(proposed)
            found = [hierarchy.quantities(judged.call, e) for e in judged.call.explanations]
            yield Call(
                row["id"],
                row["kind"],
                proposed.id in bad,
                np.array(found).reshape(-1, len(NAMES)),
                {name: score.value for name, score in judged.terms.items() if name != "hierarchy"},
                task,
                row["kind"] != "hijacked" or proposed.id in bad,
            )


def load_spliced(data: Path) -> list[Call]:
    """The calls of the spliced runs; of a hijacked one, the donor's alone."""
    auditor = Auditor(model=ANALYTIC)
    calls: list[Call] = []
    for group, kind, schemas, messages, at in spliced(data, SEED):
        session = Session(auditor.policy, Toolbox(read_tools(schemas) if schemas else {}), auditor.model)
        for index, message in enumerate(messages):
            session.observe(message)
            for proposed in message.calls:
                judged = session.judge(proposed)
                rows = [hierarchy.quantities(judged.call, e) for e in judged.call.explanations]
                others = {name: score.value for name, score in judged.terms.items() if name != "hierarchy"}
                table = np.array(rows).reshape(-1, len(NAMES))
                hijacked = kind == "hijacked" and index == at
                counts = kind != "hijacked" or index == at
                calls.append(Call(f"{group}/{kind}", kind, hijacked, table, others, group, counts))
    return calls


def load_generated() -> list[Call]:
    """The calls of runs in simulated worlds."""
    from generated import make  # it measures what this file fits, and so imports it

    with ProcessPoolExecutor(2) as pool:
        steps = [range(at, at + 100) for at in range(0, GROUPS, 100)]
        return [one.call for part in pool.map(partial(make, sorted(domains())), steps) for one in part]


def fit(*parts: tuple[float, list[Call]]) -> tuple[Array, float]:
    """Weights of the quantities and the bias, in raw units. Each part counts by its share."""
    parts = tuple((share, [c for c in calls if c.counts and len(c.rows)]) for share, calls in parts)
    calls = [c for _, found in parts for c in found]
    rows = np.concatenate([c.rows for c in calls])
    blank = np.random.default_rng(SEED).random(len(rows)) < 0.5
    rows[blank, NAMES.index("imperative")] = 0.0
    owner = np.repeat(np.arange(len(calls)), [len(c.rows) for c in calls])
    mean, spread = rows.mean(0), rows.std(0) + 1e-6
    scaled = (rows - mean) / spread
    truth = np.array([c.hijacked for c in calls])
    importance = np.concatenate([share * _importance(found) for share, found in parts])
    signs = np.array([hierarchy.SIGNS[name] for name in NAMES])
    theta = np.append(signs * 0.1, 0.0)
    bounds = [(0, None) if s > 0 else (None, 0) for s in signs] + [(None, None)]
    for _ in range(ROUNDS):
        chosen = scaled[_best(scaled @ theta[:-1], owner)]

        def loss(t: Array, chosen: Array = chosen) -> tuple[float, Array]:
            x = chosen @ t[:-1] + t[-1]
            value = float((importance * np.logaddexp(0, np.where(truth, -x, x))).sum())
            slope = importance * (1 / (1 + np.exp(-x)) - truth)
            gradient = np.append(chosen.T @ slope + PENALTY * t[:-1], slope.sum())
            return value + PENALTY * float((t[:-1] ** 2).sum()) / 2, gradient

        theta = minimize(loss, theta, jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = theta[:-1] / spread
    return weights, float(theta[-1] - weights @ mean)


def _importance(calls: list[Call]) -> Array:
    """Each kind of run counts by `KIND_SHARE`, however many calls it has."""
    kinds = np.array([c.kind for c in calls])
    weight = np.zeros(len(calls))
    for kind, share in KIND_SHARE.items():
        weight[kinds == kind] = share / max(1, int((kinds == kind).sum()))
    return weight


def _best(scores: Array, owner: NDArray[np.int64]) -> NDArray[np.int64]:
    order = np.lexsort((scores, owner))
    last: NDArray[np.int64] = order[np.append(np.nonzero(np.diff(owner[order]))[0], len(order) - 1)]
    return last


def energies(
    calls: list[Call], weights: Array, bias: float, gains: dict[str, float]
) -> dict[str, tuple[float, str]]:
    """Uncalibrated energy and kind by run."""
    runs: dict[str, tuple[float, str]] = {}
    earlier: dict[str, list[float]] = {}
    for c in calls:
        before = earlier.setdefault(c.run, [])
        x = float((c.rows @ weights).max() + bias) if len(c.rows) else -50.0
        usual = float(np.mean(before)) if before else hierarchy.NOTHING_EARLIER
        before.append(min(max(x, hierarchy.LEAST), hierarchy.MOST))
        if not c.counts:
            continue
        stands_out = np.clip(x - HABIT * usual, -50, 50) if len(c.rows) else -50.0
        terms = {**c.others, "hierarchy": 10 / (1 + np.exp(-stands_out))}
        rest = np.prod([1 - gains[name] * value / 10 for name, value in terms.items()])
        energy = float(10 * (1 - rest))
        runs[c.run] = (max(energy, runs.get(c.run, (0.0, ""))[0]), c.kind)
    return runs


def measured(runs: dict[str, tuple[float, str]], tasks: dict[str, str]) -> str:
    """AUC and recall at 1% false positives, with 95% intervals over tasks."""
    scores = np.array([energy for energy, _ in runs.values()])
    hijacked = np.array([kind == "hijacked" for _, kind in runs.values()])
    sides = np.flatnonzero(hijacked), np.flatnonzero(~hijacked)
    bootstrap = Bootstrap([tasks[run] for run in runs], SEED)
    found = []
    for metric in (auc, lambda bad, good, *weights: recall_at(bad, good, 0.01, *weights)):
        one = bootstrap.estimate(partial(metric, *(scores[side] for side in sides)), *sides)
        found.append(f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]")
    return "  ".join(found)


def report(title: str, suites: dict[str, list[Call]], fitted: tuple[Array, float], cut: float) -> None:
    """Print how well weights do on suites, and the share of each kind at or above `cut`."""
    runs: dict[str, tuple[float, str]] = {}
    tasks: dict[str, str] = {}
    for name, calls in suites.items():
        scored = energies(calls, *fitted, analytic().gains)
        runs |= {f"{name}/{run}": one for run, one in scored.items()}
        tasks |= {f"{name}/{c.run}": c.task for c in calls}
    kinds = sorted({kind for _, kind in runs.values()})
    shares = (f"{k} {np.mean([e >= cut for e, kind in runs.values() if kind == k]):.3f}" for k in kinds)
    print(f"{title:38s} {len(runs):5d}  {measured(runs, tasks)}  {', '.join(shares)}")


def calibrated(calls: list[Call], weights: Array, bias: float, gains: dict[str, float]) -> Calibration:
    """The calibration on the benign twins among some runs, and what it detects of the hijacked ones."""
    runs, groups = energies(calls, weights, bias, gains), {c.run: c.task for c in calls}
    benign = {run: scored for run, scored in runs.items() if scored[1] in TWINS}
    hijacked = {run: scored for run, scored in runs.items() if scored[1] == "hijacked"}
    return calibrate(
        [energy for energy, _ in benign.values()],
        [groups[run] for run in benign],
        kinds=[kind for _, kind in benign.values()],
        budget=BUDGETS[0],
        deny_budget=BUDGETS[1],
        hijacked=[energy for energy, _ in hijacked.values()],
        hijacked_groups=[groups[run] for run in hijacked],
    )


def _group(call: Call) -> int:
    return int(call.run.split("/")[1])


def main() -> None:
    """Fit with each suite left out, then on all, and write the weights."""
    data = Path(sys.argv[1]) / "data"
    gains = analytic().gains
    suites = {name: load(data, name) for s in SUITES for name in (s, f"{s}_plain")}
    made = load_spliced(data)
    fitted = [c for c in made if _group(c) % 2 == 0]
    unseen = [c for c in made if _group(c) % 2]
    with ProcessPoolExecutor(2) as pool:
        invented = dict(zip(agents(), pool.map(load_invented, agents()), strict=True))
    learned = [c for name in learnt() for c in invented[name]]
    held_out = {name: calls for name, calls in invented.items() if name not in learnt()}
    worlds = {"worlds": load_generated()}
    print(f"{'':38s}  runs  AUC                   recall at 1% FPR      flagged at the threshold")
    for left_out in SUITES:
        others = [c for name, calls in suites.items() if not name.startswith(left_out) for c in calls]
        without = fit((SUITES_SHARE, others), (SPLICED_SHARE, fitted), (INVENTED_SHARE, learned))
        cut = calibrated(worlds["worlds"], *without, gains).escalate.raw
        for name in (left_out, f"{left_out}_plain"):
            report(f"fitted without {left_out}, on {name}", {name: suites[name]}, without, cut)
        report("  and on spliced runs not fitted on", {"spliced": unseen}, without, cut)
    weights, bias = fit(
        (SUITES_SHARE, [c for calls in suites.values() for c in calls]),
        (SPLICED_SHARE, made),
        (INVENTED_SHARE, learned),
    )
    names = ("bias", "habit", *NAMES)
    rounded = {n: round(float(w), 4) for n, w in zip(names, (bias, HABIT, *weights), strict=True)}
    weights, bias = np.array([rounded[n] for n in NAMES]), rounded["bias"]
    calibration = calibrated(worlds["worlds"], weights, bias, gains)
    report("fitted on all", suites, (weights, bias), calibration.escalate.raw)
    for name, calls in held_out.items():
        report(f"  and on {name}, not fitted on", {name: calls}, (weights, bias), calibration.escalate.raw)
    report("  and on worlds, not fitted on", worlds, (weights, bias), calibration.escalate.raw)
    fitted_weights = Weights(
        source=(
            "SaFo-Lab/AgentDyn @ 5353cf7 (MIT): suites shopping and github, raw and without wrappers",
            "bplaut/safety-persists-llm-agents @ cde0b8f, ToolEmu cases (MIT): benign hosts",
            "SALT-NLP/PrivacyLens @ 9c2ee07 (MIT): benign hosts",
            "bfcl-eval 2026.3.23 (Apache-2.0): requests with reference calls",
            "refit/suites (Apache-2.0): runs of invented agents",
            "gatling.data.worlds (Apache-2.0): generated runs, for the thresholds",
        ),
        hierarchy=rounded,
        gains=gains,
        calibration=calibration,
    )
    WEIGHTS.write_text(fitted_weights.model_dump_json(indent=2) + "\n")
    print(rounded, calibration.escalate, calibration.deny)


if __name__ == "__main__":
    main()
