"""What hosting promises: each row has one place, whoever reads it, and the place tells nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from gatling.data import ExecutionPlanAdapter
from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.chunks import name_of
from gatling.data.hosting import Hosted, group
from gatling.data.hub import HFDatasetLoader
from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS
from gatling.data.presets import Part, Preset
from gatling.data.run import Sample
from gatling.data.worlds.domain import domains
from tests.data.public import PRESET, SOURCES, mirror

DOMAINS = tuple(domains().values())
TWINS = ("clean", "resisted", "authorised", "delegated")


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Hosted:
    folder = tmp_path_factory.mktemp("rows")
    loader = HFDatasetLoader(mirror=mirror(folder / "mirror"))
    return GatlingDatasetBuilder(PRESET, loader=loader, sources=SOURCES, seed=1).stock(folder).hosted


@pytest.fixture(scope="module")
def groups(hosted: Hosted) -> list[list[Sample]]:
    return made(hosted)


def made(hosted: Hosted) -> list[list[Sample]]:
    adapter = ExecutionPlanAdapter()
    return [
        group(index, hosted, name_of(index, hosted), DOMAINS, MUTATIONS, adapter)
        for index in range(hosted.groups)
    ]


def test_every_row_has_one_place(hosted: Hosted) -> None:
    rng, runs = Random(0), range(hosted.runs)
    texts = Counter(guest.place for run in runs for guest in hosted.guests(run, rng))
    talks = Counter(talk[0] for run in runs if (talk := hosted.talk(run)) is not None)
    assert len(texts) == len(hosted.texts) == 69  # one of 70 is empty
    assert len(talks) == len(hosted.talks) == 10
    assert {*texts.values(), *talks.values()} == {1}


def test_a_group_follows_from_the_rows_the_seed_and_its_number(
    hosted: Hosted, groups: list[list[Sample]]
) -> None:
    again = group(2, hosted, name_of(2, hosted), DOMAINS, MUTATIONS, ExecutionPlanAdapter())
    assert [(s.id, s.truth, s.run.messages, s.run.rows) for s in again] == [
        (s.id, s.truth, s.run.messages, s.run.rows) for s in groups[2]
    ]


def test_an_attack_has_its_twins_and_benign_runs_have_no_energies(groups: list[list[Sample]]) -> None:
    for samples in groups:
        kinds = [sample.truth.kind for sample in samples]
        if "hijacked" in kinds:
            assert "clean" in kinds
            assert "resisted" in kinds
        for sample in samples:
            assert bool(sample.truth.energies) is (sample.truth.category != "benign")
            assert set(sample.truth.energies) <= {call.id for call in sample.run.calls()}


def test_a_hijacked_run_reads_a_text_more_than_its_clean_twin(groups: list[list[Sample]]) -> None:
    seen = 0
    for samples in groups:
        clean = next((s for s in samples if s.truth.kind == "clean"), None)
        for sample in samples:
            if clean is not None and sample.truth.kind == "hijacked":
                more = set(sample.run.rows) - set(clean.run.rows)
                assert len(more) <= 1
                seen += len(more)
    assert seen


def test_nearly_every_row_stands_in_some_run(hosted: Hosted, groups: list[list[Sample]]) -> None:
    used = {place for samples in groups for sample in samples for place in sample.run.rows}
    assert len(used) >= 0.95 * (len(hosted.texts) + len(hosted.talks))


def test_attacks_hold_about_as_many_texts_as_benign_runs(tmp_path: Path) -> None:
    """As the mix has them, and where a third of the rows are conversations, of which some stay as they are.

    How many public texts a run holds would be the label otherwise.
    """
    preset = Preset("talking", "", (Part("all", {"prompts": 24, "calls": 12}),))
    loader = HFDatasetLoader(mirror=mirror(tmp_path / "mirror"))
    hosted = GatlingDatasetBuilder(preset, loader=loader, sources=SOURCES).stock(tmp_path).hosted
    held = defaultdict(list)
    for seed in range(12):
        for sample in chain(*made(replace(hosted, seed=seed))):
            kind = "twin" if sample.truth.kind in TWINS else sample.truth.kind
            held[kind].append(len(sample.run.rows))
    means = {stratum: sum(counts) / len(counts) for stratum, counts in held.items()}
    attacks, benign = means["hijacked"] + means["mutated"], means["gold"] + means["twin"]
    assert 0.85 < attacks / benign < 1.15


def test_no_attack_of_a_group_comes_twice(groups: list[list[Sample]]) -> None:
    for samples in groups:
        attacks = [repr(s.run.messages) for s in samples if s.truth.category != "benign"]
        assert len(set(attacks)) == len(attacks)


def test_texts_stand_in_runs_of_every_kind(groups: list[list[Sample]]) -> None:
    kinds = {s.truth.kind for samples in groups for s in samples if s.run.rows}
    assert kinds >= {"gold", "clean", "resisted", "hijacked", "mutated", "authorised"}


def test_groups_can_be_finished(groups: list[list[Sample]]) -> None:
    for samples in groups[:4]:
        for sample, record in zip(samples, finish(samples), strict=True):
            assert (record.energy >= 2.0) is (sample.truth.category != "benign")
