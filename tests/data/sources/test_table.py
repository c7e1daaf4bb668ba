"""The documentation says what the registry says."""

from __future__ import annotations

from pathlib import Path

from gatling.data.sources import SOURCES
from gatling.data.sources.table import markdown

PAGE = Path(__file__).parents[3] / "docs" / "candidates.md"


def test_the_page_holds_the_table() -> None:
    page = PAGE.read_text("utf-8")
    _, _, rest = page.partition("<!-- sources: generated -->\n")
    held, _, _ = rest.partition("\n<!-- end -->")
    assert held == markdown(), "put in what `markdown` prints; its docstring says how"


def test_a_line_for_each_source_with_as_many_cells() -> None:
    lines = markdown().splitlines()
    assert len(lines) == len(SOURCES) + 2
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
