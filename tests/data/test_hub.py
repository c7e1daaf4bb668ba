"""What the loader promises: the rows that are there, spread and seeded, from the Hub as from a mirror."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.hub import (
    Damaged,
    Fetched,
    HFDatasetLoader,
    LoadError,
    NotFound,
    Progress,
    SchemaDrift,
    read_local,
)
from gatling.data.hub.blobs import LocalBlob
from gatling.data.hub.cache import BLOCK, Blocks
from gatling.data.hub.lines import Lines
from gatling.data.hub.loader import opened
from gatling.data.hub.schema import EVERYTHING
from gatling.data.sources.source import Kind, Material, Source, Unlabelled
from tests.data.hub import Hub, serving

REPO = "office/mails"


class Mails(Source):
    """A source of invented mails."""

    name = "mails"
    repo = REPO
    files: ClassVar[tuple[str, ...]] = ("data/*",)
    licence = "MIT"
    role = "both"
    columns: ClassVar[Mapping[str, Kind]] = {"text": "text", "label": "integer"}
    labels = frozenset({"label"})
    meaning = "1: an attack"
    terms = frozenset({"hierarchy"})
    form = "text"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """Nothing; loading alone is tested."""
        yield from ()


class Nested(Mails):
    """Files that keep their rows under `mails`."""

    def rows(self, document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """The mails."""
        found: list[Mapping[str, Any]] = document["mails"]
        return found


def mails(count: int, length: int = 0) -> list[dict[str, Any]]:
    """Rows of which no two are alike; `length` characters of noise make them long."""
    noise = random.Random(count)
    return [
        {"text": f"mail {number} {noise.randbytes(length // 2).hex()}", "label": number % 2, "from": "ana"}
        for number in range(count)
    ]


def parquet(rows: list[dict[str, Any]], group: int = 100) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=group)
    return buffer.getvalue()


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@dataclass(frozen=True)
class Form:
    ending: str
    write: Callable[[list[dict[str, Any]]], bytes]
    source: type[Mails] = Mails


FORMS = [
    Form("parquet", parquet),
    Form("jsonl", jsonl),
    Form("jsonl.gz", lambda rows: gzip.compress(jsonl(rows), 1)),
    Form("jsonl.zst", lambda rows: pa.compress(jsonl(rows), codec="zstd", asbytes=True)),
    Form("json", lambda rows: json.dumps(rows, indent=1).encode()),
    Form("json", jsonl),
    Form("json", lambda rows: json.dumps({"mails": rows, "count": len(rows)}).encode(), Nested),
    Form("jsonl", lambda rows: jsonl([{"mails": rows[:3]}, {"mails": rows[3:]}]), Nested),
    Form("csv", as_csv),
]
NAMES = ["parquet", "jsonl", "jsonl.gz", "jsonl.zst", "array", "json lines", "nested", "nested lines", "csv"]
forms = pytest.mark.parametrize("form", FORMS, ids=NAMES)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


def loader(
    hub: Hub, folder: Path, told: Callable[[Progress], None] = lambda progress: None
) -> HFDatasetLoader:
    return HFDatasetLoader(folder / "cache", endpoint=hub.endpoint, told=told, sleep=lambda seconds: None)


def texts(rows: Iterable[Fetched]) -> list[str]:
    return [row.columns["text"] for row in rows]


def laid(hub: Hub, folder: Path, place: str = "datasets/office/mails") -> Path:
    """A mirror of the Hub's dataset."""
    for path, file in hub.repos[REPO].items():
        target = folder / "mirror" / place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(file.read(0, file.size)))
    return folder / "mirror"


@forms
def test_all_rows_stream_in_order_with_the_columns_that_the_source_names(
    form: Form, hub: Hub, tmp_path: Path
) -> None:
    rows = mails(250)
    hub.add(REPO, f"data/a.{form.ending}", form.write(rows[:150]))
    hub.add(REPO, f"data/b.{form.ending}", form.write(rows[150:]))
    found = list(loader(hub, tmp_path).load(form.source(), None, 1))
    assert [dict(row.columns) for row in found] == [{"text": r["text"], "label": r["label"]} for r in rows]
    assert {row.file for row in found} == {f"data/{name}.{form.ending}" for name in "ab"}
    assert [row.row for row in found] == [*range(150), *range(100)]


