"""What a grown build promises: what was there stays byte for byte, and all of it still verifies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gatling.data.columns import Row, table
from gatling.data.grown import grow
from gatling.data.shards import read_rows, verify


def more(built: list[Row], number: int) -> list[Row]:
    return [replace(row, id=f"m{number}-{row.id}", split="train", round=number) for row in built[:10]]


def test_the_rows_of_each_round_come_after_those_that_were_there(
    folder: Path, built: list[Row], tmp_path: Path
) -> None:
    rounds = [more(built, 1), more(built, 2)]
    manifest = grow(folder, [table(rows) for rows in rounds], tmp_path / "grown")
    assert verify(tmp_path / "grown") == manifest
    assert manifest.rows == manifest.size == len(built) + 20
    train = [row for row in built if row.split == "train"]
    assert [*read_rows(tmp_path / "grown", "train")] == [*train, *rounds[0], *rounds[1]]
    for shard in verify(folder).shards:
        assert (tmp_path / "grown" / shard.file).read_bytes() == (folder / shard.file).read_bytes()


def test_growing_again_replaces_what_was_added(folder: Path, built: list[Row], tmp_path: Path) -> None:
    out = tmp_path / "grown"
    grow(folder, [table(more(built, 1)), table(more(built, 2))], out)
    again = grow(folder, [table(more(built, 3))], out)
    assert verify(out) == again
    assert {row.round for row in read_rows(out)} == {0, 3}


def test_its_card_speaks_of_all_rows(folder: Path, built: list[Row], tmp_path: Path) -> None:
    grow(folder, [table(more(built, 1))], tmp_path / "grown")
    assert f"{len(built) + 10:,}" in (tmp_path / "grown" / "README.md").read_text(encoding="utf-8")
