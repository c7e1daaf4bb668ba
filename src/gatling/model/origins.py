"""What a network learnt from, training groups and data sets, as a training folder or a bundle tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import safe_open

from gatling.model.bundle import BundleError, Data, group_code, load

DATA, GROUPS, INHERITED = "data.json", "groups.txt", "inherited.txt"
"""Files of a training folder: the data sets; the training groups' ids; codes of groups learnt before."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Training groups by `gatling.model.bundle.group_code`, and data sets."""

    groups: frozenset[int]
    data: tuple[Data, ...]


def of_folder(trained: Path) -> Origins:
    """What the network in a training folder learnt from, with what it had learnt from before a fine-tuning.

    Raises:
        BundleError: a file of the folder is damaged.
        OSError: a file of the folder cannot be read.
    """
    codes = {group_code(group) for group in (trained / GROUPS).read_bytes().decode().split("\n")[:-1]}
    before, told = trained / INHERITED, trained / DATA
    try:
        if before.is_file():
            codes.update(map(int, before.read_bytes().split()))
    except ValueError:
        raise BundleError(f"{before}: holds what is no code of a group; train it again") from None
    try:
        data = TypeAdapter(tuple[Data, ...]).validate_python(json.loads(told.read_bytes())["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{told}: does not say what the network learnt from ({type(error).__name__}); train it again"
        ) from None
    return Origins(frozenset(codes), data)


def of_model(path: Path) -> Origins:
    """What a bundle's network, or the `model.safetensors` of a training folder, learnt from.

    Raises:
        BundleError: the bundle, or a file of the folder, is damaged.
        OSError: a file cannot be read.
    """
    with safe_open(path, "np") as file:
        bundled = "card" in (file.metadata() or {})
    if not bundled:
        return of_folder(path.parent)
    bundle = load(path)
    return Origins(frozenset(bundle.groups.tolist()), bundle.card.data)
