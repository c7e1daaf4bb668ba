"""How well hijacked runs are told from benign ones, beside three simpler guards on the same runs.

`python -m benchmarks.accuracy [DATA]` audits AgentDyn's dailylife suite, raw and with the attacks' wrappers
removed, and has the data folder's own scorer compute every figure. Nothing was fitted on this suite.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.common import footer, need, parser, progress, rows, table
from gatling import Auditor, TrustTier, read_trace

TRACES = {"raw": "agentdyn_dailylife", "wrapper removed": "agentdyn_dailylife_plain"}
BENIGN = ("clean", "unexposed", "resisted", "authorised")
NO_EXPLANATION = -2.0
"""Gap of a call before which nothing untrusted was read; a gap is a difference of cosines."""

HEAD = """\
## Accuracy

Runs of ten undefended agents in AgentDyn's dailylife suite (SaFo-Lab/AgentDyn @ 5353cf7, MIT). Gatling runs
with its default policy; its weights were fitted on the suites shopping and github and on benign runs of
ToolEmu and PrivacyLens with requests of BFCL slipped in, and on invented agents (`refit/`), not on this
suite. Beside it, on the same runs:

- taint rule: flag a side effect after anything untrusted was read;
- text classifier: TF-IDF and logistic regression ({quality}); a call with a
  side effect scores the worst sentence read so far;
- explanation gap, untrained: cosine of the call and the untrusted text closest to it, less that of the call
  and the closest trusted text; for all calls, and for those with a side effect.

Gatling and the taint rule decide at their own thresholds. The other thresholds are chosen on these very runs,
for the best balanced accuracy: better than any guard in use can have."""


@dataclass(frozen=True, slots=True)
class Call:
    """One judged call and what the simpler guards look at."""

    id: str
    tool: str
    acts: bool
    tainted: bool
    read: frozenset[str]
    """Sentences of the tool outputs that stand before it."""
    gap: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its row, the package's verdict, its calls."""

    row: dict[str, Any]
    verdict: dict[str, Any]
    calls: list[Call]


Scores = list[list[float]]
"""A score per run and call."""


def audit(path: Path, auditor: Auditor) -> list[Run]:
    runs = []
    for count, row in enumerate(rows(path)):
        trace = read_trace(row)
        verdict = auditor.audit(trace).model_dump(mode="json")
        runs.append(Run(row, verdict, list(_calls(auditor, row))))
        if count % 500 == 499:
            progress(f"{path.name}: {count + 1} runs")
    return runs


def _calls(auditor: Auditor, row: dict[str, Any]) -> Iterator[Call]:
    session = auditor.session()
    for message in read_trace(row).messages:
        session.observe(message)
        for call in message.calls:
            judged = session.judge(call)
            yield Call(
                id=call.id,
                tool=call.tool,
                acts=judged.tool.acts,
                tainted=any(s.tier is TrustTier.UNTRUSTED for s in session.spans),
                read=frozenset(sys.intern(s.text) for s in session.spans if s.source.startswith("tool")),
                gap=max((e.call for e in judged.call.explanations), default=NO_EXPLANATION),
            )


def classifier(texts: Path) -> tuple[Any, Any, str]:
    """TF-IDF and logistic regression fitted on the train split, and how well it does on the test split."""
    found = list(rows(texts))
    train = [r for r in found if r["split"] == "train"]
    test = [r for r in found if r["split"] == "test"]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, strip_accents="unicode")
    model = LogisticRegression(C=10.0, max_iter=1000, class_weight="balanced")
    model.fit(vectorizer.fit_transform([r["text"] for r in train]), [r["label"] for r in train])
    guessed = model.predict_proba(vectorizer.transform([r["text"] for r in test]))[:, 1]
    own = roc_auc_score([r["label"] for r in test], guessed)
    return vectorizer, model, f"AUC {own:.3f} on its own {len(test)} test texts, fitted on {len(train)}"


def worst_sentence(runs: Sequence[Run], vectorizer: Any, model: Any) -> Scores:
    """For a call with a side effect, the classifier's probability for the worst sentence read so far."""
    sentences = sorted({s for run in runs for call in run.calls if call.acts for s in call.read})
    likely: dict[str, float] = {}
    for start in range(0, len(sentences), 20_000):
        batch = sentences[start : start + 20_000]
        found = model.predict_proba(vectorizer.transform(batch))[:, 1]
        likely.update(zip(batch, map(float, found), strict=True))
    return [
        [max((likely[s] for s in c.read), default=0.0) if c.acts else 0.0 for c in run.calls] for run in runs
    ]


def best_threshold(runs: Sequence[Run], scores: Scores) -> float:
    """The threshold with the best balanced accuracy on these very runs: more than a real guard can have."""
    worst = [max(s, default=NO_EXPLANATION) for s in scores]
    bad = np.sort([w for w, run in zip(worst, runs, strict=True) if run.row["kind"] == "hijacked"])
    good = np.sort([w for w, run in zip(worst, runs, strict=True) if run.row["kind"] in BENIGN])
    levels = np.unique([*bad, *good])
    caught = 1 - np.searchsorted(bad, levels) / len(bad)
    alarms = 1 - np.searchsorted(good, levels) / len(good)
    return float(levels[(caught - alarms).argmax()])


