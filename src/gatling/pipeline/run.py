"""A run: the stages in order, each made or kept, then the report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from gatling.data.code import code, versions
from gatling.pipeline.recipe import Recipe
from gatling.pipeline.report import Report, report, write
from gatling.pipeline.stages import STAGES, Stage, Work
from gatling.pipeline.state import Entry, PipelineError, State, key_of

COUNTING = ("faker", "numpy", "pyarrow", "scikit-learn", "torch")
"""Packages whose versions decide bytes."""

Why: TypeAlias = Literal["new", "stopped", "changed"]
"""Why a stage is made: for the first time, to its end, or again because its output, what it is made from, or
the code is not what it was."""


class Watch(Protocol):
    """What hears of a run."""

    def kept(self, stage: str) -> None:
        """The stage was made before, of the same."""
        ...

    def begun(self, stage: str, why: Why) -> None:
        """The stage is being made."""
        ...

    def said(self, stage: str, line: str) -> None:
        """How far it is."""
        ...

    def done(self, stage: str, seconds: float) -> None:
        """It is made."""
        ...


def run(name: str, recipe: Recipe, home: Path, *, workers: int, threads: int, watch: Watch) -> Report:
    """Make every stage in the folder `home` that is not there already, and write the report.

    Give the same folder again to go on with a run that was stopped, or with another recipe: stages of which
    nothing changed are kept. The bytes follow from the recipe, its name, the versions of code and packages,
    and the number of threads, for these change the order of sums; not from the number of workers.

    Raises:
        PipelineError: the folder holds something else, or a stage failed; names the stage.
        OSError: the folder cannot be written.
    """
    state = State(home)
    made_by = {**versions(*COUNTING), "code": code()}
    for stage in STAGES:

        def told(line: str, stage: Stage = stage) -> None:
            watch.said(stage.name, line)

        found = {known: entry.found for known, entry in state.stages.items()}
        work = Work(name, recipe, home, found, workers, threads, told)
        reads = {read: state.stages[read].sha256 for read in stage.reads}
        key = key_of(
            {"stage": stage.name, "settings": stage.settings(work), "reads": reads, "made by": made_by}
        )
        if state.stands(stage.name, key, stage.outputs):
            watch.kept(stage.name)
            continue
        began = time.monotonic()
        watch.begun(stage.name, _why(state.stages.get(stage.name), key))
        with _failing(stage.name):
            state.begin(stage.name, key)
            made = stage.make(work)
        state.finish(stage.name, stage.outputs, time.monotonic() - began, made)
        watch.done(stage.name, state.stages[stage.name].seconds)
    made_of = report(name, recipe, home, state.stages, made_by)
    write(made_of, home / "report")
    return made_of


def _why(entry: Entry | None, key: str) -> Why:
    if entry is None:
        return "new"
    return "stopped" if entry.key == key and not entry.sha256 else "changed"


@contextmanager
def _failing(stage: str) -> Iterator[None]:
    """Name the stage that failed."""
    try:
        yield
    except BrokenProcessPool:
        raise PipelineError(
            f"{stage}: a worker process died, perhaps for want of memory; give the same command again to go "
            "on, perhaps with fewer --workers"
        ) from None
    except (ValueError, RuntimeError) as error:
        if not type(error).__module__.startswith("gatling."):
            raise  # a bug rather than something to mend
        raise PipelineError("\n".join(f"{stage}: {line}" for line in str(error).split("\n"))) from error
