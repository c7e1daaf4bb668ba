"""What shards promise: rows come back exactly, equal rows are equal bytes, and damage is told."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.data.columns import SCHEMA, Row, read, rows, table
from gatling.data.label import Record
from gatling.data.shards import (
    MANIFEST,
    Manifest,
    ShardError,
    ShardWriter,
    find,
    read_manifest,
    read_rows,
    tables,
    verify,
    write_manifest,
)
from gatling.plan import JSON

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**31), 2**31 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=6),
    bool: st.booleans(),
    types.NoneType: st.none(),
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    if hint == JSON:
        return VALUES
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(any_of(args[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(any_of(args[0]), max_size=3)
    if origin in (types.UnionType, Union):
        return st.one_of([any_of(arg) for arg in args])
    if hint in SCALARS:
        return SCALARS[hint]
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    names = [field.name for field in fields(hint)] if is_dataclass(hint) else hint._fields
    hints = get_type_hints(hint)
    return st.builds(hint, **{name: any_of(hints[name]) for name in names})


def written(folder: Path, found: list[Row], portion: int, rows_per_shard: int = 5000) -> ShardWriter:
    folder.mkdir(exist_ok=True)
    with ShardWriter(folder, "train", rows_per_shard) as writer:
        for start in range(0, len(found), portion):
            # What a worker attached to its portion does not reach the file.
            part = table(found[start : start + portion]).replace_schema_metadata({"portion": str(start)})
            writer.write(part)
    return writer


@settings(max_examples=40, deadline=None)
@given(st.lists(any_of(Row), max_size=3))
def test_any_rows_come_back_exactly(found: list[Row]) -> None:
    assert read(table(found)) == found
    assert read(table(found).slice(1)) == found[1:]


def test_a_record_comes_back_with_its_plan_its_messages_and_its_tools(
    records: list[tuple[Record, str]], folder: Path
) -> None:
    for record, split in records:
        row = find(folder, record.sample.id)
        assert row.split == split
        assert row.plan == record.plan
        assert row.messages == record.sample.run.messages
        assert json.loads(row.tools) == list(record.sample.run.setting.schemas)
        assert tuple(tuple(entry[1:]) for entry in row.energies) == record.energies
        assert (row.energy, row.opinion, row.disputed) == (record.energy, record.opinion, record.disputed)


def test_rows_stream_in_order_and_by_split(built: list[Row], folder: Path) -> None:
    splits = read_manifest(folder).splits
    assert list(read_rows(folder)) == sorted(built, key=lambda row: splits.index(row.split))
    assert list(read_rows(folder, "train")) == [row for row in built if row.split == "train"]
    with pytest.raises(ShardError, match=r"no split 'no'; there are .*train"):
        list(read_rows(folder, "no"))


def test_equal_rows_are_equal_bytes_in_whatever_portions_they_come(built: list[Row], tmp_path: Path) -> None:
    whole = written(tmp_path / "a", built, len(built), 25)
    single = written(tmp_path / "b", built, 1, 25)
    assert whole.shards == single.shards
    assert whole.counts == single.counts
    assert [shard.rows for shard in whole.shards] == [25, 25, 10]
    assert [shard.file for shard in whole.shards] == [f"train-0000{n}.parquet" for n in range(3)]
    for shard in whole.shards:
        assert (tmp_path / "a" / shard.file).read_bytes() == (tmp_path / "b" / shard.file).read_bytes()


def test_row_groups_hold_a_thousand_rows(built: list[Row], tmp_path: Path) -> None:
    small = replace(built[0], spans=(), calls=(), messages=(), edges=())
    writer = written(tmp_path, [small] * 2100, 512)
    (shard,) = writer.shards
    assert [len(group) for group in tables(tmp_path / shard.file)] == [1000, 1000, 100]


def test_a_build_that_breaks_off_leaves_no_shard_behind(built: list[Row], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ShardWriter(tmp_path, "train", 40) as writer:
        writer.write(table(built[:39]))
        writer.write(table(built[39:] * 60))
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == []
    assert {shard.rows for shard in writer.shards} == {40}


def test_a_split_that_the_hub_would_refuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'held-out': use small letters, digits and underscores"):
        ShardWriter(tmp_path, "held-out")


def test_a_text_that_no_file_can_hold_is_told_with_its_row(built: list[Row]) -> None:
    with pytest.raises(ValueError, match=r"row 'bad': .*surrogates.*; mend the run"):
        table([built[0], replace(built[0], id="bad", language="\ud800")])


def test_the_manifest_names_versions_seed_and_counts_and_no_time(built: list[Row], folder: Path) -> None:
    before = (folder / MANIFEST).read_bytes()
    manifest = verify(folder)
    assert manifest.format == 1
    assert (manifest.seed, manifest.rows, manifest.preset) == (7, len(built), "offline")
    counted = sum(n for c in manifest.counts.values() for kinds in c.values() for n in kinds.values())
    assert counted == len(built)
    assert manifest.counts["train"]["benign"]["gold"] == sum(
        (row.split, row.kind) == ("train", "gold") for row in built
    )
    assert set(json.loads(before)) == set(Manifest.model_fields)
    again = written(folder / "again", [row for row in built if row.split == "train"], 3)
    other = write_manifest(folder / "again", [again], seed=7, size=60, preset="offline")
    assert other.shards == tuple(shard for shard in manifest.shards if shard.split == "train")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (Path.unlink, "missing; fetch it again, or build again with seed 7 and size 60"),
        (cut, "cut short; fetch it again"),
        (change, "not the bytes that the manifest names; fetch it again"),
        (lambda path: path.with_name("train-00009.parquet").touch(), "not in manifest.json; remove it"),
    ],
)
def test_damage_is_told_with_its_file_and_a_remedy(
    folder: Path, damage: Callable[[Path], None], what: str
) -> None:
    damage(folder / "train-00000.parquet")
    with pytest.raises(ShardError, match=rf"train-0000[09]\.parquet: {what}") as told:
        verify(folder)
    assert "\n" not in str(told.value)


def test_every_damaged_file_is_told(folder: Path) -> None:
    shards = read_manifest(folder).shards
    for shard in shards:
        (folder / shard.file).unlink()
    with pytest.raises(ShardError) as told:
        verify(folder)
    assert len(str(told.value).splitlines()) == len(shards) > 1


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"format": 2}, "format"),
        ({"seed": "x"}, "seed"),
        ({"extra": 1}, "extra"),
        (
            {"shards": [{"file": "../x.parquet", "split": "x", "rows": 1, "sha256": "0" * 64}]},
            "shards.0.file",
        ),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told_with_its_field(
    folder: Path, change: dict[str, Any], where: str
) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(ShardError, match=rf"manifest\.json: {where}: .*; build again, or fetch it again"):
        verify(folder)


def test_a_folder_without_a_manifest_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: not there; .*: build again"):
        read_manifest(tmp_path)


def test_a_file_of_another_schema_is_told_with_its_column(folder: Path) -> None:
    path = folder / "train-00000.parquet"
    held = pq.read_table(path)
    pq.write_table(held.drop_columns(["round"]), path)
    with pytest.raises(ShardError, match=r"train-00000\.parquet: column 'round' is missing; build again"):
        list(tables(path))
    pq.write_table(held.append_column("more", pa.nulls(len(held))), path)
    with pytest.raises(ShardError, match="column 'more' is unknown"):
        list(tables(path))
    energy = SCHEMA.get_field_index("energy")
    pq.write_table(held.set_column(energy, "energy", held["id"]), path)
    with pytest.raises(ShardError, match=r"column 'energy' is .*string"):
        list(tables(path))
    cut(path)
    with pytest.raises(ShardError, match=r"cannot be read \(.*\); fetch it again"):
        list(tables(path))


def test_a_sample_that_is_not_there_is_told_with_one_that_is(built: list[Row], folder: Path) -> None:
    with pytest.raises(ShardError, match=rf"no sample 'x\\udc80' in 60 rows; the first is '{built[0].id}'"):
        find(folder, "x\udc80")


def test_rows_of_one_group_share_their_tools(records: list[tuple[Record, str]]) -> None:
    one = rows([record for record, _ in records if record.sample.run.group == "w0000000"], "train")
    assert len(one) > 1
    assert len({id(row.tools) for row in one}) == 1
