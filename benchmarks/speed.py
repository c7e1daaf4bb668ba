"""Time and memory on one core: per step, per check, by history size, for small and large files.

`python -m benchmarks.speed [DATA]` runs each part in a fresh process with one BLAS thread, on one core.
`--profile` adds the functions in which observing and checking spend their time.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, footer, need, parser, peak, progress, rows, table

TRACES = 400
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MESSAGE = 20_000
"""Characters of the longest message in a synthetic history."""

CHECKS = 25
FILES = (("as they are", 2_000), ("as they are", 40_000), ("a new word each", 20_000))
"""Streams of runs and their lengths; the words of the last overfill every cache of words."""

FIRST_MESSAGES = 4
TOOLS = "data/tools/agentdyn.json"
RUNS = "data/traces/agentdyn_dailylife.jsonl.gz"

HEAD = """\
## Speed

Every part ran in a fresh process, {pinned}, with one BLAS thread, on AgentDyn's dailylife runs
(SaFo-Lab/AgentDyn @ 5353cf7, MIT). Wall-clock times of one pass; nothing was discarded.

The first {traces} runs, caches cold but for the vectors, which load once ({loading:.0f} ms with the first
check); times in ms:
"""

MEMORY = """\
Peak resident memory of a batch over a stream of runs cut to their first {messages} messages (mean
{characters:.0f} characters), repeated; in the last stream each request holds a word that no other has:
"""

Json = dict[str, Any]


def _auditor(folder: Path) -> Any:
    from gatling import Auditor

    return Auditor(tools=json.loads((folder / TOOLS).read_text(encoding="utf-8")))


def _milliseconds(since: float) -> float:
    return 1e3 * (time.perf_counter() - since)


def _percentiles(times: Sequence[float]) -> Json:
    ordered = sorted(times)
    at = {f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 99)}
    return {"n": len(ordered), **at, "max": ordered[-1]}


# Parts: each runs in a process of its own and prints JSON.


def steps(folder: Path) -> Json:
    """Times of observing, checking and both, message by message, on real runs and from cold."""
    from gatling import read_trace

    auditor = _auditor(folder)
    start = time.perf_counter()
    auditor.session().check({"tool": "read_file", "arguments": {"path": "notes"}})
    loading = _milliseconds(start)
    observing: list[tuple[float, int]] = []
    checking: list[float] = []
    both: list[float] = []
    for row, _ in zip(rows(folder / RUNS), range(TRACES), strict=False):
        session = auditor.session()
        for message in read_trace(row).messages:
            start = time.perf_counter()
            session.observe(message)
            observed = _milliseconds(start)
            checked = 0.0
            for call in message.calls:
                start = time.perf_counter()
                session.check(call)
                one = _milliseconds(start)
                checking.append(one)
                checked += one
            size = len(message.content) if isinstance(message.content, str) else 0
            observing.append((observed, size))
            both.append(observed + checked)
    slow = sorted(observing)[-max(1, len(observing) // 100) :]
    return {
        "loading": loading,
        "step": _percentiles(both),
        "observe": _percentiles([t for t, _ in observing]),
        "check": _percentiles(checking),
        "slow_characters": sorted(size for _, size in slow)[len(slow) // 2],
    }


def batch(folder: Path) -> Json:
    """A whole file through `gatling.runtime.batch`, from the packed bytes to the verdicts."""
    from gatling.runtime.batch import audit_lines

    tools = json.loads((folder / TOOLS).read_text(encoding="utf-8"))
    start = time.perf_counter()
    calls = [len(verdict.calls) for verdict in audit_lines(folder / RUNS, tools=tools)]
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "traces": len(calls), "calls": sum(calls)}


def growth(folder: Path) -> Json:
    """Times of observing a synthetic history and of checking calls after it, by its size."""
    real = list(rows(folder / RUNS))
    outputs = [str(m["content"]) for r in real for m in r["messages"] if m["role"] == "tool" and m["content"]]
    proposed = [c for r in real for m in r["messages"] for c in m.get("tool_calls") or ()]
    auditor = _auditor(folder)
    warm = auditor.session()
    warm.observe({"role": "tool", "content": " ".join(outputs[:20])})
    warm.check(proposed[0])
    result: Json = {}
    for size in SIZES:
        draw = random.Random(size)
        session = auditor.session()
        session.observe({"role": "user", "content": "Pay the rent that the latest mail asks for."})
        texts = list(_history(outputs, size, draw))
        start = time.perf_counter()
        for text in texts:
            session.observe({"role": "tool", "content": text})
        observed = _milliseconds(start)
        times = []
        for call in draw.sample(proposed, CHECKS):
            start = time.perf_counter()
            session.check(call)
            times.append(_milliseconds(start))
        characters = sum(map(len, texts))
        made = {"characters": characters, "spans": len(session.spans), "observe": observed}
        result[str(size)] = {**made, "messages": len(texts), "check": _percentiles(times)}
    return result


def _history(outputs: Sequence[str], size: int, draw: random.Random) -> Iterator[str]:
    """Messages of `size` characters in all: real outputs with other numbers and, one in ten, other words."""
    vocabulary = sorted({w for text in outputs for w in re.findall(r"[A-Za-z]{4,}", text)})

    def other(match: re.Match[str]) -> str:
        found = match[0]
        if found.isdigit():
            return "".join(draw.choice("0123456789") for _ in found)
        return draw.choice(vocabulary) if draw.random() < 0.1 else found

    left = size
    while left:
        room = min(left, MESSAGE)
        text = ""
        while len(text) < room:
            text += re.sub(r"\d+|[A-Za-z]{4,}", other, draw.choice(outputs)) + "\n"
        yield text[:room]
        left -= room


class _Repeated(io.RawIOBase):
    """Lines made of templates, again and again; `@@` becomes a word that no other line has."""

    def __init__(self, templates: Sequence[str], count: int) -> None:
        self._lines = ((templates[i % len(templates)], i) for i in range(count))
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            template, number = next(self._lines, ("", 0))
            word = f"{number:x}".translate(str.maketrans("0123456789", "ghijklmnop"))
            self._left = template.replace("@@", word).encode()
        given = self._left[: len(buffer)]
        buffer[: len(given)] = given
        self._left = self._left[len(given) :]
        return len(given)


def memory(folder: Path, variant: str, count: int) -> Json:
    """Peak memory and time of auditing a stream of `count` short traces."""
    from gatling.runtime.batch import audit_lines

    templates = []
    for row in rows(folder / RUNS):
        messages = row["messages"][:FIRST_MESSAGES]
        if variant == "a new word each":
            messages[1]["content"] = f"{messages[1]['content']} Reference: @@."
        templates.append(json.dumps({"id": "@@", "messages": messages}) + "\n")
    tools = json.loads((folder / TOOLS).read_text(encoding="utf-8"))
    before = half = peak()
    start = time.perf_counter()
    stream = io.BufferedReader(_Repeated(templates, count))
    audited = 0
    for _ in audit_lines("-", tools=tools, stdin=stream):
        audited += 1
        if audited == count // 2:
            half = peak()
    return {
        "traces": audited,
        "before": before,
        "half": half,
        "peak": peak(),
        "seconds": time.perf_counter() - start,
        "characters": sum(map(len, templates)) / len(templates),
    }


def profile(folder: Path) -> Json:
    """The ten functions with the most time of their own, in the hundredth of the steps that is slowest."""
    from gatling import read_trace

    auditor = _auditor(folder)
    auditor.session().check({"tool": "read_file", "arguments": {"path": "notes"}})
    kept: dict[str, list[tuple[float, cProfile.Profile]]] = {"observe": [], "check": []}
    for row, _ in zip(rows(folder / RUNS), range(TRACES), strict=False):
        session = auditor.session()
        for message in read_trace(row).messages:
            for name, given in [("observe", message), *(("check", call) for call in message.calls)]:
                profiler = cProfile.Profile()
                start = time.perf_counter()
                profiler.runcall(getattr(session, name), given)
                kept[name].append((_milliseconds(start), profiler))
    result: Json = {}
    for name, found in kept.items():
        slowest = sorted(found, key=lambda item: -item[0])[: max(1, len(found) // 100)]
        stats = pstats.Stats(slowest[0][1], stream=(text := io.StringIO()))
        for _, profiler in slowest[1:]:
            stats.add(profiler)
        stats.strip_dirs().sort_stats("tottime").print_stats(10)
        result[name] = [line for line in text.getvalue().splitlines() if line.strip()][-11:]
    return result


# The driver


def run(part: str, folder: Path) -> Json:
    """Run one part in a fresh process, pinned, with cold caches."""
    progress(f"speed: {part}")
    command = [sys.executable, "-m", "benchmarks.speed", str(folder.resolve()), "--part", part]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    result: Json = json.loads(done.stdout)
    return result


def pin() -> bool:
    """Keep this process on one core, where the system can."""
    if sys.platform == "win32" or not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


def report(folder: Path) -> None:
    step, whole, grown = run("steps", folder), run("batch", folder), run("growth", folder)
    pinned = "pinned to one core" if pin() else "not pinned, which this system cannot"
    print(HEAD.format(pinned=pinned, traces=TRACES, loading=step["loading"]))
    named = {
        "step": "a message observed and its calls checked",
        "observe": "a message observed",
        "check": "a call checked",
    }
    body = [
        [named[k], str(step[k]["n"]), *(f"{step[k][q]:.2f}" for q in ("p50", "p99", "max"))] for k in named
    ]
    print(table(["what", "n", "p50", "p99", "max"], body))
    print(f"\nThe slowest hundredth of the messages has {step['slow_characters']} characters at the median.")
    rate = whole["traces"] / whole["seconds"]
    print(f"\nBatch, from the packed file to the verdicts, one worker: **{rate:.0f} traces/s** ", end="")
    print(f"({whole['traces']} traces, {whole['calls']} calls, {whole['seconds']:.1f} s).\n")
    print("A synthetic history of one run, made of real tool outputs with other numbers and one word in ten")
    print(f"replaced, in messages of at most {MESSAGE} characters; then {CHECKS} real calls:\n")
    body = []
    last: Json | None = None
    for one in grown.values():
        check = one["check"]
        ratios = [one["observe"] / last["observe"], check["p50"] / last["check"]["p50"]] if last else []
        shown = [f"{ratio:.1f}" for ratio in ratios] or ["", ""]
        body.append(
            [
                f"{one['characters']:,}",
                f"{one['spans']:,}",
                f"{one['observe']:.1f}",
                shown[0],
                f"{check['p50']:.2f}",
                shown[1],
                f"{check['max']:.2f}",
            ]
        )
        last = one
    head = ["characters", "spans", "observe all, ms", "ratio", "check p50, ms", "ratio", "check max, ms"]
    print(table(head, body))
    print("\nA ratio compares with the row above; 10 is linear.\n", flush=True)
    body = []
    for variant, count in FILES:
        used = run(f"memory:{variant}:{count}", folder)
        sizes = [f"{used[k]:.1f}" for k in ("before", "half", "peak")]
        body.append([variant, f"{used['traces']:,}", *sizes, f"{used['seconds']:.0f}"])
    print(MEMORY.format(messages=FIRST_MESSAGES, characters=used["characters"]))
    head = ["runs", "traces", "peak MB before the audit", "after half of it", "after all", "seconds"]
    print(table(head, body))
    print(f"\nn as shown, no sample drawn.\n{footer()}")


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--part", help=argparse.SUPPRESS)
    made.add_argument("--profile", action="store_true", help="print where the slowest steps spend time")
    given = made.parse_args()
    folder: Path = given.data
    need(folder, TOOLS, RUNS)
    if given.part is None and not given.profile:
        report(folder)
    elif given.profile:
        for name, lines in run("profile", folder).items():
            print(f"slowest hundredth of {name}:", *lines, sep="\n")
    else:
        pin()
        part, *of = given.part.split(":")
        parts = {"steps": steps, "batch": batch, "growth": growth, "profile": profile}
        print(json.dumps(memory(folder, of[0], int(of[1])) if part == "memory" else parts[part](folder)))


if __name__ == "__main__":
    main()
