"""The report of a run: what was built, trained, mined, calibrated and measured, how long each took, and where
it is.

It alone holds times, so nothing is keyed by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from gatling.data.shards import write_file
from gatling.evaluate.words import markdown_of, page_of
from gatling.pipeline.recipe import Recipe
from gatling.pipeline.state import Entry

PAGE, MARKDOWN, JSON = "report.html", "report.md", "report.json"


class Made(TypedDict):
    """A stage."""

    name: str
    seconds: float
    """Its last start took so long."""
    starts: int
    """More than once where it was stopped."""
    key: str
    sha256: str
    found: dict[str, Any]
    """See `gatling.pipeline.stages`."""


class Report(TypedDict):
    """All that a report says: plain values, paths from the run's folder on."""

    format: int
    name: str
    recipe: dict[str, Any]
    made_by: dict[str, str]
    """Package -> version, and the hash of the code."""
    bundle: str
    """The calibrated bundle's hash."""
    seconds: float
    stages: list[Made]


def report(
    name: str, recipe: Recipe, home: Path, stages: Mapping[str, Entry], made_by: Mapping[str, str]
) -> Report:
    """The report of a run of which every stage is done."""
    made = [
        Made(
            name=stage,
            seconds=entry.seconds,
            starts=entry.starts,
            key=entry.key,
            sha256=entry.sha256,
            found=entry.found,
        )
        for stage, entry in stages.items()
    ]
    return Report(
        format=1,
        name=name,
        recipe=recipe.model_dump(mode="json"),
        made_by=dict(made_by),
        bundle=stages["calibrate"].found["sha256"],
        seconds=round(sum(entry.seconds for entry in stages.values()), 1),
        stages=made,
    )


def write(made: Report, folder: Path) -> None:
    """Write `report.json`, `report.md` and `report.html`.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {stage["name"]: stage["found"] for stage in made["stages"]}
    texts = {
        JSON: json.dumps(made, indent=1) + "\n",
        MARKDOWN: markdown_of(__package__, made, found=found, duration=duration),
        PAGE: page_of(__package__, made, found=found, duration=duration),
    }
    for name, text in texts.items():
        write_file(folder / name, text.encode())


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(7.26), duration(754)
    ('7.3 s', '12 min 34 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
