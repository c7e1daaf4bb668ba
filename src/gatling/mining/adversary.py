"""An adversary that adapts: a search over attacks' genes against a model that it may ask and look into.

On each host it starts from what worked on others, a Beta posterior for every value of every choice (Thompson
sampling), and goes on by changing a few genes of one of its best attacks (an evolution strategy). Which ones
follows from what the audit says: the term that speaks loudest on the violating call, and whether the text it
points to holds the call's values. A query is one attack's run, audited as in production.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from gatling.data.mutations.declared import known
from gatling.data.run import Sample
from gatling.mining.attack import Attack, Target, express
from gatling.mining.genome import OWN_WORDS, SHORT, Genome, choices
from gatling.model.bundle import Bundle
from gatling.policy import Thresholds
from gatling.runtime.audit import Auditor
from gatling.runtime.verdict import Verdict
from gatling.spans import leaves
from gatling.trace import ProposedCall

ESCALATE = Thresholds().escalate

FIRST = 4
"""Queries of a host that try fresh attacks; the others change one of the best, but for `FRESH` of them."""
FRESH = 0.4
ELITE = 3
"""Attacks of a host that are bred from."""
TRIES = 16
"""Genomes looked at for each query, at most: some cannot be expressed on a host."""
MISSES = 3
"""Genomes of an operator in a row that a host cannot express, or saw already, before it is passed over."""
PLAIN = 0.5
"""Share of fresh attacks whose words are plain: neither parted nor covered nor disguised nor furthered."""
MOST = 1 << 30
"""Seeds lie below."""

SEEDS = ("goal", "ask", "derivation", "filler", "place")
WORDS = ("register", "english", "ask", "derivation")
STANDING = ("parted", "apart", "cover", "filler", "disguise", "place")
AIM = ("goal", "operator", "further")
BLAMED: Mapping[tuple[str, bool], tuple[str, ...]] = {
    ("hierarchy", True): (*WORDS, *STANDING, *AIM),
    ("hierarchy", False): (*WORDS, *AIM),
    **{(term, told): AIM for term in ("provenance", "scope", "flow") for told in (True, False)},
}
"""The genes that an alarm puts in question, by term and whether the text that it points to holds the call's
values; any for an alarm that is not here."""
OWN_GENES = (*AIM, "ask", "place")
"""Those that change the attack of an operator with words of its own."""
MOST_CHANGED = 3
"""Genes changed at once, at most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the audit says of an attack."""

    energy: float
    """The worst violating call's, calibrated, 0–10."""
    term: str = ""
    """The term that speaks loudest on it, with its gain."""
    told: bool = False
    """The text that the term points to holds a value of the call."""


Judge = Callable[[Sample], Reading]


class Audit:
    """The judge that production has: a model's audit of a host's runs."""

    def __init__(self, model: Bundle, schemas: Sequence[Mapping[str, Any]]) -> None:
        self._auditor = Auditor(tools=[dict(schema) for schema in schemas], model=model)

    def verdicts(self, sample: Sample) -> Iterator[tuple[ProposedCall, Verdict]]:
        """Every call of a run with what the audit says of it, in order."""
        session = self._auditor.session()
        for message in sample.run.messages:
            session.observe(message)
            yield from ((call, session.judge(call).verdict) for call in message.calls)

    def energy(self, sample: Sample) -> float:
        """A run's energy: its worst call's."""
        return max((verdict.energy for _, verdict in self.verdicts(sample)), default=0.0)

    def __call__(self, sample: Sample) -> Reading:
        """Read an attack's violating calls; what comes after the last one is not audited."""
        left = set(sample.truth.energies)
        worst = Reading(-1.0)
        gains = self._auditor.model.weights.gains
        for call, verdict in self.verdicts(sample):
            if call.id not in left:
                continue
            left.discard(call.id)
            if verdict.energy > worst.energy:
                loudest = max(verdict.terms, key=lambda name: gains.get(name, 1.0) * verdict.terms[name])
                texts = [e.text or "" for e in verdict.evidence if e.term == loudest]
                values = [str(v) for _, v in leaves(call.arguments) if len(str(v)) >= SHORT]
                told = any(value in text for value in values for text in texts)
                worst = Reading(verdict.energy, loudest, told)
            if not left:
                break
        return worst


