"""What a load tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["listing", "fetching", "waiting", "reading", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is."""

    source: str
    """The source's name."""
    state: State
    rows: int
    """Rows that were handed over."""
    wanted: int | None
    """Rows that were asked for; None: all there are."""
    bytes: int
    """Bytes that came over the network; what lay in the cache or a mirror counts nothing."""
    note: str
    """A sentence where there is something to know, as why it waits; else ""."""


class Tally:
    """Counts of one load, told whenever there is something new."""

    def __init__(self, source: str, wanted: int | None, told: Callable[[Progress], None]) -> None:
        self.rows = self.bytes = 0
        self._source, self._wanted, self._told = source, wanted, told

    def tell(self, state: State, note: str = "") -> None:
        """Tell the counts as they are."""
        self._told(Progress(self._source, state, self.rows, self._wanted, self.bytes, note))
