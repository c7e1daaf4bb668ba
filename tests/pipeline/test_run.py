"""What a run promises: stages of which nothing changed are kept, all others made again, and nobody's files
are removed. The stages here are small ones; `test_killed` runs the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gatling.pipeline import run as module
from gatling.pipeline.recipe import Recipe, parse
from gatling.pipeline.run import Why, run
from gatling.pipeline.stages import STAGES, Found, Stage, Work
from gatling.pipeline.state import STATE, PipelineError, State, digest
from tests.pipeline.test_run_recipe import LEAST

RECIPE = parse(LEAST)
HASH = "ab" * 32


def made(name: str, text: Callable[[Work], str]) -> Callable[[Work], Found]:
    """A stage that writes one file."""

    def make(work: Work) -> Found:
        (work.of(name) / "out").write_text(text(work))
        return {"sha256": HASH}

    return make


def before(work: Work, *names: str) -> str:
    return "".join((work.of(name) / "out").read_text() for name in names)


BUILD = Stage(
    "build",
    (),
    lambda work: work.recipe.build.model_dump(),
    ("out",),
    made("build", lambda work: str(work.recipe.build.size // 10)),
)
TRAIN = Stage(
    "train",
    ("build",),
    lambda work: work.threads,
    ("out",),
    made("train", lambda work: before(work, "build") + "x" * work.threads),
)
CALIBRATE = Stage(
    "calibrate",
    ("train",),
    lambda work: work.recipe.calibrate.model_dump(),
    ("out",),
    made("calibrate", lambda work: before(work, "train")),
)


class Heard:
    """What was heard of a run: stage -> kept, or why it was made."""

    def __init__(self) -> None:
        self.stages: dict[str, str] = {}
        self.ended: list[str] = []

    def kept(self, stage: str) -> None:
        self.stages[stage] = "kept"

    def begun(self, stage: str, why: Why) -> None:
        self.stages[stage] = why

    def said(self, stage: str, line: str) -> None:
        assert line

    def done(self, stage: str, seconds: float) -> None:
        self.ended.append(stage)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STAGES", (BUILD, TRAIN, CALIBRATE))
    monkeypatch.setattr(module, "write", lambda report, folder: None)


def go(home: Path, recipe: Recipe = RECIPE, *, workers: int = 1, threads: int = 1) -> dict[str, str]:
    heard = Heard()
    run("mine", recipe, home, workers=workers, threads=threads, watch=heard)
    assert heard.ended == [stage for stage, how in heard.stages.items() if how != "kept"]
    return heard.stages


def of(how: str) -> dict[str, str]:
    return dict.fromkeys(("build", "train", "calibrate"), how)


def with_size(size: int) -> Recipe:
    return RECIPE.model_copy(update={"build": RECIPE.build.model_copy(update={"size": size})})


def test_what_is_done_is_kept(tmp_path: Path) -> None:
    assert go(tmp_path / "run") == of("new")
    assert go(tmp_path / "run") == of("kept")
    assert go(tmp_path / "run", workers=3) == of("kept")


def test_a_changed_setting_makes_its_stage_and_what_reads_that_again(tmp_path: Path) -> None:
    go(tmp_path)
    assert go(tmp_path, with_size(200)) == of("changed")
    assert (tmp_path / "calibrate/out").read_text() == "20x"


def test_a_stage_whose_input_came_out_the_same_is_kept(tmp_path: Path) -> None:
    go(tmp_path)
    assert go(tmp_path, with_size(101)) == {"build": "changed", "train": "kept", "calibrate": "kept"}


def test_threads_count_for_what_is_trained(tmp_path: Path) -> None:
    go(tmp_path)
    assert go(tmp_path, threads=2) == {"build": "kept", "train": "changed", "calibrate": "changed"}


def test_other_code_makes_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tmp_path)
    monkeypatch.setattr(module, "code", lambda: "another")
    assert go(tmp_path) == of("changed")


@pytest.mark.parametrize("harm", ["gone", "changed", "folder gone"])
def test_an_output_that_is_not_as_it_was_left_is_made_again(tmp_path: Path, harm: str) -> None:
    go(tmp_path)
    out = tmp_path / "train/out"
    if harm == "changed":
        out.write_text("other")
    else:
        out.unlink()
    if harm == "folder gone":
        out.parent.rmdir()
    assert go(tmp_path) == {"build": "kept", "train": "changed", "calibrate": "kept"}
    assert out.read_text() == "10x"


def test_a_stage_that_was_stopped_goes_on_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(work: Work) -> Found:
        (work.of("train") / "half").write_text("done")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "STAGES", (BUILD, replace(TRAIN, make=stopped), CALIBRATE))
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path)
    monkeypatch.setattr(module, "STAGES", (BUILD, TRAIN, CALIBRATE))
    assert go(tmp_path) == {"build": "kept", "train": "stopped", "calibrate": "new"}
    assert (tmp_path / "train/half").exists()
    assert State(tmp_path).stages["train"].starts == 2
    assert go(tmp_path, with_size(200)) == of("changed")
    assert not (tmp_path / "train/half").exists(), "what was made of something else must not be gone on with"


@pytest.mark.parametrize("removed", [False, True])
def test_stopped_while_something_old_is_removed_it_is_removed_first(tmp_path: Path, removed: bool) -> None:
    """Between the removal of an old folder and the new key, and in the midst of the removal."""
    go(tmp_path)
    key = State(tmp_path).stages["train"].key
    told = json.loads((tmp_path / STATE).read_text())
    told["stages"]["train"] = {"key": ""}
    (tmp_path / STATE).write_text(json.dumps(told))
    (tmp_path / "train/out").unlink()
    if removed:
        (tmp_path / "train").rmdir()
    else:
        (tmp_path / "train/rest").write_text("half of what was there")
    assert go(tmp_path)["train"] == "changed"
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["out"]
    assert State(tmp_path).stages["train"].key == key


def test_what_the_run_did_not_make_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PipelineError, match="holds files and no run; name a folder that is new or empty"):
        go(tmp_path)
    (tmp_path / "notes.txt").unlink()
    go(tmp_path)
    told = json.loads((tmp_path / STATE).read_text())
    del told["stages"]["train"]
    (tmp_path / STATE).write_text(json.dumps(told))
    with pytest.raises(PipelineError, match=r"train: .*not made by this run; move it away"):
        go(tmp_path)
    assert (tmp_path / "train/out").read_text() == "10x"
    with pytest.raises(PipelineError, match="not a folder"):
        go(tmp_path / "train/out")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"stages": {"build": {"key": 3}}}'])
def test_a_state_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE).write_text(text)
    with pytest.raises(PipelineError, match=r"state\.json: .*; name another folder, or remove this one"):
        go(tmp_path)


def test_what_fails_names_its_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(work: Work) -> Found:
        raise PipelineError("row 1: wrong\nthe build is not valid")

    monkeypatch.setattr(module, "STAGES", (BUILD, replace(TRAIN, make=bad), CALIBRATE))
    with pytest.raises(PipelineError) as error:
        go(tmp_path)
    assert str(error.value) == "train: row 1: wrong\ntrain: the build is not valid"
    assert not (tmp_path / "calibrate").exists()


def test_a_bug_is_not_taken_for_something_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(work: Work) -> Found:
        raise ValueError("a bug")

    monkeypatch.setattr(module, "STAGES", (replace(BUILD, make=bad),))
    with pytest.raises(ValueError, match=r"^a bug$"):
        go(tmp_path)


def test_a_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    def of(**files: str) -> str:
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return digest(folder, ("a*", "*b"))

    assert of(a="1", b="2") == of(b="2", a="1", c="3")
    assert len({of(a="1", b="2"), of(a="2", b="1"), of(a="12"), of(a1="2"), of()}) == 5


def test_the_real_stages_read_only_what_stands_before_them() -> None:
    names = [stage.name for stage in STAGES]
    assert names == ["build", "validate", "train", "mine", "bundle", "calibrate", "evaluate"]
    for at, stage in enumerate(STAGES):
        assert set(stage.reads) <= set(names[:at])
