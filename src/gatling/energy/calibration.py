"""Where raw energies fall on the scale that policies speak: one false-positive budget at 2, another at 6.

A `Calibration` is fitted once on benign runs (`gatling.model.calibrate`), stored as JSON, and applied to
every call. It says on how many runs each threshold rests and how sure it is.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from gatling.plan import JSON
from gatling.policy import Thresholds

TOP = 10.0
"""The highest energy."""
ESCALATE, DENY = Thresholds().escalate, Thresholds().deny
"""The calibrated energies at which a policy escalates and denies, unless it says otherwise: 2 and 6."""
LOWEST, HIGHEST = 0.01, TOP - 1e-6
"""Where a raw threshold may lie. Nearer to an end, rounding rather than evidence would decide."""
_CLIFF = 1.05


class CalibrationError(ValueError):
    """A calibration that cannot be used; the message names field and remedy."""


def against(energy: float) -> float:
    """The odds against a violation at this energy, (10 − e) / e, in [0, ∞)."""
    return (TOP - energy) / energy


def least_deny(escalate: float) -> float:
    """The lowest raw deny threshold beside this raw escalate threshold: its odds are 5% higher.

    Were they closer, as when many benign runs share one score, the map would step from 2 to 6 like a cliff.
    Raising a threshold breaks no budget.
    """
    return TOP / (1.0 + against(escalate) / _CLIFF)


def onto_bands(raw: float, escalate: float, deny: float) -> float:
    """The map itself: raw energy on 0–10 → calibrated energy on 0–10, with `escalate` at 2 and `deny` at 6.

    It is piecewise linear in the odds against a violation, q = (10 − e) / e:

        q' = 2/3 · q / q_deny                                       at `deny` and above
        q' = 2/3 + (4 − 2/3) · (q − q_deny) / (q_escalate − q_deny) between them
        q' = 4 · q / q_escalate                                     below `escalate`

    so that the outer pieces shift the logit by a constant: raw energies crowd just below 10, and this spreads
    them out. 0 and 10 stay where they are. Odds rather than logits, because IEEE 754 rounds + − × ÷ alike on
    every machine and promises nothing about a logarithm; and since each step is monotone when rounded, so is
    the whole: a higher raw energy never gets a lower calibrated one, energies 1e-9 apart never tie, and above
    a raw `deny` of 9.5 not even neighbouring floats do. `raw >= escalate` holds exactly where the result is
    at least 2, and `raw >= deny` where it is at least 6.

    NaN gives 10: what cannot be scored is not let through. Values beyond the scale give its ends.

    >>> [onto_bands(raw, 9.0, 9.8) for raw in (0.0, 9.0, 9.8, 10.0)]
    [0.0, 2.0, 6.0, 10.0]
    """
    if not raw < TOP:
        return TOP
    if raw <= 0.0:
        return 0.0
    if raw == deny:
        return DENY
    q, q_escalate, q_deny = against(raw), against(escalate), against(deny)
    at_escalate, at_deny = against(ESCALATE), against(DENY)
    if raw > deny:
        odds, low, high = at_deny * (q / q_deny), DENY, TOP
    elif raw >= escalate:
        odds = at_deny + (at_escalate - at_deny) * ((q - q_deny) / (q_escalate - q_deny))
        low, high = ESCALATE, math.nextafter(DENY, 0.0)
    else:
        odds, low, high = at_escalate * (q / q_escalate), 0.0, math.nextafter(ESCALATE, 0.0)
    return min(max(TOP / (1.0 + odds), low), high)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Energy = Annotated[float, Field(strict=True, ge=0.0, le=TOP, allow_inf_nan=False)]
_Raw = Annotated[float, Field(strict=True, ge=LOWEST, le=HIGHEST, allow_inf_nan=False)]
_Unit = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
_Budget = Annotated[float, Field(strict=True, gt=0.0, lt=1.0, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=1)]


class Share(_Strict):
    """A share of runs, its 95% interval by a bootstrap over groups, and what it rests on."""

    value: _Unit
    low: _Unit
    high: _Unit
    runs: _Count
    groups: _Count

    @model_validator(mode="after")
    def _ordered(self) -> Share:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        if self.groups > self.runs:
            raise ValueError(f"{self.groups} groups cannot hold {self.runs} runs; each has one at least")
        return self


class Threshold(_Strict):
    """The raw energy that at most `budget` of the benign runs of any kind reach."""

    raw: _Raw
    interval: tuple[_Energy, _Energy]
    """95% interval of `raw`, by a bootstrap over groups."""
    calibrated: _Energy | None
    """What the map makes of `raw`; None for the threshold of a single term, which has no map."""
    budget: _Budget
    false_positives: Share
    """The benign runs of `kind` that reach `raw`. The interval is that of new runs' share: the same threshold
    set on other draws of as many groups, measured on all."""
    kind: str
    """The kind of benign run that set the threshold, or `all` for all kinds together."""
    untested: tuple[str, ...] = ()
    """Kinds with too few groups for the budget to be held to them alone; they count among all."""
    detected: Share | None = None
    """The hijacked runs that reach `raw`, where there were any to measure on."""

    @model_validator(mode="after")
    def _holds(self) -> Threshold:
        if self.interval[0] > self.interval[1]:
            raise ValueError(f"interval {self.interval} must run from low to high")
        if self.false_positives.value > self.budget:
            raise ValueError(f"{self.false_positives.value} of benign runs exceed the budget {self.budget}")
        return self


class Calibration(_Strict):
    """The map from raw to calibrated energies, the two thresholds that pin it, and how rare energies are."""

    escalate: Threshold
    deny: Threshold
    benign: tuple[Threshold, ...] = ()
    """Thresholds of smaller and smaller budgets: how many benign runs reach an energy."""
    terms: tuple[tuple[str, Threshold], ...] = ()
    """What each term alone would flag at the budget of `escalate`: (name, threshold). A term of which so many
    benign runs score 10 that no threshold holds the budget is not among them."""

    @model_validator(mode="after")
    def _consistent(self) -> Calibration:
        if self.deny.budget > self.escalate.budget:
            raise ValueError("deny.budget must not exceed escalate.budget")
        if self.deny.raw < least_deny(self.escalate.raw):
            raise ValueError(
                f"deny.raw ({self.deny.raw}) must be {least_deny(self.escalate.raw)} or more beside "
                f"escalate.raw ({self.escalate.raw}), or the map has a cliff"
            )
        for name, threshold in (("escalate", self.escalate), ("deny", self.deny), *self._levels()):
            given, mapped = threshold.calibrated, self.apply(threshold.raw)
            if given != mapped:
                raise ValueError(f"{name}.calibrated is {given}, but the map gives {mapped}")
        steps = [(-level.budget, level.raw) for level in self.benign]
        if any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(steps)):
            raise ValueError("benign must go from large budgets to small ones, and raw must not fall")
        if any(threshold.calibrated is not None for _, threshold in self.terms):
            raise ValueError("terms: calibrated must be null; the map is that of the composite")
        return self

    @model_serializer(mode="wrap")
    def _stored(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # a bundle's hash is over what is stored, and one may be stored without its terms' thresholds
        stored: dict[str, Any] = handler(self)
        return stored if self.terms else {name: stored[name] for name in stored if name != "terms"}

    def _levels(self) -> list[tuple[str, Threshold]]:
        return [(f"benign[{n}]", level) for n, level in enumerate(self.benign)]

    def apply(self, raw: float) -> float:
        """The calibrated energy of a raw one, both on 0–10; see `onto_bands`."""
        return onto_bands(raw, self.escalate.raw, self.deny.raw)

    def to_json(self) -> dict[str, Any]:
        """The calibration as plain dicts, lists, strings and numbers; `from_json` gives an equal one back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: JSON) -> Calibration:
        """Read what `to_json` gave.

        Raises:
            CalibrationError: which field is wrong, and what is accepted there.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            remedy = "; fit it again with gatling.model.calibrate.fit"
            raise CalibrationError(
                "\n".join(_located(e["loc"], e["msg"]) + remedy for e in error.errors())
            ) from None


def _located(loc: tuple[int | str, ...], message: str) -> str:
    field = ".".join(("calibration", *(str(part) for part in loc)))
    return f"{field}: {message.removeprefix('Value error, ')}"
