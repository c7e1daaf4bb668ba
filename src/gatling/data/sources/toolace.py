"""Team-ACE/ToolACE: tool use whose calls are written `[Func(a=1)]`; the tools stand in the system prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from gatling.data.sources.columns import Tools, body_of, parameters_of, parse, read_tools, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.sharegpt import turns
from gatling.data.sources.source import Columns, Material, Rejected, Source, Unlabelled
from gatling.data.sources.syntax import looks_like_calls, written_calls

_LISTED = re.compile(r"\[\s*\{")
_NO_NAME = re.compile(r"[^\w.:/-]+")


class ToolACE(Source):
    """Conversations; where nothing is called the assistant asks back or declines."""

    name = "toolace"
    repo = "Team-ACE/ToolACE"
    files = ("data.json",)
    licence = "Apache-2.0"
    role = "benign"
    columns: ClassVar[Columns] = {"system": "text", "conversations": "list"}
    meaning = "No label."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    size = 11_300
    form = "calls"
    note = "Names of tools hold blanks, which no API takes: underscores stand for them, in schemas and calls."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The conversation."""
        system, tools = _tools(text_of(row.get("system"), "system"))
        parameters = parameters_of(tools)
        talk = Conversation()
        if system:
            talk.say("system", system)
        for place, speaker, name, value in turns(row.get("conversations"), "conversations"):
            if speaker == "output":
                talk.output(value)
            elif speaker is None or speaker == "call":
                talk.other(name, value)
            elif speaker == "assistant":
                _said(talk, text_of(value, place), parameters)
            else:
                talk.say(speaker, text_of(value, place))
        yield from talk.materials(tools, "conversations")


def _said(talk: Conversation, text: str, parameters: dict[str, tuple[str, ...]]) -> None:
    calls, rest = written_calls(text) if looks_like_calls(text) else ([], text)
    calls = [replace(call, name=_name(call.name)) for call in calls]
    if any(call.problem and call.name not in parameters for call in calls):
        calls, rest = [], text  # prose in brackets
    for call in calls:
        talk.call_written(call, parameters)
    talk.say("assistant", rest)


def _tools(system: str) -> tuple[str, Tools]:
    """The prompt without its list of tools, and the tools."""
    listed = _LISTED.search(system)
    if listed is None:
        return system, ()
    try:
        schemas, end = parse(system, listed.start())
    except ValueError as error:
        raise Rejected(f"system: the tools are no JSON that can be read: {error}") from None
    tools = tuple(_renamed(schema) for schema in read_tools(schemas, "system"))
    return f"{system[: listed.start()].rstrip()}\n{system[end:].lstrip()}".strip(), tools


def _renamed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    body = body_of(schema)
    renamed = {**body, "name": _name(body["name"])}
    return {**schema, "function": renamed} if body is not schema else renamed


def _name(name: str) -> str:
    return _NO_NAME.sub("_", name).strip("_") or name
