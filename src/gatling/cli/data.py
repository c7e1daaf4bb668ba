"""The commands that make and look at training data: `gatling build`, `validate`, `stats` and `show`."""

# What takes long to import, and what only the data extra installs, is imported inside the commands.
from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gatling.cli.errors import FLAGGED, data_reported
from gatling.cli.push import push
from gatling.runtime.inputs import Unusable

OUT = Path("plans")
"""The folder of a build, unless another is named."""

Folder = Annotated[Path, typer.Argument(metavar="OUT", help="A folder that gatling build made.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    example = "Example:  gatling"
    app.command(epilog=f"{example} build plans --preset offline --size 10000 --seed 7")(build)
    app.command(epilog=f"{example} sources deepset")(sources)
    app.command(epilog=f"{example} validate plans")(validate)
    app.command(epilog=f"{example} stats plans")(stats)
    app.command(epilog=f"{example} show plans --id w0000004-1")(show)
    app.command(epilog=f"{example} push plans ana/plans")(push)


def build(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A folder that is new, empty or unfinished.")
    ] = OUT,
    preset: Annotated[
        str,
        typer.Option(metavar="NAME", help="offline (worlds alone, no network), foundation, seed or full."),
    ] = "offline",
    size: Annotated[
        int | None, typer.Option(min=1, help="Samples to build; by default one for each row that is read.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other rows and samples.")] = 0,
    mix: Annotated[
        str, typer.Option(metavar="B/A/M", help="Percent of benign, adversarial and mutated samples.")
    ] = "60/20/20",
    mirror: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of datasets, NAMESPACE/NAME, to load from.")
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            metavar="stop|fill|skip",
            help="Without a source: stop, let others and worlds fill its place, or go on with fewer rows.",
        ),
    ] = "stop",
    logs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Logs of your own agents, in any format; all are taken."),
    ] = None,
    include_evaluation: Annotated[
        bool, typer.Option("--include-evaluation", help="AgentHarm too, into the split evaluation alone.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that share the work; the samples are the same.")
    ] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Status lines instead of bars, for logs.")] = False,
) -> None:
    """Build labelled plans as Parquet shards with a dataset card, from worlds and public datasets, for $0.

    The same options, rows and versions give the same bytes. A build that was stopped, however it was, goes on
    when the same command is given again. OUT/dropped.jsonl says which samples were left out and why,
    OUT/rejects.jsonl which rows.
    """
    with data_reported("build"):
        from gatling.cli.progress import watched
        from gatling.data.build import BuildError
        from gatling.data.builder import GatlingDatasetBuilder
        from gatling.data.hub import HFDatasetLoader
        from gatling.data.mix import Shares
        from gatling.terminal import safe

        began = time.monotonic()
        try:
            shares = Shares.read(mix)
            with watched(plain) as watch:
                manifest, standing = GatlingDatasetBuilder(
                    preset,
                    size=size,
                    seed=seed,
                    mix=shares,
                    missing=missing,
                    evaluation=include_evaluation,
                    logs=logs,
                    loader=HFDatasetLoader(mirror=mirror, told=watch.rows),
                    workers=workers,
                    told=watch.samples,
                ).build(out)
        except (BuildError, ValueError) as error:
            raise Unusable(*str(error).split("\n")) from None
        except KeyboardInterrupt:
            typer.echo("gatling: the same command goes on from here", err=True)
            raise
        if manifest.sources:
            from gatling.cli.summary import summary
            from gatling.data.validate import stats as count
            from gatling.runtime.report import show as shown

            shown(summary(out, manifest, count(out)))
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


def sources(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show all that is known of one.")] = None,
) -> None:
    """List the public datasets that a build can draw on: size, role, licence and the terms they can move."""
    with data_reported("sources"):
        from gatling.cli.summary import described, listing
        from gatling.data.sources import SOURCES, UnknownSource, source
        from gatling.runtime.report import show as shown

        try:
            shown(listing(SOURCES) if name is None else described(source(name)))
        except UnknownSource as error:
            raise Unusable(str(error)) from None


def validate(out: Folder = OUT) -> None:
    """Check files, manifest, every row, the mix, the splits, and that no shortcut gives labels away.

    Exits with 0 when all is well, 1 when something is wrong, 2 when the folder cannot be used.
    """
    with data_reported("validate"):
        from gatling.data.shards import read_manifest
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
        manifest = read_manifest(out)
        shares = ", ".join(f"{n / max(report.mix.total(), 1):.1%} {name}" for name, n in report.mix.items())
        rows = {source.name: source.used for source in manifest.sources}
        typer.echo(f"samples: {report.rows}; {shares}")
        typer.echo(f"sources: worlds{', ' if rows else ''}{_listed(rows)}; cost $0")
        typer.echo(f"{report.valid}/{report.rows} valid")
        verdict = "valid" if report.passed else "not valid"
        typer.echo(f"{safe(str(out))}: {verdict}; {report.rows} rows, {report.found} problems")
        if not report.passed:
            raise typer.Exit(FLAGGED)


def stats(out: Folder = OUT) -> None:
    """Count samples by split, kind, attack, wording, language, domain and energy term."""
    with data_reported("stats"):
        from rich.console import Group
        from rich.text import Text

        from gatling.cli.summary import counted
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
        shown(Group(*(part for name, counts in tables.items() for part in (counted(name, counts), Text()))))


def show(
    out: Folder, id: Annotated[str, typer.Option("--id", metavar="ID", help="The sample's id.")]
) -> None:
    """Show one sample whole: request, messages, calls with the origin of each argument, and energies."""
    with data_reported("show"):
        from gatling.data.shards import find
        from gatling.data.show import render
        from gatling.runtime.report import show as shown

        shown(render(find(out, id)))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
