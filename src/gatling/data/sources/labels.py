"""How datasets write yes and no."""

from __future__ import annotations

from gatling.data.sources.source import Label, Rejected
from gatling.trace.reader import found


def from_flag(value: object, field: str) -> Label | None:
    """A column of 1 for attacks and 0 for the rest; None where it is null. Raises `Rejected`."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | float | str):
        if value in (1, "1"):
            return "attack"
        if value in (0, "0"):
            return "benign"
    raise Rejected(f"{field}: found {found(value)}, neither 0 nor 1")
