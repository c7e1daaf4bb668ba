"""Recipes: everything that decides what a training run learns, but for the data, in one TOML file.

Budgets are steps, never seconds, so a recipe means the same on every machine. The packaged ones stand in
`recipes/`; what a recipe leaves out has the defaults below.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatling.model.encoders import NetworkConfig

RECIPES = Path(__file__).with_name("recipes")
"""The packaged recipes."""

Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
"""Of a loss; 0 switches it off."""
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class RecipeError(ValueError):
    """A recipe that cannot be used; each line of the message names file, line, key and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimiser(_Strict):
    """AdamW (https://arxiv.org/abs/1711.05101) with a linear warm-up and a cosine to 0 in each stage."""

    learning_rate: Positive = 1e-3
    """The highest."""
    finetune_learning_rate: Positive = 2e-4
    """The highest where training starts from a model's weights."""
    weight_decay: Weight = 0.02
    """Of matrices; biases, norms and scalars have none."""
    warm_up: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    """Share of a stage's steps in which the learning rate rises."""
    clip: Positive = 1.0
    """Largest norm of all gradients together."""


class Pretrain(_Strict):
    """First stage, on benign runs alone: the plan lies where the intent expects it, and embeddings spread."""

    steps: Annotated[int, Field(ge=0)] = 200
    """0 leaves the stage out; so does training on from a model's weights."""
    alignment: Weight = 0.98
    """Of 1 − cos(expected, actual)."""
    sigreg: Weight = 0.02
    """λ of LeJEPA, for both towers; alignment is 1 − λ."""
    slices: Count = 256
    """Random directions along which SIGReg looks."""
    vicreg: Weight = 0.0
    """In SIGReg's place, for comparison."""


class Contrast(_Strict):
    """Second stage, on all runs: plans that belong to an intent apart from those that do not."""

    steps: Count = 1000
    info_nce: Weight = 0.1
    """Much more, and a few thousand runs' intents are learnt by heart: others' plans then lie far from what
    is expected, however benign."""
    temperature: Positive = 0.2
    hard_negatives: bool = True
    """Violating calls are negatives of every intent in the batch, their own run's first of all."""
    energy: Weight = 0.5
    """Of the regression of the four terms' energies."""
    latent: Weight = 1.0
    """Of the cross-entropy between a call's latent energy and whether it violates."""
    ranking: Weight = 0.2
    """Of violating runs above the benign runs of their group."""


class Kinds(_Strict):
    """What each kind of run counts for in the latent energy's loss, however many runs it has.

    At 0 a kind is left out of training altogether. The benign kinds but `gold` and `unexposed` are twins of
    attacks.
    """

    hijacked: Weight = 0.30
    mutated: Weight = 0.25
    resisted: Weight = 0.15
    clean: Weight = 0.10
    authorised: Weight = 0.07
    delegated: Weight = 0.05
    gold: Weight = 0.05
    unexposed: Weight = 0.03

    def share(self, kind: str) -> float:
        """A kind's share; 0 for one that is not listed."""
        return float(getattr(self, kind, 0.0))


class Validation(_Strict):
    """When training is measured on runs that it does not learn from, and when it stops."""

    every: Count = 100
    """Steps between evaluations; each writes a checkpoint."""
    patience: Count = 5
    """Evaluations of the second stage without a better one that end training."""


class Collapse(_Strict):
    """When embeddings count as collapsed; see `gatling.model.collapse.CollapseMonitor`."""

    least_rank: Weight = 8.0
    least_deviation: Weight = 0.3
    patience: Count = 3


class Recipe(_Strict):
    """Everything that decides what a training run learns, but for the data."""

    about: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of the first weights, the order of the runs, dropout and SIGReg's directions."""
    batch: Count = 128
    """Runs a step at most, on all processes together; a group's runs arrive together."""
    features: Literal["all", "text", "numbers"] = "all"
    """What the network reads of a call: `text`, without any number, and `numbers` are for comparison."""
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    optimiser: Optimiser = Optimiser()
    pretrain: Pretrain = Pretrain()
    contrast: Contrast = Contrast()
    kinds: Kinds = Kinds()
    validation: Validation = Validation()
    collapse: Collapse = Collapse()

    @model_validator(mode="after")
    def _learns_something(self) -> Recipe:
        contrast = self.contrast
        if not any((contrast.info_nce, contrast.energy, contrast.latent, contrast.ranking)):
            raise ValueError("every loss of [contrast] has weight 0; give at least one more")
        return self

    def finetuning(self, network: NetworkConfig) -> Recipe:
        """The recipe for training on from a network's weights: no first stage, and a lower learning rate."""
        rate = self.optimiser.finetune_learning_rate
        return self.model_copy(
            update={
                "network": network,
                "pretrain": self.pretrain.model_copy(update={"steps": 0}),
                "optimiser": self.optimiser.model_copy(update={"learning_rate": rate}),
            }
        )

    def to_toml(self) -> str:
        """The recipe with every key, as TOML that `parse` reads back."""
        tables = self.model_dump(mode="json")
        lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if not isinstance(value, dict)]
        for name, table in tables.items():
            if isinstance(table, dict):
                lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"


