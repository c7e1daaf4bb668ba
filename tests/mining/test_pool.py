"""What candidates promise: nothing held out, the same for any workers, weak regions hit more often."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from gatling.data.columns import SCHEMA, Row, read
from gatling.data.groups import group_of
from gatling.data.mutations import MUTATIONS
from gatling.data.run import Sample
from gatling.data.split import HELD_OUT_DOMAINS, HELD_OUT_FAMILIES, HELD_OUT_OPERATORS, shown
from gatling.data.worlds.domain import domains
from gatling.data.worlds.state import ExecutionError
from gatling.evaluate.bootstrap import Share
from gatling.mining import pool
from gatling.mining.judging import MiningError
from gatling.mining.oracle import REGISTER, Oracle
from gatling.mining.pool import CHUNK, SAMPLES_EACH, Order, candidates
from gatling.mining.regions import Region
from gatling.model.encoded import Encoded
from gatling.model.examples import from_row
from gatling.model.scores import latent, network, worst
from tests.mining.endpoint import endpoint, obliging, serving
from tests.model import tiny

GROUPS = 2 * CHUNK
SHARE = Share(value=0.5, low=0.4, high=0.6, count=10, of=20)


def region(violates: bool, **traits: str) -> Region:
    return Region(violates, traits, SHARE, 0.2, 6.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.trained(tmp_path_factory.mktemp("pool") / "trained") / "model.safetensors"


def order(folder: Path, weights: Path, *regions: Region, seed: int = 7, number: int = 1) -> Order:
    return Order(folder, weights, seed, number, regions)


def made(order: Order, workers: int = 1) -> list[Row]:
    return read(candidates(order, GROUPS, workers, lambda groups: None).table.select(SCHEMA.names))


@pytest.fixture(scope="module")
def rows(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return made(order(tmp_path_factory.mktemp("pool") / "plain", weights))


def test_nothing_that_a_build_holds_out_is_among_them(rows: list[Row]) -> None:
    assert not {row.family for row in rows} & (HELD_OUT_FAMILIES | HELD_OUT_OPERATORS)
    assert not {domain for row in rows for domain in row.domains} & HELD_OUT_DOMAINS


def test_they_are_training_rows_of_their_round_with_groups_of_their_own(rows: list[Row]) -> None:
    assert {(row.split, row.round) for row in rows} == {("train", 1)}
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.group.startswith("m01") for row in rows)
    assert len(rows) == pytest.approx(SAMPLES_EACH * GROUPS, rel=0.15)


def test_each_has_the_worst_call_as_the_network_judges_it(weights: Path, tmp_path: Path) -> None:
    table = candidates(order(tmp_path / "pool", weights), CHUNK, 1, lambda groups: None).table
    rows = read(table.select(SCHEMA.names))
    encoded = Encoded.of(from_row(row, "") for row in rows)
    whole = worst(encoded, latent(network(weights), encoded))
    assert table["logit"].to_pylist() == pytest.approx(whole.tolist(), abs=1e-4)


def test_the_number_of_workers_changes_nothing(rows: list[Row], weights: Path, tmp_path: Path) -> None:
    assert made(order(tmp_path / "pool", weights), workers=2) == rows


def test_what_is_made_already_is_not_made_again(weights: Path, tmp_path: Path) -> None:
    one = order(tmp_path / "pool", weights)
    rows = made(one)
    times = {path: path.stat().st_mtime_ns for path in one.folder.iterdir()}
    lost = min(times)
    lost.unlink()
    assert made(one) == rows
    assert {p: t for p, t in times.items() if p != lost} == {
        p: p.stat().st_mtime_ns for p in one.folder.iterdir() if p != lost
    }


def test_candidates_for_another_model_or_round_take_their_place(weights: Path, tmp_path: Path) -> None:
    one = made(order(tmp_path / "pool", weights))
    other = made(order(tmp_path / "pool", weights, number=2))
    assert not {row.group for row in one} & {row.group for row in other}
    assert len({*(tmp_path / "pool").iterdir()}) == 2


def test_a_weak_domain_and_family_come_up_more_often(rows: list[Row], weights: Path, tmp_path: Path) -> None:
    wanted = (
        region(True, domain="calendar", family="sleeper"),
        region(False, domain="calendar", family="gold"),
    )
    focused = made(order(tmp_path / "pool", weights, *wanted))

    def share(rows: list[Row], kind: str, **wanted: str) -> float:
        mine = [row for row in rows if row.kind == kind]
        hits = [
            row
            for row in mine
            if wanted.get("domain", row.domains[0]) in row.domains
            and wanted.get("family", row.family) == row.family
        ]
        return len(hits) / len(mine)

    for kind in ("hijacked", "gold"):
        assert share(focused, kind, domain="calendar") > 2 * share(rows, kind, domain="calendar")
    assert share(focused, "hijacked", family="sleeper") > 1.4 * share(rows, "hijacked", family="sleeper")
    # The other half is drawn as ever: all kinds and most domains are there.
    assert {*Counter(row.kind for row in focused)} == {*Counter(row.kind for row in rows)}


def test_an_oracle_words_some_of_the_attacks_until_its_cap_is_reached(weights: Path, tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server, most="0.02"), tmp_path / "cache")
        rows = read(
            candidates(
                Order(tmp_path / "pool", weights, 7, 1, (), oracle), GROUPS, 2, lambda groups: None
            ).table.select(SCHEMA.names)
        )
        asked = len(server.log)
    marked = [row for row in rows if row.register == REGISTER]
    assert asked and {row.kind for row in marked} >= {"hijacked"}
    assert all("please see to" in " ".join(str(m.content) for m in row.messages) for row in marked)
    assert len(marked) < sum(row.kind == "hijacked" for row in rows)


def test_without_an_aim_candidates_are_drawn_as_a_build_draws_them(weights: Path, tmp_path: Path) -> None:
    blind = read(
        candidates(Order(tmp_path / "pool", weights, 7, 1, None), CHUNK, 1, lambda groups: None).table.select(
            SCHEMA.names
        )
    )
    known, mutations = shown("train", tuple(domains().values()), MUTATIONS)
    built = [
        sample
        for index in range(CHUNK)
        for sample in group_of(
            Random(f"7/mining/1/{index}"), f"m01{index:05}", known, () if index % 4 else mutations
        )
    ]
    assert [row.messages for row in blind] == [sample.run.messages for sample in built]


def test_a_group_that_fails_is_counted_and_too_many_stop_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = pool._group

    def failing(order: Order, index: int) -> list[Sample]:
        if index == 5:
            raise ExecutionError("no such row")
        return make(order, index)

    monkeypatch.setattr(pool, "_group", failing)
    monkeypatch.setattr(pool, "MOST_FAILED", 0.05)
    found = candidates(order(tmp_path / "pool", weights), CHUNK, 1, lambda groups: None)
    assert found.failed == 1
    assert "m0100005" not in found.table["group"].to_pylist()
    monkeypatch.setattr(pool, "MOST_FAILED", 0.01)
    with pytest.raises(MiningError, match="1 of 32 groups of candidates failed"):
        candidates(order(tmp_path / "pool", weights), CHUNK, 1, lambda groups: None)


def test_operators_hit_the_regions_that_they_can() -> None:
    def hitting(**traits: str) -> set[str]:
        return {m.name for m in MUTATIONS if pool._hits(m, region(True, **traits))}

    assert hitting() == hitting(domain="calendar", language="de") == {m.name for m in MUTATIONS}
    assert hitting(family="sleeper") == {"sleeper"}
    assert hitting(wording="none") == {m.name for m in MUTATIONS if m.kind == "mutated"}
    assert hitting(wording="bare") == {m.name for m in MUTATIONS if m.kind == "hijacked"}
    for term in ("hierarchy", "scope"):
        assert hitting(term=term) == {
            m.name for m in MUTATIONS if m.raises.get(term, 0.0) == max(m.raises.values())
        }
    false_alarms = region(False, family="gold", term="hierarchy")
    assert all(pool._hits(m, false_alarms) for m in MUTATIONS)


def test_a_weak_language_comes_up_more_often(rows: list[Row], weights: Path, tmp_path: Path) -> None:
    focused = made(
        order(tmp_path / "pool", weights, region(True, language="pt"), region(False, language="pt"))
    )
    counts = [sum(row.language == "pt" for row in some) / len(some) for some in (focused, rows)]
    assert counts[0] > counts[1] + 0.2
