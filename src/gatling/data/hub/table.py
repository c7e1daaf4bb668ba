"""Parquet: the footer first, then of the chosen row groups the columns that are wanted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from gatling.data.hub.blobs import Blob
from gatling.data.hub.cache import BLOCK
from gatling.data.hub.packed import damaged
from gatling.data.hub.rows import DataFile, Fetched, Part
from gatling.data.hub.schema import Wanted, check_types

_BATCH = 1024
"""Rows that are held as Python objects at once."""

_READ = 1 << 20
"""Bytes of a column that are read at once: a row group of gigabytes is not held whole."""


class Table(DataFile):
    """A Parquet file. Raises `Damaged` where it is none."""

    def __init__(self, blob: Blob, wanted: Wanted) -> None:
        self.blob, self.wanted = blob, wanted
        try:
            self._file = pq.ParquetFile(blob.open(ahead=0), buffer_size=_READ)
        except (OSError, pa.ArrowException) as error:
            raise damaged(blob.name, f"cut short or no Parquet: {error}") from None
        self.schema: pa.Schema = self._file.schema_arrow
        names: list[str] = self.schema.names
        self.columns = names if wanted.kept is None else [name for name in wanted.kept if name in names]
        metadata = self._file.metadata
        starts = [0]
        for number in range(metadata.num_row_groups):
            starts.append(starts[-1] + metadata.row_group(number).num_rows)
        self._groups = [_Group(self, self._file, number, start) for number, start in enumerate(starts[:-1])]
        self._count = starts[-1]
        self.cost = sum(group.cost for group in self._groups)

    def check(self) -> None:
        """See `DataFile`."""
        check_types(self.blob.name, self.schema, self.wanted)

    def count(self) -> int:
        """See `Rows`."""
        return self._count

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`."""
        for group in self._groups:
            if chosen is None:
                yield from group.rows()
                continue
            first, last = (bisect_left(chosen, at) for at in (group.start, group.start + group.weight))
            if first < last:
                yield from group.rows([number - group.start for number in chosen[first:last]])

    def parts(self, places: int, count: int) -> Sequence[Part]:
        """The row groups."""
        return [group for group in self._groups if group.weight]


class _Group(Part):
    def __init__(self, table: Table, file: pq.ParquetFile, number: int, start: int) -> None:
        self._table, self._file, self._number, self.start = table, file, number, start
        metadata = file.metadata.row_group(number)
        self.weight = self.expected = metadata.num_rows
        self._ranges = _joined(
            (_place(column), _place(column) + column.total_compressed_size)
            for column in map(metadata.column, range(metadata.num_columns))
            if f"{column.path_in_schema}.".startswith(tuple(f"{name}." for name in table.columns))
        )
        # The cache holds whole blocks.
        self.cost = sum(-(-stop // BLOCK) - start // BLOCK for start, stop in self._ranges) * BLOCK

    def count(self) -> int:
        return self.weight

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        name, at = self._table.blob.name, 0
        for start, stop in self._ranges:
            self._table.blob.fetch(start, min(stop, self._table.blob.size))
        for batch in self._batches():
            end = at + len(batch)
            numbers: Sequence[int] = range(at, end)
            if chosen is not None:
                numbers = chosen[bisect_left(chosen, at) : bisect_left(chosen, end)]
                batch = batch.take(pa.array([number - at for number in numbers], pa.int64()))
            for number, row in zip(numbers, batch.to_pylist(), strict=True):
                yield Fetched(name, self.start + number, self._table.wanted.cut(row))
            at = end
            if chosen is not None and at > chosen[-1]:
                return

    def _batches(self) -> Iterator[pa.RecordBatch]:
        # In this thread alone: what it fetches is told from the thread that loads.
        try:
            yield from self._file.iter_batches(
                _BATCH, row_groups=[self._number], columns=self._table.columns, use_threads=False
            )
        except (OSError, pa.ArrowException) as error:
            raise damaged(self._table.blob.name, str(error), f"row group {self._number}") from None


def _place(column: pq.ColumnChunkMetaData) -> int:
    """Where a column's bytes begin."""
    pages: int = column.data_page_offset
    return min(column.dictionary_page_offset, pages) if column.has_dictionary_page else pages


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order; those that share a block of the cache, or stand in neighbouring ones, are one."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if found and start - found[-1][1] <= BLOCK:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((start, stop))
    return found
