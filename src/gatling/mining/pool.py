"""Candidates: fresh groups from worlds, half of them made for the model's weak regions, and scored.

In a share of the groups with attacks an adversary searches for one that the model misses.

Worker processes make them in chunks, each a file that stays there until the round is done: a round that is
killed goes on with the chunks it has. What a candidate is follows from seed, round, its number and the
regions alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from gatling.data.chunks import marked, read_table
from gatling.data.columns import rows
from gatling.data.groups import GOLD_EACH, finished, group_of
from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS, Mutation
from gatling.data.run import Sample, Truth
from gatling.data.shards import write_file
from gatling.data.split import shown
from gatling.data.worlds.domain import Domain, domains
from gatling.mining.adversary import Judge, Reading, search
from gatling.mining.attack import express, target
from gatling.mining.attack import group as siblings
from gatling.mining.endpoint import OracleError
from gatling.mining.judging import MiningError
from gatling.mining.oracle import Oracle, OracleGoals
from gatling.mining.regions import Region
from gatling.model.encoded import Encoded
from gatling.model.encoders import Network
from gatling.model.examples import from_row
from gatling.model.network import LATENT
from gatling.model.scores import latent, network, worst
from gatling.worker import follow_parent

CHUNK = 32
"""Groups of a chunk: about 70 samples."""

SAMPLES_EACH = 9 / (GOLD_EACH + 1)
"""Samples of a group in the mean: one with attacks brings about six, `GOLD_EACH` others one each."""

FOCUSED = 0.5
"""Share of the candidates that are made for weak regions; the others are drawn as a build draws them, since
what a model does not know yet need not show in validation."""

SEARCHED = 0.3
"""Share of the groups with attacks in which the adversary searches."""

QUERIES = 8
"""Runs that it may show the model in one group."""

MOST_FAILED = 0.01
"""Groups that may fail, as a share."""

SPOKEN = 0.25
"""Share of the other groups with attacks that an oracle words until its cap is reached, if there is one."""

COMPANY = (0, 0, 1, 2)
"""Domains beside a region's own that a world may have; most often it is alone, and then surely there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What decides a round's candidates."""

    folder: Path
    """Of the chunks."""
    weights: Path
    """Of the network that scores them."""
    seed: int
    round: int
    regions: tuple[Region, ...] | None
    """What is aimed at; None for candidates drawn as a build draws them, without a search as well."""
    oracle: Oracle | None = None
    """Words attacks. It is asked from this process alone, so that its costs are counted in one place."""

    @property
    def key(self) -> str:
        """A hash of all but the folder and the oracle, whose answers are not foreseen."""
        aims = self.regions and [[*region.traits.items(), region.excess] for region in self.regions]
        said = [self.seed, self.round, aims]
        digest = blake2b(json.dumps(said).encode(), digest_size=8)
        digest.update(self.weights.read_bytes())
        return digest.hexdigest()


class Candidates(NamedTuple):
    """What was made."""

    table: pa.Table
    """Rows of `columns.SCHEMA` with three columns more. `logit`: the worst call's latent energy as the
    network has it, before the sigmoid. `exact` and, for each group's first run and every run without an
    attack sibling, `signature`: see `gatling.data.dedupe`."""
    failed: int
    """Groups that could not be made."""


def candidates(order: Order, groups: int, workers: int, told: Callable[[int], None]) -> Candidates:
    """Make at least `groups` groups; `told` hears how many there are.

    Raises:
        MiningError: more than `MOST_FAILED` of the groups failed.
        OracleError: the oracle does not answer; going on later asks nothing twice.
        CheckpointError: the weights cannot be used.
        concurrent.futures.process.BrokenProcessPool: a worker died.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    key, numbers = order.key, range(-(-groups // CHUNK))
    for path in order.folder.iterdir():
        if not path.name.endswith(f"-{key}.arrow"):
            path.unlink()
    make = partial(_chunk, order, key)
    done = _each(make, numbers, workers if order.oracle is None else 1)
    for count, _ in enumerate(done, 1):
        told(count * CHUNK)
    made = [read_table(_path(order, key, number)) for number in numbers]
    failed = sum(int(chunk.schema.metadata[b"failed"]) for chunk in made)
    if failed > MOST_FAILED * groups:
        raise MiningError(f"{failed} of {groups} groups of candidates failed: a bug; please report it")
    return Candidates(pa.concat_tables(chunk.replace_schema_metadata(None) for chunk in made), failed)


def _each(make: Callable[[int], None], numbers: Sequence[int], workers: int) -> Iterator[None]:
    if workers == 1:
        yield from map(make, numbers)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
        yield from pool.map(make, numbers)


def _begin() -> None:
    follow_parent()
    torch.set_num_threads(1)


def _path(order: Order, key: str, number: int) -> Path:
    return order.folder / f"{number:05}-{key}.arrow"


_network = cache(network)


@cache
def _known() -> tuple[tuple[Domain, ...], tuple[Mutation, ...]]:
    """What training may see: no family, operator or domain that a build holds out."""
    return shown("train", tuple(domains().values()), MUTATIONS)


def _chunk(order: Order, key: str, number: int) -> None:
    path = _path(order, key, number)
    if path.exists():
        return
    judge = _network(order.weights)
    found, groups, scores, failed = [], [], [], 0
    for index in range(number * CHUNK, (number + 1) * CHUNK):
        try:
            samples = _group(order, index)
            made = rows([replace(record, round=order.round) for record in finish(samples)], "train")
        except OracleError:
            raise
        except Exception:  # one world's fault must not stop hours of mining; they are counted
            failed += 1
            continue
        encoded = Encoded.of(from_row(row, "mined") for row in made)
        scores += worst(encoded, latent(judge, encoded)).tolist()
        found += made
        groups.append(samples)
    scored = marked(found, groups).append_column("logit", pa.array(np.array(scores), pa.float64()))
    write_table(path, scored.replace_schema_metadata({"failed": str(failed)}))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table to an Arrow file that is there whole or not at all."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    write_file(path, sink.getvalue().to_pybytes())


def _group(order: Order, index: int) -> list[Sample]:
    """Group number `index` of a round; its id is that of no build's group."""
    rng = Random(f"{order.seed}/mining/{order.round}/{index}")
    known, mutations = _known()
    attacked = index % (GOLD_EACH + 1) == 0
    name = f"m{order.round:02}{index:05}"
    if order.regions is None:
        return group_of(rng, name, known, mutations if attacked else ())
    region = _region(order.regions, rng, attacked) if rng.random() < FOCUSED else None
    if region is not None:
        if domain := region.traits.get("domain"):
            others = [other for other in known if other.name != domain]
            known = (*(d for d in known if d.name == domain), *rng.sample(others, rng.choice(COMPANY)))
        mutations = tuple(m for m in mutations if _hits(m, region)) or mutations
    language = region.traits.get("language", "") if region is not None else ""
    if not attacked:
        return group_of(rng, name, known, (), language)
    hijacking = [m for m in mutations if m.kind == "hijacked"]
    if hijacking and rng.random() < SEARCHED:
        return _searched(rng, name, known, hijacking, Latent(_network(order.weights)))
    oracle = order.oracle
    if oracle is None or rng.random() >= SPOKEN:
        return group_of(rng, name, known, mutations, language)
    return group_of(
        rng, name, known, mutations, language, lambda goals, spoken: OracleGoals(goals, oracle, spoken)
    )


def _hits(mutation: Mutation, region: Region) -> bool:
    """Whether what an operator makes may lie in a region of misses."""
    traits, raises = region.traits, mutation.raises
    return not region.violates or (
        traits.get("family", mutation.name) == mutation.name
        and raises.get(traits.get("term", max(raises, key=raises.__getitem__)), 0.0) == max(raises.values())
        and ("wording" not in traits or (traits["wording"] == "none") is (mutation.kind == "mutated"))
    )


def _searched(
    rng: Random, name: str, known: Sequence[Domain], mutations: Sequence[Mutation], judge: Judge
) -> list[Sample]:
    """The attack that a search ends with, and its twins; the run alone where nothing can be attacked."""
    aim = target(f"{name}/{rng.random()}", name, known, mutations)
    found, _ = search(aim, judge, QUERIES, rng, threshold=0.0)
    attack = express(aim, found.best) if found.best is not None else None
    if attack is None:
        return finished([Sample("", aim.host.run, Truth("gold"))], name)
    return siblings(aim, attack)


class Latent:
    """A judge that knows the network alone: what training can change."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, sample: Sample) -> Reading:
        """The latent energy of the worst violating call."""
        made = rows(finish(finished([sample], sample.run.group)), "train")
        encoded = Encoded.of(from_row(row, "") for row in made)
        logits = latent(self._network, encoded)[encoded.violating == 1]
        return Reading(float(10 / (1 + np.exp(-logits.max()))) if len(logits) else 10.0, LATENT)


def _region(regions: Sequence[Region], rng: Random, attacked: bool) -> Region | None:
    """A weak region that such a group can hit, the likelier the more errors it explains."""
    fitting = [region for region in regions if region.attacked is None or region.attacked is attacked]
    if not fitting:
        return None
    return rng.choices(fitting, [region.excess for region in fitting])[0]
