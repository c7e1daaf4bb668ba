"""The adapter: what a public row holds, to execution plans.

It takes materials alone (see `sources.source`), so that no label can reach a plan. A conversation with calls
becomes a run, whose provenance is computed by the code that audits in production. A text becomes a guess: the
call that its words ask for, found by patterns (`gatling.data.inference`), over one span.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from gatling.data.inference import InferredCall, ToolRegistry, default_registry
from gatling.data.label import compute
from gatling.data.run import Place, Run, Setting
from gatling.data.sources.source import Channel, Material, Rejected, Talk, Text
from gatling.plan import (
    JSON,
    ArgumentProvenance,
    ExecutionPlan,
    Intent,
    Match,
    Origin,
    PlanOrigin,
    Span,
    ToolCall,
    TrustTier,
)
from gatling.spans import leaves, segments
from gatling.text import encoder
from gatling.tools import Tool, Toolbox, ToolError, read_tools
from gatling.trace import Message
from gatling.values import value_words

READ_BY: Mapping[Channel, str] = {
    "chat": "user",
    "mail": "tool:read_mail",
    "page": "tool:open_page",
    "document": "tool:read_document",
}
"""Where a text's span comes from, by its channel."""


class ExecutionPlanAdapter:
    """Materials to plans. One adapter serves any number of rows.

    >>> from gatling.data.sources.source import Text
    >>> plan = ExecutionPlanAdapter().adapt(Text("Please send the report to ana@corp.example.", "chat"), "1")
    >>> plan.origin.value, len(plan.spans)
    ('inferred', 1)
    """

    def __init__(self, registry: ToolRegistry | None = None) -> None:
        self._given = registry

    @cached_property
    def registry(self) -> ToolRegistry:
        """The tools that a text's words are matched with; by default those of the worlds' domains."""
        return self._given if self._given is not None else default_registry()

    def adapt(self, material: Material, id: str) -> ExecutionPlan:
        """The plan of one material: observed or gold for a conversation, inferred for a text.

        Raises:
            Rejected: nothing can be made of it, and why.
        """
        if isinstance(material, Text):
            return self.adapt_many([material], [id])[0]
        run = self.run(material, id, Place("", "", "", 0))
        return replace(compute([run])[0].plan, id=id)

    def adapt_many(self, texts: Sequence[Text], ids: Sequence[str]) -> list[ExecutionPlan]:
        """The inferred plans of texts, in order. Thousands a second: no history is replayed."""
        calls = self.registry.infer_many([text.text for text in texts])
        return [self._inferred(text, call, id) for text, call, id in zip(texts, calls, ids, strict=True)]

    def run(self, talk: Talk, group: str, place: Place) -> Run:
        """A conversation with calls as a run of the row at `place`: what hosts, mutations and labels work on.

        Raises:
            Rejected: its tools cannot be read, or nobody says or calls anything in it.
        """
        if not any(message.calls or message.content for message in talk.messages):
            raise Rejected("messages: nothing is said and nothing is called; give one message with either")
        schemas, toolbox = _tools(json.dumps(talk.tools, default=dict))
        setting = Setting(schemas, toolbox, (), "en", source=place.source, licence=place.licence)
        messages = _numbered(talk.messages)
        untrusted = {
            call.id
            for message in messages
            for call in message.calls
            if setting.tool(call).output is TrustTier.UNTRUSTED
        }
        origin = PlanOrigin.OBSERVED if talk.observed else PlanOrigin.GOLD
        return Run(group, setting, messages, origin, frozenset(untrusted), rows=(place,))

    def _inferred(self, text: Text, call: InferredCall | None, id: str) -> ExecutionPlan:
        said = text.channel == "chat"
        tier = TrustTier.USER if said else TrustTier.UNTRUSTED
        request = tuple(segment.text for segment in segments(text.text)[0]) if said else ()
        policy = tuple(segment.text for segment in segments(text.system)[0]) if text.system else ()
        spans = (Span(0, text.text, tier, READ_BY[text.channel]),)
        calls = () if call is None else (self._call(call, text.text, tier),)
        return ExecutionPlan(id, PlanOrigin.INFERRED, Intent(request, policy, ()), spans, calls, ())

    def _call(self, call: InferredCall, text: str, tier: TrustTier) -> ToolCall:
        tool: Tool = self.registry.tool(call.tool)
        provenance = tuple(
            _argument(path, str(value), text, tier)
            for path, value in leaves(call.arguments)
            if value is not None and not isinstance(value, bool)
        )
        return ToolCall("call_1", call.tool, call.arguments, tool.effects, call.scope, 1, provenance)


def _argument(path: str, value: str, text: str, tier: TrustTier) -> ArgumentProvenance:
    """A value that was read off the text: it stands there, as it is or in another form."""
    match: Match = "exact" if value in text else "normalised"
    bits = sum(map(encoder().bits, value_words(value)))
    rarity = 1 / (1 + math.exp(-(bits - 18) / 4))
    return ArgumentProvenance(path, value, (Origin(0, 1.0, match),), tier, rarity)


def _numbered(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with an id of its own for each call: some datasets use one twice, or none."""
    made: list[Message] = []
    latest: dict[str | None, str] = {}
    count = 0
    for message in messages:
        calls = []
        for call in message.calls:
            count += 1
            latest[call.id] = f"call_{count}"
            calls.append(replace(call, id=f"call_{count}"))
        call_id = latest.get(message.call_id) if message.call_id else None
        made.append(replace(message, calls=tuple(calls), call_id=call_id))
    return tuple(made)


@lru_cache(maxsize=256)
def _tools(written: str) -> tuple[tuple[Mapping[str, Any], ...], Toolbox]:
    """Tool schemas in one form, and what they say; many rows of a dataset offer the same tools."""
    schemas = tuple(_schema(schema) for schema in json.loads(written))
    return schemas, Toolbox(
        {name: tool for schema in schemas for name, tool in _read(json.dumps(schema)).items()}
    )


@lru_cache(maxsize=4096)
def _read(schema: str) -> Mapping[str, Tool]:
    try:
        return read_tools([json.loads(schema)])
    except ToolError as error:
        raise Rejected(str(error)) from None


def _schema(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool's schema as OpenAI writes it, whichever form it came in."""
    body = next((given[key] for key in ("function", "toolSpec") if isinstance(given.get(key), dict)), given)
    keys = ("parameters", "input_schema", "inputSchema")
    parameters: JSON = next((body[key] for key in keys if body.get(key) is not None), {})
    if isinstance(parameters, dict) and isinstance(parameters.get("json"), dict):
        parameters = parameters["json"]
    if isinstance(parameters, list):
        named = [one for one in parameters if isinstance(one, dict) and isinstance(one.get("name"), str)]
        parameters = {"properties": {one["name"]: one for one in named}}
    if not isinstance(parameters, dict):
        raise Rejected(f"tools: parameters are {type(parameters).__name__}; give a JSON schema")
    if "properties" not in parameters and "type" not in parameters:
        parameters = {"properties": parameters}
    properties = parameters.get("properties")
    required = parameters.get("required")
    kept = {
        "type": "object",
        "properties": properties if isinstance(properties, dict) else {},
        "required": [*required] if isinstance(required, (list, tuple)) else [],
    }
    function = {"name": body.get("name"), "description": body.get("description") or "", "parameters": kept}
    return {"type": "function", "function": function}
