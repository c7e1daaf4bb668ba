"""Refit `src/gatling/energy/weights.json` on labelled runs, and say how it carries over to a suite left out.

    python refit/hierarchy.py TRAINING_DATA

TRAINING_DATA is a folder with `traces/agentdyn_{shopping,github}[_plain].jsonl.gz` and `tools/agentdyn.json`
(runs of SaFo-Lab/AgentDyn @ 5353cf7, MIT). Nothing else is read. Runs of the kinds `attempted` and `unclear`
are left out, and so are a hijacked run's calls that are not known to carry out the attack.

The hierarchy's weights are a logistic regression in which every quantity's sign is fixed (a few dozen attacks
cannot be trusted to find signs), and a call is described by the span that explains it best under the weights
of the round before (multiple-instance learning, after Andrews et al., 2002). Attack wrappers and their bare
goals count equally, so that the wrapper cannot be what is learned.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from gatling import Auditor, read_trace
from gatling.energy import hierarchy

WEIGHTS = Path(__file__).parents[1] / "src/gatling/energy/weights.json"
SUITES = ("shopping", "github")
KIND_SHARE = {"hijacked": 0.5, "resisted": 0.2, "clean": 0.15, "authorised": 0.1, "unexposed": 0.05}
NAMES = tuple(hierarchy.SIGNS)
PENALTY = 0.05
ROUNDS = 6

FALSE_POSITIVES = ((0.04, 2.0), (0.005, 6.0))
"""Shares of benign runs above each energy, on the runs fitted on."""

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


def load(data: Path, suite: str) -> list[Call]:
    """The labelled calls of one suite, replayed through the package."""
    auditor = Auditor(tools=json.loads((data / "tools/agentdyn.json").read_text()))
    calls: list[Call] = []
    with gzip.open(data / f"traces/agentdyn_{suite}.jsonl.gz", "rt") as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            if row["kind"] not in KIND_SHARE:
                continue
            bad = set(row.get("hijacked_calls") or ())
            session = auditor.session()
            for message in read_trace(row).messages:
                session.observe(message)
                for proposed in message.calls:
                    judged = session.judge(proposed)
                    if row["kind"] == "hijacked" and proposed.id not in bad:
                        continue
                    rows = [hierarchy.quantities(judged.call, e) for e in judged.call.explanations]
                    others = {
                        name: score.value for name, score in judged.terms.items() if name != "hierarchy"
                    }
                    calls.append(
                        Call(
                            row["id"],
                            row["kind"],
                            proposed.id in bad,
                            np.array(rows).reshape(-1, len(NAMES)),
                            others,
                        )
                    )
    return calls


def fit(calls: list[Call]) -> tuple[Array, float]:
    """Weights of the quantities and the bias, in raw units."""
    calls = [c for c in calls if len(c.rows)]
    rows = np.concatenate([c.rows for c in calls])
    owner = np.repeat(np.arange(len(calls)), [len(c.rows) for c in calls])
    mean, spread = rows.mean(0), rows.std(0) + 1e-6
    scaled = (rows - mean) / spread
    truth = np.array([c.hijacked for c in calls])
    kinds = np.array([c.kind for c in calls])
    importance = np.zeros(len(calls))
    for kind, share in KIND_SHARE.items():
        importance[kinds == kind] = share / max(1, int((kinds == kind).sum()))
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


def _best(scores: Array, owner: NDArray[np.int64]) -> NDArray[np.int64]:
    order = np.lexsort((scores, owner))
    last: NDArray[np.int64] = order[np.append(np.nonzero(np.diff(owner[order]))[0], len(order) - 1)]
    return last


def energies(
    calls: list[Call], weights: Array, bias: float, gains: dict[str, float]
) -> dict[str, tuple[float, str]]:
    """Uncalibrated energy and kind by run."""
    runs: dict[str, tuple[float, str]] = {}
    for c in calls:
        x = float((c.rows @ weights).max() + bias) if len(c.rows) else -50.0
        terms = {**c.others, "hierarchy": 10 / (1 + np.exp(-np.clip(x, -50, 50)))}
        rest = np.prod([1 - gains[name] * value / 10 for name, value in terms.items()])
        energy = float(10 * (1 - rest))
        runs[c.run] = (max(energy, runs.get(c.run, (0.0, ""))[0]), c.kind)
    return runs


def report(title: str, runs: dict[str, tuple[float, str]], cut: float) -> None:
    """Print AUC, and the share of each kind at or above `cut`."""
    hijacked = [e for e, kind in runs.values() if kind == "hijacked"]
    benign = [e for e, kind in runs.values() if kind != "hijacked"]
    auc = roc_auc_score([1] * len(hijacked) + [0] * len(benign), hijacked + benign)
    shares = {k: f"{np.mean([e >= cut for e, kind in runs.values() if kind == k]):.3f}" for k in KIND_SHARE}
    print(f"{title:38s} AUC {auc:.3f}  flagged {shares}")


def threshold(runs: dict[str, tuple[float, str]], share: float) -> float:
    """The energy that at most this share of the runs of every benign kind reaches."""
    benign = [k for k in KIND_SHARE if k != "hijacked"]
    cuts = [np.quantile([e for e, kind in runs.values() if kind == k], 1 - share) for k in benign]
    return float(max(cuts))


def main() -> None:
    """Fit with each suite left out, then on all, and write the weights."""
    data = Path(sys.argv[1])
    gains = json.loads(WEIGHTS.read_text())["gains"]
    suites = {name: load(data, name) for s in SUITES for name in (s, f"{s}_plain")}
    for left_out in SUITES:
        others = [c for name, calls in suites.items() if not name.startswith(left_out) for c in calls]
        weights, bias = fit(others)
        cut = threshold(energies(others, weights, bias, gains), FALSE_POSITIVES[0][0])
        for name in (left_out, f"{left_out}_plain"):
            report(f"fitted without {left_out}, on {name}", energies(suites[name], weights, bias, gains), cut)
    everything = [c for calls in suites.values() for c in calls]
    weights, bias = fit(everything)
    runs: dict[str, tuple[float, str]] = {}
    for name, calls in suites.items():
        runs.update({f"{name}/{k}": v for k, v in energies(calls, weights, bias, gains).items()})
    points = [
        [0.0, 0.0],
        *([round(threshold(runs, share), 4), energy] for share, energy in FALSE_POSITIVES),
        [10.0, 10.0],
    ]
    report("fitted on all", runs, points[1][0])
    shipped = {
        "source": "SaFo-Lab/AgentDyn @ 5353cf7 (MIT), suites shopping and github, raw and plain",
        "hierarchy": {
            "bias": round(bias, 4),
            **{n: round(float(w), 4) for n, w in zip(NAMES, weights, strict=True)},
        },
        "gains": gains,
        "calibration": points,
    }
    WEIGHTS.write_text(json.dumps(shipped, indent=2) + "\n")
    print(json.dumps(shipped["hierarchy"]), points)


if __name__ == "__main__":
    main()
