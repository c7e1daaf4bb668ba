"""The command that does it all: `gatling run`."""

# What takes long to import, and what only the train extra installs, is imported inside the command.
from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.errors import installed, reported
from gatling.cli.progress import STATUS_EVERY
from gatling.cli.train import NEEDED
from gatling.runtime.inputs import Unusable
from gatling.terminal import safe

if TYPE_CHECKING:
    from rich.table import Table

    from gatling.pipeline.report import Report
    from gatling.pipeline.run import Watch, Why

RUNS = Path("runs")
"""Where a run goes, into a folder of its recipe's name, unless another is named."""

BEGUN = {"new": "begins", "stopped": "goes on", "changed": "again: it, what it reads, or the code changed"}


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="\b\nExamples:\n"
        "  gatling run smoke\n"
        "  gatling run seed --workers 2 --threads 2\n"
        "  gatling run mine.toml --out runs/mine"
    )(run)


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="seed, smoke, or a TOML file.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder that is new, empty, or of a run; else runs/RECIPE."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that share the work; the bundle is the same.")
    ] = 1,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="Threads of torch; another number gives another bundle.")
    ] = 1,
    plain: Annotated[
        bool, typer.Option("--plain", help="Status lines instead of a table, for logs.")
    ] = False,
) -> None:
    """Build, validate, train, mine, bundle, calibrate, evaluate and report, as one recipe says.

    A run that was stopped, however it was, goes on when the same command is given again, and ends in the same
    bundle, OUT/calibrate/bundle.safetensors. Stages of which nothing changed, neither settings nor inputs nor
    code, are kept; the others are removed and made again. OUT/report/report.html says what came of it.
    """
    with reported(), installed("run", "train", NEEDED):
        from gatling.pipeline.recipe import RecipeError, load
        from gatling.pipeline.run import run as go
        from gatling.pipeline.state import PipelineError
        from gatling.runtime.report import show

        try:
            name, chosen = load(recipe)
            home = out if out is not None else RUNS / name
            with _watched(plain) as watch:
                made = go(name, chosen, home, workers=workers, threads=threads, watch=watch)
        except (PipelineError, RecipeError) as error:
            raise Unusable(*str(error).split("\n")) from None
        except KeyboardInterrupt:
            typer.echo("gatling: the same command goes on from here", err=True)
            raise
        show(_figures(made, home))


@contextmanager
def _watched(plain: bool) -> Iterator[Watch]:
    """What hears of a run: a table on a terminal, unless `plain`; else lines."""
    if plain or not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live

    table = _Table()
    with Live(console=Console(stderr=True), get_renderable=table.drawn, refresh_per_second=4):
        yield table


class _Lines:
    """A line when a stage begins, is kept or done, and one on how far it is when it is time."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def kept(self, stage: str) -> None:
        """The stage was made before, of the same."""
        self._say(stage, "kept")

    def begun(self, stage: str, why: Why) -> None:
        """The stage is being made."""
        self._say(stage, BEGUN[why])

    def said(self, stage: str, line: str) -> None:
        """How far it is."""
        if time.monotonic() - self._told >= STATUS_EVERY:
            self._say(stage, line)

    def done(self, stage: str, seconds: float) -> None:
        """It is made."""
        self._say(stage, f"done, {seconds:.1f} s")

    def _say(self, stage: str, line: str) -> None:
        self._told = time.monotonic()
        typer.echo(f"gatling: {stage}: {safe(line)}", err=True)


class _Table:
    """All stages with their state."""

    def __init__(self) -> None:
        from gatling.pipeline.stages import STAGES

        self._rows = {stage.name: ("to do", "", "") for stage in STAGES}
        self._running: tuple[str, float] | None = None

    def kept(self, stage: str) -> None:
        """The stage was made before, of the same."""
        self._rows[stage] = ("kept", "", "")

    def begun(self, stage: str, why: Why) -> None:
        """The stage is being made."""
        self._rows[stage] = ("running", "", BEGUN[why])
        self._running = stage, time.monotonic()

    def said(self, stage: str, line: str) -> None:
        """How far it is."""
        self._rows[stage] = ("running", "", safe(line))

    def done(self, stage: str, seconds: float) -> None:
        """It is made."""
        self._rows[stage] = ("done", f"{seconds:.0f} s", "")
        self._running = None

    def drawn(self) -> Table:
        """The table as it is now."""
        from rich.text import Text

        table = _table()
        for name, (word, seconds, line) in self._rows.items():
            if self._running is not None and self._running[0] == name:
                seconds = f"{time.monotonic() - self._running[1]:.0f} s"
            table.add_row(Text(name), Text(word), Text(seconds, justify="right"), Text(line))
        return table


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, show_header=False)


def _figures(made: Report, home: Path) -> Table:
    from rich.text import Text

    from gatling.pipeline.report import PAGE, duration
    from gatling.pipeline.stages import BUNDLE

    table = _table()
    rows = {
        "bundle": safe(str(home / "calibrate" / BUNDLE)),
        "sha256": made["bundle"],
        "report": safe(str(home / "report" / PAGE)),
        "time": duration(made["seconds"]),
    }
    for name, value in rows.items():
        table.add_row(Text(name), Text(value, overflow="fold"))
    return table
