"""What a group promises: an attack comes with its twins, and all of it follows from one seed."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache

import pytest

from gatling.data.groups import GOLD_EACH, LIMITED, group
from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS
from gatling.data.mutations.poison import readings
from gatling.data.run import TERMS, Run, Sample
from gatling.data.worlds.domain import LANGUAGES, domains

DOMAINS = tuple(domains().values())
BENIGN = {"gold", "clean", "resisted", "authorised", "delegated"}
FAMILIES = {mutation.name: mutation for mutation in MUTATIONS}


@cache
def made(count: int = 160) -> list[list[Sample]]:
    return [group(index, 11, DOMAINS) for index in range(count)]


def attacked() -> list[list[Sample]]:
    return [samples for samples in made() if samples[0].truth.kind != "gold"]


def _words(run: Run) -> list[tuple[object, ...]]:
    return [(m.role, m.content, m.calls, m.call_id) for m in run.messages]


def test_a_group_follows_from_its_index_and_the_seed_alone() -> None:
    for index in (0, 1, 4, 8):
        one, other = (group(index, 5, DOMAINS) for _ in range(2))
        assert [s.id for s in one] == [s.id for s in other]
        assert [s.truth for s in one] == [s.truth for s in other]
        assert [_words(s.run) for s in one] == [_words(s.run) for s in other]
        assert [_words(s.run) for s in one] != [_words(s.run) for s in group(index, 6, DOMAINS)]


def test_a_group_is_the_same_in_every_process() -> None:
    code = (
        "from gatling.data.groups import group\n"
        "from gatling.data.worlds.domain import domains\n"
        "for i in (0, 3, 4):\n"
        "    print([(s.id, s.truth, s.run.messages) for s in group(i, 5, [*domains().values()])])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_all_of_a_group_shares_its_name_and_nothing_else_does() -> None:
    ids = [sample.id for samples in made() for sample in samples]
    assert len(set(ids)) == len(ids)
    groups = [{sample.run.group for sample in samples} for samples in made()]
    assert all(len(names) == 1 for names in groups)
    assert len(set.union(*groups)) == len(groups)


def test_most_groups_are_a_gold_run_alone() -> None:
    for index, samples in enumerate(made()):
        kinds = [sample.truth.kind for sample in samples]
        if index % (GOLD_EACH + 1):
            assert kinds == ["gold"]
        else:
            assert kinds[0] == "clean"
            assert "gold" not in kinds


def test_benign_runs_have_no_energies_and_attacked_ones_do() -> None:
    for samples in made():
        for sample in samples:
            benign = sample.truth.kind in BENIGN
            assert bool(sample.truth.energies) is not benign
            assert (sample.truth.category == "benign") is benign
            assert (sample.truth.family == "") is benign
            assert set(sample.truth.energies) <= {call.id for call in sample.run.calls()}


def test_an_attack_by_text_has_a_resisted_twin() -> None:
    for samples in attacked():
        kinds = [sample.truth.kind for sample in samples]
        assert kinds.count("clean") == 1
        assert kinds.count("resisted") == (1 if "hijacked" in kinds else 0)


def done(run: Run) -> list[tuple[str, object]]:
    return [(call.tool, call.arguments) for call in run.calls()]


def test_the_resisted_twin_reads_a_text_and_does_what_the_clean_one_does_and_what_else_was_asked() -> None:
    seen, wider = 0, 0
    for samples in attacked():
        clean = samples[0].run
        for twin in samples:
            if twin.truth.kind == "resisted":
                seen += 1
                assert twin.truth.poisoned
                assert twin.run.messages != clean.messages
                rest = iter(done(twin.run))
                assert all(call in rest for call in done(clean))
                requests = [
                    next(m.content for m in r.messages if m.role == "user") for r in (clean, twin.run)
                ]
                more = len(twin.run.calls()) > len(clean.calls())
                assert more is (requests[0] != requests[1])
                wider += more
    assert seen > 20
    assert 0 < wider < seen


def test_ids_do_not_tell_which_calls_were_slipped_in() -> None:
    for samples in made():
        for sample in samples:
            numbers = [int(re.sub(r"\D", "", call.id)) for call in sample.run.calls()]
            assert numbers == list(range(1, len(numbers) + 1))
            assert sample.run.readings | sample.run.delegated <= {call.id for call in sample.run.calls()}


def test_no_benign_run_does_what_the_role_may_not() -> None:
    for samples in made():
        for sample in samples:
            if sample.truth.kind in BENIGN:
                assert sample.run.setting.denied.isdisjoint(call.tool for call in sample.run.calls())


def test_somebody_who_may_asks_for_what_the_stranger_asked_for() -> None:
    seen = 0
    for samples in attacked():
        mutants = [s for s in samples if s.truth.kind == "hijacked"]
        made_by_strangers = [
            [(c.tool, c.arguments) for c in mutant.run.calls() if c.id in mutant.truth.energies]
            for mutant in mutants
            if mutant.truth.family not in ("provenance-rug-pull", "exfiltration-pivot", "multi-hop")
        ]
        for twin in samples:
            if twin.truth.kind in ("authorised", "delegated") and len(made_by_strangers) == len(mutants):
                seen += 1
                own = done(twin.run)
                assert any(all(call in own for call in calls) for calls in made_by_strangers)
    assert seen > 8


def test_no_call_is_an_attack_that_the_users_request_led_to_as_well() -> None:
    for samples in attacked():
        own = [(call.tool, call.arguments) for call in samples[0].run.calls()]
        for sample in samples:
            astray = [call for call in sample.run.calls() if call.id in sample.truth.energies]
            assert not any((call.tool, call.arguments) in own for call in astray)


def test_an_authorised_twin_is_asked_by_the_user() -> None:
    for samples in attacked():
        clean = next(m.content for m in samples[0].run.messages if m.role == "user")
        for twin in samples:
            if twin.truth.kind == "authorised":
                asked = next(m.content for m in twin.run.messages if m.role == "user")
                before, after = str(clean), str(asked)
                assert any(
                    after.startswith(before[:at]) and after.endswith(before[at:])
                    for at in range(len(before) + 1)
                )
                assert len(str(asked)) > len(str(clean))


def test_a_delegated_twin_has_read_the_text_that_was_handed_over() -> None:
    for samples in attacked():
        for twin in samples:
            if twin.truth.kind == "delegated":
                assert twin.run.delegated
                assert not twin.run.delegated & twin.run.readings


def test_a_poison_stands_in_runs_of_either_side() -> None:
    """Neither reading a poison nor the share of runs that do may stand in for the label."""
    samples = [sample for group in made() for sample in group]
    for kind in ("gold", "authorised"):
        assert {s.truth.poisoned for s in samples if s.truth.kind == kind} == {False, True}
    assert all(s.truth.poisoned for s in samples if s.truth.kind in ("resisted", "hijacked"))
    assert all(readings(s.run) or s.run.delegated for s in samples if s.truth.poisoned)


def test_attacks_of_a_group_are_of_different_families_and_reach_their_terms() -> None:
    for samples in attacked()[:16]:
        families = [s.truth.family for s in samples if s.truth.family]
        assert len(set(families)) == len(families)
        for sample in samples:
            if sample.truth.family:
                raises = FAMILIES[sample.truth.family].raises
                record = finish([sample])[0]
                reached = [max(call[i] for call in record.energies) for i in range(len(TERMS))]
                assert all(reached[TERMS.index(term)] >= least for term, least in raises.items())
                assert record.energy >= 2.0


@pytest.mark.parametrize("kind", sorted(BENIGN))
def test_a_benign_record_follows(kind: str) -> None:
    found = [s for samples in made() for s in samples if s.truth.kind == kind]
    assert found
    for sample in found[:6]:
        record = finish([sample])[0]
        assert record.energy == 0.0
        assert len(record.energies) == len(record.plan.calls) == len(sample.run.calls())


def test_a_user_can_limit_a_delegation_in_every_language() -> None:
    assert set(LIMITED) == set(LANGUAGES)


def test_twins_computed_together_are_what_they_are_alone() -> None:
    for samples in attacked()[:8]:
        alone = [finish([sample])[0] for sample in samples]
        assert finish(samples) == alone
