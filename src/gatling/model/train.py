"""Training: pre-train on benign runs, then contrast them with violating ones, and keep the best model.

A run that is killed at any step and started again gives the same losses, files and weights as one that never
stopped: every step seeds its random numbers from the recipe's seed and its own number, the order of the runs
follows from seed and epoch, and a checkpoint holds the rest. The same bytes come out on one machine with the
same number of threads; CUDA's sums may differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gatling.model import objective
from gatling.model.bundle import Data
from gatling.model.checkpoint import Position, newest, read_weights, restore, save, save_weights
from gatling.model.collapse import CollapseMonitor, deviation, effective_rank
from gatling.model.encoded import Encoded
from gatling.model.encoders import Network
from gatling.model.examples import KINDS
from gatling.model.folder import prepare
from gatling.model.journal import Journal, entries
from gatling.model.objective import BENIGN, Calls, importance_of
from gatling.model.optimiser import adamw, blind, learning_rate
from gatling.model.processes import Processes, processes
from gatling.model.recipe import Recipe
from gatling.model.selection import Chosen, judged_kinds, require
from gatling.model.tensors import Batch, GroupBatchSampler, PlanDataset, collate
from gatling.model.validation import Measured, joined, measure

STAGES = ("pretrain", "contrast")
MODEL = "model.safetensors"
CHECKED = 2048
"""Calls whose embeddings are checked for collapse."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How training stands after a step."""

    step: int
    steps: int
    """Steps in all; early stopping may leave some out."""
    stage: str
    """`pretrain` or `contrast`."""
    loss: float
    runs: int
    """Runs that this process took in, in this step."""
    measured: Measured | None
    """The evaluation after this step, where there was one."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it."""

    model: Path
    step: int
    """Steps done."""
    best_step: int
    """The step whose weights `model` holds."""
    measured: Measured
    """On validation, with those weights."""


def train(
    recipe: Recipe,
    training: Encoded,
    validation: Encoded,
    out: Path,
    *,
    data: Sequence[Data] = (),
    start: Path | None = None,
    device: str = "cpu",
    told: Callable[[Standing], None] = lambda standing: None,
) -> Trained:
    """Train a network, or go on with one where `out` holds a training of the same recipe and data.

    `start` names weights to begin with in the place of random ones, and leaves pre-training out; `data` goes
    into `data.json`. `told` hears of every step. Under torchrun each process calls this with the same
    arguments, and the first one writes.

    Raises:
        TrainingError: the data cannot be trained on.
        FolderError: `out` holds something else.
        CheckpointError: a checkpoint or `start` cannot be used.
        CollapseError: the embeddings have collapsed, or training has diverged.
        DeviceError: there is no such device here.
    """
    weights: Mapping[str, Tensor] | None = None
    if start is not None:
        weights, config = read_weights(start)
        recipe = recipe.finetuning(config)
    with processes(device) as here:
        trainer = _Trainer(recipe, PlanDataset(training), PlanDataset(validation), out, here)
        if here.first:
            prepare(out, recipe, data, (run.group for run in training.runs), start)
        here.wait()
        trainer.begin(weights)
        trainer.run(told)
        here.wait()
        found = {entry["step"]: entry["validation"] for entry in entries(out) if "validation" in entry}
        best = trainer.position.best_step
        return Trained(out / MODEL, trainer.position.step, best, Measured(**found[best]))


