"""How the command line ends: its exit codes, and errors on one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from gatling.runtime.inputs import Unusable

FLAGGED, UNUSABLE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


EXTRA = frozenset(
    {
        "datasets",
        "datasketch",
        "faker",
        "huggingface_hub",
        "jinja2",
        "markupsafe",
        "matplotlib",
        "pyarrow",
        "sklearn",
        "tenacity",
        "threadpoolctl",
    }
)
"""Packages that the data extra installs."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the user can mend into one line on standard error, and every end into its exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
    except Unusable as error:
        _fail(*error.args)
    except OSError as error:
        reason = f"{error.filename or 'input'}: {error.strerror or error}"
        _fail(f"{reason}; check the path, its permissions and the space left")
    except KeyboardInterrupt:
        typer.echo("gatling: interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _fail(*lines: str) -> NoReturn:
    from gatling.runtime.report import ERROR_LIMIT
    from gatling.terminal import safe

    for line in lines:
        typer.echo(f"gatling: {safe(line, ERROR_LIMIT)}", err=True)
    raise typer.Exit(UNUSABLE) from None


@contextmanager
def installed(command: str, extra: str, packages: Collection[str]) -> Iterator[None]:
    """Say how to install an extra where one of its packages is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages:
            raise
        remedy = f"pip install 'gatling-guard[{extra}]'"
        raise Unusable(f"gatling {command} needs {package}, which is not installed: {remedy}") from None


@contextmanager
def data_reported(command: str) -> Iterator[None]:
    """Report what goes wrong with data, a missing extra above all."""
    with reported(), installed(command, "data", EXTRA):
        from gatling.data.shards import ShardError

        try:
            yield
        except ShardError as error:
            raise Unusable(*str(error).split("\n")) from None
