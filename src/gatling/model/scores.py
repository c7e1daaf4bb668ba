"""What a network in training says of encoded runs, without the audit around it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from gatling.model.checkpoint import read_weights
from gatling.model.encoded import Encoded
from gatling.model.encoders import Network
from gatling.model.tensors import PlanDataset, collate

Array: TypeAlias = NDArray[np.float64]

BATCH = 128
"""Runs that are scored at a time."""


def network(path: Path, device: str = "cpu") -> Network:
    """The network of a file of weights, ready to score.

    Raises:
        CheckpointError: the file cannot be used.
    """
    weights, config = read_weights(path)
    found = Network(config).to(device).eval()
    found.load_state_dict(weights)
    return found


@torch.no_grad()
def latent(network: Network, encoded: Encoded, device: str = "cpu") -> Array:
    """(calls,): the logit of the latent energy, 10 · sigmoid(logit)."""
    data = PlanDataset(encoded)
    starts = range(0, len(data), BATCH)
    parts = [
        network(collate([data[run] for run in range(at, min(at + BATCH, len(data)))]).to(device)).latent
        for at in starts
    ]
    found: Array = torch.cat(parts).double().cpu().numpy()
    return found


def worst(encoded: Encoded, calls: Array) -> Array:
    """(calls,) to (runs,): the highest of each run; -∞ for runs without calls."""
    offsets = encoded.calls
    found = np.full(len(encoded), -np.inf)
    filled = np.diff(offsets) > 0
    found[filled] = np.maximum.reduceat(calls, offsets[:-1][filled])
    return found
