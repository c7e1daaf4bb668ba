"""What the dual encoder promises: each run for itself, each call by what came before it, sets as sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gatling.model.encoded import Encoded
from gatling.model.encoders import Network, NetworkConfig, Output, attended
from gatling.model.examples import Example
from gatling.model.tensors import Batch, PlanDataset, collate
from gatling.model.view import EXPLANATION_NUMBERS, MATCHED, Items, View

SMALL = NetworkConfig(dimensions=12, hidden=16, heads=4, rounds=2)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).eval()


def batch_of(examples: list[Example]) -> Batch:
    data = PlanDataset(Encoded.of(examples))
    return collate([data[run] for run in range(len(data))])


@torch.no_grad()
def said(network: Network, examples: list[Example]) -> Output:
    output: Output = network(batch_of(examples))
    return output


def close(one: Output, other: Output, atol: float = 1e-5) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=atol) for a, b in pairs)


def some(output: Output, rows: slice) -> Output:
    return Output(*(tensor[rows] for tensor in output))


ITEMS = ("intent", "call", "arguments", "explanations")


def with_items(view: View, items: Mapping[str, Items]) -> View:
    """A view with other items."""
    changed: Mapping[str, Any] = items
    return view._replace(**changed)


def first(example: Example, calls: int) -> Example:
    """A run's first calls."""
    return replace(
        example,
        views=example.views[:calls],
        energies=example.energies[:calls],
        violating=example.violating[:calls],
    )


def test_what_is_said_has_its_shapes_and_ranges(network: Network, examples: list[Example]) -> None:
    output = said(network, examples)
    calls = sum(len(example.views) for example in examples)
    assert output.expected.shape == output.actual.shape == (calls, SMALL.dimensions)
    assert output.energies.shape == (calls, 4)
    assert output.latent.shape == (calls,)
    for embedded in (output.expected, output.actual):
        assert torch.allclose(embedded.norm(dim=1), torch.ones(calls))
    assert ((output.energies >= 0) & (output.energies <= 10)).all()


def test_the_latent_energy_is_the_distance_alone(network: Network, examples: list[Example]) -> None:
    output = said(network, examples)
    distance = 1 - torch.cosine_similarity(output.expected, output.actual)
    a, b = math.exp(network.steepness.item()), network.offset.item()
    assert a > 0
    assert torch.allclose(output.latent, a * distance - b, atol=1e-5)


def test_a_batch_says_what_its_runs_say_alone(network: Network, examples: list[Example]) -> None:
    together = said(network, examples)
    alone = [said(network, [example]) for example in examples]
    assert close(together, Output(*map(torch.cat, zip(*alone, strict=True))))


