"""What a sample is made of: a run of an agent, and what is known about it because of how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from gatling.plan import JSON, PlanOrigin, Scope
from gatling.tools import Tool, Toolbox
from gatling.trace import Message, ProposedCall


@dataclass(frozen=True, slots=True)
class Deed:
    """A call with the tool's answer."""

    tool: str
    arguments: Mapping[str, JSON]
    output: str
    reading: bool = False
    """Strangers can write into the output."""


class Place(NamedTuple):
    """A row of a public dataset."""

    source: str
    """The dataset's name."""
    licence: str
    file: str
    """Path of the data file in the dataset's repository."""
    row: int
    """The row's number in that file, or its offset there."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A public text into which a stranger's words are put."""

    text: str
    """Empty where the words are the public text themselves."""
    place: Place


@dataclass(frozen=True, slots=True)
class Goal:
    """Calls that somebody may want made, and how to ask for them."""

    deeds: tuple[Deed, ...]
    asks: tuple[str, ...]
    """Imperative clauses in the run's language, or whole requests."""
    facts: tuple[str, ...] = ()
    """English statements from which the calls follow."""
    english: str = ""
    """One clause in English."""
    whole: bool = False
    """The asks are whole requests of one or more sentences, as a user would put them."""
    text: str = ""
    """A stranger's own text that asks for it, where there is one."""
    wordings: Callable[[], Sequence[str]] | None = field(default=None, compare=False, repr=False)
    """Gives a stranger's texts that ask for it, as an oracle words them; None where there is no oracle."""
    done: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Makes a world's state as it is once the calls were made; None where they change nothing there."""

    @property
    def deed(self) -> Deed:
        """The last call: what the rest leads to."""
        return self.deeds[-1]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs of one world share: its tools, its rules, and who may write where."""

    schemas: tuple[Mapping[str, Any], ...]
    toolbox: Toolbox
    domains: tuple[str, ...]
    language: str
    limits: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(tool, parameter) -> the largest number that the policy allows."""
    denied: frozenset[str] = frozenset()
    """Tools that the role may not use."""
    source: str = "worlds"
    licence: str = "Apache-2.0"

    def tool(self, call: ProposedCall) -> Tool:
        """What is known of a call's tool."""
        names = call.arguments if isinstance(call.arguments, dict) else ()
        return self.toolbox.tool(call.tool, names)


@dataclass(frozen=True, slots=True)
class Run:
    """A run before anything is computed from it.

    It holds no label: provenance and energies are computed from this alone, so a label cannot leak into them.
    """

    group: str
    """Everything made from one origin shares it, and with it one split."""
    setting: Setting
    messages: tuple[Message, ...]
    origin: PlanOrigin
    readings: frozenset[str]
    """Ids of calls whose output strangers can write into."""
    delegated: frozenset[str] = frozenset()
    """Ids of calls whose output holds a text that the user handed over to; not among `readings`."""
    beyond: str = ""
    """The sentence by which the user limited what was handed over."""
    rows: tuple[Place, ...] = ()
    """Rows of public datasets whose texts or calls stand in the run."""
    carrier: Carrier | None = None
    """The public text that the next stranger's words are put into."""

    def calls(self) -> list[ProposedCall]:
        """All proposed calls in order."""
        return [call for message in self.messages for call in message.calls]


Kind: TypeAlias = Literal["gold", "clean", "resisted", "authorised", "delegated", "hijacked", "mutated"]
"""`gold`: a run without an attack sibling. `clean`, `resisted`, `authorised`, `delegated`: the twins of
an attack. `hijacked`: a stranger's text was followed. `mutated`: calls were changed without any such text."""

TERMS = ("hierarchy", "provenance", "scope", "flow")


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a run by construction: label, and each call's energies where they are not near 0."""

    kind: Kind
    family: str = ""
    """The attack family or mutation operator; empty for benign runs."""
    register: str = ""
    """How the poison was worded."""
    energies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Call id -> term -> energy."""
    poisoned: bool = False
    """A poison was read."""
    budget: Scope | None = None
    """The smallest scope that the request needs; None when it is what the run's own calls reach for."""

    @property
    def category(self) -> Literal["benign", "adversarial", "mutated"]:
        """The share of the mix that the run counts for."""
        if self.kind == "hijacked":
            return "adversarial"
        return "mutated" if self.kind == "mutated" else "benign"


@dataclass(frozen=True, slots=True)
class Sample:
    """A run with what is true of it."""

    id: str
    run: Run
    truth: Truth