class _Trainer:
    """One training run: the network, how far it is, and what it learns from."""

    def __init__(
        self, recipe: Recipe, training: PlanDataset, validation: PlanDataset, out: Path, here: Processes
    ) -> None:
        self.recipe, self.out, self.here = recipe, out, here
        self.validation = validation
        judged = judged_kinds(training)
        require("training", judged, recipe)
        require("validation", judged_kinds(validation), recipe)
        self.importance = importance_of(judged, recipe.kinds).to(here.device)
        counted = np.array([recipe.kinds.share(kind) > 0 for kind in KINDS])
        self.runs = Chosen(training, counted)
        self.benign = Chosen(training, counted & np.array(BENIGN))
        self.ends = (recipe.pretrain.steps, recipe.pretrain.steps + recipe.contrast.steps)
        """Steps done when each stage ends."""
        torch.manual_seed(recipe.seed)
        self.network = Network(recipe.network).to(here.device)
        blind(self.network, recipe.features)
        self.optimiser = adamw(self.network, recipe.optimiser)
        self.monitor = CollapseMonitor(**recipe.collapse.model_dump())
        self.position = Position()

    def begin(self, weights: Mapping[str, Tensor] | None) -> None:
        """Take the newest checkpoint, else `weights`."""
        if (path := newest(self.out)) is not None:
            self.position = restore(path, self.network, self.optimiser)
            self.monitor.failed = self.position.collapsed
        elif weights is not None:
            self.network.load_state_dict(dict(weights))
            blind(self.network, self.recipe.features)

    def run(self, told: Callable[[Standing], None]) -> None:
        """Take all steps that are left."""
        if self.position.finished:
            return
        with Journal(self.out, self.position.step) if self.here.first else nullcontext() as journal:
            for stage, batch in self._batches():
                entry = self._step(stage, batch)
                if journal is not None:
                    journal.write(self.position.step, entry)
                measured = None
                if self.position.step % self.recipe.validation.every == 0 or self.position.step in self.ends:
                    measured = self._evaluate(stage, journal)
                loss = sum(entry["loss"].values())
                told(Standing(self.position.step, self.ends[-1], stage, loss, len(batch.kind), measured))
                if self.position.finished:
                    return

    def _batches(self) -> Iterator[tuple[str, Batch]]:
        """The stage and batch of every step that is left; whoever takes one counts the step."""
        position, recipe, begin = self.position, self.recipe, 0
        for stage, runs, end in zip(STAGES, (self.benign, self.runs), self.ends, strict=True):
            size = max(1, recipe.batch // self.here.count)
            sampler = GroupBatchSampler(
                runs, size, seed=recipe.seed, rank=self.here.rank, ranks=self.here.count
            )
            if position.step > begin:
                sampler.load_state_dict({"epoch": position.epoch, "position": position.batch})
            # Batches are made faster than processes could hand them over, on a GPU too.
            loader = DataLoader(runs, batch_sampler=sampler, collate_fn=collate)
            while position.step < end:
                for batch in sampler.follow(loader):
                    position.epoch, position.batch = sampler.epoch, sampler.position
                    yield stage, batch
                    if position.step >= end:
                        break
            begin = end

    def _step(self, stage: str, batch: Batch) -> dict[str, dict[str, float]]:
        """Learn from a batch; what there is to write down of it."""
        recipe, step = self.recipe, self.position.step
        torch.manual_seed(_seed(recipe.seed, step, 1 + self.here.rank))
        self.network.train()
        calls = self.here.join(self._calls(batch))
        if stage == "pretrain":
            directions = torch.Generator().manual_seed(_seed(recipe.seed, step, 0))
            losses = objective.pretraining(calls, recipe.pretrain, directions)
        else:
            losses = objective.contrast(calls, recipe.contrast, self.importance)
        # Gradients are zeros rather than absent, so that all processes have the same ones to add up.
        self.optimiser.zero_grad(set_to_none=False)
        torch.autograd.backward(torch.stack([*losses.values()]).sum())
        self.here.add_gradients(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.optimiser.clip)
        rate = learning_rate(recipe, step)
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = rate
        self.optimiser.step()
        self.position.step += 1
        values = torch.stack([*losses.values(), norm]).tolist()
        return {
            "loss": dict(zip(losses, values, strict=False)),
            "optimiser": {"learning_rate": rate, "gradient_norm": values[-1]},
        }

    def _calls(self, batch: Batch) -> Calls:
        batch = batch.to(self.here.device)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.here.device.type == "cuda"):
            output = self.network(batch)
        return Calls(
            expected=output.expected.float(),
            actual=output.actual.float(),
            energies=output.energies.float(),
            latent=output.latent.float(),
            targets=batch.energies,
            violating=batch.violating,
            kind=batch.kind[batch.run],
            run=batch.run,
            intent=batch.intent,
            group=batch.group[batch.run],
        )

    @torch.no_grad()
    def _validated(self) -> Calls:
        self.network.eval()
        whole = range(len(self.validation))
        parts = (whole[at : at + self.recipe.batch] for at in range(0, len(whole), self.recipe.batch))
        return joined(self._calls(collate([self.validation[run] for run in part])) for part in parts)

    def _evaluate(self, stage: str, journal: Journal | None) -> Measured | None:
        """Measure, keep the best model, and write a checkpoint; the first process does, and all follow it."""
        position, patience = self.position, self.recipe.validation.patience
        measured = None
        if journal is not None:
            calls = self._validated()
            spread = self._spread(calls)  # first, because what has diverged cannot be measured
            measured = measure(calls, self.importance)
            journal.write(position.step, {"validation": asdict(measured), "spread": spread})
        score = self.here.same(measured.score if measured is not None else 0.0)
        if stage == "contrast":
            position.waited += 1
            if position.best is None or score > position.best:
                position.best, position.best_step, position.waited = score, position.step, 0
                if journal is not None:
                    save_weights(self.out / MODEL, self.network, self.recipe.network)
        position.finished = position.step >= self.ends[-1] or position.waited >= patience
        position.collapsed = self.monitor.failed
        if journal is not None:
            journal.settle()
            save(self.out, position, self.network, self.optimiser)
        return measured

    def _spread(self, calls: Calls) -> dict[str, float]:
        """How well embeddings fill their dimensions; raises `CollapseError` when they have stopped to."""
        expected, actual = calls.expected[:CHECKED], calls.actual[:CHECKED]
        plans, dimensions = self.monitor.check(actual, self.position.step), deviation(actual)
        return {
            "effective_rank": plans.effective_rank,
            "deviation": plans.deviation,
            "least_deviation": float(dimensions.min()),
            "expected_effective_rank": effective_rank(expected),
            "expected_deviation": float(deviation(expected).mean()),
        }


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
