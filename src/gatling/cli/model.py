"""What is done with a trained model: `gatling bundle`, `evaluate` and `calibrate`."""

# What takes long to import is imported inside the commands.
from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatling.cli.errors import data_reported, reported
from gatling.cli.options import ToolsFile
from gatling.cli.progress import STATUS_EVERY
from gatling.runtime.inputs import Unusable, load_model, load_schemas

if TYPE_CHECKING:
    from gatling.energy.calibration import Threshold
    from gatling.model.bundle import Bundle

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
        "  gatling evaluate bundle.safetensors runs.jsonl.gz --tools tools.json --out report\n"
        "  gatling evaluate bundle.safetensors --suite hard"
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
        named = [path.name for path in (trained, *inputs)]
        options = ["--name", name, "--budget", f"{budget:g}", *(["--tools", tools.name] if tools else [])]
        try:
            with _counted("runs scored") as told:
                made = assemble(
                    trained,
                    inputs,
                    name=name,
                    command=shlex.join(["gatling", "bundle", *named, *options]),
                    tools=schemas,
                    budget=budget,
                    workers=workers,
                    told=told,
                )
        except (BundleError, CalibrationError, EvaluationError) as error:
            raise Unusable(str(error)) from None
        made.save(output)
        gains = ", ".join(f"{term} {gain:g}" for term, gain in sorted(made.weights.gains.items()))
        typer.echo(f"gains: {gains}")
        for line in _thresholds(made):
            typer.echo(line)
        typer.echo(f"bundle: {safe(str(output))}, {output.stat().st_size / 1e6:.1f} MB, {made.sha256[:12]}")


def evaluate(
    model: ModelFile,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT...", help="Folders that gatling build made, files of traces with their kind."
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A frozen suite that ships: hard. May be repeated."),
    ] = None,
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
        from gatling.evaluate.suites import suite as frozen
        from gatling.model.bundle import BundleError
        from gatling.terminal import safe

        chosen, schemas = load_model(model), load_schemas(tools)
        try:
            given = [*(inputs or ()), *map(frozen, suite or ())]
            if not given:
                raise Unusable("nothing to evaluate on; name an INPUT or a --suite")
            with _counted("runs scored") as told:
                runs = score(given, chosen, split=split, tools=schemas, workers=workers, told=told)
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

    Weights stay as they are. Prints each threshold with its interval, and what every term alone would flag at
    the same budget. A budget needs 3 / budget runs at least: 300 for one percent.
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
        made = chosen.calibrated(found)
        made.save(output)
        for line in _thresholds(made):
            typer.echo(line)
        if len(benign) < len(runs):
            typer.echo(f"left out: {len(runs) - len(benign)} runs that are not labelled benign")
        typer.echo(f"calibrated bundle: {safe(str(output))}")


def _thresholds(made: Bundle) -> Iterator[str]:
    """The thresholds of a bundle in words: the composite's, then each term's own at the same budget."""
    found = made.weights.calibration
    alone = dict(found.terms)
    yield "Thresholds, with 95% intervals by groups; the energies are raw, before calibration."
    yield _threshold("escalate", found.escalate)
    yield _threshold("deny", found.deny)
    for term in made.terms:
        if (threshold := alone.get(term)) is not None:
            yield _threshold(f"{term} alone", threshold)
        else:
            yield f"{term} alone, at {found.escalate.budget:.2%}: none, too many benign runs score 10"


def _threshold(name: str, found: Threshold) -> str:
    from gatling.model.thresholds import ALL

    share, (low, high) = found.false_positives, found.interval
    kind = "benign" if found.kind == ALL else found.kind
    return (
        f"{name}, at {found.budget:.2%}: {found.raw:.3f} [{low:.3f}, {high:.3f}], reached by "
        f"{share.value:.2%} of {share.runs} {kind} runs [{share.low:.2%}, {share.high:.2%}]"
        + (
            f" and {found.detected.value:.0%} of {found.detected.runs} violating ones"
            if found.detected
            else ""
        )
    )


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
