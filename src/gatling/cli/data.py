"""The commands that make and look at training data: `gatling build`, `validate`, `stats` and `show`."""

# What takes long to import, and what only the data extra installs, is imported inside the commands.
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.errors import FLAGGED, reported
from gatling.runtime.inputs import Unusable

if TYPE_CHECKING:
    from collections import Counter

    from rich.console import RenderableType

    from gatling.data.build import Standing

EXTRA = frozenset(
    {"datasketch", "faker", "huggingface_hub", "jinja2", "markupsafe", "matplotlib", "pyarrow", "sklearn"}
)
"""Packages that the data extra installs."""

STATUS_EVERY = 30.0
"""Seconds between status lines where standard error is no terminal."""

Folder = Annotated[Path, typer.Argument(metavar="OUT", help="A folder that gatling build made.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    example = "Example:  gatling"
    app.command(epilog=f"{example} build plans --preset offline --size 10000 --seed 7")(build)
    app.command(epilog=f"{example} validate plans")(validate)
    app.command(epilog=f"{example} stats plans")(stats)
    app.command(epilog=f"{example} show plans --id w0000004-1")(show)


def build(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is new, empty or unfinished.")],
    size: Annotated[int, typer.Option(min=1, help="Samples to build.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other samples.")],
    preset: Annotated[
        str,
        typer.Option(metavar="NAME", help="Where samples come from; offline: simulated worlds, no network."),
    ] = "offline",
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that share the work; the samples are the same.")
    ] = 1,
) -> None:
    """Build labelled plans as Parquet shards with a dataset card. Costs nothing and needs no network.

    The same size, seed and versions give the same bytes. A build that was stopped, however it was, goes on
    when the same command is given again. What was left out, and why, is in OUT/dropped.jsonl.
    """
    with _data("build"):
        from gatling.data import build as making
        from gatling.terminal import safe

        began = time.monotonic()
        try:
            with _watched() as told:
                manifest, standing = making.build(out, size, seed, preset=preset, workers=workers, told=told)
        except making.BuildError as error:
            raise Unusable(str(error)) from None
        except KeyboardInterrupt:
            typer.echo("gatling: the same command goes on from here", err=True)
            raise
        splits = {
            split: sum(n for kinds in categories.values() for n in kinds.values())
            for split, categories in manifest.counts.items()
        }
        parts = [
            f"{manifest.rows} samples in {safe(str(out))}: {_listed(splits)}",
            f"left out: {_listed(standing.dropped) or 'nothing'}",
            f"{time.monotonic() - began:.1f} s; cost $0",
        ]
        typer.echo("\n".join(parts))


def validate(out: Folder) -> None:
    """Check files, manifest, every row, the mix, the splits, and that no shortcut gives labels away.

    Exits with 0 when all is well, 1 when something is wrong, 2 when the folder cannot be used.
    """
    with _data("validate"):
        from gatling.data.validate import validate as check
        from gatling.runtime.report import ERROR_LIMIT
        from gatling.terminal import safe

        report = check(out)
        for problem in report.problems:
            typer.echo(safe(problem, ERROR_LIMIT))
        if (more := report.found - len(report.problems)) > 0:
            typer.echo(f"and {more} more problems")
        for shortcut in report.shortcuts:
            typer.echo(safe(str(shortcut), ERROR_LIMIT))
        verdict = "valid" if report.passed else "not valid"
        typer.echo(f"{safe(str(out))}: {verdict}; {report.rows} rows, {report.found} problems")
        if not report.passed:
            raise typer.Exit(FLAGGED)


def stats(out: Folder) -> None:
    """Count samples by split, kind, attack, wording, language, domain and energy term."""
    with _data("stats"):
        from rich.console import Group
        from rich.text import Text

        from gatling.data.validate import stats as count
        from gatling.runtime.report import show as shown

        found = count(out)
        tables = {
            "split": found.splits,
            "kind": found.kinds,
            "attack": found.families,
            "poison's wording": found.registers,
            "language": found.languages,
            "domain": found.domains,
            "term that moves": found.terms,
            "all": {"disputed": found.disputed, "samples": found.mix},
        }
        shown(Group(*(part for name, counts in tables.items() for part in (_table(name, counts), Text()))))


def show(
    out: Folder, id: Annotated[str, typer.Option("--id", metavar="ID", help="The sample's id.")]
) -> None:
    """Show one sample whole: request, messages, calls with the origin of each argument, and energies."""
    with _data("show"):
        from gatling.data.shards import find
        from gatling.data.show import render
        from gatling.runtime.report import show as shown

        shown(render(find(out, id)))


@contextmanager
def _data(command: str) -> Iterator[None]:
    """Report what goes wrong with data, a missing extra above all."""
    with reported():
        try:
            from gatling.data.shards import ShardError

            try:
                yield
            except ShardError as error:
                raise Unusable(*str(error).split("\n")) from None
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRA:
                raise
            remedy = "pip install 'gatling-guard[data]'"
            raise Unusable(f"gatling {command} needs {package}, which is not installed: {remedy}") from None


def _table(name: str, counts: Mapping[str, Counter[str]]) -> RenderableType:
    from rich import box
    from rich.table import Table

    from gatling.data.validate import CATEGORIES
    from gatling.terminal import name as named

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column(name, min_width=24)
    for category in (*CATEGORIES, "all"):
        table.add_column(category, justify="right")
    for key, row in counts.items():
        table.add_row(named(key), *(str(row[category]) for category in CATEGORIES), str(row.total()))
    return table


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


@contextmanager
def _watched() -> Iterator[Callable[[Standing], None]]:
    """What hears of a build: a progress bar on a terminal, else a line now and then, on standard error."""
    if not sys.stderr.isatty():
        yield _Lines().hear
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, rate="")
        rate = _Rate()

        def hear(standing: Standing) -> None:
            pace = f"{rate.of(standing):.0f} samples/s"
            progress.update(task, completed=standing.samples, total=standing.size, rate=pace)

        yield hear


class _Rate:
    """Samples per second since a build was begun or taken up again."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def of(self, standing: Standing) -> float:
        """The rate at this standing."""
        if self._first is None:
            self._first = standing.samples
        return (standing.samples - self._first) / max(time.monotonic() - self._began, 1e-9)


class _Lines:
    def __init__(self) -> None:
        self._rate, self._told = _Rate(), time.monotonic()

    def hear(self, standing: Standing) -> None:
        rate = self._rate.of(standing)
        if time.monotonic() - self._told < STATUS_EVERY or not rate:
            return
        self._told = time.monotonic()
        minutes = (standing.size - standing.samples) / rate / 60
        done = f"{standing.samples} of {standing.size} samples"
        typer.echo(f"gatling: {done}, {rate:.0f} samples/s, {minutes:.0f} min left", err=True)