def names(folder: Path = RECIPES) -> list[str]:
    """The recipes packaged in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(recipe: str) -> Recipe:
    """A packaged recipe by its name, or one from a file.

    Raises:
        RecipeError: there is no such recipe or file, or it cannot be used.
        OSError: the file cannot be read.
    """
    path, text = read(recipe, RECIPES)
    return parse(text, str(path))


def read(recipe: str, folder: Path) -> tuple[Path, str]:
    """The file and text of a recipe packaged in a folder, or of one from a file. Raises as `load` does."""
    packaged = names(folder)
    path = folder / f"{recipe}.toml" if recipe in packaged else Path(recipe)
    if not path.is_file():
        raise RecipeError(f"{recipe}: no such recipe; name one of {', '.join(packaged)}, or a TOML file")
    try:
        return path, path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 at byte {error.start}; save the recipe as UTF-8") from None


def parse(text: str, file: str = "recipe") -> Recipe:
    """A recipe from TOML; `file` is what errors call it.

    >>> parse("[contrast]\\nsteps = 5\\nlatnet = 1.0", "a.toml")
    Traceback (most recent call last):
        ...
    gatling.model.recipe.RecipeError: a.toml:3: contrast.latnet: no such key; allowed in [contrast]: steps, \
info_nce, temperature, hard_negatives, energy, latent, ranking
    """
    return validated(Recipe, text, file, RECIPES)


_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], text: str, file: str, examples: Path) -> _Model:
    """What a recipe's TOML says, as its model has it; `examples` is the folder of those that ship.

    Raises:
        RecipeError: it cannot be used; each line of the message names file, line, key and remedy.
    """
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{file}: not TOML: {error}; the recipes in {examples} show how") from None
    except RecursionError:
        raise RecipeError(f"{file}: nested too deeply; the recipes in {examples} show how") from None
    except ValidationError as error:
        found = (_located(model, file, text, e["loc"], e["type"], e["msg"]) for e in error.errors())
        raise RecipeError("\n".join(found)) from None


def differences(one: Recipe, other: Recipe) -> list[str]:
    """The keys in which two recipes differ, with both values, one a line."""
    a, b = _flat(one.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
    return [f"{key} {a[key]} there, {b[key]} here" for key in a if a[key] != b[key]]


def _flat(tables: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        flat |= {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _toml(value: str | float | bool) -> str:
    # JSON's strings, finite numbers and truth values are TOML's, but for DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _located(
    model: type[BaseModel], file: str, text: str, loc: tuple[int | str, ...], kind: str, message: str
) -> str:
    if not loc:
        return f"{file}: {message.removeprefix('Value error, ')}"
    path = [*map(str, loc)]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        where = f"in [{'.'.join(path[:-1])}]" if path[1:] else "at the top"
        message = f"no such key; allowed {where}: {', '.join(_keys(model, path[:-1]))}"
    message = message.removeprefix("Value error, ")
    return f"{file}:{_line(text, path)}: {'.'.join(path)}: {message}"


def _keys(model: Any, tables: list[str]) -> list[str]:
    for table in tables:
        model = model.model_fields[table].annotation
    return [field.name for field in fields(model)] if is_dataclass(model) else list(model.model_fields)


def _line(text: str, path: list[str]) -> int:
    """The line of a key, or of the innermost table around it; 1 where it is written in some other way."""
    table: list[str] = []
    best, found = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            here = table = _parts(header[1])
        elif key := re.match(r"\s*([^=#]+?)\s*=", line):
            here = [*table, *_parts(key[1])]
        else:
            continue
        shared = min(len(here), len(path))
        if shared > best and here[:shared] == path[:shared]:
            best, found = shared, number
    return found


def _parts(key: str) -> list[str]:
    return [part.strip().strip("'\"") for part in key.split(".")]
