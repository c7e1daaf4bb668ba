"""The command that trains a model: `gatling train`."""

# What takes long to import, and what only the train extra installs, is imported inside the command.
from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.errors import EXTRA, installed, reported
from gatling.cli.options import ToolsFile
from gatling.cli.progress import STATUS_EVERY
from gatling.runtime.inputs import Unusable, load_schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.table import Table

    from gatling.model.train import Standing, Trained

NEEDED = EXTRA | {"torch", "tensorboard"}
"""Packages that the train extra installs."""

OUT = Path("model")
"""The folder of a training run, unless another is named."""


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="\b\nExamples:\n"
        "  gatling train plans --recipe smoke\n"
        "  gatling train plans --recipe laptop --out model --threads 2\n"
        "  gatling train --finetune model --traces labelled.jsonl --tools tools.json --out ours"
    )(train)


def train(
    data: Annotated[
        list[Path] | None, typer.Argument(metavar="[DATA]...", help="Folders that gatling build made.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="smoke, compare, laptop, gpu, or a TOML file.")
    ] = "laptop",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder that is new, empty, or of the same training.")
    ] = OUT,
    traces: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Labelled runs (.jsonl, .jsonl.gz) to learn from as well."),
    ] = None,
    tools: ToolsFile = None,
    finetune: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Train on from a bundle, or from a folder of gatling train."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")] = "cpu",
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of torch on the CPU.")] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Status lines instead of a bar, for logs.")] = False,
) -> None:
    """Train the dual encoder on builds and labelled runs; OUT/model.safetensors is the best model.

    A training that was stopped, however it was, goes on when the same command is given again, and ends in the
    same model. OUT also holds metrics.jsonl, TensorBoard's scalars and the recipe as it was used. Several
    GPUs: torchrun --nproc-per-node N --no-python gatling train ….
    """
    with training_reported("train"):
        import torch

        from gatling.model.corpus import gather
        from gatling.model.recipe import load
        from gatling.model.train import MODEL
        from gatling.model.train import train as fit
        from gatling.runtime.report import show

        torch.set_num_threads(threads)
        chosen = load(recipe)
        if seed is not None:
            chosen = chosen.model_copy(update={"seed": seed})
        folders, files = data or [], traces or []
        if not folders and not files:
            raise Unusable("nothing to train on: name a folder that gatling build made, or --traces")
        schemas = load_schemas(tools)
        began, quiet = time.monotonic(), os.environ.get("RANK", "0") != "0"
        corpus = gather(folders, files, schemas, cache=_cache(folders, out), told=_noted(quiet))
        start = finetune / MODEL if finetune is not None and finetune.is_dir() else finetune
        with _watched(plain, quiet) as told:
            found = fit(
                chosen,
                corpus.training,
                corpus.validation,
                out,
                data=corpus.data,
                start=start,
                device=device,
                told=told,
            )
        if not quiet:
            show(_figures(found, time.monotonic() - began))


@contextmanager
def training_reported(command: str) -> Iterator[None]:
    """Report what goes wrong in a command that trains, a missing extra above all."""
    with reported(), installed(command, "train", NEEDED):
        from gatling.data.shards import ShardError
        from gatling.model.checkpoint import CheckpointError
        from gatling.model.collapse import CollapseError
        from gatling.model.corpus import CorpusError
        from gatling.model.folder import FolderError
        from gatling.model.processes import DeviceError
        from gatling.model.recipe import RecipeError
        from gatling.model.selection import TrainingError

        try:
            yield
        except (
            CheckpointError,
            CollapseError,
            CorpusError,
            DeviceError,
            FolderError,
            RecipeError,
            ShardError,
            TrainingError,
        ) as error:
            raise Unusable(*str(error).split("\n")) from None
        except KeyboardInterrupt:
            typer.echo("gatling: the same command goes on from here", err=True)
            raise


def _cache(folders: list[Path], out: Path) -> Path:
    """Where encoded runs are kept: beside the first build, so that other trainings find them there."""
    rank = os.environ.get("RANK", "0")  # each process of torchrun writes its own
    home = folders[0] if folders and os.access(folders[0], os.W_OK) else out
    return home / (".encoded" if rank == "0" else f".encoded-{rank}")


def _noted(quiet: bool) -> Callable[[str], None]:
    from gatling.runtime.report import ERROR_LIMIT
    from gatling.terminal import safe

    def told(line: str) -> None:
        if not quiet:
            typer.echo(f"gatling: {safe(line, ERROR_LIMIT)}", err=True)

    return told


class _Pace:
    """How fast training goes, since the first step that was told of."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._steps = self._runs = 0

    def of(self, standing: Standing) -> str:
        """Where training stands, in words."""
        self._steps += 1
        self._runs += standing.runs
        seconds = max(time.monotonic() - self._began, 1e-9)
        left = (standing.steps - standing.step) * seconds / self._steps
        return (
            f"step {standing.step} of {standing.steps} ({standing.stage}), loss {standing.loss:.3f}, "
            f"{self._runs / seconds:.0f} samples/s, {left / 60:.0f} min left"
        )


@contextmanager
def _watched(plain: bool, quiet: bool) -> Iterator[Callable[[Standing], None]]:
    """What hears of every step: a bar on a terminal, unless `plain`; else lines, one for each evaluation."""
    pace = _Pace()
    if quiet:
        yield lambda standing: None
        return
    if plain or not sys.stderr.isatty():
        yield _Lines(pace)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, judged = progress.add_task("", total=None), ""

        def told(standing: Standing) -> None:
            nonlocal judged
            judged = _judgement(standing) or judged
            said = f"{pace.of(standing)}{judged}"
            progress.update(task, completed=standing.step, total=standing.steps, description=said)

        yield told


class _Lines:
    """Status lines: one for each evaluation, and one when it is time."""

    def __init__(self, pace: _Pace) -> None:
        self._pace, self._told = pace, time.monotonic()

    def __call__(self, standing: Standing) -> None:
        """Hear of a step."""
        said, now = self._pace.of(standing), time.monotonic()
        if standing.measured is not None or now - self._told >= STATUS_EVERY:
            self._told = now
            typer.echo(f"gatling: {said}{_judgement(standing)}", err=True)


def _judgement(standing: Standing) -> str:
    if (found := standing.measured) is None:
        return ""
    return f"; validation: AUC {found.auc_runs:.3f}, recall {found.recall:.3f} at 1% false positives"


def _figures(found: Trained, seconds: float) -> Table:
    rows = {
        "model": str(found.model),
        "steps": f"{found.step}; the best model is that of step {found.best_step}",
        "AUC of runs": f"{found.measured.auc_runs:.4f}",
        "AUC of calls": f"{found.measured.auc_calls:.4f}",
        "recall at 1%": f"{found.measured.recall:.4f}",
        "time": f"{seconds:.0f} s",
    }
    return facts(rows)


def facts(rows: Mapping[str, str]) -> Table:
    """Names with their values, whatever these hold."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from gatling.runtime.report import ERROR_LIMIT
    from gatling.terminal import safe

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name), Text(safe(value, ERROR_LIMIT)))
    return table
