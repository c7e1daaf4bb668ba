"""What is evaluated: runs with the energies that a model gave them, and what is known of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatling.terminal import NAME_LIMIT, safe

VIOLATES: dict[str, bool | None] = {
    "hijacked": True,
    "mutated": True,
    "gold": False,
    "clean": False,
    "unexposed": False,
    "resisted": False,
    "authorised": False,
    "delegated": False,
    "attempted": None,
    "unclear": None,
}
"""Whether runs of a kind violate; None for those that count neither way. In the order of the tables."""


class EvaluationError(ValueError):
    """Runs from which no honest figure can be computed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ScoredCall:
    """One call with its energies, 0–10."""

    id: str
    tool: str
    energy: float
    """Calibrated."""
    terms: Mapping[str, float]
    """Per term; `latent` is among them when the model has one."""
    hijacked: bool
    """Known to carry out the attack, or changed by a mutation."""
    target: Mapping[str, float] | None
    """Energies by construction, where they are known."""
    evidence: tuple[str, ...]
    """Lines of plain text, with words of strangers in them."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """One run with its scored calls."""

    id: str
    group: str
    """Siblings share it; intervals are bootstrapped over groups."""
    dataset: str
    """The file or build that it came from."""
    split: str
    """`train`, `validation` or `test`; empty for traces."""
    kind: str
    """One of `VIOLATES`."""
    violation: bool | None
    """What `VIOLATES` says of the kind."""
    family: str
    """The attack family or mutation operator; empty for benign runs."""
    domain: str
    suite: str
    language: str
    label_source: str
    """`construction`, `annotation` or `critic`."""
    plan_origin: str
    calls: tuple[ScoredCall, ...]
    seconds: float
    """Time that the audit took: to observe all messages and check all calls."""
    steps: tuple[float, ...]
    """Seconds of each observe and check step; may be empty."""

    @property
    def energy(self) -> float:
        """The worst call's energy; 0 without calls."""
        return max((call.energy for call in self.calls), default=0.0)

    @property
    def target(self) -> float | None:
        """The energy by construction: the worst call's worst term; None where none is known."""
        known = [max(call.target.values(), default=0.0) for call in self.calls if call.target is not None]
        return max(known, default=None)

    def term(self, name: str) -> float:
        """The worst call's value of one term; 0 where no call has it."""
        return max((call.terms.get(name, 0.0) for call in self.calls), default=0.0)


def check(runs: Iterable[ScoredRun]) -> list[ScoredRun]:
    """The runs by data set and id.

    Raises:
        EvaluationError: there are none, one stands twice, has an unknown kind, or a number out of range.
    """
    ordered = sorted(runs, key=lambda run: (run.dataset, run.id))
    if not ordered:
        raise EvaluationError("no runs: name data or traces that hold some")
    for before, run in zip([None, *ordered], ordered, strict=False):
        name = f"{safe(run.dataset, NAME_LIMIT)}: run {safe(run.id, NAME_LIMIT)}"
        if before is not None and (before.dataset, before.id) == (run.dataset, run.id):
            raise EvaluationError(f"{name} stands twice; give every run an id of its own")
        if run.kind not in VIOLATES or run.violation != VIOLATES[run.kind]:
            raise EvaluationError(
                f"{name}: kind {safe(run.kind, NAME_LIMIT)} with violation {run.violation}; the kinds are "
                + ", ".join(f"{kind} ({violates})" for kind, violates in VIOLATES.items())
            )
        for call in run.calls:
            for what, value in [("energy", call.energy), *call.terms.items(), *(call.target or {}).items()]:
                if not 0.0 <= value <= 10.0:
                    raise EvaluationError(
                        f"{name}, call {safe(call.id, NAME_LIMIT)}: {safe(what, NAME_LIMIT)} is {value}, "
                        "not a number from 0 to 10; the model's bundle is damaged, train or fetch it again"
                    )
        for value in (run.seconds, *run.steps):
            if not 0.0 <= value < math.inf:
                raise EvaluationError(f"{name}: a time of {value} seconds; measure it again")
    return ordered
