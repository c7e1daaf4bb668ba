"""What is inferred from a text alone, against gold calls and labels: tool, volume, and texts a second.

`python -m benchmarks.extraction [DATA]` measures `gatling.data.inference` and prints Markdown for RESULTS.md;
with `--fit` it prints the weights of `gatling.data.inference.ranking` as fitted on every second BFCL
single-turn prompt. DATA/data/calls must hold bfcl_{single_turn,multi_turn,multi_turn_tools}.jsonl.gz
(bfcl-eval 2026.3.23, Apache-2.0) and tau2_tasks.jsonl.gz (tau2, MIT), DATA/data/texts must hold
injection_texts.jsonl.gz.

A hit is a top tool that the gold calls of the prompt, turn or task use; the stricter figure wants the first
gold call's. Prompts with fewer than four tools, or without a gold call, are left out; one that comes again
with the same tools counts once. tau2 has no schemas here: a domain's tools are the names and arguments of
all its gold actions.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.common import ROOT, footer, need, parser, rows, table
from gatling.data.inference import ToolRegistry, default_registry, volume
from gatling.data.inference.ranking import WEIGHTS, Ranking
from gatling.data.inference.schema import Schema, read_schema
from gatling.reach import needed
from gatling.text import encoder, words

LABELS = Path(__file__).with_name("scope_labels.jsonl")
FILES = tuple(
    f"data/calls/{name}.jsonl.gz"
    for name in ("bfcl_single_turn", "bfcl_multi_turn", "bfcl_multi_turn_tools", "tau2_tasks")
)
TEXTS = "data/texts/injection_texts.jsonl.gz"
"""Texts of datasets, attack and benign, for the figure of speed alone."""
TIMED = 8192
RESAMPLES = 2000
FEWEST = 4
OTHERS = 20
"""Tools of other prompts among which a prompt's own must be found while fitting."""
PENALTY = 0.002
CLASSES = {
    "GorillaFileSystem": "gorilla_file_system",
    "VehicleControlAPI": "vehicle_control",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "MathAPI": "math_api",
}
SCRIPTS = "banking_knowledge"
"""The tau2 domain whose texts are scripts for an actor, and whose gold actions call tools by name."""
TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}

