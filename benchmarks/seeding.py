"""`gatling build --preset seed` against a Hub of its own size: time, memory, samples and leakage.

`python -m benchmarks.seeding [DATA] [--preset foundation|seed|full] [--size N]` writes datasets in the exact
forms of the preset's sources into a temporary folder (`benchmarks.invented`), serves them on the loopback,
and runs the real commands. With a size, all rows are read and that many samples built of some of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import ROOT, footer, parser, progress, table
from benchmarks.invented import Words, datasets
from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.columns import rows as records
from gatling.data.columns import table as columns
from gatling.data.dedupe import exact, signature
from gatling.data.hub import HFDatasetLoader
from gatling.data.label import finish
from gatling.data.leakage import LIMIT
from gatling.data.mutations import MUTATIONS
from gatling.data.presets import presets
from gatling.data.shards import Manifest, read_manifest
from gatling.data.sources import source
from gatling.data.split import shown, split_of
from gatling.data.worlds.domain import domains
from tests.data.hub import Hub, serving

WORKERS = 2
BAR = 60
"""Seconds that `seed` may take on two cores."""
TOKEN = "hf_bench"
COMMAND = "from gatling.cli import main; main()"
GROUPS = 192
"""Hosting groups of which the parts are timed."""

INTRO = """\
## Building the preset `{preset}`

`gatling build OUT --preset {preset}{size} --workers {workers}` and `gatling validate OUT`, from a Hub on the
loopback that holds datasets in the sources' exact forms ({megabytes:,.0f} MB, of which {sent:,.0f} MB were
asked for). {texts} The server shares the cores.

{samples:,} samples of {read:,} rows in {seconds:.0f} s: {staging:.1f} s until all rows were staged, the rest
building. Validating: {validating:.0f} s. Peak resident memory: {parent} MB in the parent, {worker} MB in the
largest worker.{bar}
"""

PARTS = """
Where a core's time goes, over {groups} of the groups that host rows, {samples} samples: {each:.1f} ms each.
"""


class Built(NamedTuple):
    """A build as it was seen from outside."""

    seconds: float
    staging: float
    parent: float | None
    """Peak megabytes."""
    worker: float | None


def built(out: Path, preset: str, size: int | None, env: Mapping[str, str], log: Path) -> Built:
    """Run the command, and look at it while it runs."""
    command = ["build", str(out), "--preset", preset, "--workers", str(WORKERS), "--plain"]
    command += ["--size", str(size)] if size else []
    wanted, staging = len(presets()[preset].rows), 0.0
    peaks: dict[int, float] = {}
    start = time.perf_counter()
    with open(log, "w", encoding="utf-8") as told:
        run = [sys.executable, "-c", COMMAND, *command]
        process = subprocess.Popen(run, cwd=ROOT, env=dict(env), stdout=told)
        while process.poll() is None:
            for pid in (process.pid, *children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0.0), resident(pid))
            outcomes = [path for path in (out / ".build/sources").glob("*.json") if path.stem != "settled"]
            if not staging and len(outcomes) == wanted:
                staging = time.perf_counter() - start
            time.sleep(0.1)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"the build failed:\n{log.read_text('utf-8')}")
    workers = [megabytes for pid, megabytes in peaks.items() if pid != process.pid]
    return Built(seconds, staging, peaks.get(process.pid) or None, max(workers, default=None))


def children(pid: int) -> list[int]:
    """A process's children, as Linux tells them."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:
        return []


