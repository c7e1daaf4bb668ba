"""What `gatling run` tells: one line where something is wrong, and how the stages stand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gatling.cli import app
from gatling.cli.run import _Table
from gatling.pipeline import run as module
from tests.command import refused
from tests.pipeline.test_run_recipe import LEAST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{LEAST}sede = 1", ("mine.toml:9: calibrate.sede: no such key",)),
        ("build 1", ("mine.toml: not TOML",)),
        (f"{LEAST}[train]\nrecipe = 3", ("mine.toml:10: train.recipe",)),
    ],
)
def test_a_recipe_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "mine.toml").write_text(text)
    out = tmp_path / "out"
    refused(CliRunner().invoke(app, ["run", str(tmp_path / "mine.toml"), "--out", str(out)]), *words)
    assert not out.exists()


def test_no_such_recipe_and_a_folder_of_something_else(tmp_path: Path) -> None:
    refused(CliRunner().invoke(app, ["run", "sede"]), "sede: no such recipe; name one of seed, smoke")
    (tmp_path / "notes.txt").touch()
    result = CliRunner().invoke(app, ["run", "smoke", "--out", str(tmp_path)])
    refused(result, "holds files and no run", "new or empty")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupt_says_that_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(home: Path) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "State", interrupted)
    result = CliRunner().invoke(app, ["run", "smoke", "--out", str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "gatling: the same command goes on from here" in result.stderr


def test_a_table_shows_every_stage_and_nothing_raw() -> None:
    table = _Table()
    table.kept("build")
    table.begun("validate", "new")
    table.done("validate", 61.0)
    table.begun("train", "stopped")
    table.said("train", "step 3 \x1b[31m of 9")
    shown = io.StringIO()
    Console(file=shown, width=100).print(table.drawn())
    lines = {line.split()[0]: line for line in shown.getvalue().splitlines() if line.strip()}
    assert "kept" in lines["build"]
    assert "done" in lines["validate"] and "61 s" in lines["validate"]
    assert "running" in lines["train"] and "step 3" in lines["train"]
    assert all("to do" in lines[name] for name in ("mine", "bundle", "calibrate", "evaluate"))
    assert "\x1b" not in shown.getvalue()
