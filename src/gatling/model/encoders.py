"""The dual encoder: an intent tower, a plan tower, and the predictor that says where the plan should lie.

Sources: joint-embedding prediction (I-JEPA, https://arxiv.org/abs/2301.08243), attention pooling over sets
(https://arxiv.org/abs/1810.00825), message passing (https://arxiv.org/abs/1704.01212).

`gatling.model.network` computes the same with NumPy, call by call. Sums over a call's items use `index_add`,
which is deterministic on the CPU; on CUDA it is so under `torch.use_deterministic_algorithms(True)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatling.data.run import TERMS
from gatling.model.tensors import Batch, Items, Texts
from gatling.model.view import ARGUMENT_NUMBERS, CALL_NUMBERS, EXPLANATION_NUMBERS, ROLES
from gatling.model.word_encoder import WordLayer, gelu
from gatling.text import encoder


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network, and what training hides from it."""

    dimensions: int = 96
    """Of the embeddings of intent and plan."""
    hidden: int = 128
    """Width of all layers."""
    heads: int = 4
    """Of attention; divides `hidden`."""
    compared: int = 64
    """Width of words that are compared with other texts'; at 0 none are."""
    rounds: int = 2
    """Of message passing: how many data-flow edges or steps back a call sees."""
    text_dropout: float = 0.3
    """Share of texts whose vector training hides: what a text says as a whole overfits generated worlds, what
    the numbers say carries over."""
    word_dropout: float = 0.15
    """Share of words that training leaves out where words are compared."""
    imperative_dropout: float = 0.5
    """Share of explanations for which training hides that the text starts with a verb: how an attack sounds
    must not carry it."""

    def __post_init__(self) -> None:
        least = min(self.dimensions, self.hidden, self.heads), min(self.compared, self.rounds)
        if least[0] < 1 or least[1] < 0 or self.hidden % self.heads:
            raise ValueError(
                f"{self}: sizes are 1 or more, compared and rounds 0 or more, and heads divide hidden"
            )
        if not (
            0 <= self.text_dropout < 1 and 0 <= self.word_dropout < 1 and 0 <= self.imperative_dropout <= 1
        ):
            raise ValueError(f"{self}: dropouts are shares")


class Output(NamedTuple):
    """What the network says of a batch's calls."""

    expected: Tensor
    """(calls, dimensions), unit: where the plan should lie, by its intent."""
    actual: Tensor
    """(calls, dimensions), unit: where it lies."""
    energies: Tensor
    """(calls, 4), 0–10, by `gatling.data.run.TERMS`."""
    latent: Tensor
    """(calls,): a · (1 − cos(expected, actual)) − b, the logit of the latent energy
    10 · sigmoid(latent)."""


class TextLayer(nn.Module):
    """Projects texts' vectors; in training a share of the texts is hidden, as if it had no known word."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(encoder().dimensions, hidden, bias=False)
        self.dropout = dropout

    def forward(self, texts: Texts) -> Tensor:
        """Texts to (texts, hidden)."""
        projected: Tensor = self.linear(texts.vectors).index_select(0, texts.row)
        if self.training and self.dropout:
            kept = torch.rand(len(projected), 1, device=projected.device) >= self.dropout
            projected = projected * kept
        return projected


class ItemLayer(nn.Module):
    """Texts with numbers to hidden vectors: gelu(W·text + V·numbers + b)."""

    def __init__(self, numbers: int, config: NetworkConfig) -> None:
        super().__init__()
        self.text = TextLayer(config.hidden, config.text_dropout)
        self.numbers = nn.Linear(numbers, config.hidden)

    def forward(self, items: Items, compared: Tensor | float = 0.0) -> Tensor:
        """Items to (items, hidden); `compared` (items, hidden) is what comparing their words adds."""
        return gelu(self.text(items.texts) + self.numbers(items.numbers) + compared)


def attended(scores: Tensor, items: Tensor, owner: Tensor, owners: int) -> Tensor:
    """Attention of each owner over its own items, which are a set; an owner without items gets 0.

    For each head, Σ_i softmax_i(score_i) · x_i over the owner's items i, x_i the head's part of an item.
    `scores` (n, heads), `items` (n, hidden), `owner` (n,) to (owners, hidden).
    """
    heads, width = scores.shape[1], items.shape[1] // scores.shape[1]
    scores = scores.float()
    with torch.no_grad():
        highest = scores.new_full((owners, heads), -torch.inf)
        highest = highest.scatter_reduce(0, owner[:, None].expand_as(scores), scores, "amax")
    weights = (scores - highest.index_select(0, owner)).exp()
    total = summed(weights, owner, owners).clamp(min=1.0)
    weighted = summed((weights[..., None] * items.view(-1, heads, width)).flatten(1), owner, owners)
    return (weighted.view(owners, heads, width) / total[..., None]).flatten(1)


def summed(rows: Tensor, owner: Tensor, owners: int) -> Tensor:
    """Rows (n, k) added up by owner (n,): (owners, k)."""
    return rows.new_zeros(owners, rows.shape[1]).index_add(0, owner, rows)


class Mixing(nn.Module):
    """Takes two messages into a state: layer norm of h + MLP([h, a, b])."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(3 * hidden, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, state: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Three of (calls, hidden) to (calls, hidden)."""
        mixed: Tensor = self.norm(state + self.second(gelu(self.first(torch.cat([state, a, b], 1)))))
        return mixed


