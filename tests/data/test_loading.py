"""A build is read in one line, by what people have installed already: `datasets` and `pyarrow`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatling.data.card import write_card
from gatling.data.columns import SCHEMA, Row
from gatling.data.shards import read_rows
from tests.data.conftest import Save

ROOT = Path(__file__).parents[2]

BLOCKS = [
    (page, block)
    for page in ("README.md", "docs/implementation.md")
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S)
    if "load_dataset" in block
]
"""What the pages show: `plans` is all of the folder of that name, `train` one split of it."""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, built: list[Row], save: Save) -> Path:
    """A folder in which the build `plans` lies, with the listings that lie beside its shards."""
    folder = tmp_path_factory.mktemp("loading")
    plans = folder / "plans"
    plans.mkdir()
    save(plans, built)
    write_card(plans)
    (plans / "dropped.jsonl").write_text('{"reason": "quota", "id": "w0000001-1"}\n')
    (plans / "rejects.jsonl").write_text('{"source": "deepset", "row": 1, "reason": "no text"}\n')
    return folder


SHOWN = """
import json
print(json.dumps({
    "splits": {split: rows["id"][:] for split, rows in plans.items()},
    "columns": [plans["train"].column_names, train.column_names],
    "train": train["id"].to_pylist(),
    "tools": [[call["tool"] for call in calls] for calls in plans["train"]["calls"]],
    "energies": train["energy"].to_pylist(),
}))
"""


def python(beside: Path, block: str) -> dict[str, Any]:
    """What the names of a block hold; in a process of its own, with a cache of its own."""
    told = subprocess.run(
        [sys.executable, "-c", block + SHOWN],
        cwd=beside,
        env={**os.environ, "HF_HOME": str(beside / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[page for page, _ in BLOCKS])
def test_the_lines_that_a_page_shows_load_a_build(beside: Path, page: str, block: str) -> None:
    found = python(beside, block)
    rows = [*read_rows(beside / "plans")]
    splits = dict.fromkeys(row.split for row in rows)
    assert found["splits"] == {split: [row.id for row in rows if row.split == split] for split in splits}
    assert found["columns"] == [SCHEMA.names, SCHEMA.names]
    train = [row for row in rows if row.split == "train"]
    assert found["train"] == [row.id for row in train]
    assert found["tools"] == [[call.tool for call in row.calls] for row in train]
    assert found["energies"] == [row.energy for row in train]


def test_the_pages_show_one_line_each() -> None:
    assert "docs/implementation.md" in [page for page, _ in BLOCKS]
    for _, block in BLOCKS:
        assert len(re.findall(r"^\w+ = ", block, re.M)) == 2