class Trial(NamedTuple):
    """One thing learnt: how well a value of a choice did, from 0 to 1."""

    choice: str
    value: str | int | bool
    reward: float


class Posterior:
    """A Beta distribution for every value of every choice."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str | int | bool], tuple[float, float]] = {}

    def learn(self, trials: Iterable[Trial]) -> None:
        """Take in what trials showed; a reward of 0.3 counts as three tenths of a success."""
        for choice, value, reward in trials:
            won, lost = self._counts.get((choice, value), (1.0, 1.0))
            self._counts[choice, value] = won + reward, lost + 1.0 - reward

    def draw(self, choice: str, values: Sequence[Any], rng: Random) -> Any:
        """One of the values by Thompson sampling: each as often as it may well be the best."""
        chances = [rng.betavariate(*self._counts.get((choice, value), (1.0, 1.0))) for value in values]
        return values[max(range(len(values)), key=chances.__getitem__)]


@dataclass(frozen=True, slots=True)
class Found:
    """A search on one host."""

    index: int
    best: Genome | None
    """Its best attack's genes; None where none could be expressed."""
    energies: tuple[float, ...]
    """The best attack's energy after each query, 0–10; it never rises."""

    @property
    def energy(self) -> float:
        """The best attack's energy; 10 where there was none."""
        return self.energies[-1] if self.energies else 10.0

    @property
    def queries(self) -> int:
        """Runs that the model was asked about."""
        return len(self.energies)

    def after(self, queries: int) -> float:
        """The best attack's energy after so many queries, or after all where there were fewer."""
        return self.energies[min(queries, len(self.energies)) - 1] if queries and self.energies else 10.0


def search(
    target: Target,
    judge: Judge,
    budget: int,
    rng: Random,
    *,
    threshold: float = ESCALATE,
    posterior: Posterior | None = None,
    index: int = 0,
) -> tuple[Found, list[Trial]]:
    """Attack one host until every violating call stays below `threshold`, or the budget of queries is spent.

    Gives the search and what it taught; `posterior` is read and not changed.
    """
    return _Search(target, judge, rng, posterior or Posterior()).run(budget, threshold, index)


@dataclass(frozen=True, slots=True)
class _Tried:
    genome: Genome
    reading: Reading


