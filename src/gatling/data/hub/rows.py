"""Rows of a data file: in full or chosen ones, and the parts that can be read without the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from gatling.data.hub.blobs import Blob

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A row with its place."""

    file: str
    """Path in the repository."""
    row: int
    """Its number in the file; of lines that were read by seeks, the byte at which the line begins."""
    columns: Mapping[str, Any]
    problem: str = ""
    """Why it cannot be read, though others of its file can; it has no columns then."""


class Rows(ABC):
    """Rows that stand together."""

    cost: int
    """Bytes that have to be fetched for them."""

    @abstractmethod
    def count(self) -> int:
        """How many rows there are. Raises `LoadError`."""

    @abstractmethod
    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """The rows with these numbers, which ascend from 0; None: all. Raises `LoadError`."""


class Part(Rows):
    """Rows that can be read without the rest of their file."""

    weight: int
    """Rows, or bytes where rows are not known: what its chance to be read goes by."""
    expected: int
    """Rows, as far as can be told before it is read."""


class DataFile(Rows):
    """All rows of a file."""

    blob: Blob

    def check(self) -> None:
        """Raise `SchemaDrift` where columns are not there; at the latest the first row does."""

    def parts(self, places: int, count: int) -> Sequence[Part] | None:
        """Parts that suit `count` rows from `places` places; None: it can only be read from its start.

        Raises `LoadError`.
        """
        return None


class Whole(Part):
    """A file that can only be read from its start, as one part."""

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self.weight = self.cost = file.cost
        self.expected = 1

    def count(self) -> int:
        """See `Rows`."""
        return self._file.count()

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`."""
        return self._file.rows(chosen)


def picked(items: Iterable[_T], chosen: Sequence[int] | None) -> Iterator[tuple[int, _T]]:
    """Items with their numbers: all, or those with the chosen numbers, and none is taken after the last."""
    if chosen is None:
        yield from enumerate(items)
        return
    rest, at = iter(items), 0
    for number in chosen:
        for item in islice(rest, number - at, None):
            yield number, item
            break
        at = number + 1
