"""What the report of a mining promises: every decision told, the same bytes, hostile names that stay text."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from gatling.evaluate.bootstrap import Estimate
from gatling.mining.judging import Judgement
from gatling.mining.report import curve, region, summary, write
from gatling.mining.results import Mined, Round, Weakness
from tests.evaluate.test_pages import HOSTILE, Markdown, parsed

NAMES = ("report.json", "report.md", "report.html")
NOTHING = Estimate(value=None, low=None, high=None)


def estimate(value: float, width: float = 0.02) -> Estimate:
    return Estimate(value=value, low=round(value - width, 4), high=round(value + width, 4))


def judgement(auc: float, recall: float) -> Judgement:
    return Judgement(auc=estimate(auc), recall=estimate(recall, 0.1))


MISSES = Weakness(
    violates=True,
    traits={"family": "scope-blow-up", "domain": "banking"},
    errors=31,
    runs=60,
    low=0.38,
    high=0.66,
    usual=0.12,
)
ALARMS = Weakness(
    violates=False,
    traits={"family": "resisted", "wording": "none"},
    errors=9,
    runs=40,
    low=0.11,
    high=0.36,
    usual=0.04,
)


def mined(out: Path) -> Mined:
    """Two rounds: one that helps, and one of which that cannot be told."""
    first = Round(
        number=1,
        threshold=0.731,
        weaknesses=(MISSES, replace(MISSES, traits={"term": "none", "language": "de"}), ALARMS),
        candidates=4096,
        dropped={"duplicate": 3, "easy": 2111, "near-duplicate": 0},
        added={"clean": 300, "hijacked": 500, "gold": 200},
        families={"exfiltration": 200, "scope-blow-up": 300},
        steps=1200,
        measured=judgement(0.961, 0.72),
        gain=estimate(0.0213, 0.01),
    )
    second = replace(
        first,
        number=2,
        threshold=0.654,
        weaknesses=(ALARMS,),
        dropped={},
        measured=judgement(0.963, 0.73),
        gain=estimate(0.002, 0.01),
    )
    return Mined(
        data=out / "data",
        model=out / "round-02" / "model",
        first=judgement(0.94, 0.61),
        samples=6000,
        rounds=(first, second),
        threshold=0.61,
        stopped="round 2 gained less than its own noise",
    )


def written(one: Mined, out: Path) -> dict[str, str]:
    out.mkdir(parents=True, exist_ok=True)
    write(one, out)
    return {name: (out / name).read_text(encoding="utf-8") for name in NAMES}


def test_the_report_in_markdown(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    assert written(mined(tmp_path), tmp_path)["report.md"] == snapshot(extension_class=Markdown)


def test_the_json_holds_all_that_was_decided(tmp_path: Path) -> None:
    one = mined(tmp_path)
    told: dict[str, Any] = json.loads(written(one, tmp_path)["report.json"])
    assert told.pop("format") == 1
    assert (told["data"], told["model"]) == ("data", "round-02/model")
    rounds = tuple(
        Round(
            **{
                **found,
                "weaknesses": tuple(Weakness(**weakness) for weakness in found["weaknesses"]),
                "measured": Judgement(**found["measured"]),
            }
        )
        for found in told["rounds"]
    )
    again = {
        **told,
        "data": tmp_path / told["data"],
        "model": tmp_path / told["model"],
        "first": Judgement(**told["first"]),
        "rounds": rounds,
    }
    assert Mined(**again) == one


def test_an_equal_mining_gives_equal_bytes_in_any_folder(tmp_path: Path) -> None:
    first = written(mined(tmp_path / "a"), tmp_path / "a")
    import matplotlib

    with matplotlib.rc_context({"axes.facecolor": "pink", "lines.linewidth": 9}):
        assert written(mined(tmp_path / "b" / "c"), tmp_path / "b" / "c") == first
    assert not any(str(tmp_path) in text for text in first.values())


def test_the_curve_begins_before_the_first_round(tmp_path: Path) -> None:
    one = mined(tmp_path)
    assert [(point.after, point.samples) for point in curve(one)] == [(0, 6000), (1, 7000), (2, 8000)]
    assert [point.measured for point in curve(one)] == [
        one.first,
        *(found.measured for found in one.rounds),
    ]
    page = written(one, tmp_path)["report.html"]
    assert page.count("<svg") == 1
    assert "training samples" in page[page.index("<svg") : page.index("</svg>")]


def test_a_gain_is_more_than_its_noise_or_not(tmp_path: Path) -> None:
    one = mined(tmp_path)
    for text in (written(one, tmp_path)[name] for name in NAMES[1:]):
        assert text.count("+0.0213 (95% interval +0.0113 – +0.0313): more than its noise") == 1
        assert text.count("+0.0020 (95% interval -0.0080 – +0.0120): not more than its noise") == 1
        assert "Round 2 gained less than its own noise." in text
    assert len(summary(one)) == len(summary(replace(one, rounds=one.rounds[:1]))) + 1


def test_regions_are_said_in_words() -> None:
    assert region(asdict(MISSES)) == "family scope-blow-up, domain banking"
    assert region(asdict(ALARMS)) == "kind resisted, no poison"
    none = {"family": "none", "term": "none", "domain": "none", "language": "none"}
    said = "family none, no term above 0, domain none, in none"
    assert region({"violates": True, "traits": none}) == said


def test_misses_and_false_alarms_stand_apart(tmp_path: Path) -> None:
    sheet = written(mined(tmp_path), tmp_path)["report.md"]
    first, second = sheet[sheet.index("## Round 1") :].split("## Round 2")
    misses, alarms = first.split("False alarms:")
    assert "family scope-blow-up, domain banking | 31 of 60 | 51.7% [38.0% – 66.0%] | 12.0% |" in misses
    assert "kind resisted, no poison | 9 of 40 | 22.5% [11.0% – 36.0%] | 4.0% |" in alarms
    assert "family scope-blow-up, domain" not in alarms
    assert "Misses: violating runs that stay under the threshold: no region stands out." in second


def test_what_cannot_be_measured_is_told(tmp_path: Path) -> None:
    one = mined(tmp_path)
    unknown = Judgement(auc=NOTHING, recall=NOTHING)
    blind = replace(one.rounds[0], measured=unknown, gain=NOTHING)
    texts = written(replace(one, first=unknown, rounds=(blind,)), tmp_path)
    assert "Gain in AUC: –, too few groups for an interval." in texts["report.md"]
    assert texts["report.html"].count("<svg") == 1
    assert json.loads(texts["report.json"])["first"]["auc"] == NOTHING


def test_a_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    page = written(mined(tmp_path), tmp_path)["report.html"]
    seen = parsed(page)
    assert seen.tags.isdisjoint({"script", "iframe", "object", "embed", "img", "link", "a", "form", "base"})
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "action")]
    assert all(value.startswith("#") for value in seen.links)
    assert "default-src 'none'" in page and "prefers-color-scheme: dark" in page
    assert len(set(seen.ids)) == len(seen.ids)
    assert seen.count["table"] == seen.count["caption"] == seen.count["thead"]
    assert len(seen.scopes) == seen.count["th"]


@pytest.mark.parametrize("text", HOSTILE, ids=["script", "break out", "control", "huge"])
def test_hostile_names_are_inert(tmp_path: Path, text: str) -> None:
    one = mined(tmp_path)
    plain = parsed(written(one, tmp_path)["report.html"])
    weak = tuple(
        replace(weakness, traits=dict.fromkeys(weakness.traits, text))
        for weakness in one.rounds[0].weaknesses
    )
    odd = replace(one.rounds[0], weaknesses=weak, dropped={text: 7}, added={text: 1000}, families={text: 500})
    texts = written(replace(one, rounds=(odd, one.rounds[1])), tmp_path)
    page, sheet = texts["report.html"], texts["report.md"]
    seen = parsed(page)
    assert seen.tags <= plain.tags
    assert seen.attributes <= plain.attributes
    assert "<script" not in page and "<img" not in page
    for shown in (page, sheet):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
        assert "x" * 400 not in shown
    assert not set("<>") & set(re.sub(r"\\.", "", sheet))
    rows = [line for line in sheet.splitlines() if line.startswith("|")]
    assert all(re.search(r"(?<!\\)\|$", row) for row in rows)
    assert "\n# head" not in sheet
