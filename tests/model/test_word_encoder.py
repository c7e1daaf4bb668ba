"""What comparing words promises: alike words find each other, and what is no word counts for nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gatling.matching import MOST_BITS, read
from gatling.model.tensors import Words
from gatling.model.word_encoder import Aligned, Comparison, Own, WordLayer


@pytest.fixture
def layer() -> WordLayer:
    torch.manual_seed(0)
    return WordLayer(hidden=8, width=64, word_dropout=0.0).eval()


def words(call: str, request: str, text: str, *, named: int = 1, padded: int = 0) -> Words:
    """One call that one text explains."""
    texts = [one.split() for one in (call, request, text)]
    distinct = sorted({word for one in texts for word in one})
    found = read(distinct)

    def row(one: list[str]) -> Tensor:
        return torch.tensor([[1 + distinct.index(word) for word in one] + [0] * padded])

    one = torch.zeros(1, dtype=torch.int64)
    pair = torch.zeros(2, 1, dtype=torch.int64)
    return Words(
        vectors=torch.cat([torch.zeros(1, found.vectors.shape[1]), torch.from_numpy(found.vectors)]),
        bits=torch.cat([torch.zeros(1), torch.from_numpy(found.bits) / MOST_BITS]),
        call=row(texts[0]),
        named=(torch.arange(len(texts[0]) + padded) < named)[None].float(),
        request=row(texts[1]),
        text=row(texts[2]),
        asked=pair,
        asked_of=one,
        told=pair,
        echoed=pair,
        meeting=torch.zeros(3, 1, dtype=torch.int64),
        explanation=one,
        meeting_of=one,
    )


SAID = "send payment bob", "please summarise the invoice", "wire the money to bob today"


def test_what_fills_rows_up_changes_nothing(layer: WordLayer) -> None:
    for one, other in zip(layer(words(*SAID)), layer(words(*SAID, padded=5)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-6)


def test_a_word_attends_to_itself_and_a_strange_one_to_none(layer: WordLayer) -> None:
    found = read(["invoice", "invoices", "giraffe"])
    keys = layer.match(torch.from_numpy(found.vectors))
    seen = layer._attention((keys @ keys[:2].T)[None], torch.ones(1, 2, dtype=torch.int64))
    some, best = seen.numbers[0].T.tolist()
    assert torch.allclose(seen.weights.sum(2)[0], torch.tensor(some))
    assert some[0] > 0.5 > some[2]
    assert best[0] > 0.8 > best[2] >= 0
    assert seen.weights[0, 0, 0] > seen.weights[0, 0, 1]


def test_attention_to_no_words_is_none(layer: WordLayer) -> None:
    seen = layer._attention(torch.ones(1, 3, 2), torch.zeros(1, 2, dtype=torch.int64))
    assert not seen.weights.any()
    assert not seen.numbers.any()


@pytest.mark.parametrize("changed", range(3), ids=["call", "request", "text"])
def test_every_text_is_heard_where_it_counts(layer: WordLayer, changed: int) -> None:
    other = [*SAID]
    other[changed] = "giraffes eat leaves"
    asked, met = layer(words(*SAID))
    asked_other, met_other = layer(words(*other))
    explaining = changed == 2  # the explaining text is no part of `asked`
    assert torch.allclose(asked, asked_other, rtol=0, atol=1e-5) is explaining
    assert not torch.allclose(met, met_other, atol=1e-3)


def test_the_order_of_words_does_not_count(layer: WordLayer) -> None:
    turned = [" ".join(reversed(said.split())) for said in SAID]
    for one, other in zip(layer(words(*SAID, named=0)), layer(words(*turned, named=0)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-5)


def test_that_a_word_is_of_the_name_counts(layer: WordLayer) -> None:
    assert not torch.allclose(layer(words(*SAID))[0], layer(words(*SAID, named=2))[0], atol=1e-4)


def test_words_are_left_out_in_training_alone() -> None:
    torch.manual_seed(0)
    layer = WordLayer(hidden=8, width=16, word_dropout=1 - 1e-9).train()
    with torch.no_grad():
        nothing = layer(words("a", "b", "c")._replace(bits=torch.zeros(4), vectors=torch.zeros(4, 192)))
        for one, other in zip(layer(words(*SAID, named=3)), nothing, strict=True):
            assert torch.allclose(one, other, atol=1e-5)
        assert not torch.allclose(layer.eval()(words(*SAID))[1], nothing[1], atol=1e-3)


def test_a_comparison_is_the_mean_by_information_and_the_highest() -> None:
    torch.manual_seed(0)
    comparison = Comparison(1, hidden=4, width=3)
    content, bits = torch.randn(1, 3, 3), torch.tensor([[0.5, 0.25, 0.0]])
    aligned = Aligned(torch.randn(1, 3, 3), torch.rand(1, 3, 2))
    with torch.no_grad():
        found = comparison(Own(content, bits, torch.zeros(1, 3)), [aligned])
        numbers = torch.cat([bits[..., None], torch.zeros(1, 3, 1), aligned.numbers], 2)
        u = torch.nn.functional.gelu(
            content + aligned.content + comparison.numbers(numbers), approximate="tanh"
        )[0, :2]
        pooled = torch.cat([(2 * u[0] + u[1]) / 3, u.amax(0)])
        assert torch.allclose(found[0], comparison.out.weight @ pooled, atol=1e-6)


def test_all_that_is_learnt_gets_a_gradient(layer: WordLayer) -> None:
    asked, met = layer.train()(words(*SAID))
    (asked.sum() + (met**2).sum()).backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
