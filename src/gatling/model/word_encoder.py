"""Calls, requests and explaining texts, read word by word against one another.

After decomposable attention (https://arxiv.org/abs/1606.01933): what a text as a whole is about says little
of whether it asks for a call and the request does not; which of the call's words either of them holds does.
`gatling.model.word_network` computes the same with NumPy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatling.model.tensors import Words
from gatling.text import encoder

CHUNKS = 4
"""Parts of a batch in which texts of like lengths are compared together."""


def gelu(x: Tensor) -> Tensor:
    """GELU by tanh, which NumPy has."""
    return F.gelu(x, approximate="tanh")


class Aligned(NamedTuple):
    """Words of one text beside those of another that are most like them."""

    content: Tensor
    """(pairs, words, width): the other's words, by their share of the attention."""
    numbers: Tensor
    """(pairs, words, 2): how much of the attention falls on any word, and the highest similarity, from 0."""

    def at(self, place: Tensor, width: int) -> Aligned:
        """The pairs at a place, with so many words."""
        return Aligned(*(part[:, :width].index_select(0, place) for part in self))


class Own(NamedTuple):
    """A text's own words in a comparison."""

    content: Tensor
    """(texts, words, width)."""
    bits: Tensor
    """(texts, words): what each counts, 0 to 1; 0 for no word."""
    named: Tensor
    """(texts, words): 1 where a word is of a tool's name."""

    def at(self, place: Tensor, width: int) -> Own:
        """The texts at a place, with so many words."""
        return Own(*(part[:, :width].index_select(0, place) for part in self))


class Comparison(nn.Module):
    """Words beside what they are aligned with in other texts, pooled to one vector a text.

    u_i = gelu(W x_i + Σ_s W_s β_si + N·numbers_i + b) for word i with vector x_i, β_si what it is aligned
    with in text s; then of each part of u the mean by the words' information, and the highest.
    """

    def __init__(self, others: int, hidden: int, width: int) -> None:
        super().__init__()
        dimensions = encoder().dimensions
        self.own = nn.Linear(dimensions, width, bias=False)
        self.others = nn.ModuleList(nn.Linear(dimensions, width, bias=False) for _ in range(others))
        self.numbers = nn.Linear(2 + 2 * others, width)
        self.out = nn.Linear(2 * width, hidden, bias=False)

    def forward(self, own: Own, others: list[Aligned]) -> Tensor:
        """Words, already mapped by `own` and `others`, to (texts, hidden)."""
        each = (own.bits[..., None], own.named[..., None], *(other.numbers for other in others))
        compared = own.content + self.numbers(torch.cat(each, 2))
        for other in others:
            compared = compared + other.content
        compared = gelu(compared)
        mean = (compared * own.bits[..., None]).sum(1) / own.bits.sum(1, keepdim=True).clamp(min=1e-6)
        highest = compared.masked_fill((own.bits == 0)[..., None], -1.0).amax(1)  # below any GELU
        found: Tensor = self.out(torch.cat([mean, highest], 1))
        return found

    def trimmed(
        self, own: Own, place: Tensor, others: list[tuple[Aligned, Tensor]], lengths: Tensor
    ) -> Tensor:
        """What `forward` says of the texts at a place beside others at theirs: (places, hidden).

        Texts of like `lengths` go together, so that less of the work is spent on what fills rows up.
        """
        length = lengths.index_select(0, place)
        order = length.argsort()
        found = []
        for part in order.chunk(CHUNKS):
            width = max(1, int(length[part].amax())) if len(part) else 1
            beside = [other.at(at.index_select(0, part), width) for other, at in others]
            found.append(self(own.at(place.index_select(0, part), width), beside))
        return torch.cat(found).index_select(0, order.argsort())


