"""What training promises: it learns, says the same twice, goes on where it was killed, and stops in time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.numpy import save as safetensors

from gatling.model.bundle import Data, group_code
from gatling.model.checkpoint import (
    read_weights,
)
from gatling.model.collapse import CollapseError
from gatling.model.encoded import Encoded
from gatling.model.encoders import Network, NetworkConfig
from gatling.model.examples import Example
from gatling.model.folder import FolderError, prepare
from gatling.model.optimiser import learning_rate
from gatling.model.origins import of_folder
from gatling.model.processes import DeviceError, processes
from gatling.model.recipe import Collapse, Contrast, Kinds, Optimiser, Pretrain, Recipe, Validation, load
from gatling.model.selection import TrainingError
from gatling.model.tensors import PlanDataset, collate
from gatling.model.train import Standing, train
from tests.model import joint
from tests.model.tiny import bundle as tiny_bundle

SMALL = Recipe(
    batch=48,
    network=NetworkConfig(dimensions=16, hidden=32, heads=2, compared=8, rounds=1),
    pretrain=Pretrain(steps=3, slices=16),
    contrast=Contrast(steps=7),
    validation=Validation(every=2, patience=9),
    collapse=Collapse(least_rank=1.0, least_deviation=0.0),
)
FILES = ("metrics.jsonl", "model.safetensors", "recipe.toml", "data.json", "groups.txt")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def splits(examples: list[Example]) -> tuple[Encoded, Encoded]:
    """Two thirds of the groups to learn from, the others to measure on."""
    groups = sorted({example.group for example in examples})
    held_out = set(groups[::3])
    parts = ([e for e in examples if (e.group in held_out) is side] for side in (False, True))
    training, validation = map(Encoded.of, parts)
    return training, validation


class Killed(BaseException):
    """The process is gone."""


def until(step: int) -> Callable[[Standing], None]:
    def told(standing: Standing) -> None:
        if standing.step == step:
            raise Killed

    return told


def everything(out: Path) -> dict[str, bytes]:
    """All files but TensorBoard's, which hold times."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


# One training


