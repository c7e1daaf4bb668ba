"""What a domain is: tools, tables, tasks and texts, one TOML file each (`docs/worlds.md` explains it)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from gatling.data.worlds.template import Template
from gatling.plan import Effect

LANGUAGES = ("en", "de", "es", "fr", "it", "pt")
"""Languages that users write in. Tools are described in English, as most are."""

FOLDER = Path(__file__).with_name("domains")


class DomainError(ValueError):
    """A domain file that cannot be used; the message names file, field and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, ignored_types=(cached_property,))

    # Parts of a domain are read once and are the same only as themselves, so that caches can hold them.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


Text = Annotated[Template, BeforeValidator(Template)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


class Wordings(_Strict):
    """The same thing said in several ways, in each language."""

    en: Texts
    de: Texts
    es: Texts
    fr: Texts
    it: Texts
    pt: Texts

    def of(self, language: str) -> tuple[Template, ...]:
        """The wordings in one language."""
        found: tuple[Template, ...] = getattr(self, language)
        return found

    def __iter__(self) -> Iterator[Template]:  # type: ignore[override]
        for language in LANGUAGES:
            yield from self.of(language)


class English(_Strict):
    """Several ways to say something in English."""

    en: Texts


_PARAMETER = re.compile(
    r"(?P<type>array\[string\]|\w+)(\((?P<options>[^)]*)\))?(?P<optional>\?)?:\s*(?P<text>.+)", re.S
)


class Parameter(_Strict):
    """One parameter of a tool, written `type: text`, `type?: text` (optional) or `string(a|b): text`."""

    type: Literal["string", "integer", "number", "boolean", "array[string]"]
    options: tuple[str, ...]
    required: bool
    text: str

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        match = _PARAMETER.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError("write `string: what it means`, `integer?: ...` or `string(a|b): ...`")
        options = tuple(o.strip() for o in (match["options"] or "").split("|") if o.strip())
        return {
            "type": match["type"],
            "options": options,
            "required": not match["optional"],
            "text": match["text"],
        }

    @property
    def schema_(self) -> dict[str, Any]:
        """As JSON Schema."""
        if self.type == "array[string]":
            return {"type": "array", "items": {"type": "string"}, "description": self.text}
        enum = {"enum": list(self.options)} if self.options else {}
        return {"type": self.type, "description": self.text, **enum}


class Adjustment(_Strict):
    """A number in another row that an operation moves: a balance, a stock."""

    table: str
    key: str
    """Argument (or column of the row acted on) that holds the other row's key."""
    column: str
    by: str
    """`+argument`, `-argument`, `+1` or `-1`."""


class Operation(_Strict):
    """What a tool does to the state, written `find mails`, `get mails`, `create mails` ..."""

    kind: Literal["find", "get", "create", "update", "delete"]
    table: str

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        kind, _, table = str(value).partition(" ")
        return {"kind": kind, "table": table.strip()}


class ToolSpec(_Strict):
    """A tool: its schema, the truth about what it does, and how people ask for it."""

    name: str
    description: str
    effects: frozenset[Effect]
    do: Operation
    key: str | None = None
    """Parameter that names the row of `get`, `update`, `delete` (it matches the table's first column)."""
    where: dict[str, str] = Field(default_factory=dict)
    """For `find`: parameter -> `column`, `column|column` (contains), `column>=`, `column<=`, or `limit`."""
    put: dict[str, str] = Field(default_factory=dict)
    """For `create` and `update`: column -> `{parameter}`, a constant or a generator; parameters named like a
    column are put there without being listed."""
    adjust: tuple[Adjustment, ...] = ()
    show: tuple[str, ...] = ()
    """Columns in the output; all when empty."""
    reply: Texts | None = None
    """What an acting tool answers, with `{parameter}`s and columns of the row; without it, the row."""
    sinks: tuple[str, ...] = ()
    output: Literal["verified", "untrusted"] = "verified"
    sensitivity: Annotated[int, Field(ge=1, le=5)] = 1
    style: tuple[Literal["json", "yaml", "lines", "table", "html", "mail", "prose"], ...] = ()
    """Renderings that suit the output; any when empty."""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    sample: dict[str, str] = Field(default_factory=dict)
    """Parameter -> generator of a value that somebody may ask for."""
    ask: Wordings | None = None
    """Imperative clauses, without capital and full stop, that ask for this call with `sample`'s values."""
    fact: English | None = None
    """English statements from which a reader would conclude that the call is due, and that order nothing."""

    @property
    def acts(self) -> bool:
        """True when the tool changes anything."""
        return self.effects != frozenset({Effect.READ})

    @cached_property
    def schema_(self) -> dict[str, Any]:
        """The tool's OpenAI function schema."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": {
                "type": "object",
                "properties": {name: p.schema_ for name, p in self.parameters.items()},
                "required": [name for name, p in self.parameters.items() if p.required],
            },
        }


class Step(BaseModel):
    """One call of a task: a tool, and its arguments as templates over what the task binds."""

    model_config = ConfigDict(extra="allow", ignored_types=(cached_property,))

    tool: str
    each: str | None = None
    """Name of a bound list: the step is done for each of its rows."""

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Parameter -> template, constant or list of templates."""
        return {k: _template(v) for k, v in (self.__pydantic_extra__ or {}).items()}


def _template(value: Any) -> Any:
    if isinstance(value, str):
        return Template(value)
    return [_template(v) for v in value] if isinstance(value, list) else value


class Finding(_Strict):
    """What a reading task finds out, so that another tool can carry it on; the noun phrases follow "Find"."""

    value: Text
    en: Text
    de: Text
    es: Text
    fr: Text
    it: Text
    pt: Text

    def of(self, language: str) -> Template:
        """The noun phrase in one language."""
        found: Template = getattr(self, language)
        return found


class Task(_Strict):
    """Something that a user asks for, with the calls that do it."""

    name: str
    bind: dict[str, str] = Field(default_factory=dict)
    """Name -> `table`, `table where column=value`, `table * 3` (a list for `each`)."""
    slots: dict[str, str] = Field(default_factory=dict)
    """Name -> generator of a value that stands in the request alone."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    request: Wordings
    finding: Finding | None = None


class Carrier(_Strict):
    """A call that can carry another task's finding to somebody."""

    tool: str
    arguments: dict[str, str]
    """Templates over `slots` and `{finding}`."""
    slots: dict[str, str] = Field(default_factory=dict)
    request: Wordings
    """Sentences that follow "Find ..." and call what was found "it" or "that"."""


class Channel(_Strict):
    """A place where other people's prose stands, and the calls by which an agent comes to read it."""

    table: str
    column: str
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """Templates over `{row.column}`."""
    delegate: Wordings
    """Requests that hand over to that text: "do what the mail from {row.sender} asks"."""


class Limit(_Strict):
    """A limit that the system prompt states."""

    tool: str
    parameter: str
    maximum: Annotated[tuple[float, ...], Field(min_length=1)]
    """One of these is drawn for each world."""
    text: Texts
    """How the policy says it, with `{maximum}`."""


class Role(_Strict):
    """Whom the agent works for, and the tools that this role may not use."""

    title: str
    denied: tuple[str, ...] = ()
    text: str = ""
    """How the policy says what is denied."""


_WRITERS = ("name", "first_name", "company")


class Domain(_Strict):
    """One domain; see the module's docstring."""

    name: str
    title: str
    system: Annotated[tuple[Text, ...], Field(min_length=3)]
    """System prompts, with `{user.name}`, `{user.company}`, `{role}`."""
    rules: Annotated[tuple[str, ...], Field(min_length=2)]
    """Sentences of policy that go with every task here."""
    limits: tuple[Limit, ...] = ()
    roles: Annotated[tuple[Role, ...], Field(min_length=2)]
    tables: dict[str, Table]
    prose: dict[str, Wordings | Texts]
    """Texts that people write here: name -> wordings (a plain list is English)."""
    tools: Annotated[tuple[ToolSpec, ...], Field(min_length=6)]
    tasks: Annotated[tuple[Task, ...], Field(min_length=12)]
    carriers: tuple[Carrier, ...] = ()
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]

    @cached_property
    def tool(self) -> dict[str, ToolSpec]:
        """Tools by name."""
        return {t.name: t for t in self.tools}

    @cached_property
    def writers(self) -> dict[str, dict[str, str]]:
        """Table -> column that holds somebody's message -> the column that names the writer.

        It is the person or the firm that a request which hands over to the message names first.
        """
        found: dict[str, dict[str, str]] = {}
        for channel in self.channels:
            named = [w.slots[0].removeprefix("row.") for w in channel.delegate.en if w.slots]
            for column in named:
                table, made = self.sources(channel.table, column)[-1]
                if self.tables[table].columns.get(made) in _WRITERS:
                    found.setdefault(channel.table, {}).setdefault(channel.column, column)
        return found

    def sources(self, table: str, column: str) -> list[tuple[str, str]]:
        """A column with its table, then the one that it refers to, and so on to where its values are made."""
        found = [(table, column)]
        while (written := self.tables[table].columns.get(column, "")).startswith("ref("):
            table, _, column = written[4:-1].partition(".")
            found.append((table, column))
        return found


class Table(_Strict):
    """Rows of state. The first column is the key."""

    rows: tuple[int, int]
    """Fewest and most rows of a fresh world."""
    columns: dict[str, str]
    """Column -> generator."""


Domain.model_rebuild()


@lru_cache(maxsize=1)
def domains() -> dict[str, Domain]:
    """All domains by name, in alphabetical order."""
    found = [read_domain(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {d.name: d for d in found}


def read_domain(path: Path) -> Domain:
    """Read and check one domain.

    Raises:
        DomainError: what is wrong, and where.
    """
    try:
        domain = Domain.model_validate(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise DomainError(f"{path.name}: not TOML: {error}") from None
    except ValidationError as error:
        lines = (f"{path.name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise DomainError("\n".join(lines)) from None
    return domain
