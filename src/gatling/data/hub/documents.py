"""JSON and CSV: files that can only be read from their start."""

from __future__ import annotations

import csv
import io
import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any

from gatling.data.hub.blobs import Blob
from gatling.data.hub.lines import LOOKED_AT
from gatling.data.hub.packed import damaged, unpacked
from gatling.data.hub.rows import DataFile, Fetched, picked
from gatling.data.hub.schema import Wanted, check_values
from gatling.data.sources.source import Kind

MOST_DOCUMENT = 1 << 29
"""Characters of one JSON document, which has to be held whole."""

MOST_FIELD = 64 << 20
"""Characters of one field of CSV."""

_STEP = 1 << 16
_SPACE = re.compile(r"[\s,]*")


class _Sequential(DataFile):
    """Rows that are known once they are read."""

    def __init__(self, blob: Blob, wanted: Wanted) -> None:
        self.blob, self.wanted = blob, wanted
        self.cost = blob.size

    @abstractmethod
    def _all(self) -> Iterator[Mapping[str, Any]]:
        """All rows."""

    def _each(self) -> Iterator[Mapping[str, Any]]:
        """All rows, once the first ones have shown the columns: nothing is fetched for a check alone."""
        rows = self._all()
        first = list(islice(rows, LOOKED_AT))
        check_values(self.blob.name, first, self.wanted)
        yield from first
        yield from rows

    def count(self) -> int:
        """See `Rows`."""
        return sum(1 for _ in self._each())

    def rows(self, chosen: Sequence[int] | None = None) -> Iterator[Fetched]:
        """See `Rows`."""
        for number, row in picked(self._each(), chosen):
            yield Fetched(self.blob.name, number, self.wanted.cut(row))


class Documents(_Sequential):
    """JSON: an array of objects, one object that nests rows, or objects one after another."""

    def _all(self) -> Iterator[Mapping[str, Any]]:
        with unpacked(self.blob) as stream, io.TextIOWrapper(stream, "utf-8-sig") as text:
            for number, document in enumerate(self._documents(text)):
                if not isinstance(document, dict):
                    found = f"found {type(document).__name__}, expected a JSON object"
                    raise damaged(self.blob.name, found, f"document {number}")
                yield from self.wanted.rows(document)

    def _documents(self, text: IO[str]) -> Iterator[Any]:
        """The elements of a file's array, or its documents; one is held at a time."""
        decoder, held, at, step, inside = json.JSONDecoder(), "", 0, _STEP, False
        while True:
            found = _SPACE.match(held, at)
            assert found is not None
            at = found.end()
            if held[at : at + 1] == ("]" if inside else "["):
                inside, at = not inside, at + 1
                continue
            reason = "it ends within the array"
            if at < len(held):
                try:
                    document, end = decoder.raw_decode(held, at)
                except (ValueError, RecursionError) as error:
                    reason = str(error)
                else:
                    # What ends where the text held so far ends may go on.
                    if end < len(held) or step == 0:
                        yield document
                        at, step = end, step and _STEP
                        continue
            if step == 0:
                if at < len(held) or inside:
                    raise damaged(self.blob.name, f"no JSON: {reason}")
                return
            if len(held) - at > MOST_DOCUMENT:
                raise damaged(self.blob.name, f"a document of more than {MOST_DOCUMENT} characters")
            # Twice as much each time, so that a long document is tried a few times only.
            more = self._more(text, step)
            held, at, step = held[at:] + more, 0, step * 2 if more else 0

    def _more(self, text: IO[str], count: int) -> str:
        try:
            return text.read(count)
        except UnicodeDecodeError as error:
            raise damaged(self.blob.name, f"no UTF-8: {error}") from None


class Csv(_Sequential):
    """CSV with a line of names; values are made what the source says that they are."""

    def _all(self) -> Iterator[Mapping[str, Any]]:
        # One limit for the whole process, which is too low for a document in a field.
        csv.field_size_limit(max(MOST_FIELD, csv.field_size_limit()))
        with unpacked(self.blob) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            reader = csv.reader(text)
            try:
                names = next(reader, [])
                kinds = [self.wanted.columns.get(name, "text") for name in names]
                for number, fields in enumerate(row for row in reader if row):
                    if len(fields) != len(names):
                        found = f"found {len(fields)} fields, expected {len(names)}"
                        raise damaged(self.blob.name, found, f"row {number}")
                    yield dict(zip(names, map(_value, fields, kinds), strict=True))
            except (csv.Error, UnicodeDecodeError) as error:
                raise damaged(self.blob.name, f"no CSV: {error}", f"line {reader.line_num}") from None


def _value(text: str, kind: Kind) -> str | int | float | bool | None:
    """A field as its kind; text where it is not of that kind."""
    if kind == "text":
        return text
    if not text:
        return None
    if kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    try:
        return int(text) if kind == "integer" else float(text) if kind == "number" else text
    except ValueError:
        return text
