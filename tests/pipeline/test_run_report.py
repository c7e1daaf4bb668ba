"""What a run's report promises: everything that was found, for a person to read, and nobody's markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatling.pipeline.recipe import parse
from gatling.pipeline.report import Report, duration, report, write
from gatling.pipeline.state import Entry
from tests.pipeline.test_run_recipe import LEAST

HOSTILE = "<script>alert(1)</script> [link](http://evil.example) \x1b[31m\u202e"

COUNTS = {"train": {"benign": 60, "adversarial": 20, "mutated": 20}}
THRESHOLD = {"budget": 0.02, "raw": 3.5, "benign": 0.019, "runs": 900, "hijacked": None}
FOUND: dict[str, dict[str, Any]] = {
    "build": {"samples": 1234, "dropped": {"quota": 5}, "splits": COUNTS},
    "validate": {"rows": 1234, "shortcuts": [], "highest": None},
    "train": {"runs": 900, "steps": 5000, "best_step": 4200, "auc_runs": 0.98765},
    "mine": {
        "data": "mine/data",
        "model": "mine/round-01/model",
        "samples": 1334,
        "splits": COUNTS,
        "rounds": [HOSTILE],
        "stopped": "all rounds are done",
        "valid": {"rows": 1334, "shortcuts": [], "highest": 0.5678},
    },
    "bundle": {"sha256": "00" * 32, "gains": {"flow": 0.15}},
    "calibrate": {"sha256": "ab" * 32, "escalate": THRESHOLD, "deny": THRESHOLD},
    "evaluate": {"test": {"summary": ["10 of 10 hijacked runs were caught."]}},
}


@pytest.fixture
def made(tmp_path: Path) -> Report:
    stages = {
        name: Entry(key="k", sha256="cd" * 32, seconds=61.0, starts=2, found=found)
        for name, found in FOUND.items()
    }
    recipe = parse(f"about = {json.dumps(HOSTILE)}\n{LEAST}")
    return report(HOSTILE, recipe, tmp_path, stages, {"gatling": "1"})


def test_pages_say_what_was_found_and_where_it_is(made: Report, tmp_path: Path) -> None:
    write(made, tmp_path / "report")
    for page in ("report.md", "report.html"):
        text = (tmp_path / "report" / page).read_text()
        for words in (
            *(
                "1,234",
                "1,334",
                "0.5678",
                "5,000",
                "4,200",
                "0.9877",
                "ab" * 32,
                "1 min 1 s",
                "7 min 7 s",
                "flow 0.15",
            ),
            *("calibrate/bundle.safetensors", "mine/round-01/model", "evaluate/test/evaluation.html"),
            "10 of 10 hijacked runs were caught.",
        ):
            assert words in text, (page, words)
    assert json.loads((tmp_path / "report/report.json").read_text()) == made


def test_no_word_of_a_stranger_is_markup_or_moves_the_cursor(made: Report, tmp_path: Path) -> None:
    write(made, tmp_path / "report")
    page, markdown = ((tmp_path / "report" / name).read_text() for name in ("report.html", "report.md"))
    assert "<script" not in page and "alert(1)" in page
    assert "\\<script" in markdown and " <script" not in markdown and "[link](" not in markdown
    for text in (page, markdown):
        assert "\x1b" not in text and "\u202e" not in text


def test_equal_runs_have_equal_reports(made: Report, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(made, tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_times_are_told_as_people_tell_them() -> None:
    assert [duration(s) for s in (0.0, 7.26, 59.4, 60.0, 754.0)] == [
        *("0.0 s", "7.3 s", "59.4 s"),
        *("1 min 0 s", "12 min 34 s"),
    ]
