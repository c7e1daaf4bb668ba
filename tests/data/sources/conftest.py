"""The fixtures: for each source, documents of its data files, one a line, invented in the exact form.

Good rows come first; then awkward ones: nulls, empty and long texts, halves of characters, JSON that breaks
off, roles and tools that nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatling.data import ExecutionPlanAdapter
from gatling.data.sources import Material, Rejected, Source

FIXTURES = Path(__file__).with_name("fixtures")

Rows = Callable[[Source], list[dict[str, Any]]]
Made = Callable[[Source, dict[str, Any]], list[Material] | None]


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    for line in (FIXTURES / f"{source.name}.jsonl").read_text("utf-8").splitlines():
        for row in source.rows(json.loads(line)):
            yield dict(row)


@pytest.fixture(scope="session")
def rows() -> Rows:
    """The fixture rows of a source."""
    return lambda source: list(_rows(source))


@pytest.fixture(scope="session")
def made() -> Made:
    """What a source makes of a row; None where it rejects it."""

    def made(source: Source, row: dict[str, Any]) -> list[Material] | None:
        try:
            return list(source.materials(source.part(row)[0]))
        except Rejected as reason:
            assert str(reason)
            return None

    return made


@pytest.fixture(scope="session")
def adapter() -> ExecutionPlanAdapter:
    """What makes plans of materials."""
    return ExecutionPlanAdapter()
