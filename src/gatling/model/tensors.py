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

from gatling.matching import MOST_BITS
from gatling.model.encoded import Encoded
from gatling.model.examples import KINDS
from gatling.model.view import MATCHED, NAME, OF_TEXT, REQUEST_END, REQUEST_START, ROLES, VALUES

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


class Words(NamedTuple):
    """Calls, requests and explaining texts word by word, and which of them meet.

    Each distinct text and each distinct pair stands once. Rows of words are filled up with 0, which is no
    word.
    """

    vectors: Tensor
    """(distinct words, dimensions), float32, unit; zero for the first."""
    bits: Tensor
    """(distinct words,): what each counts, 0 to 1; 0 for the first."""
    call: Tensor
    """(distinct calls, words at most), int64: of the tool's name and the arguments' values."""
    named: Tensor
    """(distinct calls, words at most), float32: 1 where a word is of the name."""
    request: Tensor
    """(distinct requests, words at most), int64: of the user's texts."""
    text: Tensor
    """(distinct texts, words at most), int64: of texts that explain a call."""
    asked: Tensor
    """(2, pairs), int64: a call and a request."""
    asked_of: Tensor
    """(calls,), int64: the batch's calls among `asked`."""
    told: Tensor
    """(2, pairs), int64: a text and a request."""
    echoed: Tensor
    """(2, pairs), int64: a call and a text."""
    meeting: Tensor
    """(3, meetings), int64: of a call, a request and a text, among `asked`, `told` and `echoed`."""
    explanation: Tensor
    """(matched,), int64, ascending: an explanation that is matched word by word."""
    meeting_of: Tensor
    """(matched,), int64: its meeting."""


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
    words: Words
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
        words=_words(e, call, distinct, intent, explanation, explanation_of),
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


def _words(
    e: Encoded, call: Int64, intents: NDArray[Any], intent: Int64, explanation: Int64, owner: Int64
) -> Words:
    pairs, member_of = _parts(e.intents, intents)
    users = e.trusted_numbers[e.trusted[pairs], ROLES.index("user")] == 1
    word, text = _parts(e.texts, e.trusted_text[e.trusted[pairs[users]]])
    # services' texts part intents whose request is one
    request, request_of = np.unique(
        _ends(e.word[word], member_of[users][text], len(intents)), axis=0, return_inverse=True
    )
    called, call_of = _distinct(e.tool[call], e.values[call])
    name, values = _first(e, called[0], NAME), _first(e, called[1], VALUES)
    matched = np.flatnonzero(np.arange(len(owner)) - np.searchsorted(owner, owner) < MATCHED)
    texts, text_of = np.unique(e.explanation_text[explanation[matched]], return_inverse=True)
    owner = owner[matched]
    asked, asked_of = _distinct(call_of, request_of[intent])
    told, told_of = _distinct(text_of, request_of[intent][owner])
    echoed, echoed_of = _distinct(call_of[owner], text_of)
    meeting, meeting_of = _distinct(asked_of[owner], told_of, echoed_of)
    rows = [_packed(name, values), request, _first(e, texts, OF_TEXT)]
    distinct, place = np.unique(np.concatenate([[-1], *map(np.ravel, rows)]), return_inverse=True)
    ends = np.cumsum([1, *(row.size for row in rows)])
    placed = [place[b - row.size : b].reshape(row.shape) for row, b in zip(rows, ends[1:], strict=True)]
    return Words(
        vectors=_floats(np.concatenate([np.zeros_like(e.word_vectors[:1]), e.word_vectors[distinct[1:]]])),
        bits=_floats(np.concatenate([[0.0], e.word_bits[distinct[1:]] / MOST_BITS])),
        call=_ints(placed[0]),
        named=_floats(np.arange(rows[0].shape[1]) < (name >= 0).sum(1)[:, None]),
        request=_ints(placed[1]),
        text=_ints(placed[2]),
        asked=_ints(asked),
        asked_of=_ints(asked_of),
        told=_ints(told),
        echoed=_ints(echoed),
        meeting=_ints(meeting),
        explanation=_ints(matched),
        meeting_of=_ints(meeting_of),
    )


def _distinct(*columns: NDArray[Any]) -> tuple[Int64, Int64]:
    """The distinct tuples, as columns, and the place of each among them."""
    found, place = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return found, place


def _packed(*tables: Int64) -> Int64:
    """Rows one behind the other, with what fills them up last."""
    joined = np.concatenate(tables, 1)
    order = np.argsort(joined < 0, axis=1, kind="stable")
    width = max(1, int((joined >= 0).sum(1).max(initial=0)))
    return np.take_along_axis(joined, order, 1)[:, :width]


def _first(e: Encoded, texts: NDArray[Any], most: int) -> Int64:
    """The first words of texts, row by row, filled up with -1."""
    starts = e.texts[texts]
    counts = np.minimum(e.texts[texts + 1] - starts, most)
    column = np.arange(max(1, counts.max(initial=0)))
    there = column < counts[:, None]
    found = np.full(there.shape, -1, np.int64)
    found[there] = e.word[(starts[:, None] + column)[there]]
    return found


def _ends(words: NDArray[Any], owner: Int64, owners: int) -> Int64:
    """The words that `view.ends` keeps of each owner's, row by row, filled up with -1."""
    counts = np.bincount(owner, minlength=owners)
    column = np.arange(len(words)) - (np.cumsum(counts) - counts)[owner]
    cut = np.maximum(0, counts - REQUEST_START - REQUEST_END)[owner]
    kept = (column < REQUEST_START) | (column >= REQUEST_START + cut)
    column = np.where(column >= REQUEST_START, column - cut, column)[kept]
    found = np.full((owners, max(1, int(column.max(initial=0)) + 1)), -1, np.int64)
    found[owner[kept], column] = words[kept]
    return found


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
