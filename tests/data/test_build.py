"""What a build promises: the same bytes however it ran, and nothing lost, left over or mixed up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import gatling
from gatling.cli import app, errors, progress
from gatling.data import build as building
from gatling.data import chunks, code
from gatling.data.build import BuildError, Standing, build
from gatling.data.columns import Row
from gatling.data.dedupe import Seen
from gatling.data.groups import group
from gatling.data.run import Sample
from gatling.data.shards import ShardError, read_rows
from gatling.data.split import split_of
from gatling.data.validate import problems
from gatling.data.worlds.state import ExecutionError

SIZE, SEED = 300, 7

# A place to go on from after each chunk, so that a small build has several.
START = "from gatling.data import build; build.BLOCK = 1; from gatling.cli import main; main()"


def started(out: Path, workers: int = 1) -> subprocess.Popen[bytes]:
    options = ["--preset", "offline", "--size", str(SIZE), "--seed", str(SEED), "--workers", str(workers)]
    command = [sys.executable, "-c", START, "build", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def until(there: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    while not there():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def gatling_runs(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "plans"
    process = started(out)
    told, complaints = process.communicate()
    assert process.returncode == 0, complaints
    assert told.startswith(f"{SIZE} samples in {out}: train ".encode())
    assert told.endswith(b"cost $0\n")
    assert complaints == b""
    return out


@pytest.fixture(scope="module")
def rows(unbroken: Path) -> list[Row]:
    return list(read_rows(unbroken))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few groups."""
    monkeypatch.setattr(chunks, "CHUNK", 4)


# The same bytes


def test_killed_twice_and_resumed_it_ends_in_the_same_bytes(unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans"
    making = out / ".build"
    for reached in (lambda: [*making.glob("chunks/*.arrow")], (making / "state.json").exists):
        process = started(out)
        until(reached, process)
        process.kill()
        process.communicate()
        assert not (out / "manifest.json").exists()
    finished = out / "train-00000.parquet"
    before = finished.stat().st_ino
    process = started(out)
    told = process.communicate()[1]
    assert process.returncode == 0, told
    assert finished.stat().st_ino == before, "a finished shard is written again"
    assert contents(out) == contents(unbroken)


def test_any_number_of_workers_gives_the_same_bytes(unbroken: Path, tmp_path: Path) -> None:
    process = started(tmp_path / "plans", workers=2)
    told = process.communicate()[1]
    assert process.returncode == 0, told
    assert contents(tmp_path / "plans") == contents(unbroken)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for a process's children")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    process = started(tmp_path / "plans", workers=2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: [*tmp_path.glob("plans/.build/chunks/*.arrow")], process)
    workers = [Path(f"/proc/{child}") for child in children.read_text().split()]
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    patience = time.monotonic() + 60
    while any(worker.exists() for worker in workers):
        assert time.monotonic() < patience
        time.sleep(0.05)


@pytest.mark.usefixtures("small")
def test_another_seed_gives_other_samples(tmp_path: Path) -> None:
    for seed in (1, 2):
        build(tmp_path / str(seed), 10, seed)
    one, other = (list(read_rows(tmp_path / str(seed))) for seed in (1, 2))
    assert len(one) == len(other) == 10
    assert {row.intent for row in one}.isdisjoint(row.intent for row in other)


# What it holds


def test_the_mix_holds_to_the_sample(rows: list[Row]) -> None:
    assert Counter(row.category for row in rows) == {"benign": 180, "adversarial": 60, "mutated": 60}
    assert sum(row.kind == "gold" for row in rows) >= 90


def test_a_group_is_in_one_split_and_stands_together(rows: list[Row]) -> None:
    for row in rows:
        assert row.split == split_of(row.group, SEED)
    order = [row.group for row in rows]
    assert len({*order}) == sum(a != b for a, b in zip(order, [*order[1:], ""], strict=True))


def test_every_row_is_sound_and_no_id_stands_twice(rows: list[Row]) -> None:
    assert len({row.id for row in rows}) == len(rows) == SIZE
    assert [problem for row in rows for problem in problems(row)] == []


def test_what_was_left_out_is_listed_with_its_reason(unbroken: Path, rows: list[Row]) -> None:
    dropped = [json.loads(line) for line in (unbroken / "dropped.jsonl").read_text().splitlines()]
    assert {entry["reason"] for entry in dropped} <= {"quota", "duplicate", "near-duplicate"}
    assert {entry["id"] for entry in dropped}.isdisjoint(row.id for row in rows)
    # Nothing is missing between the first group and the last.
    made = {entry["id"].partition("-")[0] for entry in dropped} | {row.group for row in rows}
    assert len(made) == int(max(made)[1:]) + 1


def test_nothing_is_left_over(unbroken: Path) -> None:
    there = {path.name for path in unbroken.iterdir() if path.suffix != ".parquet"}
    assert there == {"README.md", "energy.png", "length.png", "manifest.json", "dropped.jsonl"}


@pytest.mark.usefixtures("small")
def test_duplicates_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chunks, "group", Repeated(every=3))
    _, standing = build(tmp_path / "near", 12, SEED)
    dropped = [json.loads(line) for line in (tmp_path / "near" / "dropped.jsonl").read_text().splitlines()]
    near = [entry for entry in dropped if entry["reason"] == "near-duplicate"]
    assert standing.dropped["near-duplicate"] == len(near) > 0
    assert {entry["of"] for entry in near} <= {"w0000001"}
    # Were their groups no near duplicates, the runs would still be equal.
    monkeypatch.setattr(Seen, "group", lambda self, signature: None)
    _, standing = build(tmp_path / "exact", 12, SEED)
    assert standing.dropped["duplicate"] == len(near)


