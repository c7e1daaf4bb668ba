"""The command line: `gatling audit`, `explain`, `policy` and `schema` here, what concerns data in `data`.

Exit codes: 0 all calls are allowed, 1 something is flagged, 2 the input cannot be used.
"""

# What takes long to import is imported inside the commands, so that --help answers at once.
from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from gatling import __version__
from gatling.cli.data import add_commands
from gatling.cli.errors import FLAGGED, reported
from gatling.cli.mine import add_commands as add_mine_commands
from gatling.cli.model import add_commands as add_model_commands
from gatling.cli.options import ToolsFile
from gatling.cli.run import add_commands as add_run_commands
from gatling.cli.train import add_commands as add_train_commands
from gatling.runtime.inputs import Unusable, check_format, check_output, load_model, load_rules, load_schemas

app = typer.Typer(
    help="Gatling audits the tool calls of AI agents before they run, and builds the data to train on.",
    epilog="Exit codes: 0 all calls are allowed, 1 something is flagged, 2 the input cannot be used.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
policies = typer.Typer(help="Write or check a policy file.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(policies, name="policy")

Traces = Annotated[
    str,
    typer.Argument(metavar="TRACES", help="Lines of JSON (.jsonl, .jsonl.gz, .json); - is standard input."),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="A policy (TOML); see gatling policy init.")
]
ModelFile = Annotated[
    str, typer.Option("--model", metavar="FILE", help="A bundle that gatling train or calibrate wrote.")
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="The traces' format; told from each row if left out."),
]


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter gets its escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    # One BLAS thread: the arrays are small, --workers is how more cores are used. Before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"gatling {__version__}")
        raise typer.Exit


@app.callback()
def gatling(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Gatling audits the tool calls of AI agents before they run, and builds the data to train on."""


@app.command(
    epilog="\b\nExamples:\n"
    "  gatling audit runs.jsonl --tools tools.json\n"
    "  gatling audit - --output verdicts.jsonl.gz --workers 4 < runs.jsonl"
)
def audit(
    traces: Traces,
    tools: ToolsFile = None,
    policy: PolicyFile = None,
    model: ModelFile = "default",
    format: Format = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write one JSON line per trace there (.gz: gzipped; -: to stdout)."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the work.")] = 1,
    redact: Annotated[
        bool, typer.Option("--redact", help="Leave values and texts out of every output.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Flagged calls to show.")] = 20,
) -> None:
    """Audit every trace of a file: show the worst calls, or write all verdicts with --output.

    Exits with 0 when every call is allowed, 1 when something is flagged, 2 when the input cannot be used.
    """
    with reported():
        check_format(format)
        rules, schemas = load_rules(policy), load_schemas(tools)
        from gatling.runtime.batch import BatchError, audit_lines, place
        from gatling.runtime.output import open_output, output_line
        from gatling.runtime.report import Tally, findings, show, summary, watched
        from gatling.terminal import safe

        if output is not None:
            check_output(traces, output)
        tally, began = Tally(top), time.monotonic()
        verdicts = audit_lines(
            traces,
            policy=rules,
            tools=schemas,
            model=load_model(model),
            redact=redact,
            format=format,
            workers=workers,
        )
        try:
            with (
                closing(verdicts),
                open_output(output) if output is not None else nullcontext() as file,
            ):
                for verdict in verdicts if output == "-" else watched(verdicts):
                    tally.add(verdict)
                    if file is not None:
                        file.write(output_line(verdict))
        except BatchError as error:
            raise Unusable(str(error)) from None
        if not tally.traces:
            typer.echo(f"gatling: no traces in {safe(place(traces))}", err=True)
        if output is None and tally.findings:
            show(findings(tally))
        show(summary(tally, time.monotonic() - began), err=output == "-")
        if tally.flagged:
            raise typer.Exit(FLAGGED)


@app.command(
    epilog="\b\nExamples:\n"
    "  gatling explain runs.jsonl --call call_7\n"
    "  gatling explain runs.jsonl --trace 12 --call call_7 --tools tools.json"
)
def explain(
    traces: Traces,
    call: Annotated[
        str, typer.Option(metavar="ID", help="The call's id; calls without one are call#0, call#1.")
    ],
    trace: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The trace's id or line number; else the first with the call."),
    ] = None,
    tools: ToolsFile = None,
    policy: PolicyFile = None,
    model: ModelFile = "default",
    format: Format = None,
) -> None:
    """Tell one call's whole story: request, arguments and their origins, each term's arithmetic, verdict.

    Exits with 0 when the call is allowed, 1 when it is flagged, 2 when it cannot be found.
    """
    with reported():
        check_format(format)
        rules, schemas = load_rules(policy), load_schemas(tools)
        from gatling.runtime.audit import Auditor
        from gatling.runtime.report import show
        from gatling.runtime.story import CallNotFound, find_call, story

        try:
            found = find_call(traces, call, trace, format)
        except CallNotFound as error:
            raise Unusable(str(error)) from None
        told = Auditor(rules, schemas, model=load_model(model)).explain(found, call)
        assert told is not None, "find_call returns a trace that holds the call"
        show(story(told, found))
        if not told.verdict.allowed:
            raise typer.Exit(FLAGGED)


@policies.command(epilog="Example:  gatling policy init --tools tools.json --output policy.toml")
def init(
    tools: ToolsFile = None,
    output: Annotated[
        str, typer.Option(metavar="FILE", help="Where to write the policy; - is standard output.")
    ] = "-",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write a policy to begin with: every tool, with what was inferred about it in comments."""
    with reported():
        from gatling.runtime.output import open_output
        from gatling.tools import read_tools
        from gatling.tools.starter import starter_policy

        schemas = load_schemas(tools)
        text = starter_policy(read_tools(schemas).values() if schemas is not None else ())
        if output != "-" and os.path.exists(output) and not force:
            raise Unusable(f"{output}: exists already; name another file, or replace it with --force")
        with open_output(output) as file:
            file.write(text.encode())


@policies.command(epilog="Example:  gatling policy check policy.toml")
def check(policy: Annotated[Path, typer.Argument(metavar="FILE", help="A policy (TOML).")]) -> None:
    """Check a policy file: what is wrong, at which line, and what is accepted there."""
    with reported():
        from gatling.terminal import safe

        rules = load_rules(policy)
        count = len(rules.tools) if rules is not None else 0
        typer.echo(f"{safe(str(policy))}: valid; {count} {'tool rule' if count == 1 else 'tool rules'}")


@app.command()
def schema() -> None:
    """Print the JSON schema of a line that `gatling audit --output` writes."""
    with reported():
        from gatling.runtime.output import output_schema

        typer.echo(json.dumps(output_schema(), indent=2))


add_commands(app)
add_train_commands(app)
add_mine_commands(app)
add_model_commands(app)
add_run_commands(app)
