"""Rows that the tests of mining share."""

from __future__ import annotations

import pytest

from gatling.data.columns import Row, rows
from gatling.data.groups import group
from gatling.data.label import finish
from gatling.data.worlds.domain import domains


@pytest.fixture(scope="session")
def made() -> list[Row]:
    """The rows of some groups, attacked ones and others."""
    known = tuple(domains().values())
    return [row for index in range(12) for row in rows(finish(group(index, 7, known)), "train")]
