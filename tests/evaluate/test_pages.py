"""What the pages promise: the same bytes, hostile text that stays text, nothing loaded and nothing run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from gatling.evaluate import ScoredRun, evaluate, write

Make = Callable[..., ScoredRun]
MakeMany = Callable[..., list[ScoredRun]]

NAMES = ("evaluation.json", "evaluation.md", "evaluation.html")
HOSTILE = (
    "<script>alert(1)</script>",
    "</svg></style><img src=x onerror=alert(1)>",
    "\x1b[2J\x00\u202e{{ 7 * 7 }} $\\frac{1}{2}$ | a | [x](javascript:y)\n# head",
    "x" * 100_000,
)


class Markdown(SingleFileSnapshotExtension):
    file_extension = "md"
    _write_mode = WriteMode.TEXT


def written(runs: list[ScoredRun], folder: Path) -> dict[str, str]:
    write(evaluate(runs, model={"name": "made up", "bytes": 123, "threshold": 2.5}, seed=0), folder)
    return {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}


def test_the_report_in_markdown(runs: MakeMany, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    assert written(runs(90), tmp_path)["evaluation.md"] == snapshot(extension_class=Markdown)


def test_equal_runs_give_equal_bytes(runs: MakeMany, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(runs(60), tmp_path / "new" / "first")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    import matplotlib

    # A person's own style must not show.
    with matplotlib.rc_context({"axes.facecolor": "pink", "lines.linewidth": 9}):
        assert written(runs(60)[::-1], tmp_path / "second") == first
    assert json.loads(first["evaluation.json"])["model"] == {
        "name": "made up",
        "bytes": 123,
        "threshold": 2.5,
    }


def test_a_page_loads_nothing_and_runs_nothing(runs: MakeMany, tmp_path: Path) -> None:
    page = written(runs(60), tmp_path)["evaluation.html"]
    seen = parsed(page)
    assert seen.tags.isdisjoint({"script", "iframe", "object", "embed", "img", "link", "a", "form", "base"})
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "action")]
    assert all(value.startswith("#") for value in seen.links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert "default-src 'none'" in page
    assert page.count("<svg") == 5


def test_ids_are_unique_and_tables_are_readable_aloud(runs: MakeMany, tmp_path: Path) -> None:
    seen = parsed(written(runs(60), tmp_path)["evaluation.html"])
    assert len(set(seen.ids)) == len(seen.ids)
    assert seen.count["table"] == seen.count["caption"] == seen.count["thead"]
    assert all(scope in ("row", "col") for scope in seen.scopes)
    assert len(seen.scopes) == seen.count["th"]


@pytest.mark.parametrize("text", HOSTILE, ids=["script", "break out", "control", "huge"])
def test_hostile_text_is_inert(run: Make, runs: MakeMany, tmp_path: Path, text: str) -> None:
    clean = written(runs(60), tmp_path / "clean")
    some = []
    for number, one in enumerate(runs(60)):
        call = replace(
            one.calls[1], id=text, tool=text, evidence=(text,) * 50, terms={text: one.calls[1].energy}
        )
        named = dict.fromkeys(
            ("group", "dataset", "split", "domain", "suite", "language"), f"{number % 2}{text}"
        )
        some.append(
            replace(one, id=f"{text}{number}", family=text, plan_origin=text, calls=(call,), **named)  # type: ignore[arg-type]
        )
    write(evaluate(some, model={text: text}, seed=0), tmp_path)
    page, sheet = ((tmp_path / name).read_text() for name in ("evaluation.html", "evaluation.md"))
    seen, plain = parsed(page), parsed(clean["evaluation.html"])
    # No text made an element or an attribute that a page of tame names lacks.
    assert seen.tags <= plain.tags
    assert seen.attributes <= plain.attributes
    assert "<script" not in page and "<img" not in page
    assert "{{ 7 * 7 }}" in page or "7 * 7" not in text
    for shown in (page, sheet):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
        assert "x" * 400 not in shown
        assert len(shown) < 500_000
    assert not set("<>") & set(re.sub(r"\\.", "", sheet))
    rows = [line for line in sheet.splitlines() if line.startswith("|")]
    assert all(re.search(r"(?<!\\)\|$", row) for row in rows)
    assert "\n# head" not in sheet


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scopes: list[str | None] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.count[tag] = self.count.get(tag, 0) + 1
        found = dict(attrs)
        self.attributes.update(found)
        self.ids += [value for value in [found.get("id")] if value]
        self.links += [value for name in ("href", "xlink:href") if (value := found.get(name))]
        if tag == "th":
            self.scopes.append(found.get("scope"))


def parsed(page: str) -> _Seen:
    seen = _Seen()
    seen.feed(page)
    return seen
