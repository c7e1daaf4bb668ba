"""What `gatling run` promises as a whole: killed anywhere and started again, it ends in the same bundle."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gatling.model.bundle import load

LEARNING = """\
recipe = "smoke"
batch = 32
collapse = { least_rank = 1, least_deviation = 0 }
pretrain = { steps = 3, slices = 8 }
contrast = { steps = 6 }
validation = { every = 3 }
network = { dimensions = 16, hidden = 32, heads = 2 }
"""
TINY = f"""\
[build]
size = 140
seed = 7
[train]
{LEARNING}
[mine]
rounds = 1
budget = 20
[mine.train]
{LEARNING}
[calibrate]
size = 80
seed = 12
budget = 0.5
[evaluate]
splits = ["test"]
"""

STAGES = ("build", "train", "mine", "calibrate")
"""Stages in which the run is killed, each once: `PATIENCE` seconds after it has begun at most."""

PATIENCE = 2.0

WAIT = 240.0
"""Seconds that a run may take."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(TINY)
    return path


def started(recipe: Path, out: Path) -> subprocess.Popen[bytes]:
    code = "from gatling.cli import main; main()"
    given = ["run", str(recipe), "--out", str(out), "--plain"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def stages(out: Path) -> dict[str, Any]:
    path = out / "state.json"
    found: dict[str, Any] = json.loads(path.read_bytes())["stages"] if path.exists() else {}
    return found


def killed(recipe: Path, out: Path, stage: str, after: float) -> None:
    """Start the run and kill it so many seconds after a stage has begun."""
    process = started(recipe, out)
    end = time.monotonic() + WAIT
    while stage not in stages(out):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def ended(recipe: Path, out: Path) -> tuple[str, str]:
    """Run it to its end: what it printed, and what it told on the way."""
    output, errors = started(recipe, out).communicate(timeout=WAIT)
    told = errors.decode()
    assert re.search(r"^ *bundle ", output.decode(), re.M), told
    return output.decode(), told


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_killed_at_random_points_it_ends_in_the_same_bundle(recipe: Path, tmp_path: Path) -> None:
    output, _ = ended(recipe, tmp_path / "unbroken")
    bundle = load(tmp_path / "unbroken/calibrate/bundle.safetensors")
    assert bundle.sha256 in output
    draw = random.Random(3)
    for stage in STAGES:
        killed(recipe, tmp_path / "killed", stage, draw.uniform(0.0, PATIENCE))
    _, told = ended(recipe, tmp_path / "killed")
    assert "gatling: build: kept" in told
    for place in ("bundle", "calibrate"):
        one, other = (tmp_path / run / place / "bundle.safetensors" for run in ("unbroken", "killed"))
        assert one.read_bytes() == other.read_bytes()
    unbroken, broken = (stages(tmp_path / run) for run in ("unbroken", "killed"))
    for stage in unbroken:
        for known in ("key", "sha256", "found"):
            assert unbroken[stage][known] == broken[stage][known], (stage, known)
    assert sum(entry["starts"] for entry in broken.values()) > len(broken)
    assert bundle.sha256 in (tmp_path / "killed/report/report.html").read_text()
