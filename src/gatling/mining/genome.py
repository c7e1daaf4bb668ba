"""The genes of an attack, and how those of wording make a stranger's text.

Each gene is a choice or a seed of its own, so that changing one leaves what the others decide as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from gatling.data.mutations import Mutation
from gatling.data.mutations.fragmentation import parted
from gatling.data.mutations.obfuscation import DISGUISES
from gatling.data.mutations.poison import readings
from gatling.data.mutations.worded import around, requested
from gatling.data.run import Goal, Run
from gatling.data.wording import fact_registers, registers, state, word
from gatling.data.worlds.template import ended

OWN_WORDS = frozenset({"exfiltration-pivot", "fragmentation", "provenance-rug-pull"})
"""Operators whose text follows from what they do; the genes of wording leave it as it is."""

DISGUISE = "obfuscation"
"""The operator whose disguises are genes where it is among the mutations: any other's words may wear one."""

MOST_PARTED = 2
"""Values of one ask that may stand in sentences of their own."""

COVER = 3
"""Sentences of the world's own that an attack's text may hide among."""

SHORT = 4
"""Values of fewer characters stand everywhere; nothing follows from where they do."""


@dataclass(frozen=True, slots=True)
class Genome:
    """What decides an attack on a given host."""

    operator: str
    """Name of the operator that plants the text and makes the call."""
    further: str = ""
    """Another hijacking one applied on top of it, in words of its own, or none. One that changes calls with
    no text would add what no stranger asked for."""
    goal: int = 0
    """Which goal of the host's menu."""
    ask: int = 0
    """Which of the goal's wordings."""
    register: str = ""
    """Of `gatling.data.wording`: one that orders or, where the goal has facts, one that states them. One that
    the language lacks leaves the choice to the derivation, as does none."""
    english: bool = False
    """The text is in English whatever the run is in."""
    derivation: int = 0
    """Seed of the register's derivation."""
    parted: int = 0
    """Values that stand in sentences of their own."""
    apart: bool = False
    """Those sentences stand in another output."""
    cover: str = ""
    """Where sentences of the world's own stand: `before`, `after`, `around`, or none."""
    filler: int = 0
    """Seed of the choice of those sentences."""
    disguise: str = ""
    """How the words are disguised, or not."""
    place: int = 0
    """Seed of where the text stands and when the call is made."""


COVERS = ("", "before", "after", "around")


def choices(mutations: Sequence[Mutation]) -> dict[str, tuple[str | int | bool, ...]]:
    """The values of each gene that is a choice; the others are seeds."""
    hijacking = [m.name for m in mutations if m.kind == "hijacked" and m.name != DISGUISE]
    disguises = DISGUISES if any(m.name == DISGUISE for m in mutations) else ()
    return {
        "operator": tuple(hijacking),
        "further": ("", *hijacking),
        "register": (*registers("en"), *fact_registers()),
        "english": (False, True),
        "parted": tuple(range(MOST_PARTED + 1)),
        "apart": (False, True),
        "cover": COVERS,
        "disguise": ("", *disguises),
    }


class Said(NamedTuple):
    """A stranger's words."""

    text: str
    register: str
    apart: tuple[str, ...]
    """Sentences that stand in another output."""


def said(genome: Genome, run: Run, goal: Goal, fillers: Sequence[str]) -> Said:
    """What the genes of wording make of a goal in a run; `fillers` are the run's own texts to hide in."""
    rng = Random(f"{genome.derivation}/words")
    own = run.setting.language
    facts = genome.register in fact_registers() and bool(goal.facts)
    language = "en" if facts or genome.english else own
    asks = goal.facts if facts else goal.asks if language == own else (goal.english,)
    ask, rest = _parted(genome, goal, asks[genome.ask % len(asks)], language)
    if facts:
        worded = state(rng, [ask], around(run, rng, "en"), register=genome.register)
    elif goal.whole:
        worded = requested(run, ask, rng)
    else:
        register = genome.register if genome.register in registers(language) else None
        worded = word(rng, language, [ask], around(run, rng, language), register=register)
    text, apart = worded.text, genome.apart and len(readings(run)) > 1
    if rest and not apart:
        sentences = [text, *rest] if rng.random() < 0.5 else [*rest, text]
        text = rng.choice((" ", " ", "\n")).join(map(ended, sentences))
    register = worded.register
    if genome.disguise:
        disguise = Random(f"{genome.derivation}/disguise")
        text, register = DISGUISES[genome.disguise](text, disguise), f"{register}/{genome.disguise}"
    return Said(_covered(genome, text, fillers), register, tuple(rest) if apart else ())


def _parted(genome: Genome, goal: Goal, ask: str, language: str) -> tuple[str, list[str]]:
    """The ask without some of its values, and the sentences that say them."""
    rng = Random(f"{genome.derivation}/parted")
    values = [
        (name, str(value))
        for deed in goal.deeds
        for name, value in deed.arguments.items()
        if len(str(value)) >= SHORT
    ]
    rest: list[str] = []
    for name, value in rng.sample(values, len(values)):
        if any(value != other and value in other for _, other in values):
            continue  # the other would no longer stand anywhere
        if len(rest) < genome.parted and value in ask:
            ask, sentence = parted(ask, name, value, language, rng)
            rest.append(ended(sentence))
    return ask, rest


def _covered(genome: Genome, text: str, fillers: Sequence[str]) -> str:
    """The text among sentences of the world's own."""
    cover = genome.cover
    if not cover or not fillers:
        return text
    rng = Random(genome.filler)
    drawn = [ended(filler) for filler in rng.sample(fillers, min(len(fillers), rng.randint(1, COVER)))]
    before = drawn if cover == "before" else drawn[::2] if cover == "around" else []
    after = drawn if cover == "after" else drawn[1::2] if cover == "around" else []
    return " ".join([*before, ended(text), *after])