@forms
def test_a_sample_has_the_rows_asked_for_each_once_and_all_there_are_if_they_are_fewer(
    form: Form, hub: Hub, tmp_path: Path
) -> None:
    rows = mails(250)
    hub.add(REPO, f"data/a.{form.ending}", form.write(rows))
    load = loader(hub, tmp_path).load
    for count in (1, 60, 250, 999):
        found = texts(load(form.source(), count, 1))
        assert len(found) == len(set(found)) == min(count, 250)
    assert set(found) == {row["text"] for row in rows}
    assert list(load(form.source(), 0, 1)) == []


LARGE = [
    Form("parquet", lambda rows: parquet(rows, 50)),
    Form("jsonl", jsonl),
    Form("jsonl.gz", lambda rows: gzip.compress(jsonl(rows), 1)),
    Form("json", lambda rows: json.dumps(rows).encode()),
    Form("csv", as_csv),
]


@pytest.fixture(scope="module", params=LARGE, ids=lambda form: form.ending)
def large(request: pytest.FixtureRequest) -> Iterator[tuple[Form, Hub]]:
    """A Hub with some 25 MB of mails in two files."""
    form: Form = request.param
    rows = mails(5_000, 5_000 if form.ending != "jsonl.gz" else 14_000)
    with serving() as hub:
        hub.add(REPO, f"data/a.{form.ending}", form.write(rows[:2_000]))
        hub.add(REPO, f"data/b.{form.ending}", form.write(rows[2_000:]))
        yield form, hub


def numbers(rows: Iterable[Fetched]) -> list[int]:
    return [int(row.columns["text"].split()[1]) for row in rows]


