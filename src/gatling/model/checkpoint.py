"""Checkpoints: all that a training run needs to go on as if it had never stopped, in safetensors.

Random numbers need no state: every step seeds them from the recipe's seed and its own number, see
`gatling.model.train`. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.optim import Optimizer

from gatling.data.shards import write_file
from gatling.model.bundle import BundleError, load
from gatling.model.encoders import Network, NetworkConfig

KEPT = 2
"""Checkpoints that stay in the folder, the newest ones."""

_WEIGHTS, _MOMENTS = "weights.", "moments."
_HEADER = "gatling"
"""The one key of a file's metadata: the order of several is not the same in every process."""


class CheckpointError(ValueError):
    """A file of weights or a checkpoint that cannot be used; the message names the file and a remedy."""


@dataclass(slots=True)
class Position:
    """How far training has come."""

    step: int = 0
    """Steps done, of both stages together."""
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that are done."""
    best: float | None = None
    """The best score so far."""
    best_step: int = 0
    waited: int = 0
    """Evaluations since the best one."""
    collapsed: int = 0
    """Failed checks of the collapse monitor in a row."""
    finished: bool = False
    """There is nothing left to do."""


def save(out: Path, position: Position, network: nn.Module, optimiser: Optimizer) -> Path:
    """Write a checkpoint of this position; remove all but the newest `KEPT`.

    The file is there whole or not at all, and the same state gives the same bytes.
    """
    tensors = {_WEIGHTS + name: tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{_MOMENTS}{name}.{key}"] = value
    path = out / f"checkpoint-{position.step:08d}.safetensors"
    _write(path, tensors, asdict(position))
    for old in _stored(out)[:-KEPT]:
        old.unlink()
    return path


def newest(out: Path) -> Path | None:
    """The newest checkpoint in a folder; None where there is none."""
    return next(reversed(_stored(out)), None)


def restore(path: Path, network: nn.Module, optimiser: Optimizer) -> Position:
    """Put a checkpoint's weights and moments in place; return its position.

    Raises:
        CheckpointError: the file is damaged or belongs to another network.
    """
    tensors, header = _read(path)
    remedy = "remove it, and training goes on from the checkpoint before it"
    try:
        position = Position(**header)
        weights = {n.removeprefix(_WEIGHTS): t for n, t in tensors.items() if n.startswith(_WEIGHTS)}
        network.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: of another network or version ({reason}); {remedy}") from None
    for name, parameter in network.named_parameters():
        start = f"{_MOMENTS}{name}."
        moments = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        if moments:
            # AdamW counts steps on the CPU, wherever the weights are.
            optimiser.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()
            }
    return position


def save_weights(path: Path, network: nn.Module, config: NetworkConfig) -> None:
    """Write a network's weights, with its configuration as JSON in the metadata's one key."""
    _write(path, network.state_dict(), asdict(config))


def read_weights(path: Path) -> tuple[dict[str, Tensor], NetworkConfig]:
    """Weights and configuration of a file that `save_weights` wrote, or of a bundle.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it holds no network.
    """
    tensors, header = _read(path)
    try:
        config = NetworkConfig(**header)
        Network(config).load_state_dict(tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path}: holds no network that this version knows ({reason}); name a bundle, or a "
            "model.safetensors that gatling train wrote"
        ) from None
    return tensors, config


def _stored(out: Path) -> list[Path]:
    return sorted(out.glob("checkpoint-????????.safetensors"))


def _write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, object]) -> None:
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_file(path, to_bytes(ready, {_HEADER: json.dumps(header, sort_keys=True)}))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; name a model.safetensors that gatling train wrote")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if "card" in metadata:
                return _of_bundle(path)
            header = json.loads(metadata.get(_HEADER, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except BundleError as error:
        raise CheckpointError(str(error)) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it, or fetch it again") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: not written by gatling train; name a file that was")
    return tensors, header


def _of_bundle(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    bundle = load(path)
    if bundle.card.network is None:
        raise BundleError(f"{path}: a bundle of analytic terms alone; name one with a network")
    return {name: torch.from_numpy(array) for name, array in bundle.arrays.items()}, bundle.card.network
