"""Samples that the tests of shards, cards and checks share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gatling.data.columns import Row, rows, table
from gatling.data.groups import group
from gatling.data.label import Record, finish
from gatling.data.mix import Mix
from gatling.data.shards import ShardWriter, write_manifest
from gatling.data.split import split_of
from gatling.data.worlds.domain import domains

SIZE = 60


@pytest.fixture(scope="session")
def records() -> list[tuple[Record, str]]:
    """A small build in the right mix: records with their splits."""
    known, mix, index = tuple(domains().values()), Mix(SIZE), 0
    found: list[tuple[Record, str]] = []
    while not mix.full():
        for record in finish(group(index, 7, known)):
            split = split_of(record.sample.run.group, 7)
            if not mix.full() and mix.admit(split, record.sample.truth.kind):
                found.append((record, split))
        index += 1
    return found


@pytest.fixture(scope="session")
def built(records: list[tuple[Record, str]]) -> list[Row]:
    """The records as rows."""
    return [row for record, split in records for row in rows([record], split)]


Save = Callable[[Path, list[Row]], None]


@pytest.fixture(scope="session")
def save() -> Save:
    """Write rows to shards, with a manifest."""

    def save(folder: Path, found: list[Row]) -> None:
        writers = {split: ShardWriter(folder, split) for split in dict.fromkeys(row.split for row in found)}
        for split, writer in writers.items():
            with writer:
                writer.write(table([row for row in found if row.split == split]))
        write_manifest(folder, writers.values(), seed=7, size=SIZE, preset="offline")

    return save


@pytest.fixture
def folder(tmp_path: Path, built: list[Row], save: Save) -> Path:
    """A folder of shards that is in order."""
    save(tmp_path, built)
    return tmp_path