def test_the_order_of_runs_changes_nothing(network: Network, examples: list[Example]) -> None:
    forth, back = said(network, examples), said(network, examples[::-1])
    sizes = [len(example.views) for example in examples]
    ends = np.cumsum(sizes[::-1]).tolist()[::-1]
    parts = [some(back, slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    assert close(forth, Output(*map(torch.cat, zip(*parts, strict=True))))


def test_a_later_call_changes_no_earlier_one(network: Network, examples: list[Example]) -> None:
    attacked = [example for example in examples if example.kind in ("hijacked", "mutated")]
    longest = max(len(example.views) for example in attacked)
    whole = {example.id: said(network, [example]) for example in attacked}
    for count in range(1, longest):
        for example in attacked:
            cut = said(network, [first(example, count)])
            assert close(cut, some(whole[example.id], slice(0, count)))


def test_an_earlier_call_is_heard(network: Network, examples: list[Example]) -> None:
    example = max(examples, key=lambda e: len(e.views))
    alone = replace(first(example, 1), views=(example.views[1]._replace(sources=()),))
    heard, unheard = said(network, [first(example, 2)]), said(network, [alone])
    assert not torch.allclose(heard.actual[1], unheard.actual[0], atol=1e-3)
    # and what it was asked for is not a matter of what was done
    assert torch.allclose(heard.expected[1], unheard.expected[0], atol=1e-5)


def test_data_flow_is_heard_apart_from_sequence(network: Network, examples: list[Example]) -> None:
    example = next(e for e in examples if any(view.sources for view in e.views))
    cut = replace(example, views=tuple(view._replace(sources=()) for view in example.views))
    assert not close(said(network, [example]), said(network, [cut]), 1e-4)


def shuffled(items: Items, random: np.random.Generator, first: int) -> Items:
    """Another order, in which the `first` come first."""
    count = len(items.words)
    order = np.concatenate(
        [random.permutation(min(first, count)), random.permutation(np.arange(first, count))]
    )
    return Items([items.words[at] for at in order], items.numbers[order])


@pytest.mark.parametrize("field", ["intent", "arguments", "explanations"])
def test_items_are_a_set(network: Network, examples: list[Example], field: str) -> None:
    random = np.random.default_rng(0)
    first = MATCHED if field == "explanations" else 0  # those are read word by word
    others = [
        replace(
            e,
            views=tuple(with_items(v, {field: shuffled(getattr(v, field), random, first)}) for v in e.views),
        )
        for e in examples
    ]
    assert max(len(getattr(view, field).words) for e in examples for view in e.views) > 2
    assert close(said(network, examples), said(network, others))


NOTHING = {
    "intent": Items([], np.zeros((0, 4), np.float32)),
    "arguments": Items([], np.zeros((0, 10), np.float32)),
    "explanations": Items([], np.zeros((0, len(EXPLANATION_NUMBERS)), np.float32)),
}


@pytest.mark.parametrize("fields", [*([name] for name in NOTHING), [*NOTHING]], ids="-".join)
def test_empty_things_are_said_something_of(
    network: Network, examples: list[Example], fields: list[str]
) -> None:
    lacking = {name: NOTHING[name] for name in fields}
    empty = [replace(e, views=tuple(with_items(v, lacking) for v in e.views)) for e in examples[:4]]
    mixed = said(network, [*empty, *examples[:4]])
    assert all(tensor.isfinite().all() for tensor in mixed)
    calls = sum(len(example.views) for example in empty)
    assert close(some(mixed, slice(0, calls)), said(network, empty))
    assert close(some(mixed, slice(calls, None)), said(network, examples[:4]))
    assert not close(some(mixed, slice(0, calls)), some(mixed, slice(calls, None)), 1e-4)


def test_one_call_and_no_calls_work(network: Network, examples: list[Example]) -> None:
    assert said(network, [first(examples[0], 1)]).latent.shape == (1,)
    none = said(network, [first(examples[0], 0)])
    assert [tuple(tensor.shape) for tensor in none] == [(0, 12), (0, 12), (0, 4), (0,)]


def test_gradients_reach_every_parameter_and_stay_finite(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(SMALL).train()
    output = network(batch_of(examples))
    weights = torch.randn(len(output.energies), 4)
    torch.autograd.backward((output.energies * weights).sum() + output.latent.sigmoid().sum())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_latent_energy_trains_both_towers_and_not_the_heads(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(SMALL).train()
    torch.autograd.backward(network(batch_of(examples)).latent.sum())
    untouched = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert untouched == {
        f"energy_{layer}.{kind}" for layer in ("first", "second") for kind in ("weight", "bias")
    }


# What training hides


def test_training_is_random_by_its_seed_and_evaluation_is_not(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network, batch = Network(SMALL), batch_of(examples)

    def trained(seed: int) -> Output:
        torch.manual_seed(seed)
        with torch.no_grad():
            output: Output = network.train()(batch)
        return output

    assert close(trained(1), trained(1), 0.0)
    assert not close(trained(1), trained(2), 1e-3)
    with torch.no_grad():
        network.eval()
        torch.manual_seed(1)
        assert close(network(batch), network(batch), 0.0)


def test_without_dropouts_training_says_what_evaluation_says(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(replace(SMALL, text_dropout=0.0, word_dropout=0.0, imperative_dropout=0.0))
    batch = batch_of(examples)
    with torch.no_grad():
        assert close(network.train()(batch), network.eval()(batch), 0.0)


def reworded(example: Example) -> Example:
    """The same numbers with other texts."""

    def other(items: Items) -> Items:
        return Items([["entirely", "other", str(at)] for at in range(len(items.words))], items.numbers)

    return replace(
        example,
        views=tuple(with_items(v, {name: other(getattr(v, name)) for name in ITEMS}) for v in example.views),
    )


def test_a_hidden_text_is_as_if_it_were_empty(examples: list[Example]) -> None:
    """Nearly all texts hidden, what texts say is nearly gone; the numbers stay."""
    torch.manual_seed(0)
    network = Network(replace(SMALL, compared=0, text_dropout=1 - 1e-9, imperative_dropout=0.0)).train()
    with torch.no_grad():
        hidden = network(batch_of([reworded(e) for e in examples]))
        assert close(network(batch_of(examples)), hidden)
        assert close(network.eval()(batch_of([emptied(e) for e in examples])), hidden)


def emptied(example: Example) -> Example:
    def other(items: Items) -> Items:
        return Items([[] for _ in items.words], items.numbers)

    return replace(
        example,
        views=tuple(with_items(v, {name: other(getattr(v, name)) for name in ITEMS}) for v in example.views),
    )


def test_how_a_text_sounds_is_hidden_in_training_alone(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(replace(SMALL, text_dropout=0.0, word_dropout=0.0, imperative_dropout=1.0))
    column = EXPLANATION_NUMBERS.index("imperative")

    def sounding(example: Example, value: float) -> Example:
        found = []
        for view in example.views:
            numbers = view.explanations.numbers.copy()
            numbers[:, column] = value
            found.append(view._replace(explanations=view.explanations._replace(numbers=numbers)))
        return replace(example, views=tuple(found))

    loud, quiet = (batch_of([sounding(e, value) for e in examples]) for value in (1.0, 0.0))
    before = loud.explanations.numbers.clone()
    with torch.no_grad():
        assert close(network.train()(loud), network(quiet), 0.0)
        assert not close(network.eval()(loud), network(quiet), 1e-4)
    assert torch.equal(loud.explanations.numbers, before)


# Attention


def test_attention_is_a_softmax_over_an_owners_items() -> None:
    scores = torch.tensor([[1.0, -2.0], [3.0, 0.5], [1000.0, -1000.0]])
    items = torch.arange(12.0).view(3, 4)
    found = attended(scores, items, torch.tensor([0, 0, 2]), 3)
    weights = scores[:2].softmax(0)
    expected = [[(weights[:, h] * items[:2, 2 * h + d]).sum() for h in (0, 1) for d in (0, 1)]]
    assert torch.allclose(found[:1], torch.tensor(expected))
    assert found[1].tolist() == [0, 0, 0, 0]
    assert torch.equal(found[2], items[2])


def test_lower_precision_stays_finite_and_close(network: Network, examples: list[Example]) -> None:
    batch = batch_of(examples)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough: Output = network(batch)
    assert all(tensor.isfinite().all() for tensor in rough)
    assert (rough.energies - said(network, examples).energies).abs().max() < 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 30},
        {"heads": 0},
        {"dimensions": 0},
        {"rounds": -1},
        {"text_dropout": 1.0},
        {"word_dropout": 1.0},
        {"compared": -1},
        {"imperative_dropout": 2},
    ],
    ids=str,
)
def test_a_configuration_of_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"NetworkConfig\(.*: (sizes|dropouts) are"):
        NetworkConfig(**wrong)


def test_equal_seeds_give_equal_networks(examples: list[Example]) -> None:
    def weights() -> list[Tensor]:
        torch.manual_seed(5)
        return [*Network(SMALL).state_dict().values()]

    assert all(map(torch.equal, weights(), weights()))


def test_a_network_without_rounds_hears_no_other_call(examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(replace(SMALL, rounds=0)).eval()
    example = max(examples, key=lambda e: len(e.views))
    whole = said(network, [example])
    for at, view in enumerate(example.views):
        alone = replace(first(example, 1), views=(view._replace(sources=()),))
        assert close(said(network, [alone]), some(whole, slice(at, at + 1)))