class Repeated:
    """Groups of which some are the second one again, under another name."""

    def __init__(self, every: int) -> None:
        self._every = every

    def __call__(self, index: int, seed: int, *shown: Any) -> list[Sample]:
        again = index > 1 and index % 4 and index % self._every == 0
        found = group(1 if again else index, seed, *shown)
        if again:
            found = [replaced(sample, index) for sample in found]
        return found


def replaced(sample: Sample, index: int) -> Sample:
    name = f"w{index:07d}"
    return replace(sample, id=f"{name}-0", run=replace(sample.run, group=name))


# What goes wrong


def test_a_build_that_is_finished_is_left_as_it_is(unbroken: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in unbroken.iterdir()}
    process = started(unbroken)
    assert process.communicate()[0].startswith(b"300 samples")
    assert {path: path.stat().st_mtime_ns for path in unbroken.iterdir()} == times


@pytest.mark.parametrize(
    ("size", "seed", "words"),
    [(301, 7, "size 300, not 301: name another folder"), (300, 8, "seed 7, not 8: name another folder")],
)
def test_a_folder_with_another_build_is_refused(unbroken: Path, size: int, seed: int, words: str) -> None:
    result = gatling_runs("build", unbroken, "--size", size, "--seed", seed)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("small")
def test_an_unfinished_build_of_other_code_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupted(tmp_path / "plans", 20)
    monkeypatch.setattr(code, "__version__", "0.0.1")
    with pytest.raises(BuildError, match=r"gatling '0\.1\.0', not '0\.0\.1': name another folder"):
        build(tmp_path / "plans", 20, SEED)


def interrupted(out: Path, size: int) -> None:
    def stop(standing: Standing) -> None:
        if standing.samples > size / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(out, size, SEED, told=stop)


