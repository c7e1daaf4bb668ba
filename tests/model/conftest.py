"""Runs that the tests of the network share, as rows, as examples and encoded."""

from __future__ import annotations

import pytest

from gatling.data.columns import Row, rows
from gatling.data.groups import group
from gatling.data.label import finish
from gatling.data.worlds.domain import domains
from gatling.model.encoded import Encoded
from gatling.model.examples import Example, from_row
from gatling.model.tensors import PlanDataset

GROUPS = 24


@pytest.fixture(scope="session")
def made() -> list[Row]:
    """The rows of some groups, attacked ones and others."""
    known = tuple(domains().values())
    return [row for index in range(GROUPS) for row in rows(finish(group(index, 7, known)), "train")]


@pytest.fixture(scope="session")
def examples(made: list[Row]) -> list[Example]:
    return [from_row(row, "worlds") for row in made]


@pytest.fixture(scope="session")
def encoded(examples: list[Example]) -> Encoded:
    return Encoded.of(examples)


@pytest.fixture(scope="session")
def data(encoded: Encoded) -> PlanDataset:
    return PlanDataset(encoded)
