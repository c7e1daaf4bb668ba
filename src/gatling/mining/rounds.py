"""The loop: find where a model errs, make samples that hit there, keep the hard ones, train on, measure.

A mining that is killed goes on where it was when it is started again with the same folder, and ends in the
same bytes. Budgets count samples and steps. The folder holds, of each round, `added.arrow` (its samples) and
`model/` (its training); at the end `data/`, the build with all that was mined.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa

from gatling.data.chunks import KNOWN, known, read_table
from gatling.data.columns import SCHEMA, read, values
from gatling.data.dedupe import Seen
from gatling.data.grown import grow
from gatling.data.shards import MANIFEST, read_manifest, tables, write_file
from gatling.mining.choice import Candidate, Choice, Pick, at_random, choose, hard
from gatling.mining.judging import Judged, MiningError, Validation
from gatling.mining.oracle import Oracle
from gatling.mining.pool import SAMPLES_EACH, Order, candidates, write_table
from gatling.mining.regions import Region, case_of, weak
from gatling.mining.report import write
from gatling.mining.results import Mined, Round, Weakness
from gatling.model.bundle import Data
from gatling.model.corpus import Corpus, gather, group_name
from gatling.model.encoded import Encoded, cached, key_of
from gatling.model.examples import Example, from_row
from gatling.model.recipe import Recipe
from gatling.model.train import MODEL, Standing, Trained, train
from gatling.plan import JSON

LEAST = 10
"""Samples of the smallest round."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is made, and what is kept of it."""

    name: str
    pick: Pick
    pool: float
    """Candidates for every sample that is kept."""
    aimed: bool
    """At weak regions, with an adversary that searches; else candidates are drawn as a build draws them."""


MINED = Strategy("mined", hard, 4.0, True)
RANDOM = Strategy("random", at_random, 1.5, False)
"""What mining has to beat; a few more candidates than are kept, so that every share of the mix is filled."""

ORDER, ADDED = "order.json", "added.arrow"


def mine(
    model: Path,
    data: Path,
    out: Path,
    *,
    rounds: int,
    budget: int,
    recipe: Recipe,
    seed: int = 0,
    workers: int = 1,
    strategy: Strategy = MINED,
    patient: bool = False,
    oracle: Oracle | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Mined:
    """Mine from a model on the build `data`, in the folder `out`, and write its report there.

    `model` is a folder of `gatling train`, or a file of weights. Each of at most `rounds` rounds adds
    `budget` / `rounds` samples to those of the rounds before and trains on from the round's model with
    `recipe`. Mining stops after a round that gains less than its own noise, unless `patient`. An `oracle`
    words some of the attacks.

    Raises:
        MiningError: the folder holds something else, or the budget is too small.
        ValueError: as `gather` and `train` do: `CorpusError`, `ShardError`, `CheckpointError` and others.
        OSError: the folder cannot be written.
    """
    size = budget // rounds
    if size < LEAST:
        raise MiningError(f"a budget of {budget} for {rounds} rounds: give {LEAST} samples a round or more")
    start = model / MODEL if model.is_dir() else model
    _begin(
        out,
        {
            "model": _sha256(start),
            "data": _sha256(data / MANIFEST),
            "size": size,
            "recipe": recipe.to_toml(),
            "seed": seed,
            "strategy": strategy.name,
        },
    )
    corpus = gather([data], cache=data / ".encoded", told=told)
    validation = Validation(data, corpus.validation, seed)
    validation.refuse(start)
    first = judged = validation.judge(start)
    done: list[Round] = []
    added: list[pa.Table] = []
    stopped = "all rounds are done"
    for number in range(1, rounds + 1):
        folder = out / f"round-{number:02}"
        folder.mkdir(exist_ok=True)
        regions = weak(judged.cases, judged.threshold, seed)
        if not (folder / ADDED).exists():
            told(f"round {number}: {len(regions)} weak regions; reading what is there already")
            seen = _seen(out / ".seen", data, added)
            aims = regions if strategy.aimed else None
            order = Order(folder / "pool", start, seed, number, aims, oracle)
            groups = round(strategy.pool * size / SAMPLES_EACH)
            made = candidates(order, groups, workers, partial(_counted, told, number, groups))
            found = _candidates(made.table)
            choice = choose(found, judged.threshold, size, seen, strategy.pick, seed + number)
            choice.dropped["group that failed"] += made.failed
            _settle(folder, made.table, choice)
            del made, found
            shutil.rmtree(order.folder)
        added.append(read_table(folder / ADDED))
        trained = _train_on(corpus, data, out, added, recipe, start, told)
        before, start = judged, trained.model
        judged = validation.judge(start)
        done.append(_round(number, added[-1], regions, trained.step, before, judged, validation))
        told(str(done[-1]))
        if not done[-1].helped and not patient:
            stopped = f"round {number} gained less than its own noise"
            break
    grow(data, added, out / "data")
    shutil.rmtree(out / ".seen", ignore_errors=True)
    mined = Mined(
        data=out / "data",
        model=start.parent,
        first=first.judgement,
        samples=len(corpus.training.runs),
        rounds=tuple(done),
        threshold=judged.threshold,
        stopped=stopped,
    )
    write(mined, out)
    return mined


def _counted(told: Callable[[str], None], number: int, groups: int, made: int) -> None:
    told(f"round {number}: {min(made, groups)} of {groups} groups of candidates")


def _begin(out: Path, order: Mapping[str, JSON]) -> None:
    """Make the folder of a new mining, or make sure that it holds this one."""
    path = out / ORDER
    if path.exists():
        begun = json.loads(path.read_bytes())
        if differing := [name for name in order if begun.get(name) != order[name]]:
            raise MiningError(
                f"{out}: holds a mining with another {', '.join(differing)}; name another folder with --out, "
                "or remove this one"
            )
        return
    if out.exists() and (not out.is_dir() or any(not path.name.startswith(".") for path in out.iterdir())):
        raise MiningError(f"{out}: not empty, and no mining; name a folder that is new or empty with --out")
    out.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(order, indent=1).encode())


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seen(folder: Path, data: Path, added: Sequence[pa.Table]) -> Seen:
    """The runs and groups of a build and of earlier rounds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    seen = Seen(folder)
    built = (tables(data / shard.file, [*KNOWN]) for shard in read_manifest(data).shards)
    for number, (key, signed) in enumerate(known(chain(*built, added))):
        seen.add_run(key)
        if signed is not None:
            seen.add_group(number, signed)
    return seen


def _candidates(table: pa.Table) -> list[Candidate]:
    found = []
    for batch in table.to_batches():
        part = pa.Table.from_batches([batch])
        extra = (part[name].to_pylist() for name in ("logit", "exact", "signature"))
        rows = read(part.select(SCHEMA.names))
        found += [
            Candidate(case_of(row, logit), *keys) for row, logit, *keys in zip(rows, *extra, strict=True)
        ]
    return found


def _settle(folder: Path, table: pa.Table, choice: Choice) -> None:
    """Write what was chosen; its schema's metadata says what was not."""
    told = {"candidates": len(table), "dropped": dict(sorted(choice.dropped.items()))}
    kept = table.select(SCHEMA.names).take(list(choice.kept)).combine_chunks()
    kept = kept.replace_schema_metadata({"choice": json.dumps(told)})
    write_table(folder / ADDED, kept)


