"""Which runs a training learns from, and whether they are enough."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gatling.model.examples import KINDS
from gatling.model.objective import BENIGN
from gatling.model.recipe import Recipe
from gatling.model.tensors import Int64, Item, PlanDataset


class TrainingError(ValueError):
    """Data that cannot be trained on; the message says why and what to do."""


class Chosen(PlanDataset):
    """The runs of some kinds, those with calls."""

    def __init__(self, data: PlanDataset, kinds: NDArray[np.bool_]) -> None:
        self.whole, self.encoded = data, data.encoded
        self.places = np.flatnonzero(kinds[data.kind] & (np.diff(data.encoded.calls) > 0))
        self.group, self.kind = data.group[self.places], data.kind[self.places]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, run: int) -> Item:
        return self.whole[int(self.places[run])]


def judged_kinds(data: PlanDataset) -> Int64:
    """The kind of each judged call's run; see `gatling.model.objective.judged`."""
    encoded = data.encoded
    kind: Int64 = np.repeat(data.kind, np.diff(encoded.calls))
    judged: NDArray[np.bool_] = (encoded.violating == 1) | (np.array(BENIGN)[kind] & (encoded.violating == 0))
    return kind[judged]


def require(role: str, judged: Int64, recipe: Recipe) -> None:
    """Both sides of the contrast, and calls enough to see a collapse."""
    counted = np.array([recipe.kinds.share(kind) > 0 for kind in KINDS])
    benign = np.array(BENIGN)[judged]
    missing = [
        what
        for what, calls in (("violating", judged[~benign]), ("benign", judged[benign]))
        if not counted[calls].any()
    ]
    if missing:
        raise TrainingError(f"no {missing[0]} calls among the {role} runs; add runs of both sides")
    if len(judged) < recipe.collapse.least_rank:
        raise TrainingError(
            f"{len(judged)} labelled calls for {role}; give {math.ceil(recipe.collapse.least_rank)} or more"
        )
