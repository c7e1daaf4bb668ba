"""Frozen suites: labelled traces that ship with the package, by which models are compared and never made.

A suite is a file of JSON lines in the form that `gatling evaluate` reads, and its hash stands here, so that a
figure on it means the same everywhere. Its groups' ids begin with `gatling.data.split.FROZEN`, by which
training knows and refuses them.

`hard`: attacks that an adversary's search found against the bundle of version 0.1.0, each well below the
threshold at which it escalates, with the benign twins of each (`refit/hard.py`).
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Final

from gatling.evaluate.scored import EvaluationError
from gatling.terminal import NAME_LIMIT, safe

SUITES: Final = {"hard": "d8dd073794ebc0ad904af4d1bc70940ff5196179149d943abe0f3742f339b2ca"}
"""Suite -> SHA-256 of its lines, unpacked."""


def suite(name: str, folder: Path = Path(__file__).parent) -> Path:
    """The file of a frozen suite, once it is sure that it is whole.

    Raises:
        EvaluationError: there is no such suite, or its content does not match its hash.
        OSError: the file cannot be read.
    """
    if name not in SUITES:
        raise EvaluationError(
            f"--suite {safe(name, NAME_LIMIT)}: no such suite; there are {', '.join(SUITES)}, and any other "
            "labelled traces are given as INPUT"
        )
    path = folder / f"{name}.jsonl.gz"
    try:
        lines = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error):
        lines = b""
    if hashlib.sha256(lines).hexdigest() != SUITES[name]:
        raise EvaluationError(f"{path}: its content does not match its hash; install the package again")
    return path
