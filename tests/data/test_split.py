"""What splitting promises: a group has one split for ever, and what is held out is seen nowhere else."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from gatling.data.groups import group
from gatling.data.mutations import MUTATIONS
from gatling.data.split import (
    HELD_OUT_DOMAINS,
    HELD_OUT_FAMILIES,
    HELD_OUT_OPERATORS,
    SPLITS,
    Split,
    group_id,
    shown,
    split_of,
)
from gatling.data.worlds.domain import domains

DOMAINS = tuple(domains().values())
KINDS = {mutation.name: mutation.kind for mutation in MUTATIONS}


def test_what_is_held_out_exists() -> None:
    assert {KINDS[name] for name in HELD_OUT_FAMILIES} == {"hijacked"}
    assert {KINDS[name] for name in HELD_OUT_OPERATORS} == {"mutated"}
    assert {domain.name for domain in DOMAINS} > HELD_OUT_DOMAINS


def test_a_group_keeps_its_split() -> None:
    # Other code must not move a group: a test sample of yesterday would be trained on today.
    expected = "he te tr tr he tr tr tr tr tr tr tr tr he tr tr tr va tr te va tr tr tr"
    assert " ".join(split_of(group_id(index), 7)[:2] for index in range(24)) == expected


def test_the_shares_are_as_promised() -> None:
    counts = Counter(split_of(group_id(index), 7) for index in range(20_000))
    for split in SPLITS:
        share = 0.04 if split.startswith("heldout") else 0.88 * (0.8 if split == "train" else 0.1)
        assert abs(counts[split] / counts.total() - share) < 0.01, split


def test_another_seed_splits_otherwise() -> None:
    ids = [group_id(index) for index in range(100)]
    assert [split_of(id, 7) for id in ids] != [split_of(id, 8) for id in ids]


def test_no_domain_and_no_mutation_is_lost() -> None:
    seen = [shown(split, DOMAINS, MUTATIONS) for split in SPLITS]
    assert {d.name for found, _ in seen for d in found} == {d.name for d in DOMAINS}
    assert {m.name for _, found in seen for m in found} == KINDS.keys()


@pytest.mark.parametrize("split", SPLITS)
def test_a_group_shows_only_what_its_split_may(split: Split) -> None:
    attacked = (i for i in count(0, 4) if split_of(group_id(i), 7) == split)
    families: set[str] = set()
    used: set[str] = set()
    for index, _ in zip(attacked, range(6), strict=False):
        samples = group(index, 7, *shown(split, DOMAINS, MUTATIONS))
        assert {sample.run.group for sample in samples} == {group_id(index)}
        families |= {sample.truth.family for sample in samples} - {""}
        used |= {name for sample in samples for name in sample.run.setting.domains}
    assert families
    match split:
        case "heldout_family":
            assert families <= HELD_OUT_FAMILIES
        case "heldout_operator":
            assert families <= HELD_OUT_OPERATORS
        case _:
            assert families.isdisjoint(HELD_OUT_FAMILIES | HELD_OUT_OPERATORS)
    assert used <= HELD_OUT_DOMAINS if split == "heldout_domain" else used.isdisjoint(HELD_OUT_DOMAINS)