@pytest.mark.usefixtures("small")
def test_a_shard_that_changed_while_the_build_was_stopped_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(building, "BLOCK", 1)
    interrupted(tmp_path, 20)
    shard = min(tmp_path.glob("*.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    with pytest.raises(BuildError, match=rf"{shard.name}: changed since it was written; remove"):
        build(tmp_path, 20, SEED)
    shard.unlink()
    with pytest.raises(BuildError, match=rf"{shard.name}: gone; remove"):
        build(tmp_path, 20, SEED)
    shard.write_bytes(content)
    build(tmp_path, 20, SEED)
    shard.unlink()
    with pytest.raises(ShardError, match=shard.name):
        build(tmp_path, 20, SEED)


@pytest.mark.usefixtures("small")
def test_a_chunk_that_was_half_written_is_made_again(tmp_path: Path) -> None:
    interrupted(tmp_path / "broken", 20)
    for chunk in tmp_path.glob("broken/.build/chunks/*.arrow"):
        chunk.write_bytes(chunk.read_bytes()[:-100])
    build(tmp_path / "broken", 20, SEED)
    build(tmp_path / "unbroken", 20, SEED)
    assert contents(tmp_path / "broken") == contents(tmp_path / "unbroken")


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_is_no_build_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder" / "mine.txt"):
        path.write_text("mine")
    result = gatling_runs("build", tmp_path / name, "--size", 10, "--seed", 1)
    assert result.exit_code == 2
    assert "new or empty" in result.stderr
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine", "mine"]


def test_an_unknown_preset_is_told_with_those_there_are(tmp_path: Path) -> None:
    result = gatling_runs("build", tmp_path / "x", "--size", 1, "--seed", 1, "--preset", "magic")
    assert (result.exit_code, "there are offline, foundation, seed, full" in result.stderr) == (2, True)
    assert not (tmp_path / "x").exists()


def failing(*indices: int) -> Callable[..., list[Sample]]:
    def fail(index: int, *rest: Any) -> list[Sample]:
        if index in indices:
            raise ExecutionError(f"no row \x1b[2J of {index}")
        return group(index, *rest)

    return fail


@pytest.mark.usefixtures("small")
def test_a_world_that_fails_is_listed_and_does_not_stop_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(chunks, "group", failing(2))
    monkeypatch.setattr(building, "MOST_FAILED", 0.1)
    manifest, standing = build(tmp_path, 12, SEED)
    assert manifest.rows == 12
    assert standing.dropped["error"] == 1
    entries = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    reason = "ExecutionError: no row \x1b[2J of 2"
    assert {"reason": "error", "group": "w0000002", "index": 2, "seed": SEED, "error": reason} in entries


@pytest.mark.usefixtures("small")
def test_too_many_that_fail_are_a_bug_to_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chunks, "group", failing(1, 6))
    with pytest.raises(BuildError, match=r"1 groups failed, more than 0\.1% of 12: .* report the lines"):
        build(tmp_path, 12, SEED)
    assert json.loads((tmp_path / "dropped.jsonl").read_text().splitlines()[0])["index"] == 1
    assert not (tmp_path / "manifest.json").exists()


def _die(*arguments: object) -> None:
    os._exit(1)


def test_the_death_of_a_worker_is_told_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chunks, "make_chunk", _die)
    with pytest.raises(BuildError, match=r"a worker process died, .* give the same command again"):
        build(tmp_path, 12, SEED, workers=2)


# The command line


def test_a_status_line_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "STATUS_EVERY", 0.0)
    lines = progress.Lines()
    for samples in (0, 500, 1000):
        lines.samples(Standing(samples, 1000, {}))
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("gatling: 500 of 1000 samples, ")
    assert last.endswith(" samples/s, 0 min left")


def test_validate_stats_and_show_read_a_build(unbroken: Path, rows: list[Row]) -> None:
    counted = gatling_runs("stats", unbroken)
    assert counted.exit_code == 0
    assert "heldout_domain" in counted.stdout
    shown = gatling_runs("show", unbroken, "--id", rows[0].id)
    assert shown.exit_code == 0
    assert rows[0].id in shown.stdout
    missing = gatling_runs("show", unbroken, "--id", "none")
    assert missing.exit_code == 2
    assert "no sample 'none'" in missing.stderr
    checked = gatling_runs("validate", unbroken)
    assert f"{SIZE} rows, 0 problems" in checked.stdout
    assert checked.exit_code == (0 if ": valid; " in checked.stdout else 1)


def test_validate_tells_what_is_wrong(tmp_path: Path, unbroken: Path) -> None:
    for path in unbroken.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "train-00000.parquet"
    pq.write_table(pq.read_table(shard), shard, compression="gzip")
    result = gatling_runs("validate", tmp_path)
    assert result.exit_code == 1
    assert "train-00000.parquet: not the bytes" in result.stdout
    assert gatling_runs("validate", tmp_path / "none").exit_code == 2


@pytest.mark.parametrize("command", ["build", "validate", "stats", "show", "push"])
def test_help_gives_an_example(command: str) -> None:
    result = gatling_runs(command, "--help")
    assert result.exit_code == 0
    assert f"Example:  gatling {command} plans" in result.stdout


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kept = {name: module for name, module in sys.modules.items() if name.startswith("gatling.data")}
    for name in kept:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(gatling, "data", kept["gatling.data"])  # an import puts the new one there
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    yield


@pytest.mark.usefixtures("without_extra")
@pytest.mark.parametrize(
    "options", [("build", "--size", 1, "--seed", 1), ("validate",), ("stats",), ("show", "--id", "a")]
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    tmp_path: Path, options: tuple[object, ...]
) -> None:
    command, *rest = options
    result = gatling_runs(command, tmp_path / "x", *rest)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"gatling: gatling {command} needs pyarrow")
    assert "pip install 'gatling-guard[data]'" in result.stderr


def test_the_command_line_starts_without_the_extra() -> None:
    code = f"import sys, gatling.cli; sys.exit(bool({set(errors.EXTRA)!r} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