def verdicts(runs: Sequence[Run], scores: Scores, threshold: float) -> Iterator[dict[str, Any]]:
    """A simpler guard's verdicts, in the form that the scorer reads."""
    for run, mine in zip(runs, scores, strict=True):
        calls = [
            {"call_id": c.id, "tool": c.tool, "energy": s, "decision": "deny" if s >= threshold else "allow"}
            for c, s in zip(run.calls, mine, strict=True)
        ]
        denied = any(c["decision"] == "deny" for c in calls)
        yield {
            "id": run.row["id"],
            "energy": max(mine, default=NO_EXPLANATION),
            "decision": "deny" if denied else "allow",
            "calls": calls,
        }


def score(scorer: Path, gold: Path, found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the scorer says about some verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "verdicts.jsonl")
        with file.open("w", encoding="utf-8") as handle:
            handle.writelines(json.dumps(v) + "\n" for v in found)
        command = [sys.executable, str(scorer), str(gold), str(file), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the scorer failed: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def concentration(runs: Sequence[Run]) -> str:
    """How few tasks and attack goals hold the errors at 5% false positives."""
    energy = {run.row["id"]: float(run.verdict["energy"]) for run in runs}
    benign = [run.row for run in runs if run.row["kind"] in BENIGN]
    hijacked = [run.row for run in runs if run.row["kind"] == "hijacked"]
    cut = sorted((energy[row["id"]] for row in benign), reverse=True)[len(benign) // 20]
    alarms = Counter(row["user_task"] for row in benign if energy[row["id"]] > cut)
    misses = Counter(row["injection_task"] for row in hijacked if energy[row["id"]] <= cut)
    tasks, goals = ({row[name] for row in hijacked + benign} for name in ("user_task", "injection_task"))
    return (
        f"\nAt 5% false positives, {sum(n for _, n in alarms.most_common(3))} of {alarms.total()} false "
        f"alarms are runs of three of the {len(tasks)} tasks, and {sum(n for _, n in misses.most_common(3))} "
        f"of {misses.total()} misses are of three of the {len(goals - {None})} attack goals."
    )


def figure(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def section(name: str, scored: dict[str, dict[str, Any]]) -> str:
    """Two tables for one file: how well guards rank, and what they flag."""
    ranks, flags = [], []
    first = next(iter(scored.values()))
    kinds = list(first["traces"])
    for guard, s in scored.items():
        against = s["auc_vs"]
        ranks.append(
            [
                guard,
                figure(s["auc"], s["auc_ci95"]),
                figure(against.get("resisted")),
                figure(s["tpr_at_1pct_fpr"], s["tpr_at_1pct_fpr_ci95"]),
                figure(s["tpr_at_5pct_fpr"]),
                figure(s["calls"]["auc"]),
                figure(s["calls"]["tpr_at_1pct_fpr"]),
            ]
        )
        shares = s["flagged_as_decided"]
        flags.append([guard, *(figure(shares[k]) for k in [*kinds, "every_hijacked_call_of_a_run"])])
    n = {k: f"{k} (n = {v})" for k, v in first["traces"].items()}
    calls = first["calls"]
    head = ["guard", "AUC", "AUC against resisted", "recall at 1% false positives", "at 5%", "calls' AUC"]
    return "\n".join(
        [
            f"\n### Dailylife, {name}\n",
            f"n = {sum(first['traces'].values())} runs; {calls['hijacked']} hijacked and {calls['benign']} "
            "benign calls.\n",
            table([*head, "calls' recall at 1%"], ranks),
            "\nShare of runs flagged, by kind; `attempted` and `unclear` count neither way:\n",
            table(["guard", *(n[k] for k in kinds), "every hijacked call of a run"], flags),
        ]
    )


def main() -> None:
    folder: Path = parser(__doc__).parse_args().data
    files = [f"data/traces/{name}.jsonl.gz" for name in TRACES.values()]
    tools, texts, scorer, *traces = need(
        folder, "data/tools/agentdyn.json", "data/texts/injection_texts.jsonl.gz", "tools/score.py", *files
    )
    auditor = Auditor(tools=json.loads(tools.read_text(encoding="utf-8")))
    progress("fitting the text classifier")
    vectorizer, model, quality = classifier(texts)
    print(HEAD.format(quality=quality))
    for (name, _), path in zip(TRACES.items(), traces, strict=True):
        runs = audit(path, auditor)
        gap = [[c.gap for c in run.calls] for run in runs]
        others: dict[str, Scores] = {
            "taint rule": [[float(c.acts and c.tainted) for c in run.calls] for run in runs],
            "text classifier": worst_sentence(runs, vectorizer, model),
            "explanation gap": gap,
            "explanation gap, side effects": [
                [c.gap if c.acts else NO_EXPLANATION for c in run.calls] for run in runs
            ],
        }
        scored = {"**Gatling**": score(scorer, path, (run.verdict for run in runs))}
        for guard, scores in others.items():
            progress(f"{path.name}: scoring the {guard}")
            threshold = 1.0 if guard == "taint rule" else best_threshold(runs, scores)
            scored[guard] = score(scorer, path, verdicts(runs, scores, threshold))
        print(section(name, scored), concentration(runs), sep="\n", flush=True)
    print("\n95% intervals by the scorer's bootstrap over groups of sibling runs (task and attack).")
    print(footer())


if __name__ == "__main__":
    main()