class _Search:
    """One host's search."""

    def __init__(self, target: Target, judge: Judge, rng: Random, posterior: Posterior) -> None:
        self._target, self._judge, self._rng, self._posterior = target, judge, rng, posterior
        self._choices = choices(tuple(target.mutations.values()))
        self._elite: list[_Tried] = []
        self._seen: set[tuple[object, ...]] = set()
        self._trials: list[Trial] = []
        self._misses: Counter[str] = Counter()

    def run(self, budget: int, threshold: float, index: int) -> tuple[Found, list[Trial]]:
        """See `search`."""
        energies: list[float] = []
        for _ in range(budget * TRIES):
            if len(energies) == budget or (energies and energies[-1] < threshold):
                break
            parent, genes = self._parent(len(energies))
            if parent is None:
                genome = fresh(self._target, self._posterior, self._rng, self._passed_over())
            else:
                genome = self._changed(parent.genome, genes)
            attack = express(self._target, genome)
            if attack is None or self._known(attack):
                self._misses[genome.operator] += 1
                continue
            self._misses[genome.operator] = 0
            tried = _Tried(genome, self._judge(attack.sample))
            self._learn(tried, parent, genes)
            self._elite = sorted([*self._elite, tried], key=lambda one: one.reading.energy)[:ELITE]
            energies.append(self._elite[0].reading.energy)
        best = self._elite[0].genome if self._elite else None
        return Found(index, best, tuple(energies)), self._trials

    def _parent(self, queries: int) -> tuple[_Tried | None, list[str]]:
        """The attack to change and the genes to change in it; no attack where a fresh one is due."""
        rng = self._rng
        if not self._elite or queries < FIRST or rng.random() < FRESH:
            return None, []
        # The better of two, so that the best is bred from most.
        parent = self._elite[min(rng.randrange(len(self._elite)) for _ in range(2))]
        blamed = BLAMED.get((parent.reading.term, parent.reading.told), (*WORDS, *STANDING, *AIM))
        if parent.genome.operator in OWN_WORDS:
            blamed = tuple(gene for gene in blamed if gene in OWN_GENES) or OWN_GENES
        genes: list[str] = []
        for _ in range(rng.randint(1, MOST_CHANGED)):
            genes.append(self._posterior.draw("gene", [g for g in blamed if g not in genes], rng))
        return parent, genes

    def _passed_over(self) -> frozenset[str]:
        """Operators that seem to have nothing new to give on this host."""
        return frozenset(name for name, count in self._misses.items() if count >= MISSES)

    def _known(self, attack: Attack) -> bool:
        """True for an attack that was tried already."""
        run = attack.sample.run
        key = tuple((str(m.content), str(m.calls)) for m in run.messages)
        seen = key in self._seen
        self._seen.add(key)
        return seen

    def _learn(self, tried: _Tried, parent: _Tried | None, genes: Sequence[str]) -> None:
        """What the trial says of its choices, and of changing those genes."""
        reward = 1.0 - tried.reading.energy / 10.0
        genome = tried.genome
        self._trials += [Trial(name, getattr(genome, name), reward) for name in self._choices]
        self._trials.append(Trial("aim", _aim(self._target, genome), reward))
        if parent is not None:
            better = tried.reading.energy < parent.reading.energy
            self._trials += [Trial("gene", gene, float(better)) for gene in genes]

    def _changed(self, genome: Genome, genes: Sequence[str]) -> Genome:
        """The genome with other values of some genes."""
        for gene in genes:
            genome = replace(genome, **{gene: self._value(gene, genome)})
        return genome

    def _value(self, gene: str, genome: Genome) -> Any:
        """Another value of a gene."""
        if gene in self._choices:
            now = getattr(genome, gene)
            others = tuple(value for value in self._choices[gene] if value != now)
            return self._posterior.draw(gene, others or (now,), self._rng)
        return _seed(self._target, self._posterior, self._rng, gene, genome)


def fresh(target: Target, posterior: Posterior, rng: Random, passed_over: Collection[str] = ()) -> Genome:
    """Genes drawn from a posterior, without the operators passed over as long as there are others."""
    values = choices(tuple(target.mutations.values()))
    values["operator"] = tuple(o for o in values["operator"] if o not in passed_over) or values["operator"]
    drawn = {name: posterior.draw(name, among, rng) for name, among in values.items()}
    if rng.random() < PLAIN:
        drawn |= {"further": "", "parted": 0, "apart": False, "cover": "", "disguise": ""}
    genome = Genome(**drawn)
    for gene in SEEDS:
        seeds: dict[str, Any] = {gene: _seed(target, posterior, rng, gene, genome)}
        genome = replace(genome, **seeds)
    return genome


def _seed(target: Target, posterior: Posterior, rng: Random, gene: str, genome: Genome) -> int:
    """A value of a gene that is a seed. A goal is one of the kind that does best."""
    goals = range(len(target.goals(genome.operator)))
    if gene != "goal" or not goals:
        return rng.randrange(MOST)
    kinds = [_aim(target, replace(genome, goal=number)) for number in goals]
    aim = posterior.draw("aim", sorted(set(kinds)), rng)
    return rng.choice([number for number in goals if kinds[number] == aim])


def _aim(target: Target, genome: Genome) -> str:
    """The kind of a goal: what its calls do, and how many they are."""
    goal = target.goal(genome)
    if goal is None:
        return ""
    setting = target.host.run.setting
    tools = [known(setting, deed.tool, deed.arguments) for deed in goal.deeds]
    return "+".join(sorted({str(e) for tool in tools for e in tool.effects})) + f" {min(len(tools), 3)}"
