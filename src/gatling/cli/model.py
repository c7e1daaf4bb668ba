"""What is done with a trained model: `gatling bundle`, `evaluate` and `calibrate`."""

# What takes long to import is imported inside the commands.
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gatling.cli.errors import data_reported, reported
from gatling.cli.options import ToolsFile
from gatling.cli.progress import STATUS_EVERY
from gatling.runtime.inputs import Unusable, load_model, load_schemas

ModelFile = Annotated[
    str, typer.Argument(metavar="MODEL", help="A bundle (.safetensors), or default for the one that ships.")
]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes that share the work.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example:  gatling bundle model plans --output bundle.safetensors")(bundle)
    app.command(
        epilog="\b\nExamples:\n"
        "  gatling evaluate default plans\n"
        "  gatling evaluate bundle.safetensors runs.jsonl.gz --tools tools.json --out report"
    )(evaluate)
    app.command(
        epilog="\b\nExamples:\n"
        "  gatling calibrate default logs.jsonl --output mine.safetensors\n"
        "  gatling audit runs.jsonl --model mine.safetensors"
    )(calibrate)


def bundle(
    trained: Annotated[
        Path, typer.Argument(metavar="TRAINED", help="A folder in which gatling train has finished.")
    ],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="The builds and traces that it was trained with."),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where the bundle goes.")] = Path(
        "bundle.safetensors"
    ),
    name: Annotated[str, typer.Option(metavar="NAME", help="What the bundle calls itself.")] = "mine",
    budget: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Share of benign runs that may be escalated.")
    ] = 0.01,
    tools: ToolsFile = None,
    workers: Workers = 1,
) -> None:
    """Make a bundle of a trained network: all that gatling audit --model needs, and no torch.

    How much each term counts, and the thresholds, are set on the validation split of the builds and on the
    traces' groups that training left out.
    """
    with data_reported("bundle"):
        from gatling.energy.calibration import CalibrationError
        from gatling.evaluate.assembly import assemble
        from gatling.evaluate.scored import EvaluationError
        from gatling.model.bundle import BundleError
        from gatling.terminal import safe

        schemas = load_schemas(tools)
        given = " ".join(["gatling bundle", *(path.name for path in (trained, *inputs))])
        try:
            with _counted("runs scored") as told:
                made = assemble(
                    trained,
                    inputs,
                    name=name,
                    command=given,
                    tools=schemas,
                    budget=budget,
                    workers=workers,
                    told=told,
                )
        except (BundleError, CalibrationError, EvaluationError) as error:
            raise Unusable(str(error)) from None
        made.save(output)
        gains = ", ".join(f"{term} {gain:g}" for term, gain in sorted(made.weights.gains.items()))
        escalate = made.weights.calibration.escalate
        share = escalate.false_positives
        typer.echo(f"gains: {gains}")
        typer.echo(
            f"escalates {share.value:.2%} of {share.runs} benign validation runs "
            f"[{share.low:.2%}, {share.high:.2%}]"
            + (f", {escalate.detected.value:.0%} of the violating" if escalate.detected else "")
        )
        typer.echo(f"bundle: {safe(str(output))}, {output.stat().st_size / 1e6:.1f} MB, {made.sha256[:12]}")


def evaluate(
    model: ModelFile,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...", help="Folders that gatling build made, files of traces with their kind."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the report goes.")] = Path("report"),
    split: Annotated[str, typer.Option(metavar="NAME", help="The split of a build.")] = "test",
    tools: ToolsFile = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    workers: Workers = 1,
) -> None:
    """Measure a model on labelled runs it was not trained on: JSON, Markdown and one HTML page.

    Every run is replayed through the audit as it runs in production. Intervals are bootstrapped over groups.
    """
    with data_reported("evaluate"):
        from gatling.evaluate import EvaluationError, summary, write
        from gatling.evaluate import evaluate as measure
        from gatling.evaluate.scoring import score
        from gatling.model.bundle import BundleError
        from gatling.terminal import safe

        chosen, schemas = load_model(model), load_schemas(tools)
        try:
            with _counted("runs scored") as told:
                runs = score(inputs, chosen, split=split, tools=schemas, workers=workers, told=told)
            chosen.refuse(run.group for run in runs)
            facts = {"name": chosen.card.name, "sha256": chosen.sha256, "gatling": chosen.card.gatling}
            found = measure(runs, model=facts, seed=seed)
        except (BundleError, EvaluationError) as error:
            raise Unusable(str(error)) from None
        out.mkdir(parents=True, exist_ok=True)
        write(found, out)
        for line in summary(found):
            typer.echo(line)
        typer.echo(f"the report: {safe(str(out / 'evaluation.html'))}")


def calibrate(
    model: ModelFile,
    traces: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRACES...",
            help="Benign runs of your own agents, in any format; runs with a violating kind are left out.",
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where the calibrated bundle goes.")] = Path(
        "calibrated.safetensors"
    ),
    budget: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Share of benign runs that may be escalated.")
    ] = 0.01,
    deny_budget: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.5,
            help="Share that may be denied; by default a fifth, or what the logs support.",
        ),
    ] = None,
    tools: ToolsFile = None,
    workers: Workers = 1,
) -> None:
    """Set a bundle's thresholds on your own benign runs, to a false-positive budget you choose.

    Weights stay as they are. A budget needs 3 / budget runs at least: 300 for one percent.
    """
    with reported():
        from gatling.energy.calibration import CalibrationError
        from gatling.evaluate.assembly import calibration
        from gatling.evaluate.scored import EvaluationError
        from gatling.evaluate.scoring import score
        from gatling.terminal import safe

        chosen, schemas = load_model(model), load_schemas(tools)
        for path in traces:
            if path.is_dir():
                raise Unusable(f"{path}: a folder; name files of traces")
        try:
            with _counted("runs scored") as told:
                runs = score(traces, chosen, tools=schemas, unlabelled="clean", workers=workers, told=told)
            benign = [run for run in runs if run.violation is False]
            if not benign:
                raise Unusable(
                    f"none of these {len(runs)} runs is benign; give benign runs of your own agents"
                )
            found = calibration(benign, chosen.weights, budget, deny_budget)
        except (CalibrationError, EvaluationError) as error:
            raise Unusable(str(error)) from None
        chosen.calibrated(found).save(output)
        for name, threshold in (("escalate", found.escalate), ("deny", found.deny)):
            share, (low, high) = threshold.false_positives, threshold.interval
            typer.echo(
                f"{name}: raw energy {threshold.raw:.3f} [{low:.3f}, {high:.3f}], reached by "
                f"{share.value:.2%} of {share.runs} benign runs [{share.low:.2%}, {share.high:.2%}]"
            )
        if len(benign) < len(runs):
            typer.echo(f"left out: {len(runs) - len(benign)} runs that are not labelled benign")
        typer.echo(f"calibrated bundle: {safe(str(output))}")


@contextmanager
def _counted(what: str) -> Iterator[Callable[[int], None]]:
    """Tell on standard error how many are done: every second on a terminal, else every `STATUS_EVERY`."""
    every = 1.0 if sys.stderr.isatty() else STATUS_EVERY
    began = last = time.monotonic()

    def told(count: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            typer.echo(f"{count} {what}, {count / (now - began):.0f}/s", err=True)

    yield told
