"""Training on several processes: what torchrun started, and how a step's calls and gradients are shared.

Every process runs the network on its part of a step's groups, then all of them compute the same loss over all
calls, so that in-batch negatives do not get fewer with more processes. Each differentiates it by its own
calls alone; the sum of those gradients over the processes is the gradient of the whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gatling.model.objective import Calls


class DeviceError(ValueError):
    """A device that this machine does not have."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """This process writes the files."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.count > 1:
            dist.barrier()

    def same(self, value: float) -> float:
        """The first process's value."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)

    def join(self, calls: Calls) -> Calls:
        """The calls of all processes; gradients flow through this one's alone."""
        if self.count == 1:
            return calls
        own = torch.tensor([len(calls.run), _span(calls.run), _span(calls.intent)], device=self.device)
        counts = [torch.empty_like(own) for _ in range(self.count)]
        dist.all_gather(counts, own)
        sizes, runs, intents = torch.stack(counts).T.tolist()
        placed = calls._replace(
            run=calls.run + sum(runs[: self.rank]), intent=calls.intent + sum(intents[: self.rank])
        )
        return Calls(*(self._gather(column, sizes) for column in placed))

    def _gather(self, own: Tensor, sizes: list[int]) -> Tensor:
        padded = own.new_zeros((max(sizes), *own.shape[1:]))
        padded[: len(own)] = own.detach()
        found = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(found, padded)
        parts = [part[:size] for part, size in zip(found, sizes, strict=True)]
        parts[self.rank] = own
        return torch.cat(parts)

    def add_gradients(self, network: nn.Module) -> None:
        """Replace each gradient by its sum over the processes; every parameter must have one."""
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, summed in zip(
            gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(summed.view_as(gradient))


def _span(indices: Tensor) -> int:
    return int(indices.max()) + 1 if len(indices) else 0


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone; `device` is auto, cpu or cuda.

    Raises:
        DeviceError: there is no such device here.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device {device}: no such device; there are auto, cpu and cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device cuda: torch {torch.__version__} sees no GPU here; train with cpu or auto")
    if (count := int(os.environ.get("WORLD_SIZE", "1"))) == 1:
        yield Processes(torch.device(device))
        return
    place = torch.device(device, int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(place, int(os.environ["RANK"]), count)
    finally:
        dist.destroy_process_group()
