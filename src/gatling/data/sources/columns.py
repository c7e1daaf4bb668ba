"""How the columns of a row are read: texts, JSON in text, lists of messages, tools."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeAlias

from gatling.data.sources.source import Channel, Rejected, Text
from gatling.data.sources.syntax import plain_text
from gatling.plan import JSON
from gatling.trace.reader import MAX_DEPTH, found, plain

Tools: TypeAlias = tuple[Mapping[str, Any], ...]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""JSON's escape for half a character."""


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_float=_float, parse_constant=_constant)


def parse(text: str, start: int = 0) -> tuple[JSON, int]:
    """The JSON value that begins at `start`, as plain JSON, and where it ends. Raises `ValueError`."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deep") from None
    # A walk over the value costs more than reading it, and is needed only where something may be wrong.
    part = text[start:end]
    if part.count("{") + part.count("[") >= MAX_DEPTH or _HALF.search(part) or plain_text(part) != part:
        value = plain(value)
    return value, end


def decoded(value: object, field: str) -> JSON:
    """A column that holds JSON, as text or as it is; None where it is empty. Raises `Rejected`."""
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            return plain(value)
        text = value.strip()
        if not text:
            return None
        read, end = parse(text)
        if end != len(text):
            raise ValueError(f"text after the value at character {end}")
    except ValueError as error:
        raise Rejected(f"{field}: no JSON that can be read: {error}") from None
    return read


def text_of(value: object, field: str) -> str:
    """A column that holds a text; "" where it is null. Raises `Rejected`."""
    if isinstance(value, str):
        return plain_text(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    raise Rejected(f"{field}: found {found(value)}, not text")


def content_of(value: object, field: str) -> JSON:
    """What a message or a tool says, text or not; "" where it is null. Raises `Rejected`."""
    if isinstance(value, str) or value is None:
        return plain_text(value or "")
    return decoded(value, field)


def one_text(value: object, field: str, channel: Channel, system: str = "") -> Text:
    """The material of a row whose column `field` is a text. Raises `Rejected` where it is blank."""
    text = text_of(value, field)
    if not text.strip():
        raise Rejected(f"{field}: empty, nothing to read")
    return Text(text, channel, system)


def objects(value: object, field: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with its place. Raises `Rejected`."""
    items = decoded(value, field) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items:
        raise Rejected(f"{field}: found {found(items)}, not a list of messages")
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise Rejected(f"{field}[{index}]: found {found(item)}, not an object")
        yield f"{field}[{index}]", item


def first_request(value: object, field: str) -> Text:
    """What the user asked for first, of a list of `{"role", "content"}`.

    Later turns lean on answers, and say little alone. Raises `Rejected` where no user says anything.
    """
    system = ""
    for place, item in objects(value, field):
        role = item.get("role")
        if role not in ("system", "user"):
            continue
        text = text_of(item.get("content"), f"{place}.content")
        if role == "user" and text.strip():
            return Text(text, "chat", system)
        if role == "system":
            system = text
    raise Rejected(f"{field}: no user says anything")


def read_tools(value: object, field: str) -> Tools:
    """Tool schemas: a list, one, or an object name -> schema, as JSON or its text. Raises `Rejected`."""
    schemas = decoded(value, field)
    if isinstance(schemas, dict) and isinstance(schemas.get("tools"), list):
        schemas = schemas["tools"]
    if isinstance(schemas, dict):
        if isinstance(schemas.get("name"), str) or "function" in schemas:
            schemas = [schemas]
        else:
            schemas = [
                {"name": name, **schema} if isinstance(schema, dict) else schema
                for name, schema in schemas.items()
            ]
    if schemas is None:
        return ()
    if not isinstance(schemas, list):
        raise Rejected(f"{field}: found {found(schemas)}, not a list of tools")
    return tuple(_tool(schema, f"{field}[{index}]") for index, schema in enumerate(schemas))


def body_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a tool's schema that names it."""
    function = schema.get("function")
    return function if isinstance(function, dict) else schema


def _tool(schema: JSON, field: str) -> Mapping[str, Any]:
    """A schema that `gatling.tools` reads; the checks are its own, without the reading."""
    if not isinstance(schema, dict):
        raise Rejected(f"{field}: found {found(schema)}, not a tool's schema")
    body = body_of(schema)
    name, description, parameters = body.get("name"), body.get("description"), body.get("parameters")
    if not isinstance(name, str) or not name:
        raise Rejected(f"{field}.name: found {found(name)}, not a tool's name")
    if description is not None and not isinstance(description, str):
        raise Rejected(f"{field}.description: found {found(description)}, not text")
    if parameters is not None and not isinstance(parameters, dict | list):
        raise Rejected(f"{field}.parameters: found {found(parameters)}, not a schema")
    if isinstance(parameters, dict) and not isinstance(parameters.get("properties"), dict | None):
        raise Rejected(
            f"{field}.parameters.properties: found {found(parameters['properties'])}, not an object"
        )
    return schema


def parameters_of(tools: Tools) -> dict[str, tuple[str, ...]]:
    """Each tool's parameters in the order in which its schema lists them."""
    named: dict[str, tuple[str, ...]] = {}
    for schema in tools:
        body = body_of(schema)
        parameters = body.get("parameters")
        listed = parameters.get("properties", parameters) if isinstance(parameters, dict) else None
        named[body["name"]] = tuple(listed) if isinstance(listed, dict) else ()
    return named
