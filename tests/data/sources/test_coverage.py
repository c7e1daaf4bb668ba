"""What the pages say of presets, terms and costs is what the registry says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatling.data.presets import presets
from gatling.data.sources import SOURCES
from gatling.data.sources.coverage import TABLES, TRACES, costs, reads, terms

ROOT = Path(__file__).parents[3]

PAGES = {"terms": "strategy.md", "costs": "strategy.md", "reads": "implementation.md"}


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_page_holds_its_table(name: str, page: str) -> None:
    _, _, rest = (ROOT / "docs" / page).read_text("utf-8").partition(f"<!-- {name}: generated -->\n")
    held, _, _ = rest.partition("\n<!-- end -->")
    assert held == TABLES[name](), "put in what `python -m gatling.data.sources.coverage` prints"


def test_every_table_stands_on_a_page() -> None:
    assert PAGES.keys() == TABLES.keys()


@pytest.mark.parametrize("page", ["strategy.md", "implementation.md"])
def test_the_modules_that_a_page_names_are_there(page: str) -> None:
    named = re.findall(
        r"`((?:data|tests|benchmarks|src)/[\w/.]+)`", (ROOT / "docs" / page).read_text("utf-8")
    )
    for name in named:
        place = ROOT / ("src/gatling" if name.startswith("data/") else "") / name
        assert place.exists(), f"docs/{page} names {name}"


def test_a_source_stands_under_each_of_its_terms_and_no_other() -> None:
    lines = {line.split(" | ")[0].lstrip("| "): line for line in terms().splitlines()[2:]}
    for one in SOURCES:
        assert {term for term, line in lines.items() if f"`{one.name}`" in line} == one.terms


def test_the_columns_of_a_preset_add_up() -> None:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in reads().splitlines()]
    names = [cell.strip("`") for cell in lines[0][4:]]
    for at, name in enumerate(names, 4):
        counts = [int(line[at].replace(",", "") or 0) for line in lines[2:]]
        assert sum(counts[:-1]) == counts[-1] == presets()[name].size


def test_four_million_traces_would_cost_forty_to_sixty_thousand_dollars() -> None:
    assert costs().splitlines()[-1] == f"| a corpus | {TRACES:,} | $40,000 | $60,000 |"
