"""Real rows through sources and adapter: how many are rejected, how many calls are malformed, rows a second.

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
from itertools import islice
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.common import footer, need, parser, progress, table
from gatling.data import ExecutionPlanAdapter
from gatling.data.sources import Material, Rejected, Source, Talk, Text, source
from gatling.data.staging import BATCH
from gatling.terminal import safe

ROWS = 3_000
"""Rows that a timing goes over, as many times the file as that takes."""

REPEATS = 3
BAR = 0.01
"""Largest share of rows with calls that may be rejected."""

PLANS = 200
"""Rows with calls of a file that the timing of plans goes over."""

TEXTS_BAR, PLANS_BAR = 5_000, 1_500
"""Least rows a second to plans, of texts and of conversations with calls."""

INTRODUCTION = """\
## Adapting real rows

`part` and `materials` of each source over real rows of its form, on one core, the best of {repeats} runs over
{rows:,} rows. Rejected: of the rows that hold calls, the bar is {bar:.0%}. `datasets.map` does the same work
row by row, in the same run, with its own reading and writing of Arrow.
"""

WHOLE = """
### To plans

The whole of it on one core, from a row to its plan, best of {repeats}: `part`, `materials`, and for a text
the call inferred from it (in batches of {batch}), for a conversation the run replayed and the origin of every
argument. `datasets.map` does the same work in batches of the same size, and reads and writes Arrow. Each run
is over texts of its own, but over the same conversations: there are not so many. The bars are {texts:,}
rows/s of texts and {plans:,} of conversations: {verdict}.
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


def materials(found: Source, row: Row) -> list[Material]:
    try:
        return list(found.materials(found.part(row)[0]))
    except Rejected:
        return []


def planned(adapter: ExecutionPlanAdapter, found: Source, batch: Iterable[Row]) -> list[int]:
    """The whole work on rows: how many calls their plans hold."""
    known = [material for row in batch for material in materials(found, row)]
    texts = [one for one in known if isinstance(one, Text)]
    plans = adapter.adapt_many(texts, ["1"] * len(texts))
    plans += [adapter.adapt(one, "1") for one in known if isinstance(one, Talk)]
    return [len(plan.calls) for plan in plans]


def plain_plans(adapter: ExecutionPlanAdapter, found: Source, given: list[Row]) -> float:
    """Seconds that the whole work takes."""
    start = time.perf_counter()
    for first in range(0, len(given), BATCH):
        planned(adapter, found, given[first : first + BATCH])
    return time.perf_counter() - start


def mapped_plans(adapter: ExecutionPlanAdapter, found: Source, given: list[Row]) -> float:
    """Seconds that `datasets.map` takes for it."""
    import datasets

    whole = datasets.Dataset.from_list([{"row": json.dumps(row)} for row in given])

    def work(batch: dict[str, list[str]]) -> dict[str, list[int]]:
        return {"calls": planned(adapter, found, map(json.loads, batch["row"]))}

    start = time.perf_counter()
    # A name for what comes out, or it would be made of a pickle of the adapter, in the measured time.
    whole.map(work, batched=True, batch_size=BATCH, remove_columns="row", new_fingerprint="plans")
    return time.perf_counter() - start


def texts(path: Path) -> dict[str, list[Row]]:
    """Public texts in the forms of a source of prompts and one of mails, which hold four each."""
    known = [row["text"] for row in lines(path)]
    prompts = [{"text": text, "label": 0} for text in known]
    four = zip(*(known[part::4] for part in range(4)), strict=False)
    mails = [{"subject": subject, "body": "\n".join(rest), "objectives": None} for subject, *rest in four]
    return {"deepset": prompts, "llmail": mails}


def to_plans(folder: Path) -> None:
    """Print how many rows a second become plans."""
    adapter = ExecutionPlanAdapter()
    adapter.adapt(Text("Please send the report to Ana.", "chat"), "1")  # what is read once, is read now
    (public,) = need(folder, "data/texts/injection_texts.jsonl.gz")
    work: list[tuple[str, str, list[list[Row]], int]] = []
    for name, given in texts(public).items():
        size = len(given) // (REPEATS + 1)
        planned(adapter, source(name), given[REPEATS * size :])
        portions = [given[part * size : (part + 1) * size] for part in range(REPEATS)]
        work.append((public.name, name, portions, TEXTS_BAR))
    for file, name, read in FILES:
        with_calls = (row for row, called in read(folder / file) if called)
        work.append((Path(file).name, name, [[*islice(with_calls, PLANS)]] * REPEATS, PLANS_BAR))
    body, missed = [], []
    for file, name, portions, bar in work:
        progress(f"{file} to plans")
        found, count = source(name), len(portions[0])
        size = sum(len(json.dumps(row)) for row in portions[0]) // count
        rate = count / min(plain_plans(adapter, found, given) for given in portions)
        beside = count / min(mapped_plans(adapter, found, given) for given in portions)
        missed += [f"{file} as {name}"] if rate < bar else []
        body.append([file, f"`{name}`", f"{count:,}", f"{size:,}", f"{rate:,.0f}", f"{beside:,.0f}"])
    verdict = f"missed with {', '.join(missed)}" if missed else "both are met"
    limits = {"texts": TEXTS_BAR, "plans": PLANS_BAR}
    print(WHOLE.format(repeats=REPEATS, batch=BATCH, verdict=verdict, **limits))
    print(table(["file", "source", "rows", "characters a row", "rows/s", "`datasets.map`"], body), "\n")


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
    with threadpool_limits(1):
        to_plans(folder)
    print(footer())


if __name__ == "__main__":
    main()
