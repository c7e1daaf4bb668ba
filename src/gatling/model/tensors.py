"""Batches: encoded runs as ragged tensors, in an order that a seed decides and a stopped training resumes.

A batch is flat over its calls. What belongs to a call (arguments, explanations, edges) is flat too, with its
owner's index beside it, so nothing is padded and no run sees another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from gatling.model.encoded import Encoded
from gatling.model.examples import KINDS

Int64: TypeAlias = NDArray[np.int64]


class Texts(NamedTuple):
    """Texts, each distinct vector once: text i has the vector `vectors[row[i]]`."""

    vectors: Tensor
    """(distinct texts, dimensions), float32, unit."""
    row: Tensor
    """(texts,), int64."""


class Items(NamedTuple):
    """Texts with numbers."""

    texts: Texts
    numbers: Tensor
    """(items, numbers), float32."""


class Batch(NamedTuple):
    """Runs as tensors, flat over all their calls, run after run."""

    trusted: Items
    """The distinct trusted texts; numbers by `view.ROLES`."""
    member: Tensor
    """(members,), int64: a trusted text that belongs to the distinct intent `member_of`."""
    member_of: Tensor
    """(members,), int64, ascending."""
    intent: Tensor
    """(calls,), int64: which distinct intent a call has: calls of one have the same trusted texts."""
    tool: Texts
    """The calls' tool names."""
    values: Texts
    """The calls' arguments, their values together."""
    numbers: Tensor
    """(calls, len(view.CALL_NUMBERS)), float32."""
    arguments: Items
    argument_of: Tensor
    """(arguments,), int64, ascending: the call that each belongs to."""
    explanations: Items
    explanation_of: Tensor
    """(explanations,), int64, ascending: the call that each belongs to."""
    source: Tensor
    """(edges,), int64: the earlier call whose output feeds call `target`."""
    target: Tensor
    """(edges,), int64, ascending."""
    previous: Tensor
    """(calls,), int64: the call before it in its run, -1 for a run's first."""
    run: Tensor
    """(calls,), int64, ascending: index of its run in the batch."""
    place: Tensor
    """(runs,), int64: index of the run in what was encoded."""
    group: Tensor
    """(runs,), int64: a number for the run's group, in no order."""
    kind: Tensor
    """(runs,), int64: index into `examples.KINDS`."""
    energies: Tensor
    """(calls, 4), float32: by construction, 0–10, NaN where unknown."""
    violating: Tensor
    """(calls,), float32: 1 violates, 0 does not, NaN unknown."""

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        moved: Batch = _moved(self, device)
        return moved


def _moved(part: Any, device: torch.device | str) -> Any:
    if isinstance(part, Tensor):
        return part.to(device, non_blocking=True)
    return type(part)(*(_moved(inner, device) for inner in part))


class Item(NamedTuple):
    """One run of a dataset; `collate` takes many at once out of the dataset's arrays."""

    data: PlanDataset
    run: int


class PlanDataset(Dataset[Item]):
    """Encoded runs for PyTorch's DataLoader, map-style; an item is one run.

    loader = DataLoader(data, batch_sampler=GroupBatchSampler(data, 128, seed=0), collate_fn=collate)
    """

    def __init__(self, encoded: Encoded) -> None:
        self.encoded = encoded
        names = np.array([run.group for run in encoded.runs], dtype=object)
        self.group: Int64 = np.unique(names, return_inverse=True)[1].astype(np.int64)
        """(runs,): a number for each run's group."""
        self.kind: Int64 = np.array([KINDS.index(run.kind) for run in encoded.runs], np.int64)
        """(runs,): index into `KINDS`."""

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, run: int) -> Item:
        return Item(self, run)


