"""A trained network made into a bundle: gains chosen and thresholds set on validation runs, data named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from gatling import __version__
from gatling.energy import Weights, analytic
from gatling.energy.calibration import Calibration
from gatling.evaluate.fusion import MOST, fused
from gatling.evaluate.scored import ScoredRun
from gatling.evaluate.scoring import score
from gatling.model.bundle import Arrays, Bundle, BundleError, Card
from gatling.model.calibrate import fit, groups_needed
from gatling.model.network import NetworkError
from gatling.model.origins import of_folder
from gatling.plan import JSON

NETWORK = "model.safetensors"
LIMITS = (
    "It was trained on generated worlds and on runs of undefended agents in English above all.",
    "It reads texts, not images; what a text says inside an image is unknown to it.",
    "It judges calls one by one as they are proposed and never undoes what has run.",
    "Thresholds were set on validation runs of its training data; set them on yours with gatling calibrate.",
)


def assemble(
    trained: Path,
    inputs: Sequence[Path],
    *,
    name: str,
    command: str,
    tools: JSON = None,
    budget: float = 0.01,
    weights: Weights | None = None,
    most: float = MOST,
    workers: int = 1,
    told: Callable[[int], None] = lambda runs: None,
) -> Bundle:
    """The bundle of a folder that `gatling train` wrote.

    `inputs` are the builds, of which the split `validation` is taken, and the labelled traces that it was
    trained with, of which the groups that it was not trained on are. Gains up to `most` are chosen on all of
    these runs for the learned terms, beside those that `weights` has, by default the analytic terms', and the
    thresholds set on the benign ones.

    Raises:
        BundleError: the folder holds no trained network, or too few benign validation runs.
        EvaluationError: an input holds no runs, or a trace cannot be read.
    """
    arrays, config = _network(trained / NETWORK)
    origins = of_folder(trained)
    codes = np.array(sorted(origins.groups), np.uint64)
    weights = weights or analytic()
    card = Card(
        name=name,
        gatling=__version__,
        command=command,
        data=origins.data,
        limits=LIMITS,
        weights=weights,
        network=config,
    )
    plain = Bundle(card, arrays, codes)
    try:
        _ = plain.network
    except NetworkError as error:
        raise BundleError(f"{trained / NETWORK}: {error}; train it again") from None
    runs = score(
        inputs, plain, split="validation", tools=tools, skip=origins.groups, workers=workers, told=told
    )
    gains = fused(runs, weights.gains, most)
    chosen = weights.model_copy(update={"gains": gains})
    source = (*weights.source, command)
    found = thresholds(runs, chosen, budget)
    chosen = chosen.model_copy(update={"calibration": found, "source": source})
    return Bundle(card.model_copy(update={"weights": chosen}), arrays, codes)


def thresholds(runs: Iterable[ScoredRun], weights: Weights, budget: float) -> Calibration:
    """The calibration on the benign runs among some: `budget` for escalation, a fifth of it for denial, or
    what the number of groups supports.

    Raises:
        BundleError: there are too few benign groups for the budget.
    """
    runs = list(runs)
    count = len({run.group for run in runs if run.violation is False})
    if count < (needed := groups_needed(budget)):
        raise BundleError(
            f"{count} groups of benign validation runs, and a budget of {budget} needs {needed}; "
            "give more data, or a larger --budget"
        )
    return calibration(runs, weights, budget)


def calibration(
    runs: Iterable[ScoredRun], weights: Weights, budget: float, deny_budget: float | None = None
) -> Calibration:
    """Thresholds of the composite and of each term on the benign runs among some, and what the composite's
    detect of the violating ones.

    Without `deny_budget` a fifth of `budget` may be denied, or what the number of benign groups supports.

    Raises:
        CalibrationError: there are too few benign groups, or so many runs score 10 that no threshold holds.
    """
    runs = list(runs)
    benign = [run for run in runs if run.violation is False]
    bad = [run for run in runs if run.violation is True]
    groups = [run.group for run in benign]
    terms = {*weights.gains, *(name for run in benign for call in run.calls for name in call.terms)}

    def raw(run: ScoredRun) -> float:
        return max((weights.composite(call.terms) for call in run.calls), default=0.0)

    return fit(
        list(map(raw, benign)),
        groups,
        kinds=[run.kind for run in benign],
        budget=budget,
        deny_budget=deny_budget or min(budget, max(budget / 5, 3.0 / max(1, len(set(groups))))),
        terms={name: [run.term(name) for run in benign] for name in sorted(terms)},
        hijacked=list(map(raw, bad)) if bad else None,
        hijacked_groups=[run.group for run in bad] if bad else None,
    )


def _network(path: Path) -> tuple[Arrays, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BundleError(f"{path}: no such file; name a folder in which gatling train has finished")
    try:
        with safe_open(path, "np") as file:
            config = TypeAdapter(dict[str, Any]).validate_json((file.metadata() or {})["gatling"])
            return {name: file.get_tensor(name) for name in file.keys()}, config  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{path}: holds no network ({type(error).__name__}); train it again") from None
