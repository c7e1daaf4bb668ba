"""What a build from public rows promises: every row accounted for, no label in, and the same bytes again."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gatling.cli import app
from gatling.data import chunks
from gatling.data.build import BuildError, Standing
from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.columns import Row
from gatling.data.hub import HFDatasetLoader, NotFound
from gatling.data.presets import Part, Preset
from gatling.data.shards import SourceRows, read_manifest, read_rows
from gatling.data.sources import SOURCES as PUBLIC
from gatling.data.sources import Source
from gatling.data.sources.logs import Logs
from gatling.data.staging import Fetched
from gatling.data.validate import problems, validate
from tests.data.public import PRESET, SOURCES, conversation, mirror, sentence

SIZE = 60


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mirror(tmp_path_factory.mktemp("mirror"))


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Chunks of a few groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", 4)
        yield


class Unlucky:
    """A loader for which some sources cannot be had, from the start or once rows were read."""

    def __init__(self, mirror: Path, gone: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> None:
        self._loader = HFDatasetLoader(mirror=mirror)
        self.gone, self.broken = gone, broken
        self.loaded: list[str] = []

    def resolve(self, source: Source) -> str:
        if source.name in self.gone:
            raise NotFound(f"{source.repo}: the Hub does not know it; set HF_TOKEN")
        return self._loader.resolve(source)

    def load(
        self, source: Source, count: int | None, seed: int, *, commit: str | None = None
    ) -> Iterator[Fetched]:
        self.loaded.append(source.name)
        for row in self._loader.load(source, count, seed, commit=commit):
            if source.name in self.broken:
                raise NotFound(f"{source.repo}: gone")
            yield row


def builder(datasets: Path, **options: Any) -> GatlingDatasetBuilder:
    given = {"size": SIZE, "seed": 3, "sources": SOURCES, "loader": HFDatasetLoader(mirror=datasets)}
    return GatlingDatasetBuilder(options.pop("preset", PRESET), **{**given, **options})


@pytest.fixture(scope="module")
def built(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "plans"
    builder(datasets).build(out)
    return out


@pytest.fixture(scope="module")
def rows(built: Path) -> list[Row]:
    return list(read_rows(built))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sources(folder: Path) -> dict[str, SourceRows]:
    return {source.name: source for source in read_manifest(folder).sources}


# Every row


def test_every_row_is_read_rejected_or_hosted_and_counted_once(built: Path, rows: list[Row]) -> None:
    found = sources(built)
    assert {name: s.read for name, s in found.items()} == {"prompts": 40, "letters": 30, "calls": 10}
    hosted = Counter(place.source for place in {place for row in rows for place in row.rows})
    rejects = [json.loads(line) for line in (built / "rejects.jsonl").read_text().splitlines()]
    for name, source in found.items():
        assert source.used == hosted[name]
        assert source.rejected == sum(reject["source"] == name for reject in rejects)
        assert source.used + source.rejected <= source.read == sum(source.labels.values())
    assert all(set(reject) == {"source", "file", "row", "reason"} for reject in rejects)
    assert sum(source.used for source in found.values()) > SIZE / 2


def test_a_row_that_is_rejected_says_why(datasets: Path, tmp_path: Path) -> None:
    preset = Preset("all", "", (Part("texts", {"prompts": 60}),))
    builder(datasets, preset=preset, size=10).build(tmp_path / "out")
    (reject,) = map(json.loads, (tmp_path / "out" / "rejects.jsonl").read_text().splitlines())
    assert (reject["source"], reject["file"]) == ("prompts", "data/train.jsonl")
    assert reject["reason"] == "text: empty, nothing to read"


def test_a_malformed_line_is_rejected_and_its_source_goes_on(datasets: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(datasets, tmp_path / "mirror"))
    path = copied / "tests/prompts/data/train.jsonl"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:7], lines[7][:20], "[1]", *lines[8:]]), "utf-8")
    preset = Preset("all", "", (Part("texts", {"prompts": 61}),))
    builder(copied, preset=preset, size=10).build(tmp_path / "out")
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert [(r["file"], r["row"]) for r in rejects] == [("data/train.jsonl", n) for n in (7, 8, 60)]
    assert rejects[0]["reason"].startswith("no JSON: ")
    assert rejects[1]["reason"] == "found list, expected a JSON object"
    assert (sources(tmp_path / "out")["prompts"].read, sources(tmp_path / "out")["prompts"].rejected) == (
        61,
        3,
    )


def test_all_of_a_row_is_in_one_group_and_a_group_in_one_split(rows: list[Row]) -> None:
    groups, splits = defaultdict(set), defaultdict(set)
    for row in rows:
        splits[row.group].add(row.split)
        for place in row.rows:
            groups[place].add(row.group)
    assert all(len(found) == 1 for found in (*groups.values(), *splits.values()))


def test_a_sample_names_the_rows_that_stand_in_it_and_their_licences(rows: list[Row]) -> None:
    licences = {source.name: source.licence for source in SOURCES}
    for row in rows:
        said = json.dumps([message.content for message in row.messages])
        for place in row.rows:
            assert place.licence == licences[place.source]
            assert place.file == "data/train.jsonl"
        if row.source != "worlds":
            assert row.source in {place.source for place in row.rows}
        if "Where does the " in said:
            assert row.rows


def test_what_is_made_passes_every_check(built: Path, rows: list[Row]) -> None:
    assert [problem for row in rows for problem in problems(row)] == []
    report = validate(built)
    assert report.problems == []
    assert report.valid == report.rows == SIZE
    assert report.mix == {"benign": 36, "adversarial": 12, "mutated": 12}


def test_real_conversations_are_kept_as_they_were(rows: list[Row]) -> None:
    origins = {row.origin.value for row in rows if row.source == "calls"}
    assert "observed" in origins
    for row in rows:
        if row.origin.value == "observed":
            assert row.kind == "gold"
            assert [call.tool for call in row.calls] == ["fetch_page", "send_mail"]
        if row.source == "calls" and row.kind in ("hijacked", "mutated"):
            assert row.origin.value == "mutated"


# No label in


def test_texts_of_either_label_are_left_alone_and_stand_beside_attacks(rows: list[Row]) -> None:
    """What a dataset calls a text is not what we call a run."""
    attacks = {sentence(n, True) for n in range(0, 60, 3)} | {
        sentence(100 + n, True) for n in range(0, 60, 2)
    }
    seen: Counter[tuple[bool, str]] = Counter()
    for row in rows:
        said = " ".join(str(message.content) for message in row.messages)
        hosted = [text.split(".")[0] in said for text in attacks]
        if row.rows:
            seen[any(hosted), row.category] += 1
    assert all(seen[called, category] for called in (False, True) for category in ("benign", "adversarial"))


def test_what_a_dataset_calls_an_attack_is_never_the_users_word(datasets: Path, rows: list[Row]) -> None:
    for row in rows:
        asked = " ".join(str(m.content) for m in row.messages if m.role == "user")
        assert "Forget what you were told" not in asked


# The same bytes


def test_a_build_that_is_stopped_anywhere_ends_in_the_same_bytes(
    datasets: Path, built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plans"

    def stop(standing: Standing) -> None:
        if standing.samples > SIZE / 2:
            raise KeyboardInterrupt

    staged: list[str] = []

    def first(outcome: Any) -> None:
        staged.append(outcome.name)
        if len(staged) == 2:
            raise KeyboardInterrupt

    loader = Unlucky(datasets)
    for options in ({"staged": first}, {"told": stop}):
        with pytest.raises(KeyboardInterrupt):
            builder(datasets, loader=loader, **options).build(out)
    # What was staged is not loaded again, whatever happened to its source.
    late = Unlucky(datasets, broken=("prompts", "letters", "calls"))
    builder(datasets, loader=late).build(out)
    assert late.loaded == []
    assert contents(out) == contents(built)


def test_a_build_goes_on_with_the_commit_that_it_began_with(datasets: Path, tmp_path: Path) -> None:
    def stop(standing: Standing) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder(datasets, told=stop).build(tmp_path)
    begun = json.loads((tmp_path / ".build" / "sources" / "settled.json").read_text())
    loader = Unlucky(datasets, gone=("prompts", "letters", "calls"))
    builder(datasets, loader=loader).build(tmp_path)
    assert {n: s.commit for n, s in sources(tmp_path).items()} == {
        name: quota["commit"] for name, quota in begun["quotas"].items()
    }


def test_two_workers_make_the_same_bytes(datasets: Path, tmp_path: Path) -> None:
    # Workers that are spawned know nothing of a test's patches: chunks have their own size there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", 64)
        for workers in (1, 2):
            builder(datasets, workers=workers, size=30).build(tmp_path / str(workers))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_another_mix_or_another_choice_is_another_build(datasets: Path, built: Path) -> None:
    from gatling.data.mix import Shares

    with pytest.raises(BuildError, match=r"mix '60/20/20', not '50/25/25'"):
        builder(datasets, mix=Shares(50, 25, 25)).build(built)


# A source that cannot be had


def test_a_build_without_a_source_stops_and_says_what_to_do(datasets: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        builder(datasets, loader=Unlucky(datasets, gone=("letters",))).build(tmp_path / "out")
    for words in ("1 of 3 sources", "letters: tests/letters", "HF_TOKEN", "--mirror DIR", "--missing fill"):
        assert words in str(caught.value)
    # The network is back: the same command goes on.
    builder(datasets).build(tmp_path / "out")
    assert sources(tmp_path / "out")["letters"].read == 30


@pytest.mark.parametrize("how", ["gone", "broken"])
def test_others_fill_the_place_of_a_source(datasets: Path, tmp_path: Path, how: str) -> None:
    loader = Unlucky(datasets, **{how: ("letters",)})
    builder(datasets, loader=loader, missing="fill").build(tmp_path)
    found = sources(tmp_path)
    assert (found["prompts"].wanted, found["prompts"].read) == (40, 60)
    assert (found["letters"].read, found["letters"].used) == (0, 0)
    assert "tests/letters" in found["letters"].missing
    assert read_manifest(tmp_path).rows == SIZE


def test_worlds_fill_the_place_of_a_part_without_sources(datasets: Path, tmp_path: Path) -> None:
    loader = Unlucky(datasets, gone=("calls",))
    builder(datasets, loader=loader, missing="fill").build(tmp_path)
    assert read_manifest(tmp_path).made == 5 + 10


def test_or_it_goes_on_with_fewer_rows(datasets: Path, tmp_path: Path) -> None:
    loader = Unlucky(datasets, gone=("letters",))
    builder(datasets, loader=loader, missing="skip").build(tmp_path)
    assert sources(tmp_path)["prompts"].read == 40
    assert read_manifest(tmp_path).made == 5


@pytest.mark.parametrize(
    ("built", "asked"), [("fill", "skip"), ("fill", "stop"), ("skip", "fill"), ("skip", "stop")]
)
def test_doing_without_a_source_otherwise_is_another_build(
    datasets: Path, tmp_path: Path, built: str, asked: str
) -> None:
    loader = Unlucky(datasets, gone=("calls",))
    builder(datasets, loader=loader, missing=built, size=20).build(tmp_path)
    made = contents(tmp_path)
    with pytest.raises(
        BuildError, match=rf"the place of calls|no rows of calls.*--missing {asked}.*remove this one"
    ):
        builder(datasets, loader=loader, missing=asked, size=20).build(tmp_path)
    builder(datasets, loader=loader, missing=built, size=20).build(tmp_path)
    assert contents(tmp_path) == made


def test_where_nothing_was_missing_it_is_the_same_build(datasets: Path, built: Path) -> None:
    made = contents(built)
    for missing in ("fill", "skip", "stop"):
        builder(datasets, missing=missing).build(built)
    assert contents(built) == made


# What is for evaluation


def test_a_source_for_evaluation_is_no_part_of_a_mix(datasets: Path) -> None:
    preset = Preset("wrong", "", (Part("texts", {"harm": 4}),))
    with pytest.raises(BuildError, match="harm is for evaluation and never part of a training mix"):
        builder(datasets, preset=preset)


def test_it_enters_its_own_split_alone_and_only_when_asked_for(
    datasets: Path, rows: list[Row], tmp_path: Path
) -> None:
    assert not any(place.source == "harm" for row in rows for place in row.rows)
    manifest, _ = builder(datasets, evaluation=True, size=20).build(tmp_path)
    apart = [row for row in read_rows(tmp_path) if row.split == "evaluation"]
    assert apart
    for row in read_rows(tmp_path):
        assert (row.split == "evaluation") is row.group.startswith("e")
        assert (row.split == "evaluation") or not any(place.source == "harm" for place in row.rows)
    assert manifest.rows == 20 + len(apart)
    assert sum(validate(tmp_path).mix.values()) == 20


# One's own logs


def test_ones_own_logs_are_taken_as_they_are(datasets: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    lines = [json.dumps({"messages": conversation(40 + n)}) for n in range(8)]
    (tmp_path / "logs" / "run.jsonl").write_text("\n".join([*lines, '{"messages": 5}']), "utf-8")
    preset = Preset("texts", "", (Part("texts", {"prompts": 20}),))
    public = (*SOURCES, Logs())
    builder(datasets, preset=preset, sources=public, logs=tmp_path / "logs", size=30).build(tmp_path / "out")
    own = sources(tmp_path / "out")["logs"]
    assert (own.read, own.rejected, own.used > 0) == (9, 1, True)


def test_with_logs_or_without_or_with_others_it_is_another_build(
    datasets: Path, built: Path, tmp_path: Path
) -> None:
    public, logs, out = (*SOURCES, Logs()), tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    (logs / "run.jsonl").write_text(json.dumps({"messages": conversation(40)}), "utf-8")
    with pytest.raises(BuildError, match=r"the sources prompts, letters, calls, not prompts, .*, logs"):
        builder(datasets, sources=public, logs=logs).build(built)

    def stop(standing: Standing) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder(datasets, sources=public, logs=logs, size=20, told=stop).build(out)
    one = (logs / "run.jsonl").read_text("utf-8")
    for finished in (False, True):
        (logs / "run.jsonl").write_text(json.dumps({"messages": conversation(41)}), "utf-8")
        with pytest.raises(BuildError, match="logs that are not those in the folder given: name another"):
            builder(datasets, sources=public, logs=logs, size=20).build(out)
        (logs / "run.jsonl").write_text(one, "utf-8")
        builder(datasets, sources=public, logs=logs, size=20).build(out)
        assert finished or (out / "manifest.json").exists()
    with pytest.raises(BuildError, match=r"the sources prompts, .*, logs, not prompts, letters, calls: name"):
        builder(datasets, size=20).build(out)


# The command line


def foundation(folder: Path) -> Path:
    """A mirror of the three datasets of the preset."""
    parts = {"deepset/prompt-injections": "text", "geekyrakshit/prompt-injection-dataset": "prompt"}
    for number, (repo, column) in enumerate(parts.items()):
        path = folder / repo / "data" / "train-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        texts = [sentence(60 * number + n, n % 2 == 0) for n in range(30)]
        columns = {column: texts, "label": [1 - n % 2 for n in range(30)]}
        pq.write_table(pa.table(columns), path)
    for phase in (1, 2):
        path = folder / f"microsoft/llmail-inject-challenge/data/raw_submissions_phase{phase}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {"subject": "Hi", "body": sentence(200 * phase + n, True), "objectives": None} for n in range(20)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def test_one_command_builds_and_another_checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--mirror", str(foundation(tmp_path / "mirror")), "--size", "40", "--plain"]
    made = CliRunner().invoke(app, ["build", "--preset", "foundation", *options])
    assert made.exit_code == 0, made.stderr
    for words in (
        "rows read",
        "deepset",
        "llmail",
        "term that moves",
        "plan's origin",
        "No licence is known of",
    ):
        assert words in made.stdout
    assert made.stdout.splitlines()[-3].startswith("40 samples in plans: ")
    assert made.stdout.endswith("cost $0\n")
    checked = CliRunner().invoke(app, ["validate"])
    assert checked.exit_code == 0, checked.stdout
    assert "samples: 40; " in checked.stdout
    assert "20.0% adversarial, 60.0% benign, 20.0% mutated" in checked.stdout
    assert "40/40 valid" in checked.stdout
    card = (tmp_path / "plans" / "README.md").read_text("utf-8")
    assert "rows of public datasets" in card
    assert "extended|deepset/prompt-injections" in card


def test_sources_are_listed() -> None:
    result = CliRunner().invoke(app, ["sources"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    said = "".join(result.stdout.split())
    assert all(source.name in said for source in PUBLIC)


def test_a_source_tells_all_that_is_known_of_it() -> None:
    result = CliRunner().invoke(app, ["sources", "llmail"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "microsoft/llmail-inject-challenge @ main" in result.stdout
    assert "no benign mail" in result.stdout
    unknown = CliRunner().invoke(app, ["sources", "nobody"])
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "no source 'nobody'; there are deepset, llmail" in unknown.stderr


def test_a_preset_without_its_sources_says_so_in_a_few_lines(tmp_path: Path) -> None:
    options = ["--preset", "foundation", "--mirror", str(tmp_path / "nothing"), "--plain"]
    result = CliRunner().invoke(app, ["build", str(tmp_path / "out"), *options])
    assert result.exit_code == 2
    assert "deepset" in result.stderr
    assert "--missing fill" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", [("--mix", "60/20"), ("--mix", "60/20/30"), ("--missing", "panic")])
def test_an_option_that_makes_no_sense_is_told(tmp_path: Path, option: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["build", str(tmp_path / "out"), "--size", "5", *option])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
