"""Which split a group belongs to, and what may appear in it.

Whole groups are split, never samples. Beside train, validation and test stand three held-out splits: each
shows one kind of thing (attack families, mutation operators, domains) that no other split shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal, TypeAlias, get_args

from gatling.data.mutations import Mutation
from gatling.data.worlds.domain import Domain

Split: TypeAlias = Literal[
    "train", "validation", "test", "heldout_family", "heldout_operator", "heldout_domain", "evaluation"
]

EVALUATION: Split = "evaluation"
"""The split of rows that are for evaluation alone; it stands only in builds that ask for it."""

SPLITS: tuple[Split, ...] = tuple(split for split in get_args(Split) if split != EVALUATION)
"""The splits of every other group."""

HELD_OUT_FAMILIES = frozenset({"multi-hop", "obfuscation"})
"""Attack families that only `heldout_family` shows, where no other attack stands."""

HELD_OUT_OPERATORS = frozenset({"destination-swap", "window-overflow"})
"""Mutation operators that only `heldout_operator` shows, where no other attack stands."""

HELD_OUT_DOMAINS = frozenset({"legal", "smart_home", "travel"})
"""Domains that only `heldout_domain` shows, where no other domain stands."""

_HELD_OUT: tuple[Split, ...] = ("heldout_family", "heldout_operator", "heldout_domain")
_HELD_OUT_PERCENT = 4


FROZEN = "hard-"
"""What the ids of a frozen suite's groups begin with (`gatling.evaluate.suites`), which nobody trains on."""


def group_id(index: int, hosting: int = 0, apart: int = 0) -> str:
    """The id of group number `index`: `e…` for the first `apart`, `h…` up to `hosting`, `w…` for the others.

    Those hold rows for evaluation, rows of public datasets, and worlds alone.
    """
    return f"{'e' if index < apart else 'h' if index < hosting else 'w'}{index:07d}"


def split_of(group: str, seed: int) -> Split:
    """The split of a group: 4% for each held-out split, the rest 80/10/10; it follows from id and seed alone.

    Groups of rows for evaluation are in the split `evaluation`, where nothing else is.

    >>> split_of("w0000000", 7) == split_of("w0000000", 7)
    True
    """
    if group.startswith("e"):
        return EVALUATION
    digest = blake2b(f"split/{seed}/{group}".encode(), digest_size=16).digest()
    role = int.from_bytes(digest[:8], "big") % 100
    if role < _HELD_OUT_PERCENT * len(_HELD_OUT):
        return _HELD_OUT[role // _HELD_OUT_PERCENT]
    tenth = int.from_bytes(digest[8:], "big") % 10
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def shown(
    split: Split, domains: Sequence[Domain], mutations: Sequence[Mutation]
) -> tuple[tuple[Domain, ...], tuple[Mutation, ...]]:
    """The domains and mutations that the groups of a split are made from."""
    match split:
        case "heldout_family":
            attacks = [m for m in mutations if m.name in HELD_OUT_FAMILIES]
        case "heldout_operator":
            attacks = [m for m in mutations if m.name in HELD_OUT_OPERATORS]
        case _:
            attacks = [m for m in mutations if m.name not in HELD_OUT_FAMILIES | HELD_OUT_OPERATORS]
    held_out = split == "heldout_domain"
    return tuple(d for d in domains if (d.name in HELD_OUT_DOMAINS) is held_out), tuple(attacks)
