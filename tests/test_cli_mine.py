"""What `gatling mine` promises: a model, the same one after a kill, and one line where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from typer.testing import CliRunner, Result

from gatling.cli import app
from gatling.data.shards import read_manifest
from gatling.mining import rounds
from gatling.mining.judging import MiningError
from gatling.model.bundle import DEFAULT, default
from gatling.model.checkpoint import read_weights
from tests.command import refused
from tests.mining.endpoint import TOML, obliging, serving, spent
from tests.model.tiny import DATA, build, bundle, lines, trace, traces, trained

TINY = """
batch = 64
[contrast]
steps = 2
[validation]
every = 2
[collapse]
least_rank = 1
least_deviation = 0
"""

BOUNDS = ("--rounds", "1", "--budget", "20")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a build, a recipe and logs: all tiny."""
    folder = tmp_path_factory.mktemp("mining")
    trained(folder / "model")
    build(folder / "plans", train=range(4), validation=range(4, 12))
    (folder / "tiny.toml").write_text(TINY)
    rows = [trace(number, kind) for number in range(3) for kind in ("clean", "hijacked")]
    lines(folder / "logs.jsonl", ({**row, "kind": None, "hijacked_calls": None} for row in rows))
    return folder


def mined(folder: Path, out: Path, *more: object, model: object = None) -> Result:
    arguments = [model or folder / "model", folder / "plans", "--recipe", folder / "tiny.toml", "--out", out]
    return CliRunner().invoke(app, ["mine", *map(str, [*arguments, *BOUNDS, *more])])


@pytest.fixture(scope="module")
def whole(folder: Path) -> Result:
    """A mining that was never stopped, in `whole`."""
    return mined(folder, folder / "whole", "--traces", folder / "logs.jsonl", "--plain")


def test_a_model_and_a_build_give_a_model_a_build_and_a_report(folder: Path, whole: Result) -> None:
    assert whole.exit_code == 0, whole.output
    out = folder / "whole"
    told = json.loads((out / "report.json").read_text())
    added = sum(told["rounds"][0]["added"].values())
    assert len(told["rounds"]) == 1 and 0 < added <= 20
    assert read_manifest(out / "data").rows == read_manifest(folder / "plans").rows + added
    _, config = read_weights(out / "round-01" / "model" / "model.safetensors")
    assert config.hidden == 8
    assert (out / "report.md").is_file() and (out / "report.html").is_file()


def test_the_end_tells_what_came_of_it_and_what_comes_next(folder: Path, whole: Result) -> None:
    out = folder / "whole"
    told = json.loads((out / "report.json").read_text())
    shown = " ".join(whole.stdout.split())
    unfolded = "".join(whole.stdout.split())
    assert f"samples added {sum(told['rounds'][0]['added'].values())}" in shown
    for measured in (told["first"], told["rounds"][0]["measured"]):
        assert f"{measured['auc']['value']:.4f}" in shown
        assert f"{measured['auc']['low']:.4f} – {measured['auc']['high']:.4f}" in shown
        assert f"{100 * measured['recall']['value']:.1f}%" in shown
    assert told["stopped"].replace(" ", "") in unfolded
    assert f"gatlingbundle{out}/round-01/model{out}/data" in unfolded
    assert f"{out}/report.html" in unfolded and f"{out}/review.jsonl" in unfolded
    assert "gatling: round 1: " in whole.stderr
    assert "added; AUC on validation" in whole.stderr


def test_runs_without_a_label_are_listed_and_not_learnt_from(folder: Path, whole: Result) -> None:
    rows = [json.loads(line) for line in (folder / "whole" / "review.jsonl").read_text().splitlines()]
    assert sorted(row["line"] for row in rows) == [1, 2, 3, 4, 5, 6]
    assert {row["file"] for row in rows} == {str(folder / "logs.jsonl")}
    assert [row["margin"] for row in rows] == sorted(row["margin"] for row in rows)
    data = json.loads((folder / "whole" / "round-01" / "model" / "data.json").read_text())["data"]
    assert {part["name"] for part in data} == {"offline-7-60", "mined-1", DATA.name}
    groups = (folder / "whole" / "round-01" / "model" / "groups.txt").read_text()
    assert "fair" not in groups


