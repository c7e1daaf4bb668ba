"""The command that mines: `gatling mine`."""

# What takes long to import, and what only the train extra installs, is imported inside the command.
from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.options import ToolsFile
from gatling.cli.progress import STATUS_EVERY
from gatling.cli.train import facts, training_reported
from gatling.runtime.inputs import Unusable, load_schemas

if TYPE_CHECKING:
    from rich.table import Table

    from gatling.mining.oracle import Oracle
    from gatling.mining.results import Mined

OUT = Path("mined")
"""The folder of a mining, unless another is named."""


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="\b\nExamples:\n"
        "  gatling mine model plans\n"
        "  gatling mine default plans --rounds 2 --budget 2000 --workers 2 --threads 2\n"
        "  gatling mine model plans --traces logs.jsonl --tools tools.json"
    )(mine)


def mine(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A folder of gatling train, a bundle, or default for the one that ships."
        ),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A folder that gatling build made.")],
    rounds: Annotated[int, typer.Option(min=1, max=99, help="Rounds at most.")] = 3,
    budget: Annotated[int, typer.Option(min=1, help="Samples to add, in all rounds together.")] = 3000,
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Of each round's training; see gatling train.")
    ] = "compare",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder that is new, empty, or of the same mining.")
    ] = OUT,
    seed: Annotated[int, typer.Option(min=0, help="Of the candidates, and of the intervals.")] = 0,
    traces: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Unlabelled runs (.jsonl, .jsonl.gz): those to label next are listed."
        ),
    ] = None,
    tools: ToolsFile = None,
    oracle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file that names a language model's endpoint and a cap in dollars: it words attacks.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that make candidates.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of torch on the CPU.")] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Status lines instead of one, for logs.")] = False,
) -> None:
    """Find where a model errs, make samples that hit there, and train on with the hard ones, round by round.

    OUT/report.html tells every round's decisions; OUT/data is the build with what was mined. It stops after a
    round that gains less than its own noise. A mining that was stopped, however it was, goes on when the same
    command is given again, and ends in the same model. With --traces, OUT/review.jsonl lists the runs that
    the model is least sure of; they are not learnt from. Nothing goes over a network but with --oracle.
    """
    with training_reported("mine"):
        from concurrent.futures.process import BrokenProcessPool

        import torch

        from gatling.mining import review
        from gatling.mining.endpoint import OracleError
        from gatling.mining.judging import MiningError
        from gatling.mining.rounds import mine as dig
        from gatling.model.bundle import DEFAULT
        from gatling.model.recipe import load
        from gatling.model.train import MODEL
        from gatling.runtime.report import show

        torch.set_num_threads(threads)
        chosen, schemas = load(recipe), load_schemas(tools)
        start, began = DEFAULT if str(model) == "default" else model, time.monotonic()
        try:
            with _watched(plain) as told:
                # Read at once: what cannot be read is told before hours of work.
                runs = review.gather(traces, schemas, told) if traces else None
                words = _oracle(oracle, out, told) if oracle is not None else None
                mined = dig(
                    start,
                    data,
                    out,
                    rounds=rounds,
                    budget=budget,
                    recipe=chosen,
                    seed=seed,
                    workers=workers,
                    oracle=words,
                    told=told,
                )
                doubts = review.doubts(runs, mined.model / MODEL, mined.threshold) if runs is not None else []
        except (MiningError, OracleError) as error:
            raise Unusable(*str(error).split("\n")) from None
        except BrokenProcessPool:
            raise Unusable(
                "a worker process died, perhaps for want of memory; the same command goes on from here, "
                "try it with fewer --workers"
            ) from None
        listed = review.write(doubts, out) if runs is not None else None
        show(_rounds(mined))
        show(_figures(mined, out, listed, time.monotonic() - began))


def _oracle(file: Path, out: Path, told: Callable[[str], None]) -> Oracle:
    """What words attacks; its answers and its ledger are kept beside the rounds."""
    from gatling.mining import endpoint
    from gatling.mining.oracle import Oracle

    return Oracle(endpoint.load(file), out / ".oracle", told=lambda spending: told(str(spending)))


@contextmanager
def _watched(plain: bool) -> Iterator[Callable[[str], None]]:
    """What hears how it goes: one line that changes on a terminal, unless `plain`; else lines."""
    from gatling.runtime.report import ERROR_LIMIT
    from gatling.terminal import safe

    if plain or not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda line: status.update(Text(safe(line, ERROR_LIMIT)))


class _Lines:
    """Status lines. Those that differ from the one before in numbers alone count on: told when it is time."""

    def __init__(self) -> None:
        self._told, self._last = time.monotonic(), ""

    def __call__(self, line: str) -> None:
        """Hear a line."""
        from gatling.runtime.report import ERROR_LIMIT
        from gatling.terminal import safe

        now, words = time.monotonic(), re.sub(r"\d+", "", line)
        if words != self._last or now - self._told >= STATUS_EVERY:
            self._told, self._last = now, words
            typer.echo(f"gatling: {safe(line, ERROR_LIMIT)}", err=True)


def _rounds(mined: Mined) -> Table:
    """The learning curve: what was measured after each round, with so many training samples."""
    from rich import box
    from rich.table import Table

    from gatling.evaluate.words import interval, percent, plain
    from gatling.mining.judging import BUDGET
    from gatling.mining.report import curve

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    recall_at, level = f"recall at {percent(BUDGET)}", "95% interval"
    for column in ("round", "samples", "AUC", level, recall_at, level):
        table.add_column(column, justify="right")
    for point in curve(mined):
        auc, recall = point.measured.auc, point.measured.recall
        cells = [
            plain(auc["value"]),
            interval(auc, plain),
            percent(recall["value"]),
            interval(recall, percent),
        ]
        table.add_row(str(point.after), f"{point.samples:,}", *cells)
    return table


def _figures(mined: Mined, out: Path, listed: Path | None, seconds: float) -> Table:
    from gatling.mining.report import PAGE

    rows = {
        "rounds": str(len(mined.rounds)),
        "samples added": f"{sum(sum(found.added.values()) for found in mined.rounds):,}",
        "stopped": mined.stopped,
        "report": str(out / PAGE),
        **({"to label next": str(listed)} if listed is not None else {}),
        "next": shlex.join(["gatling", "bundle", str(mined.model), str(mined.data)]),
        "time": f"{seconds:.0f} s",
    }
    return facts(rows)
