"""A tool's schema as inference needs it: the tool, and what each parameter takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatling.plan import JSON
from gatling.text import name_words, words
from gatling.tools import Tool, read_tools

OPTIONS = 30
"""Values of an enumeration that are looked at."""

_TYPES = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "str": "string",
}
"""Types as Python, Java and BFCL spell them."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool."""

    name: str
    words: frozenset[str]
    """Words of its name."""
    type: str
    """A type of JSON Schema; `string` where none is given."""
    format: str
    """JSON Schema's format, or ""."""
    options: tuple[JSON, ...]
    """The values that it takes, where they are enumerated."""
    required: bool
    items: str
    """The type of an array's items; "" for what is no array."""
    description: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A tool and its parameters."""

    tool: Tool
    parameters: tuple[Parameter, ...]

    @property
    def required_numbers(self) -> int:
        """Required parameters that are numbers."""
        return sum(p.required and p.type in ("integer", "number") for p in self.parameters)

    @property
    def options(self) -> list[tuple[str, ...]]:
        """The words of each value that some parameter enumerates."""
        found = [tuple(name_words(str(o))) for p in self.parameters for o in p.options]
        return [o for o in dict.fromkeys(found) if o]

    @property
    def words(self) -> list[str]:
        """Words by which the parameters are described."""
        return [
            w
            for p in self.parameters
            for w in (*words(p.description[:200]), *(w for o in p.options for w in name_words(str(o))))
        ]


def read_schema(schema: Mapping[str, Any]) -> Iterator[Schema]:
    """The tools of one schema, in any form that `gatling.tools.read_tools` takes. Raises its `ToolError`."""
    bodies = _bodies(schema)
    for tool in read_tools([dict(schema)]).values():
        yield Schema(tool, tuple(_parameters(tool, bodies.get(tool.name, {}))))


def _bodies(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The JSON schemas of the parameters, by the tool's name."""
    declared = schema.get("function_declarations", schema.get("functionDeclarations"))
    entries = declared if isinstance(declared, list) else [schema]
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        body = next((entry[k] for k in ("function", "toolSpec") if isinstance(entry.get(k), Mapping)), entry)
        fields = ("parameters", "input_schema", "inputSchema")
        given: Mapping[str, Any] = next((body[k] for k in fields if isinstance(body.get(k), Mapping)), {})
        if isinstance(given.get("json"), Mapping):
            given = given["json"]
        found[str(body.get("name"))] = given
    return found


def _parameters(tool: Tool, body: Mapping[str, Any]) -> Iterator[Parameter]:
    properties = body.get("properties")
    listed = body.get("required")
    required = {r for r in listed if isinstance(r, str)} if isinstance(listed, list) else set()
    for name in tool.parameters:
        given = properties.get(name) if isinstance(properties, Mapping) else body.get(name)
        about: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        items = about.get("items")
        options = about.get("enum")
        yield Parameter(
            name=name,
            words=frozenset(name_words(name)),
            type=_type(about.get("type")),
            format=str(about.get("format") or ""),
            options=tuple(options[:OPTIONS]) if isinstance(options, list) else (),
            required=name in required or about.get("required") is True,
            items=_type(items.get("type")) if isinstance(items, Mapping) else "",
            description=str(about.get("description") or ""),
        )


def _type(given: object) -> str:
    """A type in JSON Schema's spelling; of several the first that is not null."""
    if isinstance(given, list):
        given = next((g for g in given if g != "null"), None)
    text = given.lower() if isinstance(given, str) else "string"
    return _TYPES.get(text, text)
