"""What a public dataset is: where it lies, what its columns are, and how a row becomes material for plans.

A row is parted before anything is made of it: `Source.part` takes the label's columns away and gives what is
left as an `Unlabelled` row, the only kind that `Source.materials` and the adapter take. So no label can reach
a plan, and two rows that differ in their labels alone make the same plans.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final

from gatling.trace import Message

Role: TypeAlias = Literal["benign", "adversarial", "both", "evaluation"]
"""What a source brings to a build. `evaluation` never enters a training mix."""

Label: TypeAlias = Literal["attack", "benign"]
"""What a dataset says of a row; None where it says nothing."""

Channel: TypeAlias = Literal["chat", "mail", "page", "document"]
"""How a text reaches an agent: from its user, or in something that it reads."""

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "list", "object", "any"]
"""What a column holds; every column may be null."""

Columns: TypeAlias = Mapping[str, Kind]
"""Names of columns, and what they hold."""

Gate: TypeAlias = Literal["open", "gated"]


class Rejected(ValueError):
    """A row that nothing can be made of; the message says why, and what would have to be there."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text and how it reaches an agent."""

    text: str
    channel: Channel
    system: str = ""
    """What the deployer said before it, where the row has that."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation with tool calls."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...]
    """The schemas of the tools at hand, each in a form that `gatling.tools` reads."""
    observed: bool
    """A run of an agent, with what its tools returned; else reference calls that nobody made."""


Material: TypeAlias = Text | Talk


@final
@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A row without the columns that say what it is. Only `Source.part` makes one."""

    columns: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.columns[column]

    def get(self, column: str) -> Any:
        """A column's value; None where the row does not have it."""
        return self.columns.get(column)


class Source(ABC):
    """One public dataset. A subclass states the facts and makes materials of its rows."""

    name: ClassVar[str]
    """What `gatling sources` and a build's table call it."""
    repo: ClassVar[str]
    """NAMESPACE/NAME on the Hub."""
    revision: ClassVar[str] = "main"
    """A branch, tag or commit; a build writes down the commit that it found."""
    files: ClassVar[tuple[str, ...]]
    """Glob patterns of the data files in the repository, in the order in which they are read."""
    licence: ClassVar[str]
    """An SPDX identifier, or `unknown` where the dataset states none."""
    gate: ClassVar[Gate] = "open"
    role: ClassVar[Role]
    columns: ClassVar[Columns]
    """The columns that must be there. Others may be; they are not read."""
    labels: ClassVar[frozenset[str]] = frozenset()
    """Columns that say, or give away, what a row is."""
    meaning: ClassVar[str]
    """What a label means, in a sentence."""
    terms: ClassVar[frozenset[str]]
    """Energy terms that the rows can move."""
    size: ClassVar[int | None] = None
    """Rows in all, where known."""
    form: ClassVar[Literal["text", "calls"]]
    """Whether rows hold texts alone or conversations with calls."""
    note: ClassVar[str] = ""
    """What a person should know before using it."""

    @final
    def part(self, row: Mapping[str, Any]) -> tuple[Unlabelled, Label | None]:
        """A row without its label's columns, and its label. Raises `Rejected`."""
        kept = {name: value for name, value in row.items() if name not in self.labels}
        return Unlabelled(kept), self.label({name: row.get(name) for name in self.labels})

    def rows(self, document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """The rows of one document of a data file: itself, where a file does not nest its rows."""
        return (document,)

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """What the dataset says of a row, from its label's columns alone. Raises `Rejected`."""
        return None

    @abstractmethod
    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """What plans can be made of. Raises `Rejected`, before it yields anything."""
