"""The command that publishes a build: `gatling push`."""

# What takes long to import, and what only the data extra installs, is imported inside the command.
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.errors import data_reported
from gatling.runtime.inputs import Unusable

if TYPE_CHECKING:
    from gatling.data.push import Parcel, Progress


def push(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that gatling build made.")],
    repo: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="A dataset on the Hub, new or not.")],
    private: Annotated[
        bool, typer.Option("--private", help="For your eyes, and your organisation's.")
    ] = False,
) -> None:
    """Publish a build on the Hugging Face Hub: its shards, card, plots and manifest, in one commit.

    The token is that of HF_TOKEN, and must be allowed to write. An interrupted push goes on when the same
    command is given again. Rows whose sources may not be published openly go nowhere without --private.
    """
    # The Hub's client reads it once, and its uploads would send a summary of themselves.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with data_reported("push"):
        from gatling.data.push import PushError, pack, send
        from gatling.runtime.report import ERROR_LIMIT
        from gatling.terminal import safe

        try:
            parcel = pack(out, private=private)
            for note in parcel.notes:
                typer.echo(f"gatling: {safe(note, ERROR_LIMIT)}", err=True)
            with _watched(parcel) as told:
                pushed = send(parcel, repo, told=told)
        except PushError as error:
            raise Unusable(*str(error).split("\n")) from None
        except KeyboardInterrupt:
            typer.echo("gatling: the same command goes on from here", err=True)
            raise
        if not pushed.changed:
            typer.echo(f"{safe(pushed.url)} holds exactly this already")
            return
        gone = f"; {len(pushed.removed)} shards of an earlier build removed" if pushed.removed else ""
        place = f"{safe(pushed.url)} at {safe(pushed.commit[:8])}"
        typer.echo(f"{len(parcel.files)} files, {_mb(parcel.size)}, in {place}{gone}")
        typer.echo(f'datasets.load_dataset("{safe(repo)}") loads it')


@contextmanager
def _watched(parcel: Parcel) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, else a status line now and then; on standard error."""
    if not sys.stderr.isatty():
        yield _lines(parcel)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=parcel.size)
        yield lambda progress: bar.update(task, completed=progress.bytes)


def _lines(parcel: Parcel) -> Callable[[Progress], None]:
    from gatling.cli.progress import STATUS_EVERY

    size = parcel.size
    spoken = began = time.monotonic()

    def told(progress: Progress) -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken < STATUS_EVERY:
            return
        spoken = now
        minutes = (size - progress.bytes) * (now - began) / max(progress.bytes, 1) / 60
        done = f"{progress.files} of {len(parcel.files)} files, {_mb(progress.bytes)} of {_mb(size)}"
        typer.echo(f"gatling: {done}, {minutes:.0f} min left", err=True)

    return told


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
