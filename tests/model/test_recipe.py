"""What recipes promise: packaged ones load, every key is checked, and what is written down reads back."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.model import recipe as module
from gatling.model.encoders import NetworkConfig
from gatling.model.examples import KINDS
from gatling.model.recipe import Contrast, Kinds, Recipe, RecipeError, differences, load, names, parse


def refused(text: str, *words: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text, "mine.toml")
    for word in words:
        assert word in str(error.value)


def test_the_examples_run() -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_four_recipes_are_packaged_and_can_be_told_apart() -> None:
    assert names() == ["compare", "gpu", "laptop", "smoke"]
    assert all(load(name).about for name in names())
    assert len({load(name).to_toml() for name in names()}) == 4


def test_smaller_budgets_take_fewer_steps() -> None:
    steps = [load(name).pretrain.steps + load(name).contrast.steps for name in ("smoke", "compare", "laptop")]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("name", names())
def test_what_is_written_down_reads_back(name: str) -> None:
    recipe = load(name)
    assert parse(recipe.to_toml()) == recipe


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(1e-12, 1e12), st.booleans())
def test_any_text_number_and_switch_reads_back(about: str, rate: float, switch: bool) -> None:
    recipe = Recipe(about=about, contrast=Contrast(ranking=rate, hard_negatives=switch))
    assert parse(recipe.to_toml()) == recipe


def test_every_kind_of_run_has_a_share() -> None:
    assert set(Kinds.model_fields) == set(KINDS)


def test_an_unknown_key_is_named_with_its_line_and_those_that_are_allowed() -> None:
    refused("seed = 1\n\n[contrast]\nlatnet = 1.0", "mine.toml:4: contrast.latnet: ", "info_nce, temperature")
    refused("sede = 1", "mine.toml:1: sede: no such key; allowed at the top: about, seed, batch")
    refused("[network]\nhiden = 8", "mine.toml:2: network.hiden: ", "hidden", "text_dropout")


def test_every_wrong_value_is_told() -> None:
    refused(
        "[contrast]\nsteps = 0\ntemperature = -1.0\n[optimiser]\nclip = 'x'",
        "mine.toml:2: contrast.steps",
        "mine.toml:3: contrast.temperature",
        "mine.toml:5: optimiser.clip",
    )


@pytest.mark.parametrize("key", ["info_nce", "energy", "latent", "ranking"])
@pytest.mark.parametrize("value", ["-1.0", "nan", "inf", "'much'"])
def test_a_weight_is_a_finite_number_from_0_up(key: str, value: str) -> None:
    refused(f"[contrast]\n{key} = {value}", f"mine.toml:2: contrast.{key}: ")


def test_a_network_that_cannot_be_built_is_refused() -> None:
    refused("[network]\nhidden = 10\nheads = 4", "mine.toml:1: network", "heads divide hidden")


def test_a_recipe_that_learns_nothing_is_refused() -> None:
    refused("[contrast]\ninfo_nce = 0\nenergy = 0\nlatent = 0\nranking = 0", "mine.toml: ", "weight 0")


def test_what_is_no_toml_is_refused_with_its_place() -> None:
    refused("seed 1", "mine.toml: not TOML", "line 1")
    refused("seed = " + "[" * 5000, "mine.toml: ")


def test_no_such_recipe_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="big: no such recipe; name one of compare, gpu, laptop, smoke"):
        load("big")
    with pytest.raises(RecipeError, match="not UTF-8 at byte 4"):
        (tmp_path / "a.toml").write_bytes(b"# ab\xff")
        load(str(tmp_path / "a.toml"))


def test_a_file_of_ones_own_loads(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("seed = 5\n[kinds]\nresisted = 0\n")
    recipe = load(str(tmp_path / "mine.toml"))
    assert (recipe.seed, recipe.kinds.share("resisted"), recipe.batch) == (5, 0.0, Recipe().batch)


def test_differences_name_key_and_both_values() -> None:
    assert differences(Recipe(), Recipe()) == []
    other = Recipe(seed=3, contrast=Contrast(latent=0.5))
    assert differences(Recipe(), other) == [
        "seed 0 there, 3 here",
        f"contrast.latent {Contrast().latent} there, 0.5 here",
    ]


def test_training_on_from_a_model_keeps_its_network_and_leaves_pretraining_out() -> None:
    network = NetworkConfig(dimensions=8, hidden=16)
    tuned = Recipe().finetuning(network)
    assert (tuned.network, tuned.pretrain.steps) == (network, 0)
    assert tuned.optimiser.learning_rate == Recipe().optimiser.finetune_learning_rate
    assert tuned.contrast == Recipe().contrast