def test_a_run_leaves_its_model_its_figures_and_what_it_was_made_with(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    heard: list[Standing] = []
    source = Data(name="w", role="train", licence="Apache-2.0", runs=1, groups=1, sha256="0" * 64)
    found = train(SMALL, *splits, tmp_path, data=[source], told=heard.append)
    assert [s.step for s in heard] == list(range(1, 11))
    assert [s.stage for s in heard] == ["pretrain"] * 3 + ["contrast"] * 7
    assert [s.step for s in heard if s.measured] == [2, 3, 4, 6, 8, 10]
    assert set(FILES) < {path.name for path in tmp_path.iterdir()}
    weights, config = read_weights(found.model)
    assert config == SMALL.network
    Network(config).load_state_dict(weights)
    best = max((s for s in heard if s.measured and s.stage == "contrast"), key=lambda s: _score(s))
    assert (found.step, found.best_step, found.measured) == (10, best.step, best.measured)
    assert load(str(tmp_path / "recipe.toml")) == SMALL
    groups = (tmp_path / "groups.txt").read_text().split("\n")[:-1]
    assert groups == sorted({run.group for run in splits[0].runs})
    told = json.loads((tmp_path / "data.json").read_text())
    assert told["groups"]["train"] == len(groups)
    assert told["data"][0]["name"] == "w"
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2


def _score(standing: Standing) -> float:
    assert standing.measured is not None
    return standing.measured.score


def test_every_loss_rate_and_figure_is_written_down(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    train(SMALL, *splits, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    steps = {line["step"]: line for line in lines if "loss" in line}
    assert set(steps[3]["loss"]) == {"alignment", "sigreg"}
    assert set(steps[4]["loss"]) == {"info_nce", "energy", "latent", "ranking"}
    assert steps[4]["optimiser"]["learning_rate"] == learning_rate(SMALL, 3)
    evaluated = [line for line in lines if "validation" in line]
    assert {"auc_calls", "auc_runs", "recall"} <= set(evaluated[-1]["validation"])
    assert {"effective_rank", "deviation", "expected_effective_rank"} <= set(evaluated[-1]["spread"])
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert {"loss/latent", "optimiser/learning_rate", "validation/recall", "spread/effective_rank"} <= set(
        board.Tags()["scalars"]
    )
    assert [event.step for event in board.Scalars("loss/latent")] == list(range(4, 11))


def test_the_latent_energy_learns_to_tell_violating_calls(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    recipe = SMALL.model_copy(
        update={
            "pretrain": Pretrain(steps=0),
            "contrast": Contrast(steps=60, info_nce=0.0),
            "validation": Validation(every=20),
        }
    )
    heard: list[Standing] = []
    train(recipe, splits[0], splits[0], tmp_path, told=heard.append)
    before, after = heard[19].measured, heard[59].measured
    assert before is not None
    assert after is not None
    assert after.latent < before.latent
    assert after.auc_calls > 0.9


# Again, and on


def test_two_runs_write_the_same_bytes(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    train(SMALL, *splits, tmp_path / "a")
    train(SMALL, *splits, tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_another_seed_gives_another_model(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    train(SMALL, *splits, tmp_path / "a")
    train(SMALL.model_copy(update={"seed": 1}), *splits, tmp_path / "b")
    assert (tmp_path / "a/model.safetensors").read_bytes() != (tmp_path / "b/model.safetensors").read_bytes()


@pytest.mark.parametrize("step", range(1, 11))
def test_killed_at_any_step_and_resumed_it_ends_in_the_same_bytes(
    step: int, splits: tuple[Encoded, Encoded], tmp_path: Path, unbroken: dict[str, bytes]
) -> None:
    with pytest.raises(Killed):
        train(SMALL, *splits, tmp_path, told=until(step))
    if step < 10:  # what was written after the last checkpoint, perhaps half a line
        with open(tmp_path / "metrics.jsonl", "a") as lines:
            lines.write('{"step": 9')
    train(SMALL, *splits, tmp_path)
    assert everything(tmp_path) == unbroken


@pytest.fixture(scope="module")
def unbroken(splits: tuple[Encoded, Encoded], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unbroken")
    train(SMALL, *splits, out)
    return everything(out)


def test_killed_twice_it_still_ends_in_the_same_bytes(
    splits: tuple[Encoded, Encoded], tmp_path: Path, unbroken: dict[str, bytes]
) -> None:
    for step in (5, 9):
        with pytest.raises(Killed):
            train(SMALL, *splits, tmp_path, told=until(step))
    train(SMALL, *splits, tmp_path)
    assert everything(tmp_path) == unbroken


def test_a_finished_run_has_nothing_left_to_do(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    first = train(SMALL, *splits, tmp_path)
    assert train(SMALL, *splits, tmp_path, told=until(1)) == first


def test_another_recipe_or_other_data_does_not_go_on_in_a_folder(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    train(SMALL, *splits, tmp_path)
    with pytest.raises(FolderError, match="another recipe: seed 0 there, 1 here"):
        train(SMALL.model_copy(update={"seed": 1}), *splits, tmp_path)
    with pytest.raises(FolderError, match="other data"):
        train(SMALL, splits[1], splits[0], tmp_path)


def test_a_folder_with_something_else_in_it_is_left_alone(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match="not empty, and no training run"):
        train(SMALL, *splits, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_early_stopping_counts_evaluations_of_the_second_stage(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    # a learning rate so low that nothing ever gets better
    still = SMALL.model_copy(
        update={
            "optimiser": Optimiser(learning_rate=1e-12, weight_decay=0.0),
            "contrast": Contrast(steps=50),
            "validation": Validation(every=2, patience=2),
        }
    )
    found = train(still, *splits, tmp_path)
    assert (found.step, found.best_step) == (8, 4)


def test_training_goes_on_from_a_models_weights(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    model = train(SMALL, *splits, tmp_path / "a").model
    heard: list[Standing] = []
    train(Recipe(contrast=SMALL.contrast), *splits, tmp_path / "b", start=model, told=heard.append)
    assert {standing.stage for standing in heard} == {"contrast"}
    assert read_weights(tmp_path / "b/model.safetensors")[1] == SMALL.network
    with pytest.raises(FolderError):
        train(Recipe(contrast=SMALL.contrast), *splits, tmp_path / "b")


def source(name: str) -> Data:
    return Data(name=name, role="train", licence="Apache-2.0", runs=1, groups=1, sha256="0" * 64)


def test_what_a_model_learnt_from_before_a_fine_tuning_stays_known(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    """Through a folder, a bundle, and a second fine-tuning."""
    first = tiny_bundle(groups=["told only as a code"], data=(source("first"), source("again")))
    first.save(tmp_path / "first.safetensors")
    prepare(tmp_path / "b", SMALL, [source("second"), source("again")], ["b"], tmp_path / "first.safetensors")
    (tmp_path / "b/model.safetensors").write_bytes(safetensors({}, {"gatling": "{}"}))
    prepare(tmp_path / "c", SMALL, [source("third")], ["c", "b"], tmp_path / "b/model.safetensors")
    found = of_folder(tmp_path / "c")
    assert found.groups == {group_code(name) for name in ("told only as a code", "b", "c")}
    assert [part.name for part in found.data] == ["third", "second", "again", "first"]
    assert not (tmp_path / "b/groups.txt").read_text().count("told")


def test_a_model_of_which_it_cannot_be_told_what_it_learnt_from_is_refused(tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(safetensors({}, {"gatling": "{}"}))
    with pytest.raises(FolderError, match=r"alone.*groups\.txt is missing; name a bundle, or the folder"):
        prepare(tmp_path / "out", SMALL, [], ["a"], alone)
    assert not (tmp_path / "out").exists()
    (tmp_path / "groups.txt").write_text("a\n")
    (tmp_path / "data.json").write_text('{"data": []}')
    (tmp_path / "inherited.txt").write_text("not a code\n")
    with pytest.raises(
        FolderError, match=r"inherited\.txt: holds what is no code of a group; train it again"
    ):
        prepare(tmp_path / "out", SMALL, [], ["a"], alone)


def test_collapse_stops_training_with_its_reason(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    strict = SMALL.model_copy(
        update={"collapse": Collapse(least_rank=15.99, least_deviation=0.0, patience=2)}
    )
    with pytest.raises(CollapseError, match=r"embeddings collapsed at step 3 \(failed checks in a row: 2\)"):
        train(strict, *splits, tmp_path)
    with pytest.raises(CollapseError, match="step 3"):  # the same again, from the checkpoint at step 2
        train(strict, *splits, tmp_path)


def test_training_that_diverges_is_stopped_with_a_remedy(
    splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    wild = SMALL.model_copy(update={"optimiser": Optimiser(learning_rate=1e30)})
    with pytest.raises(CollapseError, match="not finite at step 2: training has diverged; try a lower"):
        train(wild, *splits, tmp_path)


def test_data_that_teaches_nothing_is_refused(
    examples: list[Example], splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    benign = Encoded.of([example for example in examples if example.kind == "gold"])
    with pytest.raises(TrainingError, match="no violating calls among the training runs"):
        train(SMALL, benign, splits[1], tmp_path)
    with pytest.raises(TrainingError, match="no violating calls among the validation runs"):
        train(SMALL, splits[0], benign, tmp_path)


def test_a_kind_without_a_share_is_left_out(splits: tuple[Encoded, Encoded], tmp_path: Path) -> None:
    twins = ("resisted", "clean", "authorised", "delegated")
    recipe = SMALL.model_copy(update={"kinds": Kinds(**dict.fromkeys(twins, 0.0)), "batch": 1000})
    heard: list[Standing] = []
    train(recipe, *splits, tmp_path, told=heard.append)
    kinds = [run.kind for run in splits[0].runs]
    assert heard[0].runs == kinds.count("gold")
    assert heard[-1].runs == sum(kinds.count(kind) for kind in ("gold", "hijacked", "mutated"))


@pytest.mark.parametrize("features", ["text", "numbers"])
def test_a_network_that_shall_not_read_something_never_does(
    features: str, splits: tuple[Encoded, Encoded], tmp_path: Path
) -> None:
    train(SMALL.model_copy(update={"features": features}), *splits, tmp_path)
    network = Network(SMALL.network).eval()
    network.load_state_dict(read_weights(tmp_path / "model.safetensors")[0])
    data = PlanDataset(splits[1])
    batch = collate([data[run] for run in range(8)])
    text = torch.rand(batch.tool.vectors.shape)
    other = batch._replace(tool=batch.tool._replace(vectors=text))
    counted = batch._replace(numbers=torch.rand(batch.numbers.shape))
    unread, read = (other, counted) if features == "numbers" else (counted, other)
    assert torch.equal(network(batch).latent, network(unread).latent)
    assert not torch.equal(network(batch).latent, network(read).latent)


# Learning rate


def test_the_learning_rate_rises_and_falls_in_each_stage() -> None:
    recipe = Recipe(
        pretrain=Pretrain(steps=100), contrast=Contrast(steps=200), optimiser=Optimiser(warm_up=0.1)
    )
    rates = [learning_rate(recipe, step) for step in range(300)]
    for stage, top in ((rates[:100], 10), (rates[100:], 20)):
        assert stage[: top + 1] == sorted(stage[: top + 1])
        assert stage[top:] == sorted(stage[top:], reverse=True)
        assert stage[top] == recipe.optimiser.learning_rate
        assert 0 < stage[-1] < 0.01 * recipe.optimiser.learning_rate
        assert stage[0] > 0


# Devices and processes


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="there are auto, cpu and cuda"), processes("tpu"):
        pass
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="sees no GPU here"), processes("cuda"):
            pass


def test_two_processes_have_the_loss_and_the_gradient_of_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        settings = {
            "WORLD_SIZE": "2",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        command = [sys.executable, joint.__file__, str(tmp_path / "two.json")]
        started.append(subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.PIPE))
    for process in started:
        _, complaints = process.communicate(timeout=120)
        assert process.returncode == 0, complaints.decode()
    with processes("cpu") as here:
        joint.step(here, str(tmp_path / "one.json"))
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two["gradient"] == pytest.approx(one["gradient"], rel=1e-4, abs=1e-6)