def collate(items: Sequence[Item]) -> Batch:
    """Runs of one dataset as a batch, in the order given.

    Raises:
        ValueError: there are no items, or they are of several datasets.
    """
    if not items or any(item.data is not items[0].data for item in items):
        raise ValueError("a batch is made of one dataset's runs, one at least: encode all of them together")
    data = items[0].data
    e = data.encoded
    place = np.array([item.run for item in items], np.int64)
    call, run = _parts(e.calls, place)
    first = np.concatenate([[0], np.cumsum(np.diff(e.calls)[place])[:-1]])
    previous = np.arange(len(call)) - 1
    previous[first[np.diff(e.calls)[place] > 0]] = -1
    distinct, intent = np.unique(e.intent[call], return_inverse=True)
    pairs, member_of = _parts(e.intents, distinct)
    trusted, member = np.unique(e.trusted[pairs], return_inverse=True)
    argument, argument_of = _parts(e.arguments, call)
    explanation, explanation_of = _parts(e.explanations, call)
    edge, target = _parts(e.sources, call)
    return Batch(
        trusted=Items(_texts(e, e.trusted_text[trusted]), _floats(e.trusted_numbers[trusted])),
        member=_ints(member),
        member_of=_ints(member_of),
        intent=_ints(intent),
        tool=_texts(e, e.tool[call]),
        values=_texts(e, e.values[call]),
        numbers=_floats(e.numbers[call]),
        arguments=Items(_texts(e, e.argument_text[argument]), _floats(e.argument_numbers[argument])),
        argument_of=_ints(argument_of),
        explanations=Items(
            _texts(e, e.explanation_text[explanation]), _floats(e.explanation_numbers[explanation])
        ),
        explanation_of=_ints(explanation_of),
        source=_ints(first[run[target]] + e.source[edge]),
        target=_ints(target),
        previous=_ints(previous),
        run=_ints(run),
        place=_ints(place),
        group=_ints(data.group[place]),
        kind=_ints(data.kind[place]),
        energies=_floats(e.energies[call]),
        violating=_floats(e.violating[call]),
    )


def _parts(offsets: NDArray[Any], owners: NDArray[Any]) -> tuple[Int64, Int64]:
    """Rows that belong to each owner, one after another, and the place of their owner in `owners`."""
    starts, counts = offsets[owners], offsets[owners + 1] - offsets[owners]
    owner = np.repeat(np.arange(len(owners)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(owner)) + (starts - before)[owner], owner


def _texts(encoded: Encoded, texts: NDArray[Any]) -> Texts:
    distinct, row = np.unique(texts, return_inverse=True)
    return Texts(_floats(encoded.vectors[distinct]), _ints(row))


def _floats(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _ints(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))


class Order(TypedDict):
    """How far training has come in its data."""

    epoch: int
    position: int
    """Batches of this epoch that were trained on."""


class Resumable:
    """A source of batches that begins where `epoch` and `position` say.

    Iterating moves neither, because workers fetch ahead of training; `follow` does, batch by batch.
    """

    epoch = 0
    position = 0

    def state_dict(self) -> Order:
        """Where it stands."""
        return Order(epoch=self.epoch, position=self.position)

    def load_state_dict(self, state: Order) -> None:
        """Go on from there."""
        self.epoch, self.position = state["epoch"], state["position"]

    def follow(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """The rest of this epoch's batches from a loader over this source; then the next epoch stands ready.

        A state taken while a batch is in hand counts it as trained on.
        """
        for batch in loader:
            self.position += 1
            yield batch
        self.epoch, self.position = self.epoch + 1, 0


class GroupBatchSampler(Resumable, Sampler[list[int]]):
    """Batches of at most `size` runs, every run once an epoch, a group's runs in one batch.

    A group of more than `size` runs is dealt into several batches. The order depends on `seed` and `epoch`
    alone. Of several processes (`ranks`), each takes every `ranks`-th batch, and all take equally many: where
    the last round is not full, the epoch's first batches fill it.
    """

    def __init__(self, data: PlanDataset, size: int, *, seed: int, rank: int = 0, ranks: int = 1) -> None:
        if size < 1 or not 0 <= rank < ranks:
            raise ValueError(f"size {size}, rank {rank} of {ranks}: size is 1 or more, ranks count from 0")
        self._group, self._size, self._seed, self._rank, self._ranks = data.group, size, seed, rank, ranks

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._rest()

    def __len__(self) -> int:
        """Batches that are left of this epoch."""
        return len(self._rest())

    def _rest(self) -> list[list[int]]:
        made = packed(self._group, self._size, np.random.default_rng([self._seed, self.epoch]))
        made += (made * self._ranks)[: -len(made) % self._ranks]
        return [batch.tolist() for batch in made[self._rank :: self._ranks][self.position :]]


def packed(group: Int64, size: int, random: np.random.Generator) -> list[Int64]:
    """Places in `group` as batches of at most `size`, groups and their members in random order.

    Members of a group stand in one batch, or in several if there are more than `size`.
    """
    _, member = np.unique(group, return_inverse=True)
    drawn = random.permutation(int(member.max(initial=-1)) + 1)[member]
    order = np.lexsort((random.random(len(group)), drawn))
    found: list[list[Int64]] = []
    filled = size
    for together in np.split(order, np.flatnonzero(np.diff(drawn[order])) + 1):
        for start in range(0, len(together), size):
            part = together[start : start + size]
            if filled + len(part) > size:
                found.append([])
                filled = 0
            found[-1].append(part)
            filled += len(part)
    return [np.concatenate(parts) for parts in found]
