"""What a person sees of a build on its way: bars on a terminal, else a status line now and then.

Loads tell from threads of their own. Everything goes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import typer

from gatling.terminal import NAME_LIMIT, safe

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from gatling.data.build import Standing
    from gatling.data.hub import Progress

STATUS_EVERY = 30.0
"""Seconds between status lines."""


class Watch(Protocol):
    """What hears of a build."""

    def rows(self, progress: Progress) -> None:
        """A source's rows."""
        ...

    def samples(self, standing: Standing) -> None:
        """The samples."""
        ...


@contextmanager
def watched(plain: bool) -> Iterator[Watch]:
    """What hears of a build: bars on a terminal, unless `plain`; else lines."""
    if plain or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bars(progress)


class _Rate:
    """How many a second since the first that was told of."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def of(self, count: int) -> float:
        """The rate at this count."""
        if self._first is None:
            self._first = count
        return (count - self._first) / max(time.monotonic() - self._began, 1e-9)


def _count(progress: Progress, rate: float) -> str:
    wanted = f" of {progress.wanted}" if progress.wanted is not None else ""
    note = f"; {safe(progress.note)}" if progress.note else ""
    return f"{progress.state}, {progress.rows}{wanted} rows, {rate:.0f} rows/s{note}"


class _Bars:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = Lock()
        self._tasks: dict[str, TaskID] = {}
        self._rates: dict[str, _Rate] = {}

    def _update(self, name: str, done: int, total: int | None, count: str) -> None:
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(safe(name, NAME_LIMIT), total=total, count="")
            self._bars.update(self._tasks[name], completed=done, total=total, count=count)

    def rows(self, progress: Progress) -> None:
        rate = self._rates.setdefault(progress.source, _Rate()).of(progress.rows)
        total = progress.rows if progress.state == "done" else progress.wanted
        self._update(progress.source, progress.rows, total, _count(progress, rate))

    def samples(self, standing: Standing) -> None:
        rate = self._rates.setdefault("samples", _Rate()).of(standing.samples)
        count = f"{standing.samples} of {standing.size}, {rate:.0f} samples/s"
        self._update("samples", standing.samples, standing.size, count)


class Lines:
    """Status lines, at most one every `STATUS_EVERY` seconds for the samples, and one for all sources."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told = time.monotonic()
        self._loads: dict[str, Progress] = {}
        self._rates: dict[str, _Rate] = {}
        self._rate = _Rate()

    def rows(self, progress: Progress) -> None:
        """Remember it; say how every source that is not done stands when it is time."""
        with self._lock:
            self._loads[progress.source] = progress
            rate = self._rates.setdefault(progress.source, _Rate())
            rate.of(progress.rows)
            if not self._due():
                return
            for name, load in self._loads.items():
                pace = self._rates[name].of(load.rows)
                left = ""
                if load.wanted is not None and pace and load.state != "done":
                    left = f", {(load.wanted - load.rows) / pace / 60:.0f} min left"
                typer.echo(f"gatling: {safe(name, NAME_LIMIT)}: {_count(load, pace)}{left}", err=True)

    def samples(self, standing: Standing) -> None:
        """Say how the samples stand when it is time."""
        rate = self._rate.of(standing.samples)
        if not rate or not self._due():
            return
        minutes = (standing.size - standing.samples) / rate / 60
        done = f"{standing.samples} of {standing.size} samples"
        typer.echo(f"gatling: {done}, {rate:.0f} samples/s, {minutes:.0f} min left", err=True)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._told < STATUS_EVERY:
            return False
        self._told = now
        return True
