"""Recipes of whole runs: what is built, learnt, mined, calibrated and measured, in one TOML file.

Sizes are samples, budgets steps and samples, never seconds, so a recipe means the same on every machine.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gatling.data.presets import OFFLINE, presets
from gatling.model import recipe as model
from gatling.model.recipe import RecipeError, read, validated

__all__ = ["RECIPES", "Recipe", "RecipeError", "load", "parse"]

RECIPES = Path(__file__).with_name("recipes")
"""The packaged recipes."""

Measured: TypeAlias = Literal["test", "heldout_family", "heldout_operator", "heldout_domain"]
"""Splits that nothing was trained or chosen on."""

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _preset(name: str) -> str:
    if name not in presets():
        raise ValueError(f"no such preset; there are {', '.join(presets())}")
    return name


def _packaged(name: str) -> str:
    if name not in model.names():
        raise ValueError(f"no such recipe; name one of {', '.join(model.names())}")
    return name


class Build(_Strict):
    """What is built."""

    preset: Annotated[str, AfterValidator(_preset)] = OFFLINE
    size: Count
    """Samples."""
    seed: Seed


class Training(model.Recipe):
    """How it is trained: a packaged recipe of `gatling train`, and the keys in which this one differs."""

    recipe: Annotated[str, AfterValidator(_packaged)] = "laptop"

    @model_validator(mode="before")
    @classmethod
    def _based(cls, given: Any) -> Any:
        """The packaged recipe's keys where none are given."""
        name = given.get("recipe", "laptop") if isinstance(given, dict) else None
        if name not in model.names():
            return given
        base: dict[str, Any] = tomllib.loads((model.RECIPES / f"{name}.toml").read_text(encoding="utf-8"))
        for key, value in given.items():
            both = isinstance(value, dict) and isinstance(base.get(key), dict)
            base[key] = {**base[key], **value} if both else value
        return base

    @property
    def whole(self) -> model.Recipe:
        """As `gatling train` takes it: every key, and no name of another recipe."""
        return model.Recipe.model_validate(self.model_dump(exclude={"recipe"}))


def _compare() -> Training:
    return Training.model_validate({"recipe": "compare"})


class Mine(_Strict):
    """What is looked for where the model is weak."""

    rounds: Count = 3
    budget: Count
    """Samples that may be added."""
    seed: Seed = 0
    train: Training = Field(default_factory=_compare)
    """How it is trained again after each round."""


class Calibrate(_Strict):
    """On what the thresholds are set: a build of its own, whose groups nothing was trained or chosen on."""

    size: Count
    seed: Seed
    """Another one than the build's."""
    budget: Annotated[float, Field(gt=0.0, le=0.5)] = 0.02
    """Share of the benign twins of attacks that may be escalated."""


class Evaluate(_Strict):
    """On what the bundle is measured."""

    splits: Annotated[tuple[Measured, ...], Field(min_length=1)] = (
        "test",
        "heldout_family",
        "heldout_operator",
        "heldout_domain",
    )


class Recipe(_Strict):
    """Everything that decides what a run makes, but for code and threads."""

    about: str = ""
    build: Build
    train: Training = Field(default_factory=Training)
    mine: Mine
    calibrate: Calibrate
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _calibrates_on_others(self) -> Recipe:
        if self.calibrate.seed == self.build.seed:
            raise ValueError(
                f"calibrate.seed and build.seed are both {self.build.seed}: thresholds would be set on runs "
                "that the model was trained on; give calibrate another seed"
            )
        return self


def load(recipe: str) -> tuple[str, Recipe]:
    """The name and content of a packaged recipe, or of one from a file, which is called as the file is.

    Raises:
        RecipeError: there is no such recipe or file, or it cannot be used.
        OSError: the file cannot be read.
    """
    path, text = read(recipe, RECIPES)
    return path.stem, parse(text, str(path))


def parse(text: str, file: str = "recipe") -> Recipe:
    """A recipe from TOML; `file` is what errors call it. Raises `RecipeError`.

    >>> parse("[build]\\nsize = 1\\nsede = 7\\n[mine]\\nbudget = 9\\n[calibrate]\\nsize = 1\\nseed = 1", "a")
    Traceback (most recent call last):
        ...
    gatling.model.recipe.RecipeError: a:1: build.seed: Field required
    a:3: build.sede: no such key; allowed in [build]: preset, size, seed
    """
    return validated(Recipe, text, file, RECIPES)
