"""What the choice promises: the mix, no attack alone, hard ones first, no duplicates, little that is easy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from gatling.data.dedupe import ROWS, Seen
from gatling.data.mix import quotas, stratum_of
from gatling.data.run import Kind
from gatling.mining.choice import EASY, Candidate, Choice, at_random, choose, hard
from gatling.mining.regions import Case

MEMBERS: tuple[Kind, ...] = (
    "clean",
    "hijacked",
    "hijacked",
    "mutated",
    "mutated",
    "mutated",
    "resisted",
    "authorised",
)


def candidates(groups: int = 200, easy: float = 0.3, seed: int = 0) -> list[Candidate]:
    """Groups of eight with attacks, and three without for each of them."""
    random = Random(seed)
    found: list[Candidate] = []

    def add(group: str, kind: Kind, first: bool) -> None:
        violates = kind in ("hijacked", "mutated")
        margin = EASY + 1.0 if random.random() < easy else random.uniform(-3.0, EASY)
        case = Case(f"{group}-{len(found)}", group, kind, violates, {}, margin if violates else -margin)
        found.append(Candidate(case, len(found), random.randbytes(ROWS) if first else None))

    for number in range(groups):
        for place, kind in enumerate(MEMBERS):
            add(f"a{number}", kind, place == 0)
        for other in range(3):
            add(f"g{number}-{other}", "gold", True)
    return found


def chosen(found: Sequence[Candidate], size: int, folder: Path, seed: int = 0) -> Choice:
    return choose(found, 0.0, size, Seen(folder), hard, seed)


@pytest.mark.parametrize("size", [10, 57, 300])
@pytest.mark.parametrize("pick", [hard, at_random])
def test_what_is_kept_has_the_shares_of_the_mix(tmp_path: Path, size: int, pick: object) -> None:
    found = candidates()
    kept = choose(found, 0.0, size, Seen(tmp_path), pick, 0).kept  # type: ignore[arg-type]
    assert Counter(stratum_of(found[at].case.kind) for at in kept) == quotas(size)
    assert list(kept) == sorted(set(kept))


def test_no_attack_is_alone_and_no_twin_either(tmp_path: Path) -> None:
    found = candidates()
    kinds: dict[str, set[bool]] = {}
    for at in chosen(found, 300, tmp_path).kept:
        if found[at].case.kind != "gold":
            kinds.setdefault(found[at].case.group, set()).add(found[at].case.violates)
    assert kinds and all(both == {True, False} for both in kinds.values())


def test_easy_attacks_are_dropped_and_counted(tmp_path: Path) -> None:
    found = candidates()
    choice = chosen(found, 300, tmp_path)
    margins = [found[at].case.margin(0.0) for at in choice.kept if found[at].case.violates]
    # One easy attack stands beside a hard twin where its group has no hard one, and a few fill the shares.
    assert np.mean(np.array(margins) > EASY) < 0.05
    assert choice.dropped["easy"] > 0


def test_runs_without_an_attack_sibling_are_the_hardest_there_are_where_all_are_easy(tmp_path: Path) -> None:
    found = candidates(groups=40, easy=0.0)
    found = [
        Candidate(c.case.judged(-EASY - 1 - n / 100), c.exact, c.signature) if c.case.kind == "gold" else c
        for n, c in enumerate(found)
    ]
    kept = [at for at in chosen(found, 60, tmp_path).kept if found[at].case.kind == "gold"]
    golds = [at for at, candidate in enumerate(found) if candidate.case.kind == "gold"]
    assert kept == golds[: quotas(60)["gold"]]


def test_the_worse_a_candidate_is_judged_the_likelier_it_is_kept() -> None:
    margins = np.repeat([-2.0, 0.0, 2.0], 2_000)
    cases = [Case(str(n), str(n), "hijacked", True, {}, margin) for n, margin in enumerate(margins)]
    keys = hard(cases, 0.0, np.random.default_rng(0))
    first = margins[np.argsort(-keys)[:600]]
    counts = [np.sum(first == margin) for margin in (-2.0, 0.0, 2.0)]
    assert counts[0] > counts[1] > counts[2] > 0  # label noise is among the worst: they are not all


def test_what_stands_there_already_is_not_kept_again(tmp_path: Path) -> None:
    found = candidates(groups=60)
    seen = Seen(tmp_path)
    first = choose(found, 0.0, 100, seen, hard, 0)
    again = choose(found, 0.0, 100, seen, hard, 1)
    assert not {*first.kept} & {*again.kept}
    assert again.dropped["near-duplicate"] > 0


def test_the_same_run_in_two_groups_is_kept_once(tmp_path: Path) -> None:
    found = candidates(groups=5, easy=0.0)
    double = [Candidate(c.case, 10**6, c.signature) if c.case.kind == "gold" else c for c in found]
    choice = chosen(double, 40, tmp_path)
    assert sum(double[at].case.kind == "gold" for at in choice.kept) == 1
    assert choice.dropped["duplicate"] > 0


def test_a_choice_follows_from_its_seed(tmp_path: Path) -> None:
    found = candidates()
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    one, other, third = (
        chosen(found, 100, folder, seed).kept for folder, seed in zip(folders, (0, 0, 1), strict=True)
    )
    assert one == other != third


def test_too_few_candidates_are_all_that_is_kept(tmp_path: Path) -> None:
    found = candidates(groups=2, easy=0.0)
    choice = chosen(found, 1_000, tmp_path)
    assert 0 < len(choice.kept) <= len(found)
