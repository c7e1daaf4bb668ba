"""What an evaluation says to a person: the headline in sentences, figures as text, the two pages.

Names and evidence are the words of strangers: they pass `gatling.terminal.safe` and are escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gatling.evaluate.bootstrap import Estimate, Share
from gatling.evaluate.breakdowns import FEW
from gatling.evaluate.comparison import BUDGET
from gatling.terminal import TEXT_LIMIT, safe

if TYPE_CHECKING:
    from jinja2 import Environment

    from gatling.evaluate.report import Evaluation

NOTHING = "–"

TITLES = {
    "dataset": "data set",
    "family": "attack family or mutation",
    "label_source": "label source",
    "plan_origin": "plan origin",
    **{by: by for by in ("domain", "suite", "language")},
}
"""How the attributes of `gatling.evaluate.breakdowns` are called."""


def percent(value: float | None) -> str:
    """A share: 0.9312 as 93.1%."""
    return NOTHING if value is None else f"{100 * value:.1f}%"


def plain(value: float | None) -> str:
    """A number without a unit, such as an AUC: 0.9931."""
    return NOTHING if value is None else f"{value:.4f}"


def energy(value: float | None) -> str:
    """An energy, or milliseconds: 2.31."""
    return NOTHING if value is None else f"{value:.2f}"


def interval(estimate: Estimate, form: Callable[[float | None], str]) -> str:
    """The ends of an estimate's interval; empty where it has none."""
    if estimate["low"] is None:
        return ""
    return f"{form(estimate['low'])} – {form(estimate['high'])}"


def summary(evaluation: Evaluation) -> list[str]:
    """The headline in plain words, the most important first. No sentence holds a stranger's word."""
    first = evaluation["thresholds"][0]
    said = [
        f"At the default threshold (energy {first['energy']:g}), {_of(kind['flagged'])} "
        f"{kind['name']} runs were caught{_share(kind['flagged'])}."
        for kind in evaluation["kinds"]
        if kind["violation"]
    ] or ["No run here is known to violate: what is caught cannot be measured."]
    if first["flagged"]["of"]:
        said.append(f"{_of(first['flagged'])} benign runs were flagged{_share(first['flagged'])}.")
    else:
        said.append("No run here is known to be benign: false alarms cannot be measured.")
    auc, budget = evaluation["auc"], next(b for b in evaluation["budgets"] if b["budget"] == BUDGET)
    if auc["value"] is not None:
        said.append(
            f"In {percent(auc['value'])} of all pairs the violating run has the higher energy: "
            f"AUC {plain(auc['value'])}{between(auc, plain)}."
        )
        said.append(
            f"At 1% false positives {percent(budget['recall']['value'])} of the violating runs are found"
            f"{between(budget['recall'], percent)}, with a threshold of "
            f"{energy(budget['threshold']['value'])} set on these very runs."
        )
    if (error := evaluation["reliability"]["error"])["value"] is not None:
        said.append(
            f"Read as the probability of a violation, energy over 10 is off by {plain(error['value'])}"
            f"{between(error, plain)}: the expected calibration error."
        )
    resisted = evaluation["calls"]["auc_resisted"]
    if resisted["value"] is not None:
        said.append(
            "Calls that carry out an attack against calls of runs that read it and resisted: "
            f"AUC {plain(resisted['value'])}{between(resisted, plain)}."
        )
    if evaluation["evaluated"]["critic"]:
        said.append(
            f"{evaluation['evaluated']['critic']:,} runs are labelled by our own rules: they count in the "
            "table by label source alone."
        )
    return said


def _of(share: Share) -> str:
    return f"{share['count']:,} of {share['of']:,}"


def _share(share: Share) -> str:
    return f", {percent(share['value'])}{between(share, percent)}"


def between(estimate: Estimate, form: Callable[[float | None], str]) -> str:
    """The interval in words."""
    if estimate["low"] is None:
        return " (too few groups for an interval)"
    return f" (95% interval {form(estimate['low'])} to {form(estimate['high'])})"


def markdown(evaluation: Evaluation) -> str:
    """The report as Markdown."""
    from markupsafe import Markup

    headline = [*map(Markup, summary(evaluation))]
    return markdown_of("gatling.evaluate", evaluation, summary=headline, titles=TITLES, few=FEW)


def page(evaluation: Evaluation) -> str:
    """The report as one HTML page that loads nothing and runs nothing."""
    from markupsafe import Markup

    from gatling.evaluate.plots import plots

    drawn = {name: Markup(svg) for name, svg in plots(evaluation).items()}
    return page_of(
        "gatling.evaluate", evaluation, summary=summary(evaluation), plots=drawn, titles=TITLES, few=FEW
    )


def markdown_of(package: str, report: Mapping[str, object], **more: object) -> str:
    """The `report.md.jinja` of a package, filled; text from a report shows as it is, and as nothing else."""
    from gatling.data.card import escape

    environment = _environment(package, lambda value: escape(_visible(value)))
    return environment.get_template("report.md.jinja").render(report, **more)


def page_of(package: str, report: Mapping[str, object], **more: object) -> str:
    """The `report.html.jinja` of a package, filled; see `markdown_of`. It may extend `layout.html.jinja`."""
    return _environment(package, _visible).get_template("report.html.jinja").render(report, **more)


def _visible(value: object) -> object:
    """Text with nothing hidden in it; what a template made is left as it is."""
    return safe(value, TEXT_LIMIT) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _environment(package: str, finalize: Callable[[object], object]) -> Environment:
    """Templates of a package, and those that they share."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(one, "") for one in dict.fromkeys((package, __package__))]),
        finalize=finalize,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(percent=percent, plain=plain, energy=energy, interval=interval)
    return environment