Schemas = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request, the tools at hand, and the names of the gold calls in order."""

    source: str
    text: str
    tools: Schemas
    gold: tuple[str, ...]


def single_turn(path: Path) -> list[Prompt]:
    found = []
    for row in rows(path):
        gold = [next(iter(call)) for call in row["ground_truth"] or () if isinstance(call, dict)]
        text = "\n".join(m["content"] for m in row["turns"][0] if m["role"] == "user")
        if gold and row["functions"]:
            tools = {f["name"]: f for f in row["functions"]}
            found.append(Prompt("BFCL single-turn", text, tools, tuple(gold)))
    return distinct(found)


def multi_turn(path: Path, tools_path: Path) -> list[Prompt]:
    tools: defaultdict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows(tools_path):
        tools[row["cls"]][row["name"]] = {k: row[k] for k in ("name", "description", "parameters")}
    found = []
    for row in rows(path):
        at_hand = {name: t for c in row["involved_classes"] for name, t in tools[CLASSES[c]].items()}
        for turn, calls in zip(row["turns"], row["ground_truth"], strict=True):
            text = "\n".join(m["content"] for m in turn if m["role"] == "user")
            gold = [m.group(1) for call in calls if (m := re.match(r"(\w+)\(", call))]
            if text and gold:
                found.append(Prompt("BFCL multi-turn", text, at_hand, tuple(gold)))
    return distinct(found)


def tau2(path: Path) -> list[Prompt]:
    tasks = [row for row in rows(path) if row["reason_for_call"] and row["actions"]]
    tools: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    gold: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for row in tasks:
        for action in row["actions"]:
            gold[row["domain"], row["reason_for_call"]].setdefault(action["name"])
            known = tools[row["domain"]][action["name"]]
            for name, value in (action["arguments"] or {}).items():
                known.setdefault(name, TYPES.get(type(value), "string"))
    schemas = {
        domain: {
            name: {
                "name": name,
                "parameters": {"type": "object", "properties": {p: {"type": t} for p, t in given.items()}},
            }
            for name, given in known.items()
        }
        for domain, known in tools.items()
    }
    return [
        Prompt("tau2 " + ("scripts" if domain == SCRIPTS else "tasks"), text, schemas[domain], tuple(names))
        for (domain, text), names in gold.items()
    ]


def distinct(prompts: Iterable[Prompt]) -> list[Prompt]:
    return list({(p.text, tuple(p.tools)): p for p in prompts}.values())


Best = Callable[[str, Schemas], str]
"""The name of the tool that a method picks for a text."""


@lru_cache(maxsize=64)
def _registry(tools: tuple[str, ...]) -> ToolRegistry:
    return ToolRegistry(json.loads(tool) for tool in tools)


def _frozen(tools: Schemas) -> tuple[str, ...]:
    return tuple(json.dumps(tool) for tool in tools.values())


def inferred(text: str, tools: Schemas) -> str:
    return _registry(_frozen(tools)).rank(text)[0][0]


def _described(name: str, tool: Mapping[str, Any]) -> str:
    return f"{re.sub('[_.]', ' ', name)} {tool.get('description') or ''}"


@lru_cache(maxsize=64)
def _vectors(tools: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    schemas = [next(iter(read_schema(json.loads(tool)))) for tool in tools]
    return encoder().embed([schema.tool.words for schema in schemas])


def cosine(text: str, tools: Schemas) -> str:
    """The encoder alone: the closest name and main sentence."""
    scores = _vectors(_frozen(tools)) @ encoder().embed([words(text)])[0]
    return list(tools)[int(np.argmax(scores))]


@lru_cache(maxsize=64)
def _tf_idf(tools: tuple[str, ...]) -> tuple[Any, Any]:
    read = [json.loads(tool) for tool in tools]
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    return vectorizer, vectorizer.fit_transform([_described(tool["name"], tool) for tool in read])


def tf_idf(text: str, tools: Schemas) -> str:
    """TF-IDF alone, over names and descriptions."""
    vectorizer, matrix = _tf_idf(_frozen(tools))
    return list(tools)[int(np.argmax((matrix @ vectorizer.transform([text]).T).toarray()))]


METHODS: Mapping[str, Best] = {"Gatling": inferred, "encoder cosine": cosine, "TF-IDF": tf_idf}


def with_interval(hits: Sequence[bool]) -> str:
    """A share and its 95% percentile bootstrap interval."""
    values = np.asarray(hits, float)
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def tools_table(prompts: Sequence[Prompt], fitted: set[int]) -> str:
    """Top-1 by source: prompts that the weights were not fitted on, beside those that they were."""
    groups: defaultdict[str, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        if len(prompt.tools) >= FEWEST:
            half = " (fitted on)" if id(prompt) in fitted else ""
            groups[prompt.source + half].append(prompt)
    told = [n for n in groups if "fitted" not in n and "scripts" not in n]
    kept = [p for name in told for p in groups[name]]
    groups = defaultdict(list, {"**all not fitted on, without scripts**": kept, **groups})
    body = []
    for name, group in groups.items():
        picked = {method: [best(p.text, p.tools) for p in group] for method, best in METHODS.items()}
        ours = picked["Gatling"]
        line = [name, str(len(group)), f"{np.mean([len(p.tools) for p in group]):.0f}"]
        line.append(with_interval([t in p.gold for t, p in zip(ours, group, strict=True)]))
        line.append(f"{np.mean([t == p.gold[0] for t, p in zip(ours, group, strict=True)]):.3f}")
        for method in list(METHODS)[1:]:
            line.append(f"{np.mean([t in p.gold for t, p in zip(picked[method], group, strict=True)]):.3f}")
        body.append(line)
    return table(["prompts", "n", "tools", "Gatling", "first call's", *list(METHODS)[1:]], body)


def pooled(prompts: Sequence[Prompt]) -> str:
    """Top-1 among the tools of all prompts together."""
    pool: dict[str, Mapping[str, Any]] = {}
    for prompt in prompts:
        for name, tool in prompt.tools.items():
            pool.setdefault(name, tool)
    kept = [p for p in prompts if len(p.tools) >= FEWEST and "scripts" not in p.source]
    shares = [
        f"{method} {with_interval([best(p.text, pool) in p.gold for p in kept])}"
        for method, best in METHODS.items()
    ]
    return f"Among the {len(pool):,} pooled tools of all, {len(kept):,} prompts: {', '.join(shares)}."


def refusals(path: Path, held_out: Sequence[Prompt]) -> str:
    """How often no call is inferred, where some tool is right and where none is."""
    lost = [_registry(_frozen(p.tools)).infer(p.text) is None for p in held_out]
    left = []
    for row in rows(path):
        if row["category"].endswith("irrelevance") and row["functions"]:
            text = "\n".join(m["content"] for m in row["turns"][0] if m["role"] == "user")
            left.append(ToolRegistry(row["functions"]).infer(text) is None)
    return (
        f"No call is inferred for {np.mean(lost):.1%} of {len(lost):,} BFCL single-turn prompts not fitted "
        f"on, and for {np.mean(left):.1%} of the {len(left):,} that none of their tools serves."
    )


def scope_table() -> str:
    """Volume within a factor of two of the label."""
    labels = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    halves = {"all": labels, "tuned on (even lines)": labels[::2], "not tuned on (odd lines)": labels[1::2]}
    for source in dict.fromkeys(row["source"] for row in labels):
        halves[source] = [row for row in labels if row["source"] == source]
    halves["more than 2 items"] = [row for row in labels if row["volume"] > 2]
    halves["more than 2 items, not tuned on"] = [row for row in labels[1::2] if row["volume"] > 2]
    methods: Mapping[str, Callable[[str], float]] = {
        "`volume`": volume,
        "`reach.needed`": lambda text: needed([text]).volume,
        "always 1": lambda _: 1.0,
    }
    body = []
    for name, part in halves.items():
        line = [name, str(len(part))]
        for at, method in enumerate(methods.values()):
            hits = [_within(method(row["text"]), row["volume"]) for row in part]
            line.append(with_interval(hits) if at == 0 else f"{np.mean(hits):.3f}")
        body.append(line)
    return table(["prompts", "n", *methods], body)


def _within(found: float, labelled: float) -> bool:
    return max(found, labelled) <= 2 * min(found, labelled)


def speed(texts: Sequence[str]) -> str:
    """Texts a second on one core, the default registry's words already known."""
    registry = default_registry()
    registry.infer_many(texts)
    rates = []
    for _ in range(5):
        start = time.process_time()
        found = registry.infer_many(texts)
        rates.append(len(texts) / (time.process_time() - start))
    none = sum(call is None for call in found) / len(texts)
    return (
        f"`infer_many`, {len(registry)} tools, {np.median(rates):,.0f} texts a second of one core's time "
        f"({min(rates):,.0f} to {max(rates):,.0f} over {len(rates)} runs; {len(texts):,} texts of "
        f"{np.mean([len(t) for t in texts]):.0f} characters in the mean, tool, arguments and scope; "
        f"no tool for {none:.0%})."
    )


