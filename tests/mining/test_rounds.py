"""What mining promises: samples with their round, a build that validates, the same bytes after a kill."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gatling.data.shards import read_rows, verify
from gatling.data.validate import validate
from gatling.mining.judging import MiningError
from gatling.mining.results import Mined
from gatling.mining.rounds import ADDED, RANDOM, mine
from gatling.model.recipe import Recipe
from tests.model import tiny

RECIPE = Recipe.model_validate(
    {
        "batch": 32,
        "network": {"hidden": 8, "dimensions": 6, "heads": 2, "compared": 8, "rounds": 2},
        "contrast": {"steps": 6},
        "validation": {"every": 3},
        "collapse": {"least_rank": 0.0, "least_deviation": 0.0},
    }
)
SIZE = 20


class Killed(BaseException):
    pass


def mined(home: Path, out: str, **changes: Any) -> Mined:
    """Two rounds of 20 samples each on a tiny build."""
    given: dict[str, Any] = {"rounds": 2, "budget": 2 * SIZE, "recipe": RECIPE, "patient": True, **changes}
    return mine(home / "trained", home / "plans", home / out, **given)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("mining")
    tiny.trained(home / "trained")
    tiny.build(home / "plans", train=range(0, 24), validation=range(24, 40))
    return home


@pytest.fixture(scope="module")
def whole(home: Path) -> Mined:
    return mined(home, "whole")


def test_every_round_adds_samples_in_the_shares_of_the_mix(home: Path, whole: Mined) -> None:
    added = [row for row in read_rows(whole.data) if row.round]
    assert Counter(row.round for row in added) == {1: SIZE, 2: SIZE}
    assert {row.split for row in added} == {"train"}
    assert Counter(row.category for row in added) == {"benign": 24, "adversarial": 8, "mutated": 8}
    for number, told in enumerate(whole.rounds, 1):
        kinds = Counter(row.kind for row in added if row.round == number)
        assert told.added == dict(kinds)
        assert sum(told.families.values()) == kinds["hijacked"] + kinds["mutated"]
        assert told.candidates >= 3 * SIZE


def test_the_build_keeps_what_it_had_and_is_one_that_verifies(home: Path, whole: Mined) -> None:
    assert verify(whole.data).rows == verify(home / "plans").rows + 2 * SIZE
    before = [*read_rows(home / "plans", "validation")]
    assert [*read_rows(whole.data, "validation")] == before
    assert [row for row in read_rows(whole.data) if not row.round] == [*read_rows(home / "plans")]


def test_each_row_that_was_added_is_valid(whole: Mined) -> None:
    report = validate(whole.data)
    assert report.valid == report.rows


def test_a_round_tells_what_training_on_changed(whole: Mined) -> None:
    for told in whole.rounds:
        assert 0 < told.steps <= RECIPE.contrast.steps
        gain, low, high = (told.gain[name] for name in ("value", "low", "high"))
        assert gain is not None and low is not None and high is not None and low <= gain <= high
        assert told.helped is (low > 0.0)
    assert whole.first != whole.rounds[-1].measured
    assert whole.model == Path(whole.data).with_name("round-02") / "model"


def digests(folder: Path) -> dict[str, str]:
    """Of all that a mining leaves, but for TensorBoard's files and journals, which hold times."""
    kept = [*folder.glob("data/*.parquet"), *folder.glob("round-*/model/model.safetensors")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


@pytest.mark.parametrize("at", ["32 of", "round 1: step 3", "round 2: reading|round 2: 0", "round 2: step 6"])
def test_mining_that_was_killed_ends_in_the_same_bytes(home: Path, whole: Mined, at: str) -> None:
    out = f"killed at {at}".replace("|", " ")

    def kill(line: str) -> None:
        if any(part in line for part in at.split("|")):
            raise Killed

    with suppress(Killed):
        mined(home, out, told=kill)
    assert mined(home, out).rounds == whole.rounds
    assert digests(home / out) == digests(home / "whole")


def test_a_finished_mining_is_left_as_it_is(home: Path, whole: Mined) -> None:
    path = home / "whole" / "round-01" / ADDED
    before = path.stat().st_mtime_ns
    assert mined(home, "whole") == whole
    assert path.stat().st_mtime_ns == before


def test_a_folder_of_another_mining_is_refused(home: Path, whole: Mined) -> None:
    with pytest.raises(MiningError, match="another seed"):
        mined(home, "whole", seed=1)
    with pytest.raises(MiningError, match="another strategy"):
        mined(home, "whole", strategy=RANDOM)


def test_a_folder_with_something_else_is_refused(home: Path) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(MiningError, match="not empty"):
        mined(home, "mine")


def test_a_budget_of_next_to_nothing_is_refused(home: Path) -> None:
    with pytest.raises(MiningError, match="give 10 samples a round"):
        mined(home, "little", budget=12)


def test_mining_stops_after_a_round_that_did_not_help(home: Path) -> None:
    still = RECIPE.model_copy(
        update={"optimiser": RECIPE.optimiser.model_copy(update={"finetune_learning_rate": 1e-9})}
    )
    found = mined(home, "still", recipe=still, rounds=3, budget=3 * SIZE, patient=False)
    assert len(found.rounds) == 1
    assert "round 1 gained less than its own noise" in found.stopped


def test_a_model_that_learnt_from_the_validation_runs_is_refused(home: Path) -> None:
    groups = (f"offline-7/{row.group}" for row in read_rows(home / "plans", "validation"))
    tiny.trained(home / "knows", groups)
    with pytest.raises(MiningError, match="was trained on 16 groups"):
        mine(home / "knows", home / "plans", home / "refused", rounds=1, budget=SIZE, recipe=RECIPE)


def test_a_build_whose_validation_runs_are_all_benign_cannot_be_mined_on(home: Path) -> None:
    tiny.build(home / "benign", train=range(0, 8), validation=range(1, 4))
    with pytest.raises(MiningError, match="no violating runs"):
        mine(home / "trained", home / "benign", home / "none", rounds=1, budget=SIZE, recipe=RECIPE)
