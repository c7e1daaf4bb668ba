"""The runs of the ablations, encoded: a build's splits and recorded runs, with each call's analytic terms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import need, rows
from gatling.data.columns import text
from gatling.data.label import compute
from gatling.data.run import TERMS, Run, Setting
from gatling.data.shards import MANIFEST, read_rows
from gatling.evaluate.scored import VIOLATES
from gatling.model.encoded import Encoded, cached, key_of
from gatling.model.examples import Example, from_row, from_trace
from gatling.model.scores import worst
from gatling.plan import PlanOrigin
from gatling.tools import Toolbox, read_tools
from gatling.trace import Message, read_trace

Array: TypeAlias = NDArray[np.float64]

TRAINING, VALIDATION = "train", "validation"
BUILT = {
    "test": "test",
    "heldout_family": "held-out family",
    "heldout_operator": "held-out operator",
    "heldout_domain": "held-out domain",
}
"""Splits of the build that are scored, and what the tables call them."""
RECORDED = {"agentdyn_dailylife": "dailylife", "agentdyn_dailylife_plain": "dailylife plain"}
"""Files of recorded runs that are scored."""
COLUMNS = BUILT | RECORDED


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded runs with what the audit's terms say of their calls."""

    encoded: Encoded
    opinions: Array
    """(calls, 4), 0–10, by `TERMS`."""

    @classmethod
    def load(cls, folder: Path, name: str, key: str) -> Part:
        return cls(Encoded.load(folder / f"{name}.safetensors", key), np.load(folder / f"{name}.npy"))

    @property
    def violating(self) -> NDArray[np.bool_]:
        """(runs,)."""
        return np.array([bool(VIOLATES[run.kind]) for run in self.encoded.runs])

    def worst(self, calls: Array) -> Array:
        """(calls,) to (runs,): the highest of each run; -∞ for runs without calls."""
        return worst(self.encoded, calls)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all processes read, and where they write."""

    data: Path
    plans: Path
    work: Path
    device: str
    steps: int | None

    @property
    def folder(self) -> Path:
        """Of what is encoded."""
        return self.work / "encoded"

    def key(self, name: str) -> str:
        return key_of("ablations", name, (self.plans / MANIFEST).read_text(encoding="utf-8"))

    def part(self, name: str) -> Part:
        return Part.load(self.folder, name, self.key(name))

    def texts(self, name: str) -> list[str]:
        """What the peer reads of each run."""
        found: list[str] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        return found


def encode(inputs: Inputs, name: str) -> str:
    """Encode a split or a file; beside it, the audit's opinions and the traces' texts."""
    opinions: list[list[float]] = []
    texts: list[str] = []

    def examples() -> Iterator[Example]:
        for example, terms, messages in recorded(inputs, name) if name in RECORDED else built(inputs, name):
            opinions.extend(terms)
            texts.append(whole(messages))
            yield example

    def make() -> Encoded:
        encoded = Encoded.of(examples())
        np.save(inputs.folder / f"{name}.npy", np.array(opinions).reshape(-1, len(TERMS)))
        (inputs.folder / f"{name}.json").write_text(json.dumps(texts), encoding="utf-8")
        return encoded

    cached(inputs.folder / f"{name}.safetensors", inputs.key(name), make)
    return name


Labelled: TypeAlias = tuple[Example, list[list[float]], Sequence[Message]]
"""A run, the terms of each of its calls, its messages."""


def built(inputs: Inputs, split: str) -> Iterator[Labelled]:
    for row in read_rows(inputs.plans, split):
        terms = [[getattr(said, name) for name in TERMS] for said in row.opinions]
        yield from_row(row, "build"), terms, row.messages


def recorded(inputs: Inputs, name: str) -> Iterator[Labelled]:
    path, schemas = need(inputs.data, f"data/traces/{name}.jsonl.gz", "data/tools/agentdyn.json")
    tools = read_tools(json.loads(schemas.read_text(encoding="utf-8")))
    for row in rows(path):
        if (example := from_trace(row, tools, name)) is not None:
            trace = read_trace(row)
            toolbox = Toolbox({**tools, **(read_tools(trace.tools) if trace.tools else {})})
            setting = Setting((), toolbox, (), "")
            run = Run(example.group, setting, trace.messages, PlanOrigin.OBSERVED, frozenset())
            said = compute([run])[0].opinions
            yield example, [[opinion.terms[term] for term in TERMS] for opinion in said], trace.messages


def whole(messages: Sequence[Message]) -> str:
    """All that a trace says, calls too."""
    return "\n".join(
        part
        for message in messages
        for part in (
            text(message.content),
            *(f"{call.tool} {text(call.arguments)}" for call in message.calls),
        )
    )