class IntentTower(nn.Module):
    """Trusted texts pooled by one learned query a head, then an MLP."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.items = ItemLayer(len(ROLES), config)
        self.scores = nn.Linear(config.hidden, config.heads, bias=False)
        self.first = nn.Linear(config.hidden, config.hidden)
        self.second = nn.Linear(config.hidden, config.dimensions)

    def forward(self, batch: Batch) -> Tensor:
        """Batch to (distinct intents, dimensions)."""
        items = self.items(batch.trusted)
        scores = self.scores(items).index_select(0, batch.member)
        intents = int(batch.intent.max()) + 1 if len(batch.intent) else 0
        pooled = attended(scores, items.index_select(0, batch.member), batch.member_of, intents)
        embedded: Tensor = self.second(gelu(self.first(pooled)))
        return embedded


class CallAttention(nn.Module):
    """A call attends to items of its own: score_i = (Q·call + c) · x_i / √w for each head, w its width."""

    def __init__(self, numbers: int, config: NetworkConfig) -> None:
        super().__init__()
        self.items = ItemLayer(numbers, config)
        self.query = nn.Linear(config.hidden, config.hidden)
        self.heads = config.heads

    def forward(self, call: Tensor, items: Items, owner: Tensor, compared: Tensor | float = 0.0) -> Tensor:
        """Calls (calls, hidden) and items with their calls to (calls, hidden)."""
        found = self.items(items, compared)
        asked = self.query(call).index_select(0, owner) * found
        width = call.shape[1] // self.heads
        scores = asked.view(len(found), self.heads, width).sum(-1) / math.sqrt(width)
        return attended(scores, found, owner, len(call))


class PlanTower(nn.Module):
    """Calls attend to their arguments and to what explains them, then hear from the calls before them.

    A round's messages to a call are the mean of the calls whose output feeds it and the call before it, as
    they were a round earlier. All of these are earlier calls, so a later one changes nothing.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tool = TextLayer(config.hidden, config.text_dropout)
        self.values = TextLayer(config.hidden, config.text_dropout)
        self.numbers = nn.Linear(len(CALL_NUMBERS), config.hidden)
        self.arguments = CallAttention(len(ARGUMENT_NUMBERS), config)
        self.explanations = CallAttention(len(EXPLANATION_NUMBERS), config)
        sizes = config.hidden, config.compared, config.word_dropout
        self.words = WordLayer(*sizes) if config.compared else None
        self.mixing = Mixing(config.hidden)
        self.rounds = nn.ModuleList(Mixing(config.hidden) for _ in range(config.rounds))

    def forward(self, batch: Batch) -> Tensor:
        """Batch to (calls, hidden)."""
        asked, explained = self._compared(batch)
        call = gelu(self.tool(batch.tool) + self.values(batch.values) + self.numbers(batch.numbers) + asked)
        arguments = self.arguments(call, batch.arguments, batch.argument_of)
        explanations = self.explanations(call, batch.explanations, batch.explanation_of, explained)
        state: Tensor = self.mixing(call, arguments, explanations)
        calls = len(state)
        feeding = torch.bincount(batch.target, minlength=calls).clamp(min=1)[:, None]
        followed = (batch.previous >= 0)[:, None]
        for mixing in self.rounds:
            flow = summed(state.index_select(0, batch.source), batch.target, calls) / feeding
            state = mixing(state, flow, state.index_select(0, batch.previous.clamp(min=0)) * followed)
        return state

    def _compared(self, batch: Batch) -> tuple[Tensor | float, Tensor | float]:
        """What comparing words adds to (calls, hidden) and to (explanations, hidden)."""
        if self.words is None:
            return 0.0, 0.0
        words = batch.words
        asked, met = self.words(words)
        explained = met.new_zeros(len(batch.explanation_of), met.shape[1])
        explained = explained.index_copy(0, words.explanation, met.index_select(0, words.meeting_of))
        return asked.index_select(0, words.asked_of), explained


class Network(nn.Module):
    """The dual encoder with its heads."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        hidden, dimensions = config.hidden, config.dimensions
        self.intent = IntentTower(config)
        self.predictor_first = nn.Linear(dimensions, hidden)
        self.predictor_second = nn.Linear(hidden, dimensions)
        self.plan = PlanTower(config)
        self.projection = nn.Linear(hidden, dimensions)
        self.energy_first = nn.Linear(hidden + dimensions, hidden)
        self.energy_second = nn.Linear(hidden, len(TERMS))
        self.steepness = nn.Parameter(torch.tensor(math.log(10.0)))
        """log a: a stays above 0."""
        self.offset = nn.Parameter(torch.tensor(5.0))
        """b."""

    def forward(self, batch: Batch) -> Output:
        """Batch to what the network says of its calls; in training it draws from PyTorch's own generator."""
        if self.training and self.config.imperative_dropout:
            batch = self._less_imperative(batch)
        expected = self.predictor_second(gelu(self.predictor_first(self.intent(batch))))
        expected = F.normalize(expected.float(), dim=1).index_select(0, batch.intent)
        state = self.plan(batch)
        actual = F.normalize(self.projection(state).float(), dim=1)
        energies = self.energy_second(gelu(self.energy_first(torch.cat([state, expected], 1))))
        distance = 1 - (expected * actual).sum(1)
        return Output(
            expected,
            actual,
            10 * torch.sigmoid(energies.float()),
            self.steepness.exp() * distance - self.offset,
        )

    def _less_imperative(self, batch: Batch) -> Batch:
        numbers = batch.explanations.numbers.clone()
        hidden = torch.rand(len(numbers), device=numbers.device) < self.config.imperative_dropout
        numbers[hidden, EXPLANATION_NUMBERS.index("imperative")] = 0.0
        return batch._replace(explanations=batch.explanations._replace(numbers=numbers))