@pytest.mark.parametrize("at", ["train", "grow"])
def test_a_mining_that_was_stopped_goes_on_and_ends_the_same(
    folder: Path, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    assert whole.exit_code == 0
    out = tmp_path / "mined"

    def stop(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rounds, at, stop)
        stopped = mined(folder, out)
        assert stopped.exit_code == 130
        assert "the same command goes on from here" in stopped.stderr
        assert not (out / "report.json").exists()
    made = (out / "round-01" / "added.arrow").stat().st_mtime_ns
    again = mined(folder, out)
    assert again.exit_code == 0, again.output
    assert (out / "round-01" / "added.arrow").stat().st_mtime_ns == made
    files = [
        "report.json",
        "report.md",
        "report.html",
        "data/manifest.json",
        "round-01/model/model.safetensors",
    ]
    for name in files:
        assert (out / name).read_bytes() == (folder / "whole" / name).read_bytes(), name


def test_a_folder_of_something_else_is_refused(folder: Path, whole: Result, tmp_path: Path) -> None:
    assert whole.exit_code == 0
    refused(mined(folder, folder / "whole", "--seed", "9"), "another seed", "--out")
    refused(mined(folder, folder / "model"), "not empty, and no mining", "--out")
    assert not (tmp_path / "mined").exists()


def test_the_model_that_ships_is_called_default(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def mine(model: Path, *_: object, **__: object) -> NoReturn:
        asked.append(model)
        raise MiningError("that will do")

    monkeypatch.setattr(rounds, "mine", mine)
    refused(mined(folder, tmp_path / "mined", model="default"), "that will do")
    assert asked == [DEFAULT]
    weights, _ = read_weights(DEFAULT)
    assert weights.keys() == default().arrays.keys()


def test_what_cannot_be_mined_is_told_in_a_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mined"
    refused(mined(folder, out, "--budget", "9"), "a budget of 9 for 1 rounds", "10 samples")
    refused(mined(folder, out, "--recipe", "biggest"), "compare, gpu, laptop, smoke")
    refused(mined(folder, out, model=tmp_path / "none"), "none", "No such file")
    refused(mined(folder, out, model=folder), "model.safetensors", "No such file")
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{\n")
    refused(mined(folder, out, "--traces", broken), "broken.jsonl:1: invalid JSON")
    labelled = traces(tmp_path / "labelled.jsonl", range(1))
    refused(mined(folder, out, "--traces", labelled), "no run without a label", "--traces")
    refused(mined(folder, out, "--tools", tmp_path / "none.json"), "none.json", "No such file")
    assert not out.exists()
    analytic = tmp_path / "analytic.safetensors"
    bundle(network=None).save(analytic)
    refused(mined(folder, out, model=analytic), "a bundle of analytic terms alone")


def test_a_worker_that_died_is_told_in_a_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> NoReturn:
        raise BrokenProcessPool

    monkeypatch.setattr(rounds, "candidates", die)
    refused(mined(folder, tmp_path / "mined"), "a worker process died", "goes on from here", "--workers")


def test_help_names_every_option() -> None:
    shown = CliRunner().invoke(app, ["mine", "--help"])
    assert shown.exit_code == 0
    options = ("rounds", "budget", "recipe", "out", "seed", "traces", "tools", "workers", "threads", "plain")
    for option in options:
        assert f"--{option}" in shown.stdout
    assert "gatling mine model plans" in shown.stdout


WITHOUT = """
import sys
sys.modules["torch"] = None
import typer
from gatling.cli.mine import add_commands
app = typer.Typer()
app.callback()(lambda: None)
add_commands(app)
sys.argv = ["gatling", "mine", "model", "plans"]
app()
"""


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "gatling mine needs torch, which is not installed" in done.stderr
    assert "pip install 'gatling-guard[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_answers_without_torch() -> None:
    code = "import sys, gatling.cli.mine; print(sorted({'torch', 'pyarrow', 'jinja2'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_with_an_oracle_the_spending_is_shown_and_kept_in_the_folder(folder: Path, tmp_path: Path) -> None:
    with serving(obliging) as server:
        (tmp_path / "oracle.toml").write_text(TOML.format(url=server.url, most="0.05", timeout="20"))
        result = mined(
            folder, tmp_path / "out", "--oracle", tmp_path / "oracle.toml", "--budget", "60", "--plain"
        )
        assert result.exit_code == 0, result.output
        assert server.log
        assert "oracle: $" in result.stderr and "of $0.05 spent" in result.stderr
        assert 0 < spent(tmp_path / "out" / ".oracle") <= Decimal("0.05")


def test_an_oracles_file_that_cannot_be_used_is_told_in_a_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "oracle.toml").write_text(TOML.format(url="http://models.example/v1", most="1", timeout="20"))
    result = mined(folder, tmp_path / "out", "--oracle", tmp_path / "oracle.toml")
    refused(result, "oracle.toml:1: url: http would show key and texts to the network; write https")