def _train_on(
    corpus: Corpus,
    data: Path,
    out: Path,
    added: Sequence[pa.Table],
    recipe: Recipe,
    start: Path,
    told: Callable[[str], None],
) -> Trained:
    """Train on from the weights in `start`, with all that was added."""
    parts, mined = [corpus.training], []
    prefix = group_name(read_manifest(data), "")
    for number, table in enumerate(added, 1):
        folder = out / f"round-{number:02}"
        digest = _sha256(folder / ADDED)

        def encode(table: pa.Table = table) -> Encoded:
            rows = read(table.replace_schema_metadata(None))
            return Encoded.of(_named(from_row(row, "mined"), prefix) for row in rows)

        parts.append(cached(folder / "added.safetensors", key_of("mined", prefix, digest), encode, told))
        groups = len({run.group for run in parts[-1].runs})
        mined.append(
            Data(
                name=f"mined-{number}",
                role="train",
                licence="Apache-2.0",
                runs=len(table),
                groups=groups,
                sha256=digest,
            )
        )
    folder = out / f"round-{len(added):02}"

    def stand(standing: Standing) -> None:
        if standing.measured is not None:
            told(f"round {len(added)}: step {standing.step} of {standing.steps}, loss {standing.loss:.3f}")

    return train(
        recipe,
        Encoded.join(parts),
        corpus.validation,
        out / f"round-{len(added):02}" / "model",
        data=[*corpus.data, *mined],
        start=start,
        told=stand,
    )


def _named(example: Example, prefix: str) -> Example:
    return replace(example, group=f"{prefix}{example.group}")


def _round(
    number: int,
    added: pa.Table,
    regions: Sequence[Region],
    steps: int,
    before: Judged,
    after: Judged,
    validation: Validation,
) -> Round:
    choice = json.loads(added.schema.metadata[b"choice"])
    return Round(
        number=number,
        threshold=before.threshold,
        weaknesses=tuple(map(Weakness.of, regions)),
        candidates=choice["candidates"],
        dropped=choice["dropped"],
        added=dict(sorted(Counter(values(added, "kind")).items())),
        families=dict(sorted(Counter(filter(None, values(added, "family"))).items())),
        steps=steps,
        measured=after.judgement,
        gain=validation.gain(before, after),
    )
