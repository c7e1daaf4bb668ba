"""What recipes of whole runs promise: packaged ones load, and what is wrong is named with its line."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from gatling.model import recipe as model
from gatling.pipeline import recipe as module
from gatling.pipeline.recipe import RECIPES, RecipeError, load, parse

LEAST = """\
[build]
size = 100
seed = 7
[mine]
budget = 20
[calibrate]
size = 50
seed = 12
"""


def refused(text: str, *words: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text, "mine.toml")
    for word in words:
        assert word in str(error.value)


def test_the_examples_run() -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", ["seed", "smoke"])
def test_packaged_recipes_load_by_their_name(name: str) -> None:
    called, recipe = load(name)
    assert called == name
    assert recipe.about
    assert model.names(RECIPES) == ["seed", "smoke"]


def test_the_seed_is_what_the_issue_asks_for() -> None:
    recipe = load("seed")[1]
    assert (recipe.build.preset, recipe.build.size) == ("offline", 35_000)
    assert recipe.evaluate.splits == ("test", "heldout_family", "heldout_operator", "heldout_domain")


def test_a_file_is_called_as_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(LEAST)
    assert load(str(tmp_path / "ours.toml")) == ("ours", parse(LEAST))


def test_what_is_left_out_is_that_of_the_packaged_recipes_of_training() -> None:
    recipe = parse(LEAST)
    assert recipe.train.whole == model.load("laptop")
    assert recipe.mine.train.whole == model.load("compare")


def test_a_packaged_recipe_of_training_is_taken_but_for_the_keys_that_are_given() -> None:
    chosen = parse(f"{LEAST}[train]\nrecipe = 'smoke'\nbatch = 32\n[train.contrast]\nsteps = 9\n").train.whole
    smoke = model.load("smoke")
    contrast = smoke.contrast.model_copy(update={"steps": 9})
    assert chosen == smoke.model_copy(update={"batch": 32, "contrast": contrast})


def test_what_training_uses_reads_back() -> None:
    whole = parse(f"{LEAST}[train.network]\nhidden = 32\nheads = 2\n").train.whole
    assert model.parse(whole.to_toml()) == whole


def test_keys_are_named_with_their_line_and_those_that_are_allowed() -> None:
    refused(f"{LEAST}sede = 1", "mine.toml:9: calibrate.sede: no such key", "size, seed, budget")
    refused(f"{LEAST}[trian]", "mine.toml:9: trian: no such key; allowed at the top: about, build, train")
    refused(
        f"{LEAST}[mine.train]\nseed = 3\n[train.contrast]\nstepz = 3",
        "mine.toml:12: train.contrast.stepz: no such key; allowed in [train.contrast]: steps, info_nce",
    )
    refused(f"{LEAST}[train]\nstps = 3", "mine.toml:10: train.stps: ", "recipe")
    refused(f"{LEAST}[mine.train.contrast]\nsteps = 0", "mine.toml:10: mine.train.contrast.steps: ")


def test_every_wrong_value_is_told() -> None:
    refused(
        "[build]\nsize = 0\nseed = -1\npreset = 'none'\n[mine]\nrounds = 0\nbudget = 1.5\n"
        "[calibrate]\nsize = 1\nseed = 1\nbudget = 0.9\n[evaluate]\nsplits = ['train']",
        "mine.toml:2: build.size",
        "mine.toml:3: build.seed",
        "mine.toml:4: build.preset: no such preset; there are offline",
        "mine.toml:6: mine.rounds",
        "mine.toml:7: mine.budget",
        "mine.toml:11: calibrate.budget",
        "mine.toml:13: evaluate.splits",
    )
    refused(
        f"{LEAST}[train]\nrecipe = 'big'", "mine.toml:10: train.recipe: no such recipe; name one of compare"
    )
    refused(f"{LEAST}[evaluate]\nsplits = []", "mine.toml:10: evaluate.splits")


def test_thresholds_are_never_set_on_the_build_itself() -> None:
    refused(LEAST.replace("seed = 12", "seed = 7"), "mine.toml: ", "give calibrate another seed")


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    refused("build 1", "mine.toml: not TOML", "line 1")
    refused("", "mine.toml:1: build: Field required")
    refused("train = 3", "mine.toml:1: train")
    with pytest.raises(RecipeError, match="no such recipe; name one of seed, smoke, or a TOML file"):
        load(str(tmp_path / "none.toml"))
