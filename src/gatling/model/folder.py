"""The folder of a training run: what it was made with, so that nothing else goes on in it by mistake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from gatling.data.shards import write_file
from gatling.model.bundle import BundleError, Data
from gatling.model.origins import DATA, GROUPS, INHERITED, Origins, of_model
from gatling.model.recipe import Recipe, differences, load

RECIPE = "recipe.toml"


class FolderError(ValueError):
    """A folder in which this run cannot go on; each line of the message says why and what to do."""


def prepare(
    out: Path, recipe: Recipe, data: Sequence[Data], groups: Iterable[str], start: Path | None = None
) -> None:
    """Make the folder, or make sure that it holds a run of the same recipe, data and first weights.

    Writes `recipe.toml` as it is used, `data.json` (what `data` says, the number and hash of the training
    groups, and the hash of the model in `start` that training began with), and `groups.txt`, the training
    groups' ids in order, so that an evaluation can refuse them. What `start` had learnt from counts too: its
    data sets stand in `data.json`, and the codes of its groups in `inherited.txt`.

    Raises:
        FolderError: the folder holds something else, or it cannot be told what `start` had learnt from.
    """
    before = _before(start)
    listed = "".join(f"{group}\n" for group in sorted(set(groups)))
    told = {
        "data": [part.model_dump(mode="json") for part in dict.fromkeys((*data, *before.data))],
        "groups": {"train": listed.count("\n"), "sha256": hashlib.sha256(listed.encode()).hexdigest()},
        "started_from": hashlib.sha256(start.read_bytes()).hexdigest() if start is not None else None,
    }
    content = (json.dumps(told, indent=2) + "\n").encode()
    if (out / RECIPE).is_file():
        _same(out, recipe, content)
        return
    ours = (DATA, GROUPS, INHERITED)
    if out.is_dir() and any(p.name not in ours and not p.name.startswith(".") for p in out.iterdir()):
        raise FolderError(f"{out}: not empty, and no training run; name a new folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / GROUPS, listed.encode())
    if before.groups:
        write_file(out / INHERITED, "".join(f"{code}\n" for code in sorted(before.groups)).encode())
    write_file(out / DATA, content)
    write_file(out / RECIPE, recipe.to_toml().encode())


def _before(start: Path | None) -> Origins:
    if start is None:
        return Origins(frozenset(), ())
    try:
        return of_model(start)
    except BundleError as error:
        raise FolderError(str(error)) from None
    except FileNotFoundError as error:
        raise FolderError(
            f"{start}: cannot tell what it learnt from, {error.filename} is missing; name a bundle, or the "
            "folder that gatling train wrote"
        ) from None


def _same(out: Path, recipe: Recipe, data: bytes) -> None:
    remedy = "give what it was begun with, or name a new folder with --out"
    if changed := differences(load(str(out / RECIPE)), recipe):
        told = (f"{out}: holds a run of another recipe: {line}; {remedy}" for line in changed)
        raise FolderError("\n".join(told))
    if not (out / DATA).is_file() or (out / DATA).read_bytes() != data:
        raise FolderError(f"{out}: holds a run on other data ({out / DATA}); {remedy}")