def _on_one_core(data: Path) -> str:
    """The figures of speed, taken in a process whose linear algebra has one thread."""
    command = [sys.executable, "-m", "benchmarks.extraction", str(data.resolve()), "--speed"]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def fit(prompts: Sequence[Prompt]) -> dict[str, float]:
    """Weights of a conditional logit over each prompt's tools and twenty others'."""
    draw = random.Random(0)
    pool = [tool for p in prompts for tool in p.tools.items()]
    cases = []
    for prompt in prompts:
        tools = {**dict(draw.sample(pool, OTHERS)), **prompt.tools}
        schemas: list[Schema] = [next(iter(read_schema(tool))) for tool in tools.values()]
        ws = words(prompt.text)
        parts = Ranking(schemas).parts([ws], [sum(map(str.isdecimal, ws))])
        gold = [at for at, schema in enumerate(schemas) if schema.tool.name in prompt.gold]
        if gold:
            cases.append((np.stack([part[0] for part in parts], 1).astype(float), gold))

    def loss(weights: Any) -> tuple[float, Any]:
        total, slope = 0.0, np.zeros_like(weights)
        for features, gold in cases:
            scores = features @ weights
            likely = np.exp(scores - scores.max())
            likely /= likely.sum()
            meant = np.zeros_like(likely)
            meant[gold] = likely[gold]
            total -= np.log(meant.sum())
            slope += features.T @ (likely - meant / meant.sum())
        return (
            total / len(cases) + PENALTY * float(weights @ weights),
            slope / len(cases) + 2 * PENALTY * weights,
        )

    found = minimize(loss, np.zeros(len(WEIGHTS)), jac=True, method="L-BFGS-B").x
    return {name: round(float(weight), 2) for name, weight in zip(WEIGHTS, found, strict=True)}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--fit", action="store_true", help="print fitted weights and stop")
    arguments.add_argument("--speed", action="store_true", help="print the figures of speed and stop")
    given = arguments.parse_args()
    single, multi, multi_tools, tasks, texts = need(given.data, *FILES, TEXTS)
    one = single_turn(single)
    if given.fit:
        print(json.dumps(fit(one[::2]), indent=4))
        return
    prompts = [*one, *multi_turn(multi, multi_tools), *tau2(tasks)]
    if given.speed:
        known = list(dict.fromkeys(row["text"] for row in rows(texts)))
        print(f"Texts of datasets: {speed(random.Random(0).sample(known, TIMED))}\n")
        print(f"Prompts: {speed(list(dict.fromkeys(p.text for p in prompts)))}")
        return
    print("## Extraction from text alone\n\nTool, top-1, with four or more tools at hand:\n")
    print(tools_table(prompts, {id(p) for p in one[::2]}))
    print(f"\n{pooled([*one[1::2], *prompts[len(one) :]])}\n\n{refusals(single, one[1::2])}")
    print("\nScope, volume within a factor of 2:\n")
    print(scope_table())
    print(f"\n{_on_one_core(given.data)}")
    print(f"\n95% bootstrap intervals over prompts ({RESAMPLES} resamples, seed 0).\n{footer()}")


if __name__ == "__main__":
    main()
