"""What the adversary promises: attacks that stay attacks, genes that do not meddle, a budget that holds."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from random import Random

import pytest
from hard import row

from gatling.data.label import finish
from gatling.data.mutations import MUTATIONS
from gatling.data.mutations.insertion import lines
from gatling.data.run import Run, Sample
from gatling.data.split import HELD_OUT_DOMAINS, HELD_OUT_FAMILIES, HELD_OUT_OPERATORS
from gatling.data.worlds.domain import domains
from gatling.evaluate.scoring import score
from gatling.mining import campaign
from gatling.mining.adversary import SEEDS, Audit, Found, Posterior, Reading, Trial, fresh, search
from gatling.mining.attack import Attack, Target, express, group
from gatling.mining.campaign import Arena, Campaign, arena, attack_suite, threshold_at
from gatling.mining.genome import SHORT, Genome, choices
from gatling.model.bundle import default

EVERYTHING = Arena(5, tuple(domains().values()), MUTATIONS)
HOSTS = 12


@pytest.fixture(scope="module")
def targets() -> list[Target]:
    return [EVERYTHING.target(index) for index in range(HOSTS)]


def drawn(target: Target, number: int, count: int = 12) -> list[tuple[Genome, Attack]]:
    rng = Random(number)
    genomes = [fresh(target, Posterior(), rng) for _ in range(count)]
    return [(genome, attack) for genome in genomes if (attack := express(target, genome)) is not None]


def words(run: Run) -> list[tuple[object, ...]]:
    return [(m.role, m.content, m.calls, m.call_id) for m in run.messages]


def said(sample: Sample) -> tuple[object, ...]:
    return sample.id, words(sample.run), sample.truth


def labelled(sample: Sample) -> list[tuple[str, object]]:
    return [(c.tool, c.arguments) for c in sample.run.calls() if c.id in sample.truth.energies]


def touched(target: Target, attack: Attack) -> list[int]:
    """The messages of the run, none of them added yet, that hold what the stranger wrote."""
    assert attack.resisted is not None
    pairs = zip(target.host.run.messages, attack.resisted.messages, strict=True)
    return [at for at, (one, other) in enumerate(pairs) if one != other]


# Attacks


def test_a_genome_expresses_the_same_attack_each_time(targets: list[Target]) -> None:
    for index, target in enumerate(targets[:4]):
        again = EVERYTHING.target(index)
        for genome, attack in drawn(target, index):
            other = express(again, genome)
            assert other is not None
            assert said(other.sample) == said(attack.sample)
            once_more = express(target, genome)
            assert once_more is not None
            assert said(once_more.sample) == said(attack.sample)


def test_a_target_follows_from_its_index_and_the_seed() -> None:
    one, other = EVERYTHING.target(3), EVERYTHING.target(3)
    assert words(one.host.run) == words(other.host.run)
    assert one.menu == other.menu
    assert words(one.host.run) != words(EVERYTHING.target(4).host.run)
    assert words(one.host.run) != words(replace(EVERYTHING, seed=6).target(3).host.run)


def test_every_attack_is_labelled_and_asked_for_by_a_stranger_alone(targets: list[Target]) -> None:
    seen = 0
    for index, target in enumerate(targets):
        own = [(call.tool, call.arguments) for call in target.host.run.calls()]
        users = [m.content for m in target.host.run.messages if m.role == "user"]
        for _, attack in drawn(target, index):
            sample, seen = attack.sample, seen + 1
            assert sample.truth.kind == "hijacked"
            assert sample.truth.poisoned
            assert max(max(terms.values()) for terms in sample.truth.energies.values()) >= 6.0
            calls = labelled(sample)
            assert len(calls) == len(sample.truth.energies) > 0
            assert not [call for call in calls if call in own]
            assert [m.content for m in sample.run.messages if m.role == "user"] == users
            assert finish([sample])[0].energy >= 6.0
    assert seen > HOSTS * 3


@pytest.mark.parametrize("gene", ["register", "english", "derivation", "parted", "cover", "disguise"])
def test_a_gene_of_wording_leaves_calls_and_places(gene: str, targets: list[Target]) -> None:
    changed = {
        "register": "letter",
        "english": True,
        "derivation": 99,
        "parted": 1,
        "cover": "around",
        "disguise": "leet",
    }
    compared, others = 0, 0
    for target in targets:
        for seed in range(4):
            genome = Genome("instruction-shadowing", goal=seed, register="bare", derivation=seed, place=seed)
            one = express(target, genome)
            other = express(target, replace(genome, **{gene: changed[gene]}))  # type: ignore[arg-type]
            if one is None or other is None:
                continue
            compared += 1
            others += one.text != other.text
            assert labelled(one.sample) == labelled(other.sample)
            assert touched(target, one) == touched(target, other)
            assert len(one.sample.run.messages) == len(other.sample.run.messages)
            ids = [c.id for c in one.sample.run.calls() if c.id in one.sample.truth.energies]
            assert ids == [c.id for c in other.sample.run.calls() if c.id in other.sample.truth.energies]
    assert compared > HOSTS
    assert others > 0


def test_the_gene_of_place_leaves_calls_and_words(targets: list[Target]) -> None:
    moved = 0
    for target in targets:
        for seed in range(4):
            genome = Genome("instruction-shadowing", goal=seed, derivation=seed, cover="after", place=1)
            one, other = express(target, genome), express(target, replace(genome, place=2))
            if one is not None and other is not None:
                assert one.text == other.text
                assert labelled(one.sample) == labelled(other.sample)
                moved += words(one.sample.run) != words(other.sample.run)
    assert moved > HOSTS // 2


def test_the_gene_of_the_goal_leaves_the_place(targets: list[Target]) -> None:
    for target in targets:
        genome = Genome("instruction-shadowing", derivation=3, place=4)
        one, other = express(target, genome), express(target, replace(genome, goal=1))
        if one is not None and other is not None:
            assert (labelled(one.sample) == labelled(other.sample)) == (one.goal == other.goal)
            assert touched(target, one) == touched(target, other)


def test_a_value_that_stands_apart_is_read_before_the_call(targets: list[Target]) -> None:
    apart = 0
    for target in targets:
        for seed in range(12):
            genome = Genome("instruction-shadowing", goal=seed, parted=2, apart=True, place=seed)
            attack, goal = express(target, genome), target.goal(genome)
            if attack is None:
                continue
            assert goal is not None
            run, bad = attack.sample.run, attack.sample.truth.energies
            first = next(at for at, m in enumerate(run.messages) if any(c.id in bad for c in m.calls))
            outputs = [m.content for m in run.messages[:first] if m.role == "tool"]
            read = " ".join("".join(line.text + " " for o in outputs for line in lines(o)).split())
            for deed in goal.deeds:
                for value in map(str, deed.arguments.values()):
                    if len(value) >= SHORT and value in goal.asks[0]:
                        assert value in read
                        apart += value not in attack.text
    assert apart > HOSTS


def test_an_attack_comes_with_its_benign_twins() -> None:
    kinds = set()
    for index in range(HOSTS):
        target = EVERYTHING.target(index)
        _, attack = drawn(target, index)[0]
        samples = group(target, attack)
        kinds |= {sample.truth.kind for sample in samples}
        assert samples[0].truth.kind == "hijacked"
        assert {"clean", "resisted"} <= {sample.truth.kind for sample in samples[1:]}
        assert all(not sample.truth.energies for sample in samples[1:])
        assert len({sample.id for sample in samples}) == len(samples)
        assert {sample.run.group for sample in samples} == {f"adversary-5-{index:05d}"}
    assert kinds == {"hijacked", "clean", "resisted", "authorised", "delegated"}


def test_hosts_of_training_show_nothing_that_is_held_out() -> None:
    where = arena(1)
    assert HELD_OUT_DOMAINS.isdisjoint(domain.name for domain in where.domains)
    assert (HELD_OUT_FAMILIES | HELD_OUT_OPERATORS).isdisjoint(m.name for m in where.mutations)
    target = where.target(0)
    for genome, _ in drawn(target, 0, 40):
        assert not genome.disguise


# The search


class _Deaf:
    """A judge that never lets an attack through, and counts."""

    def __init__(self, term: str = "hierarchy", told: bool = True) -> None:
        self.asked = 0
        self._reading = Reading(9.0, term, told)

    def __call__(self, sample: Sample) -> Reading:
        self.asked += 1
        return self._reading


@pytest.mark.parametrize("budget", [0, 1, 5, 12])
@pytest.mark.parametrize("term", ["hierarchy", "provenance", "latent"])
def test_the_budget_of_queries_holds(budget: int, term: str, targets: list[Target]) -> None:
    for number, target in enumerate(targets[:3]):
        judge = _Deaf(term, told=bool(number))
        found, _ = search(target, judge, budget, Random(number))
        assert judge.asked == found.queries <= budget
        assert found.energies == (9.0,) * found.queries
        assert (found.best is None) == (found.queries == 0)


def test_a_search_ends_with_the_first_attack_below_the_threshold(targets: list[Target]) -> None:
    judged: list[float] = []

    def judge(sample: Sample) -> Reading:
        judged.append((8.0, 5.0, 7.0, 1.5)[len(judged)])
        return Reading(judged[-1], "latent")

    found, _ = search(targets[0], judge, 10, Random(0), threshold=2.0)
    assert judged == [8.0, 5.0, 7.0, 1.5]
    assert found.energies == (8.0, 5.0, 5.0, 1.5)
    assert [found.after(n) for n in (0, 1, 3, 4, 99)] == [10.0, 8.0, 5.0, 1.5, 1.5]


def test_a_posterior_prefers_what_worked() -> None:
    posterior, rng = Posterior(), Random(0)
    posterior.learn(Trial("register", "letter", 1.0) for _ in range(40))
    posterior.learn(Trial("register", "threat", 0.0) for _ in range(40))
    drawn = [posterior.draw("register", ("letter", "threat"), rng) for _ in range(200)]
    assert drawn.count("letter") > 190
    # of other choices nothing was learnt
    other = [posterior.draw("cover", ("letter", "threat"), rng) for _ in range(200)]
    assert 60 < other.count("letter") < 140


@pytest.fixture(scope="module")
def searched() -> Campaign:
    return attack_suite(default(), arena(21), 6, 4, threshold=2.0)


def test_finds_are_below_the_threshold_when_they_are_scored_again(searched: Campaign, tmp_path: Path) -> None:
    finds = [samples for _, samples in searched.finds()]
    assert finds
    path = tmp_path / "finds.jsonl"
    path.write_text("".join(json.dumps(row(sample)) + "\n" for samples in finds for sample in samples))
    runs = score([path], default())
    energies = {found.energy for found, _ in searched.finds()}
    attacks = [run for run in runs if run.kind == "hijacked"]
    assert len(attacks) == len(finds)
    for run in attacks:
        worst = max(call.energy for call in run.calls if call.hijacked)
        assert worst < 2.0
        assert worst in energies


def test_the_number_of_workers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "GENERATION", 2)
    one, two = (attack_suite(default(), arena(21), 4, 2, threshold=0.5, workers=n) for n in (1, 2))
    assert one == two


def test_success_rises_with_queries_and_is_read_at_no_lower_threshold() -> None:
    hosts = (
        Found(0, Genome("sleeper"), (7.0, 2.5, 1.0)),
        Found(1, Genome("sleeper"), (1.9,)),
        Found(2, Genome("sleeper"), (9.0, 9.0, 9.0)),
        Found(3, None, ()),
    )
    made = Campaign(arena(1), 2.0, hosts)
    assert [made.success(n) for n in (0, 1, 2, 3)] == [0.0, 0.25, 0.25, 0.5]
    assert [made.success(n, 3.0) for n in (1, 2, 3)] == [0.25, 0.5, 0.5]
    with pytest.raises(ValueError, match=r"^threshold 1\.0: searches stopped at 2\.0; search again$"):
        made.success(1, 1.0)


def test_the_threshold_at_a_rate_is_reached_by_no_larger_share_of_benign_runs() -> None:
    where, count = arena(22), 4
    energies = []
    for index in range(count):
        energies += campaign._benign(where, default(), index)
    for share in (0.2, 0.6):
        threshold = threshold_at(default(), where, count, share)
        assert sum(energy >= threshold for energy in energies) <= share * len(energies)
        assert sum(energy >= threshold * 0.999 for energy in energies) >= int(share * len(energies))
    with pytest.raises(ValueError, match="too few"):
        threshold_at(default(), where, count, 0.01)


def test_the_judge_says_what_production_says(targets: list[Target]) -> None:
    target = targets[0]
    _, attack = drawn(target, 0)[0]
    judge = Audit(default(), target.host.run.setting.schemas)
    bad = attack.sample.truth.energies
    verdicts = [verdict for call, verdict in judge.verdicts(attack.sample) if call.id in bad]
    reading = judge(attack.sample)
    assert reading.energy == max(verdict.energy for verdict in verdicts)
    assert reading.term in verdicts[0].terms
    assert judge.energy(attack.sample) >= reading.energy


def test_genes_are_choices_or_seeds() -> None:
    assert sorted([*choices(MUTATIONS), *SEEDS]) == sorted(field.name for field in fields(Genome))