def resident(pid: int) -> float:
    """A process's peak resident memory in MB; 0 where the system does not tell or it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def parts(preset: str, hub: Hub, cache: Path, folder: Path) -> tuple[int, dict[str, float]]:
    """Samples, and seconds by what is done, of some hosting groups in this process."""
    from gatling.data.adapter import ExecutionPlanAdapter
    from gatling.data.hosting import group

    loader = HFDatasetLoader(cache / "gatling" / "hub", endpoint=hub.endpoint, token=TOKEN)
    hosted = GatlingDatasetBuilder(preset, loader=loader).stock(folder).hosted
    adapter, known = ExecutionPlanAdapter(), tuple(domains().values())
    taken = dict.fromkeys(("making the runs", "plans and audit (`label.compute`)", "columns, keys"), 0.0)
    first, second, third = taken
    samples = 0
    for number in range(GROUPS):
        index = number * hosted.groups // GROUPS
        name = f"h{index:07d}"
        split = split_of(name, 0)
        start = time.perf_counter()
        found = group(index, hosted, name, *shown(split, known, MUTATIONS), adapter)
        made = time.perf_counter()
        finished = finish(found)
        computed = time.perf_counter()
        columns(records(finished, split))
        for sample in found:
            exact(sample.run.messages), signature(sample.run.messages)
        samples += len(found)
        taken[first] += made - start
        taken[second] += computed - made
        taken[third] += time.perf_counter() - computed
    return samples, taken


def report(preset: str, size: int | None, given: Path) -> None:
    wanted = presets()[preset].rows
    with tempfile.TemporaryDirectory() as temporary, serving() as hub:
        folder = Path(temporary)
        words = Words(given)
        datasets(wanted, words, given, folder / "hub")
        for repo, name in {source(name).repo: name for name in wanted}.items():
            for path in sorted((folder / "hub" / repo).rglob("*.*")):
                hub.add(repo, path.relative_to(folder / "hub" / repo).as_posix(), path)
            if source(name).gate == "gated":
                hub.gated[repo] = TOKEN
        env = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "PYTHONPATH": str(ROOT / "src")}
        env |= {"XDG_CACHE_HOME": str(folder / "cache"), "HF_HOME": str(folder / "cache")}
        progress("building …")
        out = folder / "plans"
        one = built(out, preset, size, env, folder / "log")
        sent = hub.sent()
        progress("validating …")
        start = time.perf_counter()
        command = [sys.executable, "-c", COMMAND, "validate", str(out)]
        checked = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        validating = time.perf_counter() - start
        manifest = read_manifest(out)
        served = sum(file.size for files in hub.repos.values() for file in files.values())
        texts = (
            "Texts of the data folder stand among invented ones." if words.public else "Texts are invented."
        )
        verdict = "met" if one.seconds <= BAR else "missed"
        bar = f" The bar is {BAR} s: {verdict}." if preset == "seed" and size is None else ""
        print(
            INTRO.format(
                preset=preset,
                size=f" --size {size}" if size else "",
                workers=WORKERS,
                megabytes=served / 1e6,
                sent=sent / 1e6,
                texts=texts,
                samples=manifest.rows,
                read=sum(row.read for row in manifest.sources),
                seconds=one.seconds,
                staging=one.staging,
                validating=validating,
                parent=f"{one.parent:.0f}" if one.parent else "unknown",
                worker=f"{one.worker:.0f}" if one.worker else "unknown",
                bar=bar,
            )
        )
        tell(manifest)
        progress("timing the parts …")
        samples, taken = parts(preset, hub, folder / "cache", folder / "staged")
        whole = sum(taken.values())
        print(PARTS.format(groups=GROUPS, samples=samples, each=1e3 * whole / samples))
        body = [(w, f"{1e3 * s / samples:.1f}", f"{s / whole:.0%}") for w, s in taken.items()]
        print(table(("part", "ms a sample", "share"), body))
        print(
            f"\n`gatling validate` (the bar of a shortcut is {LIMIT:.2f}) exits with {checked.returncode}:\n"
        )
        print(f"```text\n{checked.stdout.replace(str(out), 'OUT').strip()}\n```\n")
        print(footer())


def tell(manifest: Manifest) -> None:
    head = ("source", "rows read", "rejected", "hosted")
    print(table(head, [(s.name, f"{s.read:,}", f"{s.rejected:,}", f"{s.used:,}") for s in manifest.sources]))
    kinds: dict[str, int] = {}
    for categories in manifest.counts.values():
        for category, found in categories.items():
            for kind, count in found.items():
                name = f"{category}: {kind}"
                kinds[name] = kinds.get(name, 0) + count
    print()
    body = [(kind, f"{count:,}", f"{count / manifest.rows:.1%}") for kind, count in sorted(kinds.items())]
    print(table(("samples", "number", "share"), body))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--preset", choices=("foundation", "seed", "full"), default="seed")
    arguments.add_argument("--size", type=int, help="samples (default: one for each row that is read)")
    given = arguments.parse_args()
    report(given.preset, given.size, given.data)


if __name__ == "__main__":
    main()
