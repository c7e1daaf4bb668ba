"""How well effects, sinks and output trust are inferred from a tool's schema.

`python -m benchmarks.tool_knowledge` measures `gatling.tools` against the 300 hand-labelled tools of
`tool_labels.jsonl` and prints Markdown for RESULTS.md. The words and rules were tuned on the lines with
an even index; the odd half is the test.
"""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import processor
from gatling.tools import Tool, read_tools

LABELS = Path(__file__).with_name("tool_labels.jsonl")
RESAMPLES = 2000
WORST = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled tool and what was inferred about it."""

    id: str
    tool: Tool
    effects: frozenset[str]
    sinks: frozenset[str]
    output: str

    @property
    def effect_counts(self) -> tuple[int, int, int]:
        return _counts({str(e) for e in self.tool.effects}, self.effects)

    @property
    def sink_counts(self) -> tuple[int, int, int]:
        return _counts(self.tool.sinks, self.sinks)

    @property
    def output_right(self) -> bool:
        return self.tool.output.name.lower() == self.output

    @property
    def errors(self) -> list[str]:
        """What was wrong, in words."""
        inferred = {str(e) for e in self.tool.effects}
        wrong = [f"effect {e} missed" for e in sorted(self.effects - inferred)]
        wrong += [f"effect {e} invented" for e in sorted(inferred - self.effects)]
        if not self.output_right:
            wrong.append(f"output {self.tool.output.name.lower()}, labelled {self.output}")
        wrong += [f"sink {s} missed" for s in sorted(self.sinks - self.tool.sinks)]
        return wrong + [f"sink {s} invented" for s in sorted(self.tool.sinks - self.sinks)]


def _counts(found: set[str] | frozenset[str], gold: frozenset[str]) -> tuple[int, int, int]:
    return len(gold & found), len(found - gold), len(gold - found)


def read_cases() -> list[Case]:
    cases = []
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        (tool,) = read_tools([row["tool"]]).values()
        gold = frozenset(row["effects"]), frozenset(row["sinks"]), row["output"]
        cases.append(Case(row["id"], tool, *gold))
    return cases


def _f1(counts: Sequence[tuple[int, int, int]]) -> float:
    hit, extra, missed = np.asarray(counts).sum(0)
    return float(2 * hit / max(1, 2 * hit + extra + missed))


def effects_f1(cases: Sequence[Case]) -> float:
    return _f1([c.effect_counts for c in cases])


def sinks_f1(cases: Sequence[Case]) -> float:
    return _f1([c.sink_counts for c in cases])


def output_accuracy(cases: Sequence[Case]) -> float:
    return float(np.mean([c.output_right for c in cases]))


def output_recall(cases: Sequence[Case], output: str) -> float:
    return output_accuracy([c for c in cases if c.output == output])


def balanced_accuracy(cases: Sequence[Case]) -> float:
    return (output_recall(cases, "untrusted") + output_recall(cases, "verified")) / 2


def with_interval(cases: Sequence[Case], measure: Callable[[Sequence[Case]], float]) -> str:
    """The measure and its 95% percentile bootstrap interval over tools."""
    draws = np.random.default_rng(0).integers(0, len(cases), (RESAMPLES, len(cases)))
    low, high = np.percentile([measure([cases[i] for i in draw]) for draw in draws], [2.5, 97.5])
    return f"{measure(cases):.3f} [{low:.3f}, {high:.3f}]"


def table_row(name: str, cases: Sequence[Case]) -> str:
    untrusted = [c for c in cases if c.output == "untrusted"]
    found = sum(c.output_right for c in untrusted)
    cells = (
        name,
        str(len(cases)),
        with_interval(cases, effects_f1),
        with_interval(cases, output_accuracy),
        f"{balanced_accuracy(cases):.3f}",
        f"{found}/{len(untrusted)}",
        f"{sinks_f1(cases):.3f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    cases = read_cases()
    print("## Tool knowledge\n")
    head = "effects micro-F1 | output-trust accuracy | balanced accuracy | untrusted found | sinks F1"
    print(f"| tools | n | {head} |\n|---|---|---|---|---|---|---|")
    print(table_row("all", cases))
    print(table_row("tuned on (even lines)", cases[::2]))
    print(table_row("not tuned on (odd lines)", cases[1::2]))
    worst = sorted((c for c in cases if c.errors), key=lambda c: -len(c.errors))
    print(f"\n{len(worst)} of {len(cases)} tools have an error; the {min(WORST, len(worst))} worst:\n")
    for case in worst[:WORST]:
        print(f"- `{case.id}`: {'; '.join(case.errors)}")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    print(f"\n95% bootstrap intervals over tools ({RESAMPLES} resamples, seed 0).")
    print(f"Machine: {processor()}, Python {platform.python_version()}. Date: {today}. n = {len(cases)}.")


if __name__ == "__main__":
    main()
