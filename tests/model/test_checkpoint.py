"""What checkpoints promise: everything comes back, the last two stay, and a damaged one is told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from gatling.model.bundle import Bundle, default
from gatling.model.checkpoint import (
    CheckpointError,
    Position,
    newest,
    read_weights,
    restore,
    save,
    save_weights,
)
from gatling.model.encoders import Network, NetworkConfig
from gatling.model.optimiser import adamw, blind
from gatling.model.recipe import Optimiser

SMALL = NetworkConfig(dimensions=16, hidden=32, heads=2, compared=8, rounds=1)


def trained_once() -> tuple[Network, torch.optim.AdamW]:
    torch.manual_seed(0)
    network = Network(SMALL)
    optimiser = adamw(network, Optimiser())
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()
    return network, optimiser


def test_a_checkpoint_brings_weights_moments_and_position_back(tmp_path: Path) -> None:
    network, optimiser = trained_once()
    position = Position(step=7, epoch=1, batch=3, best=0.1 + 0.2, best_step=6, waited=1, collapsed=2)
    save(tmp_path, position, network, optimiser)
    other = Network(SMALL)
    fresh = adamw(other, Optimiser())
    path = newest(tmp_path)
    assert path is not None
    assert restore(path, other, fresh) == position
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
        assert all(
            torch.equal(optimiser.state[one][key], fresh.state[two][key]) for key in optimiser.state[one]
        )


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    network, optimiser = trained_once()
    for step in (5, 9, 10, 100):
        save(tmp_path, Position(step=step), network, optimiser)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-00000010.safetensors",
        "checkpoint-00000100.safetensors",
    ]


def test_a_damaged_or_strange_checkpoint_is_refused_with_a_remedy(tmp_path: Path) -> None:
    network, optimiser = trained_once()
    path = save(tmp_path, Position(step=5), network, optimiser)
    wider = Network(NetworkConfig(dimensions=8, hidden=64))
    with pytest.raises(CheckpointError, match="of another network or version"):
        restore(path, wider, adamw(wider, Optimiser()))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"damaged .*; remove it"):
        restore(path, network, optimiser)
    save_weights(tmp_path / "w.safetensors", network, SMALL)
    assert read_weights(tmp_path / "w.safetensors")[1] == SMALL
    with pytest.raises(CheckpointError, match="no such file; name a model"):
        read_weights(tmp_path / "missing.safetensors")
    with pytest.raises(CheckpointError, match="holds no network that this version knows"):
        read_weights(save(tmp_path, Position(step=6), network, optimiser))


def test_a_bundle_with_a_network_can_be_trained_on_and_one_without_is_refused(tmp_path: Path) -> None:
    network, _ = trained_once()
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    card = default().card.model_copy(update={"network": asdict(SMALL)})
    Bundle(card, arrays).save(tmp_path / "with.safetensors")
    Bundle(card.model_copy(update={"network": None}), {}).save(tmp_path / "without.safetensors")
    weights, config = read_weights(tmp_path / "with.safetensors")
    assert config == SMALL
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    with pytest.raises(CheckpointError, match="analytic terms alone"):
        read_weights(tmp_path / "without.safetensors")


def test_weights_held_at_0_stay_there() -> None:
    network = Network(SMALL)
    blind(network, "numbers")
    held = [p for p in network.parameters() if not p.requires_grad]
    assert held
    assert all(not p.any() for p in held)
    assert not {id(p) for p in held} & {
        id(p) for g in adamw(network, Optimiser()).param_groups for p in g["params"]
    }