class WordLayer(nn.Module):
    """How a call meets the request, and how each explaining text meets both.

    Word i attends to word j of another text by exp(a · (M x_i · M x_j) − b), and to none of them by 1. At
    first M cuts a vector to its leading principal components, stretched to nearly the norm of the whole, so
    that similarity is nearly the cosine.

    In training a share `word_dropout` of the words is left out.
    """

    def __init__(self, hidden: int, width: int, word_dropout: float) -> None:
        super().__init__()
        self.match = nn.Linear(encoder().dimensions, width, bias=False)
        nn.init.eye_(self.match.weight)
        with (
            torch.no_grad()
        ):  # the exponent, because leading components have more than their share of the norm
            self.match.weight *= math.sqrt(encoder().dimensions / width) ** 0.9
        self.sharpness = nn.Parameter(torch.tensor(math.log(12.0)))
        """log a: a stays above 0."""
        self.threshold = nn.Parameter(torch.tensor(6.0))
        """b."""
        self.asked = Comparison(1, hidden, width)
        """The call's words beside the request's."""
        self.said = Comparison(2, hidden, width)
        """The call's words beside the request's and an explaining text's."""
        self.saying = Comparison(2, hidden, width)
        """An explaining text's words beside the request's and the call's."""
        self.dropout = word_dropout

    def forward(self, words: Words) -> tuple[Tensor, Tensor]:
        """Words to (pairs of `Words.asked`, hidden) and (`Words.meeting`s, hidden)."""
        call, request, text = (self._thinned(rows) for rows in (words.call, words.request, words.text))
        keys = self.match(words.vectors)

        def similar(pair: Tensor, a: Tensor, b: Tensor) -> Tensor:
            one, other = (
                F.embedding(r, keys).index_select(0, at) for r, at in zip((a, b), pair, strict=True)
            )
            return torch.bmm(one, other.transpose(1, 2))

        def content(layer: nn.Module, rows: Tensor) -> Tensor:
            return F.embedding(rows, layer(words.vectors))

        def aligned(seen: _Attention, layer: nn.Module, rows: Tensor, place: Tensor) -> Aligned:
            return Aligned(torch.bmm(seen.weights, content(layer, rows).index_select(0, place)), seen.numbers)

        def own(layer: Comparison, rows: Tensor, named: Tensor) -> Own:
            return Own(content(layer.own, rows), F.embedding(rows, words.bits[:, None])[..., 0], named)

        called, asked_of = words.asked
        telling, told_of = words.told
        echoing, echo = words.echoed
        by_asked, by_told, by_echoed = words.meeting
        echoed = similar(words.echoed, call, text)
        in_request = self._attention(similar(words.asked, call, request), request[asked_of])
        in_text = self._attention(echoed, text[echo])
        told = self._attention(similar(words.told, text, request), request[told_of])
        in_call = self._attention(echoed.transpose(1, 2), call[echoing])
        lengths, text_lengths = (words.call > 0).sum(1), (words.text > 0).sum(1)

        asked = self.asked.trimmed(
            own(self.asked, call, words.named),
            called,
            [
                (
                    aligned(in_request, self.asked.others[0], request, asked_of),
                    torch.arange(len(called), device=called.device),
                )
            ],
            lengths,
        )
        said = self.said.trimmed(
            own(self.said, call, words.named),
            called[by_asked],
            [
                (aligned(in_request, self.said.others[0], request, asked_of), by_asked),
                (aligned(in_text, self.said.others[1], text, echo), by_echoed),
            ],
            lengths,
        )
        saying = self.saying.trimmed(
            own(self.saying, text, torch.zeros_like(text, dtype=words.named.dtype)),
            telling[by_told],
            [
                (aligned(told, self.saying.others[0], request, told_of), by_told),
                (aligned(in_call, self.saying.others[1], call, echoing), by_echoed),
            ],
            text_lengths,
        )
        return asked, said + saying

    def _attention(self, similar: Tensor, words: Tensor) -> _Attention:
        """What similarities (pairs, m, n) to `words` (pairs, n) make of attention."""
        similar = similar.masked_fill((words == 0)[:, None], -1e4)  # finite, so that gradients are
        logits = self.sharpness.exp() * similar - self.threshold
        highest = logits.detach().amax(2, keepdim=True).clamp(min=0.0)
        weights = (logits - highest).exp()
        weights = weights / (weights.sum(2, keepdim=True) + (-highest).exp())
        return _Attention(weights, torch.stack([weights.sum(2), similar.amax(2).clamp(min=0.0)], 2))

    def _thinned(self, rows: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return rows
        return rows * (torch.rand(rows.shape, device=rows.device) >= self.dropout)


class _Attention(NamedTuple):
    weights: Tensor
    """(pairs, m, n)."""
    numbers: Tensor
    """(pairs, m, 2), as `Aligned` has them."""
