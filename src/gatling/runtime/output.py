"""Verdicts as lines of JSON: what a line holds, and a file that is there whole or not at all."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from gatling.plan import JSON
from gatling.runtime.verdict import TraceVerdict

DECIMALS = 4


def output_line(verdict: TraceVerdict) -> bytes:
    r"""One line of JSON: fields that are None are left out, energies have four decimals.

    ASCII only, so that nothing that stood in a trace can steer the terminal or the tool that shows the file.

    >>> output_line(TraceVerdict(id="a\u202e", energy=1.23456, decision="allow", calls=[]))
    b'{"id": "a\\u202e", "schema_version": 1, "energy": 1.2346, "decision": "allow", "calls": []}\n'
    """
    row = verdict.model_dump(exclude_none=True)
    for record in (row, *row["calls"]):
        record["energy"] = round(record["energy"], DECIMALS)
    for call in row["calls"]:
        call["terms"] = {term: round(energy, DECIMALS) for term, energy in call["terms"].items()}
    return json.dumps(row).encode() + b"\n"


def output_schema() -> dict[str, JSON]:
    """The JSON schema of a line; `verdict.schema.json` beside this module holds the same."""
    return TraceVerdict.model_json_schema()


@contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Open a file for lines, `-` for standard output; a name that ends in .gz is written gzipped.

    What is written goes to a temporary file beside the target, which takes the target's name when the
    `with` block ends well and is removed otherwise. What is no regular file (a pipe) is written straight.
    """
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with open(target, "wb") as file, _packed(file, path) as packed:
            yield packed
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            if target.exists():
                shutil.copymode(target, part)
            with _packed(file, path) as packed:
                yield packed
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _packed(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    if not path.endswith(".gz"):
        yield file
        return
    # No name and no time inside: equal verdicts make equal files.
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)
