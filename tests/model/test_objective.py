"""What the stages' losses promise, and the figures that choose the best model."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatling.evaluate.metrics import recall_at
from gatling.model import objective
from gatling.model.encoded import Encoded
from gatling.model.examples import KINDS
from gatling.model.objective import Calls, contrast, importance_of, judged, matching, pretraining, worst
from gatling.model.recipe import Contrast, Kinds, Pretrain
from gatling.model.tensors import PlanDataset, collate
from gatling.model.validation import BUDGET, joined, measure
from tests.model.joint import calls

MIXED = calls(
    ["clean", "authorised", "hijacked", "gold", "hijacked"], [0, 0, 0, 1, 2], [0.0, 0.0, 1.0, 0.0, torch.nan]
)


def test_the_examples_run() -> None:
    result = doctest.testmod(objective)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_weight_of_0_switches_a_loss_off() -> None:
    importance = torch.ones(len(KINDS))
    for name in ("info_nce", "energy", "latent", "ranking"):
        others = contrast(MIXED, Contrast.model_validate({name: 0.0}), importance)
        assert set(others) == {"info_nce", "energy", "latent", "ranking"} - {name}
    generator = torch.Generator()
    assert set(pretraining(MIXED, Pretrain(sigreg=0.0), generator)) == {"alignment"}
    assert set(pretraining(MIXED, Pretrain(sigreg=0.0, vicreg=1.0), generator)) == {"alignment", "vicreg"}


def test_weights_multiply_losses() -> None:
    once, twice = (
        contrast(MIXED, Contrast(info_nce=w, energy=w, latent=w, ranking=w), torch.ones(len(KINDS)))
        for w in (1.0, 2.0)
    )
    assert all(torch.isclose(2 * once[name], twice[name]) for name in once)


def test_a_hijacked_runs_unknown_and_innocent_calls_are_not_judged() -> None:
    assert judged(MIXED).tolist() == [True, True, True, True, False]
    before = MIXED._replace(violating=torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]))
    assert judged(before).tolist() == [True, True, False, True, True]


def test_hard_negatives_are_the_violating_calls() -> None:
    closer = MIXED._replace(actual=MIXED.actual.clone())
    closer.actual[2] = MIXED.expected[0]  # a violating call where the intent expects one
    assert matching(closer, Contrast()) > matching(MIXED, Contrast())
    without = Contrast(hard_negatives=False)
    assert matching(closer, without) == matching(MIXED, without)
    closer.actual[4] = MIXED.expected[0]  # not known to violate
    assert matching(closer, without) == matching(MIXED, without)


@pytest.mark.parametrize(("kind", "pays"), [("authorised", False), ("delegated", False), ("clean", True)])
def test_only_an_intent_that_cannot_allow_a_call_pays_for_its_nearness(kind: str, pays: bool) -> None:
    far = calls([kind, "hijacked"], [0, 0], [0.0, 1.0])
    near = far._replace(actual=torch.stack([far.actual[0], far.expected[0]]))
    assert bool(matching(near, Contrast()) > matching(far, Contrast())) is pays


def test_calls_of_one_group_or_intent_are_no_negatives_of_one_another() -> None:
    apart = calls(["gold", "gold", "gold"], [0, 1, 2], [0.0] * 3)
    together = apart._replace(group=torch.tensor([0, 0, 0]))
    asked = apart._replace(intent=torch.tensor([4, 4, 4]))
    assert matching(apart, Contrast()) > 0.1
    assert matching(together, Contrast()).item() == pytest.approx(0.0, abs=1e-6)
    assert matching(asked, Contrast()).item() == pytest.approx(0.0, abs=1e-6)


def test_a_step_without_one_side_has_losses_all_the_same() -> None:
    importance = torch.ones(len(KINDS))
    for kinds, violating in ((["hijacked"] * 2, [1.0, torch.nan]), (["gold"] * 2, [0.0] * 2)):
        losses = contrast(calls(kinds, [0, 1], violating), Contrast(), importance)
        assert all(loss.isfinite() for loss in losses.values())


def test_each_kind_counts_by_its_share_however_many_calls_it_has() -> None:
    kinds = [KINDS.index(kind) for kind in ["hijacked"] * 3 + ["resisted"] * 40 + ["gold"] * 7]
    shares = Kinds()
    weights = importance_of(kinds, shares)
    totals = torch.bincount(torch.tensor(kinds), weights[kinds], minlength=len(KINDS))
    given = torch.tensor([shares.hijacked, shares.resisted, shares.gold])
    found = totals[[KINDS.index(kind) for kind in ("hijacked", "resisted", "gold")]]
    assert torch.allclose(found / found.sum(), given / given.sum(), atol=1e-5)
    assert float(weights[kinds].mean()) == pytest.approx(1.0, abs=1e-5)
    assert weights[KINDS.index("clean")] == 0


def test_in_ranking_a_run_is_as_bad_as_its_worst_judged_call() -> None:
    three = calls(["hijacked"] * 3 + ["gold"], [5, 5, 5, 6], [0.0, 1.0, torch.nan, 0.0])
    three = three._replace(run=torch.tensor([0, 0, 0, 1]), latent=torch.tensor([9.0, 1.0, 8.0, -2.0]))
    energies, violates, group = worst(three, judged(three))
    assert (energies.tolist(), violates.tolist(), group.tolist()) == ([1.0, -2.0], [True, False], [5, 6])


def test_in_figures_a_run_is_as_bad_as_the_worst_of_all_its_calls() -> None:
    kinds = ["hijacked", "hijacked", "gold", "gold", "hijacked"]
    found = calls(kinds, [0, 0, 1, 2, 3], [torch.nan, 1.0, 0.0, 0.0, torch.nan])
    found = found._replace(
        run=torch.tensor([0, 0, 1, 2, 3]), latent=torch.tensor([5.0, -5.0, 0.0, 1.0, -9.0])
    )
    figures = measure(found, torch.ones(len(KINDS)))
    assert (figures.auc_runs, figures.auc_calls) == (1.0, 0.0)


# Validation


def test_figures_are_those_of_the_ranking() -> None:
    found = calls(["gold"] * 200 + ["hijacked"] * 10, list(range(210)), [0.0] * 200 + [1.0] * 10)
    perfect = found._replace(latent=torch.arange(210.0))
    figures = measure(perfect, torch.ones(len(KINDS)))
    assert (figures.auc_calls, figures.auc_runs, figures.recall, figures.score) == (1.0, 1.0, 1.0, 1.0)
    # two of the 200 benign runs, 1%, may lie above; a third may not
    latent = torch.arange(210.0)
    latent[:2] = 1000.0
    assert measure(found._replace(latent=latent), torch.ones(len(KINDS))).recall == 1.0
    latent[2] = 1000.0
    assert measure(found._replace(latent=latent), torch.ones(len(KINDS))).recall == 0.0


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=300), st.lists(st.integers(-9, 12), min_size=1))
def test_training_counts_recall_as_an_evaluation_does(good: list[int], bad: list[int]) -> None:
    kinds = ["gold"] * len(good) + ["hijacked"] * len(bad)
    found = calls(kinds, list(range(len(kinds))), [0.0] * len(good) + [1.0] * len(bad))
    figures = measure(
        found._replace(latent=torch.tensor([*good, *bad], dtype=torch.float32)), torch.ones(len(KINDS))
    )
    violating, benign = np.array(bad, float), np.array(good, float)
    expected = recall_at(violating, benign, BUDGET, np.ones((1, len(bad))), np.ones((1, len(good))))
    assert figures.recall == pytest.approx(expected[0])


def test_batches_joined_are_the_batch_of_all(encoded: Encoded) -> None:
    data = PlanDataset(encoded)
    whole = range(len(data))
    parts = [_seen(data, list(whole[:10])), _seen(data, list(whole[10:]))]
    one, several = _seen(data, list(whole)), joined(parts)
    assert torch.equal(one.run, several.run)
    assert torch.equal(one.group, several.group)
    assert int(several.intent.max()) + 1 >= len(set(one.intent.tolist()))
    assert measure(one, torch.ones(len(KINDS))) == measure(several, torch.ones(len(KINDS)))


def _seen(data: PlanDataset, runs: list[int]) -> Calls:
    """Calls with made-up outputs that follow from their numbers alone."""
    batch = collate([data[run] for run in runs])
    direction = torch.randn(batch.numbers.shape[1], 8, generator=torch.Generator().manual_seed(0)).double()
    made = torch.nn.functional.normalize(batch.numbers.double() @ direction, dim=1).float()
    return Calls(
        expected=made,
        actual=made,
        energies=made[:, :4].abs() * 10,
        latent=made[:, 0],
        targets=batch.energies,
        violating=batch.violating,
        kind=batch.kind[batch.run],
        run=batch.run,
        intent=batch.intent,
        group=batch.group[batch.run],
    )
