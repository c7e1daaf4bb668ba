"""What a person should label next: real runs without a label, those first that the model is least sure of.

They are listed and never learnt from: without a label it is not known what they teach.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

from gatling.data.shards import write_file
from gatling.mining.judging import MiningError
from gatling.model.encoded import Encoded
from gatling.model.examples import LABELLED, Example, from_trace
from gatling.model.scores import latent, network, worst
from gatling.plan import JSON
from gatling.tools import ToolError, read_tools
from gatling.trace import TraceError
from gatling.trace.jsonl import read_lines

MOST = 100
"""Runs that are listed."""

REVIEW = "review.jsonl"

Told: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A run that a person should label."""

    id: str
    """The trace's own; empty where it has none."""
    file: str
    line: int
    margin: float
    """Distance to the threshold, in logits."""
    side: Literal["escalated", "allowed"]


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Real runs without a label, encoded, with where each stands."""

    encoded: Encoded
    places: tuple[tuple[str, int], ...]
    """File and line of every run."""


def gather(files: Sequence[Path], tools: JSON = None, told: Told = lambda line: None) -> Unlabelled:
    """The runs of files of traces that have no label; `tools` describes those of traces that bring none.

    Raises:
        MiningError: a line is no trace, or every run has a label.
        OSError: a file cannot be read.
    """
    places: list[tuple[str, int]] = []
    examples = _examples(files, tools, places, told)
    if (first := next(examples, None)) is None:
        named = ", ".join(map(str, files))
        raise MiningError(f"{named}: no run without a label; name others with --traces")
    encoded = Encoded.of(chain([first], examples), told)
    return Unlabelled(encoded, tuple(places))


def _examples(
    files: Sequence[Path], tools: JSON, places: list[tuple[str, int]], told: Told
) -> Iterator[Example]:
    described = read_tools(tools) if tools is not None else {}
    for path in files:
        labelled = 0
        for line in read_lines(path):
            where = f"{path}:{line.number}"
            if line.problem is not None or not isinstance(line.row, dict):
                raise MiningError(f"{where}: {line.problem or 'no JSON object'}; give one trace a line")
            if line.row.get("kind") in LABELLED:
                labelled += 1
                continue
            try:
                example = from_trace({**line.row, "kind": "unexposed"}, described, path.name)
            except (ToolError, TraceError) as error:
                raise MiningError(f"{where}: {error}") from None
            assert example is not None, "unexposed is one of LABELLED"
            places.append((str(path), line.number))
            yield example
        if labelled:
            told(f"{path}: {labelled} traces left out of the review; they have a label")


def doubts(runs: Unlabelled, weights: Path, threshold: float, most: int = MOST) -> list[Doubt]:
    """The `most` runs nearest to the threshold, a logit, nearest first; runs without calls are none.

    Raises:
        CheckpointError: the weights cannot be used.
    """
    logits = worst(runs.encoded, latent(network(weights), runs.encoded)).tolist()
    found = (
        Doubt(
            id=run.id,
            file=file,
            line=line,
            margin=round(abs(logit - threshold), 6),
            side="escalated" if logit > threshold else "allowed",
        )
        for run, (file, line), logit in zip(runs.encoded.runs, runs.places, logits, strict=True)
        if logit > -math.inf
    )
    return heapq.nsmallest(most, found, key=lambda doubt: (doubt.margin, doubt.file, doubt.line))


def write(found: Sequence[Doubt], out: Path) -> Path:
    """Write `review.jsonl`, one run a line. Raises `OSError`."""
    path = out / REVIEW
    write_file(path, "".join(json.dumps(asdict(doubt)) + "\n" for doubt in found).encode())
    return path
