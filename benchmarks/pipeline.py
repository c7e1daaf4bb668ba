"""The whole pipeline: minutes a stage, peak memory, and the same bundle after kills.

`python -m benchmarks.pipeline [--recipe seed] [--work FOLDER]`: once unbroken, and once killed five times at
random points, so many seconds after the start before that all of the unbroken run is likely to be met.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import footer, progress, table

EVERY = 0.5
"""Seconds between looks at memory."""

HEAD = """\
## Pipeline

`gatling run {recipe} --workers {workers} --threads {threads}`, from nothing to the report, in {minutes:.1f}
minutes; at most {memory:.2f} GB of resident memory, all processes added up.
"""


def begun(recipe: str, out: Path, workers: int, threads: int) -> subprocess.Popen[bytes]:
    code = "from gatling.cli import main; main()"
    given = ["run", recipe, "--out", str(out), "--workers", str(workers), "--threads", str(threads)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *given, "--plain"], stdout=sys.stderr, start_new_session=True
    )


def resident(group: int) -> int:
    """Resident bytes of a group's processes; pages that several share count for each."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:  # it has ended meanwhile
            continue
    return total


def watched(process: subprocess.Popen[bytes], until: float) -> int:
    """The most memory until the process ends, or is killed at a time."""
    most = 0
    try:
        while process.poll() is None and time.monotonic() < until:
            most = max(most, resident(process.pid))
            time.sleep(EVERY)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"gatling run ended with {process.returncode}")
    return most


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report/report.json").read_bytes())
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--recipe", default="seed", help="seed, smoke, or a TOML file")
    arguments.add_argument("--work", type=Path, metavar="FOLDER", help="where the runs go, and stay")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--kills", type=int, default=5, help="0 leaves out the run that is killed")
    arguments.add_argument("--seed", type=int, default=0, help="of the points at which it is killed")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        for name in ("unbroken", "killed"):
            if (work / name).exists():
                sys.exit(f"{work / name}: exists already; name another folder, or remove this one")
        measured(work, given.recipe, given.workers, given.threads, given.kills, random.Random(given.seed))


def measured(work: Path, recipe: str, workers: int, threads: int, kills: int, draw: random.Random) -> None:
    unbroken, killed = work / "unbroken", work / "killed"
    progress("unbroken")
    began = time.monotonic()
    memory = watched(begun(recipe, unbroken, workers, threads), float("inf"))
    seconds = time.monotonic() - began
    one = report(unbroken)
    print(
        HEAD.format(
            recipe=recipe, workers=workers, threads=threads, minutes=seconds / 60, memory=memory / 1e9
        )
    )
    print(table(["stage", "minutes"], [[a["name"], f"{a['seconds'] / 60:.1f}"] for a in one["stages"]]))
    print(f"\nBundle: {one['bundle']}", flush=True)
    points = []
    for kill in range(kills):
        after = draw.uniform(0.0, 2 * seconds / (kills + 1))
        progress(f"kill {kill + 1} of {kills}, {after:.0f} s after the start")
        watched(begun(recipe, killed, workers, threads), time.monotonic() + after)
        points.append(standing(killed))
    if kills:
        progress("to its end")
        memory = watched(begun(recipe, killed, workers, threads), float("inf"))
        other = report(killed)
        print(
            f"\nKilled {kills} times at random points, in {', '.join(points)}, it ended in the bundle "
            f"{other['bundle']}; at most {memory / 1e9:.2f} GB in its last part.\n"
        )
        pairs = zip(one["stages"], other["stages"], strict=True)
        rows = [
            [a["name"], str(b["starts"]), "yes" if a["sha256"] == b["sha256"] else "no"] for a, b in pairs
        ]
        print(table(["stage", "starts", "same output"], rows))
    print(f"\n{footer()}")


def standing(out: Path) -> str:
    """The stage that a killed run was in."""
    path = out / "state.json"
    stages = json.loads(path.read_bytes())["stages"] if path.exists() else {}
    return next((name for name, entry in stages.items() if not entry["sha256"]), "between stages")


if __name__ == "__main__":
    main()
