"""Real rows through the sources: how many are rejected, how many calls are malformed, and rows a second.

`python -m benchmarks.adapting [DATA]` prints Markdown for RESULTS.md. BFCL and tau2 are no sources: their
reference calls are put into the forms of xlam and ToolACE first, outside the measured time.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import footer, need, parser, progress, table
from gatling.data.sources import Rejected, Source, Talk, source
from gatling.terminal import safe

ROWS = 3_000
"""Rows that a timing goes over, as many times the file as that takes."""

REPEATS = 3
BAR = 0.01
"""Largest share of rows with calls that may be rejected."""

INTRODUCTION = """\
## Adapting real rows

`part` and `materials` of each source over real rows of its form, on one core, the best of {repeats} runs over
{rows:,} rows. Rejected: of the rows that hold calls, the bar is {bar:.0%}. `datasets.map` does the same work
row by row, in the same run, with its own reading and writing of Arrow.
"""

Row = dict[str, Any]


def lines(path: Path) -> Iterator[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def as_is(path: Path) -> Iterator[tuple[Row, bool]]:
    """Each row, and whether it holds calls."""
    for row in lines(path):
        yield (
            row,
            any(mark in json.dumps(row) for mark in ('"tool_call"', '"function_call"', '"tool_calls": [{')),
        )


def single_turn(path: Path) -> Iterator[tuple[Row, bool]]:
    """BFCL's prompts with the first of the values that each argument may have, as xlam writes them."""
    for row in lines(path):
        if not row["ground_truth"] or not isinstance(row["ground_truth"][0], dict):
            continue
        answers = [
            {"name": name, "arguments": {key: next(iter(values), None) for key, values in arguments.items()}}
            for call in row["ground_truth"]
            for name, arguments in call.items()
        ]
        asked = " ".join(m["content"] for turn in row["turns"] for m in turn if m["role"] == "user")
        yield {"query": asked, "answers": json.dumps(answers), "tools": json.dumps(row["functions"])}, True


def multi_turn(path: Path) -> Iterator[tuple[Row, bool]]:
    """BFCL's conversations with their calls, which it writes as Python, as ToolACE writes them."""
    for row in lines(path):
        turns = []
        for said, calls in zip(row["turns"], row["ground_truth"], strict=True):
            turns += [{"from": "user", "value": message["content"]} for message in said]
            turns += [{"from": "assistant", "value": f"[{', '.join(calls)}]"}] if calls else []
        yield {"system": "", "conversations": turns}, True


def tasks(path: Path) -> Iterator[tuple[Row, bool]]:
    """The tasks of tau2 with their reference actions, as xlam writes them."""
    for row in lines(path):
        answers = [{"name": a["name"], "arguments": a["arguments"]} for a in row["actions"] or ()]
        yield {"query": row["reason_for_call"], "answers": json.dumps(answers), "tools": None}, bool(answers)


FILES: tuple[tuple[str, str, Callable[[Path], Iterable[tuple[Row, bool]]]], ...] = (
    ("data/hf/reason_tool_use_demo_50.jsonl", "reason_tool_use", as_is),
    ("data/hf/glaive_toolcall_en_demo.jsonl.gz", "glaive", as_is),
    ("data/calls/bfcl_single_turn.jsonl.gz", "xlam", single_turn),
    ("data/calls/bfcl_multi_turn.jsonl.gz", "toolace", multi_turn),
    ("data/calls/tau2_tasks.jsonl.gz", "xlam", tasks),
    ("data/traces/agentdyn_shopping.jsonl.gz", "logs", as_is),
    ("data/traces/tau_airline.jsonl.gz", "logs", as_is),
)


def made(found: Source, row: Row) -> int:
    """The work: how many materials a row gives."""
    try:
        return len(list(found.materials(found.part(row)[0])))
    except Rejected:
        return 0


def over(found: Source, rows: list[Row] | list[str]) -> None:
    """The work on all rows, in the form of JSON or as they are."""
    for row in rows:
        made(found, json.loads(row) if isinstance(row, str) else row)


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def counted(found: Source, known: list[tuple[Row, bool]]) -> tuple[Counter[str], Counter[str]]:
    """What became of the rows, and why some were rejected."""
    count: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row, with_calls in known:
        count["with calls"] += with_calls
        try:
            materials = list(found.materials(found.part(row)[0]))
        except Rejected as reason:
            count["rejected"] += with_calls
            reasons[safe(str(reason), 100)] += 1
            continue
        for material in materials:
            if isinstance(material, Talk):
                calls = [call for message in material.messages for call in message.calls]
                count["calls"] += len(calls)
                count["malformed"] += sum(call.problem is not None for call in calls)
    return count, reasons


def mapped(found: Source, repeated: list[Row]) -> float:
    """Seconds that `datasets.map` takes for the work."""
    import datasets

    datasets.disable_progress_bars()
    datasets.disable_caching()
    # Arrow wants one type a column, and tool arguments have none: the nested columns go in as JSON text.
    flat = [{"row": json.dumps(row)} for row in repeated]
    whole = datasets.Dataset.from_list(flat)
    return best(lambda: whole.map(lambda row: {"made": made(found, json.loads(row["row"]))}))


def main() -> None:
    folder = parser(__doc__).parse_args().data
    paths = need(folder, *(file for file, _, _ in FILES))
    body, notes, failed = [], [], []
    for path, (file, name, read) in zip(paths, FILES, strict=True):
        progress(file)
        found, known = source(name), list(read(path))
        count, reasons = counted(found, known)
        repeated = [known[at % len(known)][0] for at in range(ROWS)]
        texts = [json.dumps(row) for row in repeated]
        plain = best(partial(over, found, repeated))
        parsed = best(partial(over, found, texts))
        beside = mapped(found, repeated)
        share = count["rejected"] / max(1, count["with calls"])
        failed += [file] if share > BAR else []
        rates = [f"{ROWS / seconds:,.0f}" for seconds in (plain, parsed, beside)]
        row = [Path(file).name, f"`{name}`", f"{len(known):,}", f"{count['with calls']:,}", f"{share:.2%}"]
        body.append([*row, f"{count['calls']:,}", f"{count['malformed']:,}", *rates])
        notes += [f"- {Path(file).name}: {number} × {reason}" for reason, number in reasons.most_common(3)]
    head = ["file", "source", "rows", "with calls", "of them rejected", "calls", "malformed"]
    head += ["rows/s", "with JSON read", "`datasets.map`"]
    print(INTRODUCTION.format(repeats=REPEATS, rows=ROWS, bar=BAR))
    print(table(head, body), "\n")
    print("\n".join(["Why rows were rejected:", "", *notes, ""]) if notes else "No row was rejected.\n")
    print(f"Over the bar: {', '.join(failed) or 'none'}.\n")
    print(footer())


if __name__ == "__main__":
    main()