def test_a_sample_is_spread_over_the_data_and_follows_from_the_seed(
    large: tuple[Form, Hub], tmp_path: Path
) -> None:
    form, hub = large
    found = numbers(loader(hub, tmp_path).load(form.source(), 300, 1))
    assert len(set(found)) == 300
    # Of 5,000 rows in 20 stretches every stretch gives some, and none gives more than thrice its share.
    stretches = [sum(1 for number in found if number // 250 == stretch) for stretch in range(20)]
    assert min(stretches) >= 1
    assert max(stretches) <= 45
    assert found == numbers(loader(hub, tmp_path / "fresh").load(form.source(), 300, 1))
    assert set(found) != set(numbers(loader(hub, tmp_path).load(form.source(), 300, 2)))


def test_a_mirror_gives_the_rows_that_the_hub_gives(large: tuple[Form, Hub], tmp_path: Path) -> None:
    form, hub = large
    expected = list(loader(hub, tmp_path).load(form.source(), 200, 3))
    mirror = HFDatasetLoader(mirror=laid(hub, tmp_path))
    asked = len(hub.asked())
    assert list(mirror.load(form.source(), 200, 3)) == expected
    assert len(hub.asked()) == asked


def test_what_can_be_read_in_part_is_fetched_in_part_and_what_cannot_says_so(
    large: tuple[Form, Hub], tmp_path: Path
) -> None:
    form, hub = large
    heard: list[Progress] = []
    before = hub.sent("/resolve/")
    assert len(list(loader(hub, tmp_path, heard.append).load(form.source(), 100, 1))) == 100
    share = (hub.sent("/resolve/") - before) / sum(file.size for file in hub.repos[REPO].values())
    said = [progress.note for progress in heard if "only be read from its start" in progress.note]
    if form.ending in ("parquet", "jsonl"):
        assert share < 0.8
        assert not said
    else:
        assert share == 1
        assert len(said) == 1
    assert heard[0].state == "listing"
    assert (heard[-1].state, heard[-1].rows, heard[-1].wanted) == ("done", 100, 100)
    assert heard[-1].bytes >= hub.sent("/resolve/") - before


def test_a_sample_that_wants_nearly_all_gets_exactly_that(large: tuple[Form, Hub], tmp_path: Path) -> None:
    form, hub = large
    assert len(set(numbers(loader(hub, tmp_path).load(form.source(), 4_990, 1)))) == 4_990
    assert sorted(numbers(loader(hub, tmp_path).load(form.source(), 6_000, 1))) == list(range(5_000))


def test_of_many_files_only_those_are_fetched_that_rows_come_from(hub: Hub, tmp_path: Path) -> None:
    for number, row in enumerate(mails(300, 80_000)):
        hub.add(REPO, f"data/runs/{number:03}.json", json.dumps(row).encode())

    class Runs(Mails):
        files: ClassVar[tuple[str, ...]] = ("data/**/*.json",)

    found = [int(row.file[10:13]) for row in loader(hub, tmp_path).load(Runs(), 60, 1)]
    assert len(set(found)) == len(hub.asked("/resolve/")) == 60
    assert {number // 30 for number in found} == set(range(10))
    assert len(list(loader(hub, tmp_path).load(Runs(), 301, 1))) == 300


def test_columns_that_nobody_named_are_not_fetched(hub: Hub, tmp_path: Path) -> None:
    rows = [{**row, "image": random.Random(n).randbytes(20_000)} for n, row in enumerate(mails(1_000))]
    hub.add(REPO, "data/a.parquet", parquet(rows, 50))
    assert len(list(loader(hub, tmp_path).load(Mails(), None, 1))) == 1_000
    # Blocks around twenty pieces of column, and the footer.
    assert hub.sent("/resolve/") < 45 * BLOCK < hub.repos[REPO]["data/a.parquet"].size / 5


def test_rows_of_different_seeds_and_sources_are_drawn_apart(hub: Hub, tmp_path: Path) -> None:
    class Others(Mails):
        repo = "office/others"

    for repo in (REPO, "office/others"):
        hub.add(repo, "data/a.jsonl", jsonl(mails(1_000)))
    load = loader(hub, tmp_path).load
    assert texts(load(Mails(), 50, 1)) != texts(load(Others(), 50, 1))


def test_a_second_load_fetches_nothing_anew(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.parquet", parquet(mails(300)))
    first = texts(loader(hub, tmp_path).load(Mails(), 20, 1))
    before = hub.sent("/resolve/")
    assert texts(loader(hub, tmp_path).load(Mails(), 20, 1)) == first
    hub.add(REPO, "README.md", b"a new commit that leaves the data alone")
    assert texts(loader(hub, tmp_path).load(Mails(), 20, 1)) == first
    assert hub.sent("/resolve/") == before


def test_a_load_that_was_interrupted_anywhere_gives_the_same_rows(
    large: tuple[Form, Hub], tmp_path: Path
) -> None:
    form, hub = large
    expected = list(loader(hub, tmp_path / "whole").load(form.source(), 120, 5))
    whole = hub.sent("/resolve/")
    begun = loader(hub, tmp_path).load(form.source(), 120, 5)
    assert [next(begun) for _ in range(37)] == expected[:37]
    del begun
    at = hub.sent("/resolve/")
    assert list(loader(hub, tmp_path).load(form.source(), 120, 5)) == expected
    assert hub.sent("/resolve/") - at < whole


def test_loads_at_the_same_time_share_a_cache(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.jsonl", jsonl(mails(2_000, 1_000)))

    def drawn(seed: int) -> list[str]:
        return texts(loader(hub, tmp_path).load(Mails(), 500, seed % 2))

    with ThreadPoolExecutor(4) as pool:
        first, second, *others = pool.map(drawn, range(8))
    assert first != second
    assert others == [first, second] * 3


def test_a_damaged_cache_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.jsonl", jsonl(mails(300, 1_000)))
    first = texts(loader(hub, tmp_path).load(Mails(), None, 1))
    (data,) = (tmp_path / "cache").rglob("*.data")
    data.write_bytes(data.read_bytes()[: BLOCK + 5] + b"\0" * 90)
    assert texts(loader(hub, tmp_path).load(Mails(), None, 1)) == first


def test_the_commit_is_pinned(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.jsonl", jsonl(mails(30)))
    hub.revisions[REPO] = {"v1.0/beta"}

    class Tagged(Mails):
        revision = "v1.0/beta"

    commit = hub.commit(REPO)
    load = loader(hub, tmp_path)
    assert load.resolve(Tagged()) == load.resolve(Mails()) == commit
    assert len(list(load.load(Mails(), 5, 1, commit=commit))) == 5
    assert all(f"/{commit}/" in asked.path for asked in hub.asked("/resolve/|/tree/"))


def test_what_stands_beside_the_data_is_not_read_for_data(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.json", json.dumps(mails(3)).encode())
    hub.add(REPO, "data/dataset_infos.json", b'{"default": {"splits": {}}}')
    assert len([*loader(hub, tmp_path).load(Mails(), None, 0)]) == 3


def test_a_source_that_names_no_columns_gets_all_of_them(hub: Hub, tmp_path: Path) -> None:
    class Anything(Mails):
        columns: ClassVar[Mapping[str, Kind]] = {}
        labels: ClassVar[frozenset[str]] = frozenset()

    hub.add(REPO, "data/a.jsonl", jsonl(mails(2)))
    rows = [*loader(hub, tmp_path).load(Anything(), None, 0)]
    assert [row.columns for row in rows] == mails(2)


def test_files_come_in_the_order_of_the_patterns_however_long_the_listing(hub: Hub, tmp_path: Path) -> None:
    hub.page = 2
    for place in ("raw/b", "data/x", "data/train-2", "data/train-1", "data/deep/train-3", "data/y"):
        hub.add(REPO, f"{place}.jsonl", jsonl([{"text": place, "label": 0}]))

    class Ordered(Mails):
        files = ("raw/b.jsonl", "data/**/train-*.jsonl", "data/t*.jsonl")

    rows = loader(hub, tmp_path).load(Ordered(), None, 1)
    assert texts(rows) == ["raw/b", "data/deep/train-3", "data/train-1", "data/train-2"]


@pytest.mark.parametrize("place", ["datasets/office/mails", "office/mails"])
def test_a_mirror_is_laid_out_as_the_hub_is(place: str, hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.jsonl", jsonl(mails(30)))
    mirror = HFDatasetLoader(mirror=laid(hub, tmp_path, place))
    assert len(list(mirror.load(Mails(), None, 1))) == 30
    commit = mirror.resolve(Mails())
    assert len(list(mirror.load(Mails(), None, 1, commit=commit))) == 30
    (tmp_path / "mirror" / place / "data/a.jsonl").write_bytes(jsonl(mails(31)))
    with pytest.raises(
        NotFound, match=rf"holds {mirror.resolve(Mails())}, not {commit}.*--revision {commit}"
    ):
        next(mirror.load(Mails(), None, 1, commit=commit))


def test_a_mirror_names_the_commit_that_its_download_noted(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.jsonl", jsonl(mails(3)))
    hub.add(REPO, ".cache/huggingface/download/data/a.jsonl.metadata", b"5" * 40 + b"\netag\n1700000000.0\n")
    mirror = HFDatasetLoader(mirror=laid(hub, tmp_path))
    assert mirror.resolve(Mails()) == "5" * 40
    assert len(list(mirror.load(Mails(), None, 1, commit="5" * 40))) == 3


def test_a_mirror_without_the_dataset_or_its_files_says_how_to_bring_them(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    with pytest.raises(NotFound, match="hf download office/mails --repo-type dataset --local-dir"):
        HFDatasetLoader(mirror=tmp_path / "mirror").resolve(Mails())
    hub.add(REPO, "README.md", b"no data")
    with pytest.raises(NotFound, match=r"no file matches 'data/\*'.*hf download"):
        list(HFDatasetLoader(mirror=laid(hub, tmp_path)).load(Mails(), 1, 1))
    hub.add(REPO, "data/a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(Damaged, match=r"a\.parquet: a pointer of Git LFS.*git lfs pull"):
        list(HFDatasetLoader(mirror=laid(hub, tmp_path)).load(Mails(), 1, 1))


DRIFTED = [
    Form(form.ending, form.write, form.source)
    for form in FORMS
    if form.write(mails(4)) and form.ending != "csv"
]


@pytest.mark.parametrize("count", [None, 2])
@pytest.mark.parametrize("form", DRIFTED, ids=NAMES[:-1])
def test_columns_that_have_changed_stop_the_load_and_are_listed(
    form: Form, count: int | None, hub: Hub, tmp_path: Path
) -> None:
    hub.add(REPO, f"data/a.{form.ending}", form.write([{"prompt\x1b[2J": "hello", "label": 0}] * 4))
    with pytest.raises(SchemaDrift, match=r"expected text: text, label: integer; found prompt\\x1b\[2J: str"):
        list(loader(hub, tmp_path).load(form.source(), count, 1))
    hub.add(REPO, f"data/a.{form.ending}", form.write([{"text": "hello", "label": "attack"}] * 4))
    with pytest.raises(SchemaDrift, match=r"data/a.*found text: str\w*, label: str"):
        list(loader(hub, tmp_path).load(form.source(), count, 1))


def test_a_column_of_csv_that_has_changed_is_told_as_well(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/a.csv", b"text,label\nhello,attack\n")
    with pytest.raises(SchemaDrift, match="expected text: text, label: integer; found text: str, label: str"):
        list(loader(hub, tmp_path).load(Mails(), 1, 1))


def test_nulls_and_columns_left_out_of_some_rows_are_no_drift(hub: Hub, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": None, "label": 1}, {"text": "b"}, {"label": None}]
    hub.add(REPO, "data/a.jsonl", jsonl(rows))
    found = [dict(row.columns) for row in loader(hub, tmp_path).load(Mails(), None, 1)]
    assert found == [{"text": None, "label": 1}, {"text": "b", "label": None}, {"text": None, "label": None}]


GOOD = jsonl(mails(400, 300))
DAMAGED = {
    "a.parquet": (parquet(mails(400))[:-20], r"a\.parquet: cut short or no Parquet"),
    "b.parquet": (b"PAR1" + b"\0" * 50, r"b\.parquet: cut short or no Parquet"),
    "c.parquet": (b"", r"c\.parquet: cut short or no Parquet"),
    "a.jsonl": (GOOD + b"{\n" * 1_000, r"a\.jsonl: \d+ of \d+ lines are no JSON objects"),
    "b.jsonl": (
        b'{"text": "a", "label": 1}\n[1]\n[1]\n',
        r"b\.jsonl: 2 of 3 lines .* row 2: found list, expected a JSON object",
    ),
    "c.jsonl": (b'{"text": "\xff"}\n', r"c\.jsonl: 1 of 1 .* row 0: no JSON"),
    "d.jsonl": (b"[" * 100_000 + b"\n", r"d\.jsonl: 1 of 1 .* row 0: no JSON"),
    "a.jsonl.gz": (gzip.compress(GOOD)[:-2_000], r"a\.jsonl\.gz: cut short or not compressed"),
    "b.jsonl.gz": (GOOD, r"b\.jsonl\.gz: cut short or not compressed"),
    "a.jsonl.zst": (
        pa.compress(GOOD, codec="zstd", asbytes=True)[:-2_000],
        r"a\.jsonl\.zst: cut short or not",
    ),
    "a.json": (json.dumps(mails(400)).encode()[:-20], r"a\.json: no JSON"),
    "b.json": (b'[{"text": "a", "label": 1}, 2]', r"b\.json, document 1: found int, expected a JSON object"),
    "c.json": (b'[{"text": "a", "label": 1}', r"c\.json: no JSON: it ends within the array"),
    "a.csv": (b"text,label\na,1\nb\n", r"a\.csv, row 1: found 1 fields, expected 2"),
    "b.csv": (b"text,label\n\xff,1\n", r"b\.csv, line \d: no CSV"),
}


@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_file_is_named_with_a_remedy(file: str, hub: Hub, tmp_path: Path) -> None:
    data, message = DAMAGED[file]
    hub.add(REPO, f"data/{file}", data)
    for count in (None, 400):
        with pytest.raises(Damaged, match=message) as caught:
            list(loader(hub, tmp_path).load(Mails(), count, 1))
        assert "load another revision" in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_malformed_line_is_a_row_with_a_problem_and_its_file_goes_on(tmp_path: Path) -> None:
    lines = [*jsonl(mails(400, 300)).splitlines()]
    lines[50], lines[300] = lines[50][:30], b"\xff"
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    file = opened(LocalBlob("a.jsonl", path), EVERYTHING)
    whole = list(file.rows())
    assert {row.row: row.problem[:9] for row in whole if row.problem} == {50: "no JSON: ", 300: "no JSON: "}
    assert len(whole) == 400
    parts = file.parts(4, 10)
    assert parts is not None
    starts = [row.row for part in parts for row in part.rows() if row.problem]
    assert starts == [len(b"\n".join(lines[:n])) + 1 for n in (50, 300)]


def test_a_file_that_turns_out_mostly_malformed_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD + b"{\n" * 100_000)
    for count in (None, 10):
        file = opened(LocalBlob("a.jsonl", path), EVERYTHING)
        file.check()
        read = [file] if count is None else file.parts(1000, count)
        assert read is not None
        with pytest.raises(Damaged, match=r"lines are no JSON objects, the last of them (row|byte) "):
            for part in read:
                list(part.rows())


def test_damage_within_a_table_names_its_row_group(hub: Hub, tmp_path: Path) -> None:
    rows = mails(200, 400)
    data = bytearray(parquet(rows))
    data[4:40] = b"\xff" * 36
    hub.add(REPO, "data/a.parquet", bytes(data))
    with pytest.raises(Damaged, match=r"a\.parquet, row group 0"):
        list(loader(hub, tmp_path).load(Mails(), None, 1))


def test_files_of_other_kinds_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "data/loader.py", b"raise SystemExit")
    with pytest.raises(
        LoadError, match=r"data/loader\.py: files of this kind are not read; .*\.parquet, \.jsonl"
    ):
        list(loader(hub, tmp_path).load(Mails(), 1, 1))


@forms
def test_a_local_file_is_read_with_all_its_columns(form: Form, tmp_path: Path) -> None:
    path = tmp_path / f"mails.{form.ending}"
    path.write_bytes(form.write(mails(40)))
    found = list(read_local(path))
    if form.source is Mails:
        assert {name: str(value) for name, value in found[7].columns.items()} == {
            name: str(value) for name, value in mails(40)[7].items()
        }
        assert [row.row for row in found] == list(range(40))
    else:
        assert "mails" in found[0].columns
    with pytest.raises(NotFound, match="no such file"):
        read_local(tmp_path / "other.jsonl")


LINES = st.lists(
    st.one_of(
        st.just(b""), st.just(b"  "), st.integers(1, 60).map(lambda n: b'{"a": "%s"}' % (b"x" * n)),
        st.integers(50_000, 200_000).map(lambda n: b'{"a": "%s"}' % (b"y" * n)),
        # Lines that end at, just before and just after the end of a block.
        st.integers(-12, 3).map(lambda n: b'{"a": "%s"}' % (b"z" * (BLOCK + n - 10))),
    ),
    max_size=8,
)  # fmt: skip


@given(LINES, st.booleans(), st.sampled_from([1, 200]))
def test_every_line_belongs_to_one_window(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool, count: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
    file = opened(LocalBlob("a.jsonl", path), EVERYTHING)
    assert isinstance(file, Lines)
    parts = file.parts(10, count)
    assert parts is not None
    found = [row for part in parts for row in part.rows()]
    assert [row.columns for row in found] == [row.columns for row in file.rows()]
    assert [part.count() for part in parts] == [len(list(part.rows())) for part in parts]
    starts = {row.row for row in found}
    data = path.read_bytes()
    assert all(at == 0 or data[at - 1] == 0x0A for at in starts)


RANGES = st.lists(st.tuples(st.integers(0, 5 * BLOCK), st.integers(0, 2 * BLOCK)), max_size=6)


@given(RANGES)
def test_a_cache_asks_for_every_block_once_and_gives_back_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int]]
) -> None:
    data = random.Random(1).randbytes(4 * BLOCK + 77)
    path = tmp_path_factory.mktemp("blocks") / "a"
    asked: list[int] = []
    for start, length in ranges:
        stop = min(start + length, len(data))
        if start >= stop:
            continue
        blocks = Blocks(path, len(data))
        for first, last in blocks.missing(start, stop):
            for at in range(first, last, BLOCK):
                blocks.put(at, data[at : min(at + BLOCK, last)])
                asked.append(at)
        assert blocks.get(start, stop) == data[start:stop]
    assert len(asked) == len(set(asked))


@given(st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=9), max_size=3)), st.booleans())
def test_json_reads_as_the_standard_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], ascii: bool
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    for text in (
        json.dumps(rows, ensure_ascii=ascii),
        json.dumps(rows, indent=2),
        "\n".join(map(json.dumps, rows)),
    ):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert [row.columns for row in read_local(path)] == rows
