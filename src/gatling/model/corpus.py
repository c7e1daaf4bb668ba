"""What a model learns from: the splits of builds and labelled traces, encoded; groups are kept whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from gatling.data.shards import MANIFEST, Manifest, ShardError, read_rows, verify
from gatling.data.sources import SOURCES
from gatling.data.split import FROZEN
from gatling.model.bundle import Data
from gatling.model.encoded import Encoded, Told, cached, key_of
from gatling.model.examples import LABELLED, Example, from_row, from_trace
from gatling.plan import JSON
from gatling.tools import Tool, read_tools
from gatling.trace import TraceError
from gatling.trace.jsonl import read_lines
from gatling.trace.reader import group_of

VALIDATION_PART = 4
"""One group of so many labelled traces is for validation."""

Role: TypeAlias = Literal["train", "validation"]
ROLES: tuple[Role, ...] = ("train", "validation")


class CorpusError(ValueError):
    """Data that cannot be learnt from; the message names the file and a remedy."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Encoded runs of both splits, and where they are from."""

    training: Encoded
    validation: Encoded
    data: tuple[Data, ...]

    @property
    def groups(self) -> list[str]:
        """The training groups' ids, in order."""
        return sorted({run.group for run in self.training.runs})


@dataclass(frozen=True, slots=True)
class _Source:
    """One build or one file of traces."""

    path: Path
    name: str
    licence: str
    sha256: str
    prefix: str = ""
    """Before its groups' ids."""


def group_name(manifest: Manifest, group: str) -> str:
    """What a build's group is called beside others: groups of another preset or seed are other groups."""
    return f"{manifest.preset}-{manifest.seed}/{group}"


def gather(
    builds: Sequence[Path],
    traces: Sequence[Path] = (),
    tools: JSON = None,
    *,
    cache: Path,
    seed: int = 0,
    told: Told = lambda line: None,
) -> Corpus:
    """Read and encode the splits `train` and `validation` of builds, and labelled traces, dealt by group.

    A quarter of the traces' groups, drawn by `seed` from those with an attack and from the others alike, is
    for validation. `tools` are the schemas of traces that bring none. What is encoded is kept in the folder
    `cache`, and taken from there as long as data and code are the same.

    Raises:
        CorpusError: there is nothing to learn from, or data is for evaluation alone.
        ShardError: a build cannot be used.
        ToolError: the tools cannot be read.
        OSError: a file cannot be read.
    """
    built, logged = [*map(_build, builds)], [*map(_traces, traces)]
    sources = [*built, *logged]
    names = [one.name for one in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorpusError(f"{twice[0]}: given twice, or two of one name; give each once, or rename one")
    dealt: dict[Role, list[Example]] = {}

    def examples(role: Role) -> Iterator[Example]:
        for one in built:
            for row in read_rows(one.path, role):
                yield replace(from_row(row, one.name), group=f"{one.prefix}{row.group}")
        if logged and not dealt:
            dealt.update(_dealt(logged, read_tools(tools) if tools is not None else {}, seed, told))
        yield from dealt.get(role, ())

    def encoded(role: Role) -> Encoded:
        try:
            return Encoded.of(examples(role), told)
        except ValueError as error:
            if isinstance(error, (CorpusError, ShardError)):
                raise
            raise CorpusError(f"{', '.join(str(one.path) for one in sources)}: {role}: {error}") from None

    inputs = json.dumps([tools, seed, [(one.name, one.sha256) for one in sources]], sort_keys=True)
    made = {
        role: cached(cache / f"{role}.safetensors", key_of(role, inputs), partial(encoded, role), told)
        for role in ROLES
    }
    data = [_data(one, role, made[role]) for one in sources for role in ROLES]
    return Corpus(made["train"], made["validation"], tuple(part for part in data if part.runs))


def _build(folder: Path) -> _Source:
    manifest = verify(folder)
    evaluation = {source.name for source in SOURCES if source.role == "evaluation"}
    if held := sorted(source.name for source in manifest.sources if source.name in evaluation):
        raise CorpusError(
            f"{folder}: holds {', '.join(held)}, which is for evaluation alone; build again without "
            "--include-evaluation to train on it"
        )
    if missing := [role for role in ROLES if role not in manifest.splits]:
        raise CorpusError(f"{folder}: no rows in the split {missing[0]}; build with a larger --size")
    licences = {source.licence for source in manifest.sources if source.used}
    return _Source(
        folder,
        f"{manifest.preset}-{manifest.seed}-{manifest.size}",
        " AND ".join(["Apache-2.0", *sorted(licences - {"Apache-2.0"})]),
        hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        group_name(manifest, ""),
    )


def _traces(path: Path) -> _Source:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _Source(path, path.name.partition(".")[0], "not stated", digest)


def _data(source: _Source, role: Role, encoded: Encoded) -> Data:
    groups = [run.group for run in encoded.runs if run.dataset == source.name]
    return Data(
        name=source.name,
        role=role,
        licence=source.licence,
        runs=len(groups),
        groups=len(set(groups)),
        sha256=source.sha256,
    )


def _dealt(
    sources: Sequence[_Source], tools: Mapping[str, Tool], seed: int, told: Told
) -> dict[Role, list[Example]]:
    """The examples of labelled traces by role; a group that stands in several files has one role."""
    examples = [example for one in sources for example in _examples(one, tools, told)]
    attacked = {example.group for example in examples if example.kind == "hijacked"}
    others = {example.group for example in examples} - attacked
    random = np.random.default_rng(seed)
    held_out = {group for part in (attacked, others) for group in _quarter(part, random)}
    return {
        "train": [example for example in examples if example.group not in held_out],
        "validation": [example for example in examples if example.group in held_out],
    }


def _quarter(groups: Collection[str], random: np.random.Generator) -> list[str]:
    ordered = sorted(groups)
    return [ordered[at] for at in random.permutation(len(ordered))[: round(len(ordered) / VALIDATION_PART)]]


def _examples(source: _Source, tools: Mapping[str, Tool], told: Told) -> Iterator[Example]:
    left_out = 0
    for line in read_lines(source.path):
        where = f"{source.path}:{line.number}"
        if line.problem is not None or not isinstance(line.row, dict):
            raise CorpusError(f"{where}: {line.problem or 'no JSON object'}; give one labelled trace a line")
        if group_of(line.row, "").startswith(FROZEN):
            raise CorpusError(f"{where}: in a frozen suite, which is for evaluation alone; leave it out")
        try:
            example = from_trace(line.row, tools, source.name)
        except TraceError as error:
            raise CorpusError(f"{where}: {error}") from None
        if example is None:
            left_out += 1
        else:
            yield example
    if left_out:
        told(f"{source.path}: {left_out} traces left out; their kind is not one of {', '.join(LABELLED)}")
