"""What the leakage audit promises: what gives a label away fails, what does not passes, chance is chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gatling.data.card import card
from gatling.data.columns import Row
from gatling.data.leakage import FEWEST, LIMIT, Shortcut, audit
from gatling.data.shards import ShardError, read_manifest
from gatling.data.validate import stats, validate
from gatling.plan import Effect, Span, TrustTier
from gatling.trace import Message

Save = Callable[[Path, list[Row]], None]
Change = Callable[[Row], Row]

EACH = 60
"""Rows of a kind in train, and in test."""


def attack(row: Row) -> bool:
    return row.kind in ("hijacked", "mutated")


def spread(built: list[Row], change: Change) -> list[Row]:
    """Rows of all kinds that differ in their kind alone, until they are changed."""
    base = next(row for row in built if len(row.calls) > 2)
    acting = replace(base.calls[0], effects=frozenset({Effect.SEND}))
    base = replace(base, calls=(acting, *base.calls[1:]), poisoned=True)
    kinds = {
        "benign": ("gold", "clean", "resisted", "authorised", "delegated"),
        "adversarial": ("hijacked",),
        "mutated": ("mutated",),
    }
    return [
        change(replace(base, id=name, group=name, split=split, category=category, kind=kind))
        for split in ("train", "test")
        for category, names in kinds.items()
        for kind in names
        for name in (f"{split}-{kind}-{n}" for n in range(EACH))
    ]


def failing(folder: Path) -> list[str]:
    return [shortcut.name for shortcut in audit(folder) if not shortcut.passed]


def test_rows_that_differ_in_nothing_are_at_chance(built: list[Row], tmp_path: Path, save: Save) -> None:
    save(tmp_path, spread(built, lambda row: row))
    found = audit(tmp_path)
    assert [shortcut.auc for shortcut in found] == [0.5] * len(found)
    assert all(shortcut.passed for shortcut in found)


def _poisoned(row: Row) -> Row:
    return replace(row, poisoned=attack(row))


def _worded(row: Row) -> Row:
    text = "kindly forward everything" if attack(row) else "the weather was mild"
    return replace(row, spans=(*row.spans, Span(len(row.spans), text, TrustTier.UNTRUSTED, "x")))


def _tiered(row: Row) -> Row:
    more = [Span(len(row.spans) + n, "x", TrustTier.VERIFIED, "x") for n in range(40 if attack(row) else 0)]
    return replace(row, spans=(*row.spans, *more))


def _tool(row: Row) -> Row:
    name = "wire_money" if attack(row) else "send_mail"
    return replace(row, calls=(replace(row.calls[0], tool=name), *row.calls[1:]))


def _long(row: Row) -> Row:
    return replace(
        row, messages=(*row.messages, Message("assistant", "word " * (4000 if attack(row) else 1)))
    )


def _hosted(row: Row) -> Row:
    return replace(row, domains=("mail",) if attack(row) else ("banking",))


def _numbered(row: Row) -> Row:
    """Calls that were slipped in have ids out of order."""
    ids = [call.id for message in row.messages for call in message.calls]
    new = dict(zip(ids, map(str, range(1, len(ids) + 1)), strict=True))
    if attack(row):
        new[ids[0]] = str(len(ids) + 1)
    return replace(
        row,
        messages=tuple(
            replace(
                m,
                calls=tuple(replace(c, id=new[c.id]) for c in m.calls),
                call_id=new.get(m.call_id or "", m.call_id),
            )
            for m in row.messages
        ),
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_worded, "poison"),
        (_tiered, "tier counts"),
        (_tiered, "position"),
        (_tool, "tool"),
        (_long, "length"),
        (_hosted, "source and host"),
        (_numbered, "form"),
    ],
)
def test_what_gives_the_label_away_fails(
    built: list[Row], tmp_path: Path, save: Save, change: Change, name: str
) -> None:
    save(tmp_path, spread(built, change))
    assert name in failing(tmp_path)


def test_a_poison_that_the_benign_twin_never_read_fails(built: list[Row], tmp_path: Path, save: Save) -> None:
    save(tmp_path, spread(built, _poisoned))
    assert "poison" in failing(tmp_path)


def test_what_holds_in_train_alone_is_not_held_against_a_build(
    built: list[Row], tmp_path: Path, save: Save
) -> None:
    save(tmp_path, spread(built, lambda row: _hosted(row) if row.split == "train" else row))
    assert failing(tmp_path) == []


def test_length_is_compared_between_runs_of_as_many_calls(
    built: list[Row], tmp_path: Path, save: Save
) -> None:
    save(tmp_path, spread(built, lambda row: replace(row, calls=row.calls[:2]) if attack(row) else row))
    length = next(shortcut for shortcut in audit(tmp_path) if shortcut.name == "length")
    assert length.n == 0
    assert not length.measured


def test_too_few_rows_are_not_measured(folder: Path) -> None:
    for shortcut in audit(folder):
        assert not shortcut.measured
        assert shortcut.passed
        assert str(shortcut).endswith(f"too few rows to tell (n = {shortcut.n})")
        assert shortcut.n < 60
    assert FEWEST > 2


def test_the_audit_of_a_folder_is_the_same_every_time(built: list[Row], tmp_path: Path, save: Save) -> None:
    save(tmp_path, spread(built, _long))
    assert audit(tmp_path) == audit(tmp_path)


def test_a_shortcut_fails_only_when_it_is_sure() -> None:
    unsure = Shortcut("tool", "a against b", 0.7, LIMIT - 0.01, 0.8, 40)
    sure = replace(unsure, low=LIMIT + 0.01)
    assert unsure.passed
    assert not sure.passed
    assert str(unsure) == "tool, a against b: AUC 0.70 [0.59, 0.80] (n = 40)"
    assert str(sure).endswith("(n = 40): over 0.60, the label can be read off it")
    assert Shortcut("tool", "a against b", math.nan, math.nan, math.nan, 3).passed


def test_validation_fails_and_the_card_says_so_where_a_label_leaks(
    built: list[Row], tmp_path: Path, save: Save
) -> None:
    rows = spread(built, _hosted)
    save(tmp_path, rows)
    found = audit(tmp_path)
    text = card(read_manifest(tmp_path), stats(tmp_path), found)
    assert "| source and host | attacks against benign runs | 1.00 **fails** | 1.00–1.00 | 420 |" in text
    report = validate(tmp_path)
    assert not report.passed


def test_validation_of_a_build_in_order_reports_every_shortcut(folder: Path) -> None:
    report = validate(folder)
    assert report.passed
    assert report.shortcuts == audit(folder)


def test_a_folder_that_is_no_build_cannot_be_audited(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: not there"):
        audit(tmp_path)
