"""The numbers that energies rest on: the hierarchy's weights, the terms' gains, the calibration.

A call's composite energy joins its terms as independent reasons for alarm,

    energy = 10 · (1 − Π (1 − gain_t · term_t / 10))

then a monotone calibration puts the false-positive budget at 2 (escalate) and the deny budget at 6. A
plan's energy is its worst call's. The analytic terms' numbers stand in `weights.json`; a model bundle brings
its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gatling.energy.calibration import Calibration
from gatling.energy.flow import Flow
from gatling.energy.hierarchy import SIGNS, Hierarchy
from gatling.energy.provenance import Provenance
from gatling.energy.scope import ScopeTerm
from gatling.energy.term import Term

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Weights(BaseModel):
    """See the module's docstring.

    Raises:
        pydantic.ValidationError: a weight is missing, unknown, not finite or of the wrong sign.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: tuple[str, ...]
    """What they were fitted on, with licences."""
    hierarchy: dict[str, _Number]
    """By quantity of `hierarchy.SIGNS`, `bias`, and `habit` (0 to 1)."""
    gains: dict[str, _Share]
    """How much each term counts in the composite."""
    calibration: Calibration

    @model_validator(mode="after")
    def _signed(self) -> Weights:
        expected = {*SIGNS, "bias", "habit"}
        if set(self.hierarchy) != expected:
            odd = sorted(set(self.hierarchy) ^ expected)
            raise ValueError(f"hierarchy must have exactly the weights of its quantities; see {odd}")
        if not 0.0 <= self.hierarchy["habit"] <= 1.0:
            raise ValueError("hierarchy.habit must lie in 0 to 1")
        wrong = [name for name, sign in SIGNS.items() if sign * self.hierarchy[name] < 0.0]
        if wrong:
            raise ValueError(f"hierarchy: the sign of {wrong} is fixed the other way")
        return self

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The analytic terms."""
        return (Hierarchy(self.hierarchy), Provenance(), ScopeTerm(), Flow())

    def composite(self, terms: Mapping[str, float]) -> float:
        """The raw composite of a call's energies by term, on 0–10. A term without a gain counts fully."""
        rest = 1.0
        for name, value in terms.items():
            rest *= 1.0 - self.gains.get(name, 1.0) * value / 10.0
        return 10.0 * (1.0 - rest)

    def energy(self, terms: Mapping[str, float]) -> float:
        """The calibrated composite, on 0–10."""
        return self.calibration.apply(self.composite(terms))


@lru_cache(maxsize=1)
def analytic() -> Weights:
    """The weights of the analytic terms alone, without any trained network."""
    return Weights.model_validate_json(Path(__file__).with_name("weights.json").read_bytes())
