"""The worst errors with their evidence, so that a person can see what a model does not understand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from gatling.evaluate.comparison import Comparison
from gatling.evaluate.scored import ScoredCall, ScoredRun
from gatling.terminal import NAME_LIMIT, safe

SHOWN = 10
"""Errors of a sort."""

LINES, CHARACTERS = 6, 300
"""Lines of evidence, and characters of a line."""


class Error(TypedDict):
    """A run, and the call of it that decides. All text is visible, cut to length, and still hostile."""

    id: str
    kind: str
    where: list[str]
    """Data set, suite, domain, family, language: those that are known."""
    energy: float
    target: float | None
    tool: str
    terms: dict[str, float]
    evidence: list[str]
    more: int
    """Lines of evidence that are not shown."""


class Errors(TypedDict):
    """Benign runs with the highest energies, and violating ones with the lowest."""

    alarms: list[Error]
    missed: list[Error]


def errors(compared: Comparison) -> Errors:
    """The worst of both sorts, whether or not they are on the wrong side of the threshold."""
    good, bad = ([compared.runs[n] for n in side] for side in (compared.good, compared.bad))
    return Errors(
        alarms=[_error(run, run.calls) for run in sorted(good, key=lambda run: -run.energy)[:SHOWN]],
        missed=[
            _error(run, [call for call in run.calls if call.hijacked] or run.calls)
            for run in sorted(bad, key=lambda run: run.energy)[:SHOWN]
        ],
    )


def _error(run: ScoredRun, suspects: Iterable[ScoredCall]) -> Error:
    worst = max(suspects, key=lambda call: call.energy, default=None)
    terms, evidence = ({}, ()) if worst is None else (worst.terms, worst.evidence)
    places = dict.fromkeys((run.dataset, run.suite, run.domain, run.family, run.language))
    return Error(
        id=safe(run.id, 2 * NAME_LIMIT),
        kind=safe(run.kind, NAME_LIMIT),
        where=[safe(place, NAME_LIMIT) for place in places if place],
        energy=round(run.energy, 6),
        target=None if run.target is None else round(run.target, 6),
        tool="" if worst is None else safe(worst.tool, NAME_LIMIT),
        terms={safe(name, NAME_LIMIT): round(value, 6) for name, value in terms.items()},
        evidence=[safe(line, CHARACTERS) for line in evidence[:LINES]],
        more=max(0, len(evidence) - LINES),
    )
