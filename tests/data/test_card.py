"""What a card promises: the Hub reads it, its tables hold what the shards hold, and no name breaks them."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, DatasetCardData
from huggingface_hub.repocard import metadata_load
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.card import ENOUGH, card, escape, header, write_card
from gatling.data.columns import Row
from gatling.data.run import TERMS
from gatling.data.shards import Manifest, read_manifest
from gatling.data.validate import Stats, stats

SIZE = re.compile(r"n<1K|1K<n<10K|10K<n<100K|100K<n<1M|1M<n<10M")
"""The Hub's size categories up to ten million."""

SPLIT = re.compile(r"\w+(\.\w+)*")
"""What the Hub takes as a split's name."""


@pytest.fixture
def manifest(folder: Path) -> Manifest:
    return read_manifest(folder)


@pytest.fixture
def counted(folder: Path) -> Stats:
    return stats(folder)


def header_of(text: str) -> Any:
    """A card's metadata as the Hub's client reads them; the Hub's own check needs a network."""
    data = DatasetCard(text).data
    assert isinstance(data, DatasetCardData)
    return data


def test_the_hub_reads_the_header(folder: Path, built: list[Row]) -> None:
    write_card(folder)
    data = header_of((folder / "README.md").read_text())
    assert vars(data).items() >= (metadata_load(folder / "README.md") or {"": None}).items()
    assert data.license == "apache-2.0"
    assert data.language == sorted({row.language for row in built})
    assert data.size_categories == ["n<1K"]
    assert data.task_categories == ["text-classification"]
    (config,) = data.configs
    files = {path.name for path in folder.glob("*.parquet")}
    assert [entry["split"] for entry in config["data_files"]] == read_manifest(folder).splits
    for entry in config["data_files"]:
        assert SPLIT.fullmatch(entry["split"])
        mine = {name for name in files if fnmatchcase(name, entry["path"])}
        assert mine == {name for name in files if name.rpartition("-")[0] == entry["split"]} != set()


@pytest.mark.parametrize("rows", [0, 999, 1000, 99_999, 100_000, 5_000_000])
def test_the_size_is_one_of_the_hubs(rows: int, manifest: Manifest) -> None:
    counted = Stats()
    counted.splits["train"] = Counter(benign=rows)
    (size,) = header_of(f"---\n{header(manifest, counted)}\n---\n").size_categories
    assert SIZE.fullmatch(size)


def test_a_licence_that_the_hub_does_not_know_is_another_one(manifest: Manifest, counted: Stats) -> None:
    counted.sources[("theirs", "no\nlicence: \u2028x")] = counted.mix
    data = header_of(card(manifest, counted))
    assert data.license == ["apache-2.0", "other"]


def test_equal_builds_have_equal_cards_and_plots(folder: Path) -> None:
    names = ("README.md", "energy.png", "length.png")
    write_card(folder)
    first = {name: (folder / name).read_bytes() for name in names}
    write_card(folder)
    assert {name: (folder / name).read_bytes() for name in names} == first
    text = first["README.md"].decode()
    assert {name for name in names if name in text} == {"energy.png", "length.png"}


def rows_of(text: str, title: str) -> list[list[str]]:
    """The cells of the table under a title, without its head."""
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_every_table_holds_what_was_counted(manifest: Manifest, counted: Stats) -> None:
    text = card(manifest, counted)
    tables = {
        "Splits": counted.splits,
        "Kinds": counted.kinds,
        "Attack families and mutations": counted.families,
        "Wordings of poison": counted.registers,
        "Languages": counted.languages,
        "Domains": counted.domains,
    }
    for title, counts in tables.items():
        shown = {name.replace("\\", ""): [*map(int, numbers)] for name, *numbers in rows_of(text, title)}
        assert shown == {
            name: [c["benign"], c["adversarial"], c["mutated"], c.total()] for name, c in counts.items()
        }
    assert rows_of(text, "Sources")[0][:2] == ["worlds", "Apache-2.0"]
    assert [share for _, _, share, _ in rows_of(text, "Mix")] == ["60.0%", "20.0%", "20.0%"]


def test_a_cell_with_too_few_samples_is_marked_empty(manifest: Manifest, counted: Stats) -> None:
    counted.terms["flow"].update({"benign": ENOUGH, "mutated": -counted.terms["flow"]["mutated"]})
    shown = {name: cells for name, *cells in rows_of(card(manifest, counted), "Energy terms")}
    assert list(shown) == list(TERMS)
    assert "empty" not in shown["flow"][0]
    assert shown["flow"][2] == "0 *empty*"


def test_a_split_for_evaluation_does_not_count_for_the_mix(manifest: Manifest, counted: Stats) -> None:
    before = rows_of(card(manifest, counted), "Mix")
    counted.splits["evaluation"] = counted.splits["train"]
    assert rows_of(card(manifest, counted), "Mix") == before


@given(st.text() | st.sampled_from(["{{ 1 }}", "|||", "\n# x", "<img src=x>", "[a](http://b)", "a`b", "\\|"]))
def test_no_text_breaks_out_of_its_cell(text: str) -> None:
    shown = str(escape(text))
    assert shown.isprintable()
    bare = re.sub(r"\\.", "", shown)
    assert not set("|<>[]`*_{}~@:\\") & set(bare)
    assert "www." not in bare.lower()


def test_hostile_names_stay_names(manifest: Manifest, counted: Stats) -> None:
    bad = "x | y |\n# {{ manifest }} <b>[z](https://c.example)"
    for counts in (counted.families, counted.registers, counted.languages, counted.domains, counted.kinds):
        counts[bad] = counted.mix
    counted.sources[bad, bad] = counted.mix
    text = card(manifest, counted)
    assert len(rows_of(text, "Attack families and mutations")) == len(counted.families)
    assert {len(cells) for cells in rows_of(text, "Sources")} == {6}
    assert r"\{\{ manifest \}\}" in text
    assert "<b>" not in text
    assert bad not in header_of(text).language


def test_the_preset_is_no_markup(manifest: Manifest, counted: Stats) -> None:
    text = card(manifest.model_copy(update={"preset": '"\n---\n# x'}), counted)
    assert header_of(text).pretty_name == 'Gatling plans ("\n---\n# x)'
    assert "\n# x" not in text


def test_a_build_without_rows_has_a_card(manifest: Manifest) -> None:
    empty = manifest.model_copy(update={"shards": (), "counts": {}})
    assert "0 execution plans" in card(empty, Stats())
