"""A step on one or two processes: what the tests of training compare. Run as a script by each of the two."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from gatling.model.examples import KINDS
from gatling.model.objective import Calls, contrast
from gatling.model.processes import Processes, processes
from gatling.model.recipe import Contrast


def calls(kinds: list[str], groups: list[int], violating: list[float], seed: int = 0) -> Calls:
    """One call a run, with random embeddings of 8 dimensions."""
    random, n = torch.Generator().manual_seed(seed), len(kinds)

    def unit() -> Tensor:
        return torch.nn.functional.normalize(torch.randn(n, 8, generator=random), dim=1)

    return Calls(
        expected=unit(),
        actual=unit(),
        energies=torch.rand(n, 4, generator=random) * 10,
        latent=torch.randn(n, generator=random),
        targets=torch.full((n, 4), torch.nan),
        violating=torch.tensor(violating),
        kind=torch.tensor([KINDS.index(kind) for kind in kinds]),
        run=torch.arange(n),
        intent=torch.arange(n),
        group=torch.tensor(groups),
    )


def step(here: Processes, path: str) -> None:
    """The loss of all calls and its gradient, each process embedding its own groups; the first tells."""
    whole = calls(
        ["clean", "authorised", "hijacked", "gold", "mutated", "gold", "resisted"],
        [0, 0, 0, 1, 1, 2, 3],
        [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
    )
    whole = whole._replace(targets=whole.energies.flip(0))
    mine = whole.group >= 0 if here.count == 1 else (whole.group == 0) == here.first
    own = Calls(*(column[mine] for column in whole))
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 8)
    expected, actual = layer(own.expected), layer(own.actual)
    own = own._replace(
        expected=expected,
        actual=actual,
        latent=10 * (1 - (expected * actual).sum(1)),
        run=own.run - own.run.min(),
        intent=own.intent - own.intent.min(),
    )
    losses = contrast(here.join(own), Contrast(), torch.ones(len(KINDS)))
    loss = torch.stack([*losses.values()]).sum()
    torch.autograd.backward(loss)
    here.add_gradients(layer)
    assert layer.weight.grad is not None
    if here.first:
        told = {"loss": loss.item(), "gradient": layer.weight.grad.flatten().tolist()}
        Path(path).write_text(json.dumps(told))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with processes("cpu") as here:
        step(here, sys.argv[1])
