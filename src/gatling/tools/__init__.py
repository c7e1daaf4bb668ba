"""What a tool does: effects, sinks, volume parameters and who may have written its output.

Knowledge comes from the deployer's policy first, then from MCP annotations, else from the words of the
tool's name, description and parameters (`tools.inference`). A tool about which nothing is known is taken
for untrusted and side-effecting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gatling.plan import JSON, SIDE_EFFECTS, Effect, TrustTier
from gatling.policy import Policy
from gatling.text import name_words, stem
from gatling.tools import inference
from gatling.tools import parameters as roles


@dataclass(frozen=True, slots=True)
class Tool:
    """What is known of one tool. `described` is False for a tool that nobody described."""

    name: str
    description: str = ""
    parameters: tuple[str, ...] = ()
    effects: frozenset[Effect] = frozenset(Effect)
    sinks: frozenset[str] = frozenset()
    """Parameters that say where content or money goes, or who gets access."""
    decisive: frozenset[str] = frozenset()
    """Parameters that decide what a privileged effect does: recipient, amount, path, command, object."""
    volume: frozenset[str] = frozenset()
    """Parameters that say how much is reached for: counts, limits, recursion."""
    output: TrustTier = TrustTier.UNTRUSTED
    sensitivity: int = 1
    described: bool = True
    words: tuple[str, ...] = field(default=(), compare=False)
    """Words of the name and of the description's main sentence, for comparing with requests."""
    vouched: bool = False
    """The policy itself calls the output first-party, prose included."""
    free_text: frozenset[str] = frozenset()
    """Parameters that carry prose: bodies, notes, titles. They seldom decide what a call does."""
    telling: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Stems of the name's words -> how much each tells this tool from the others at hand, in [0, 1]."""

    @property
    def acts(self) -> bool:
        """True when the tool changes anything outside the agent."""
        return bool(self.effects & SIDE_EFFECTS)


class ToolError(ValueError):
    """A tool list that cannot be read; the message says where and what was expected."""


_R, _S, _D, _X, _P = Effect.READ, Effect.SEND, Effect.DELETE, Effect.EXECUTE, Effect.PAY


def describe(
    name: str,
    description: str = "",
    parameters: Iterable[str] = (),
    annotations: Mapping[str, Any] | None = None,
) -> Tool:
    """What name, description, parameter names and MCP annotations tell about a tool.

    MCP's hints (https://modelcontextprotocol.io/specification, tool annotations) come from the server:
    `readOnlyHint` is believed unless the words say that the tool sends, deletes, executes or pays.

    >>> tool = describe("bank.transfer", "Move money to another account.", ["iban", "amount", "note"])
    >>> sorted(tool.effects), sorted(tool.sinks), sorted(tool.free_text)
    ([<Effect.PAY: 'pay'>], ['iban'], ['note'])
    """
    parameters = tuple(parameters)
    hints = annotations or {}
    reading = inference.read_words(name, description, parameters)
    effects = inference.effects(reading)
    if hints.get("readOnlyHint") is True and not effects & {_S, _D, _X, _P}:
        effects = frozenset({_R})
    elif hints.get("readOnlyHint") is False and not effects & SIDE_EFFECTS:
        effects = effects | {Effect.WRITE}
    if hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True:
        effects = effects | {_D}
    output = inference.output(reading, effects)
    if hints.get("openWorldHint") is True:
        output = TrustTier.UNTRUSTED
    elif hints.get("openWorldHint") is False and effects == {_R}:
        output = TrustTier.VERIFIED
    sinks = roles.sinks(reading, effects)
    free_text = roles.free_text(reading, effects) - sinks
    return Tool(
        name=name,
        description=description,
        parameters=parameters,
        effects=effects,
        sinks=sinks,
        decisive=(roles.decisive(reading, effects) | sinks) - free_text,
        volume=roles.volume(reading),
        output=output,
        sensitivity=inference.sensitivity(reading, effects),
        words=tuple(reading.words),
        free_text=free_text,
    )


def read_tools(schemas: JSON) -> dict[str, Tool]:
    """Tools by name, from OpenAI, Anthropic, Gemini, Bedrock or MCP schemas, or an object name -> schema.

    Raises:
        ToolError: the position of what is no tool, and what was expected.
    """
    if isinstance(schemas, dict) and isinstance(schemas.get("tools"), list):
        schemas = schemas["tools"]
    if isinstance(schemas, dict) and isinstance(schemas.get("name"), str):
        schemas = [schemas]
    entries: list[tuple[str, JSON, str | None]]
    if isinstance(schemas, dict):
        entries = [(f"tools[{key!a}]", value, key) for key, value in schemas.items()]
    elif isinstance(schemas, list):
        entries = [(f"tools[{i}]", value, None) for i, value in enumerate(schemas)]
    else:
        kind = type(schemas).__name__
        raise ToolError(f"tools: expected an array of tools or an object name -> tool, found {kind}")
    found = {}
    for place, schema, key in entries:
        for tool in _read_entry(place, schema, key):
            found[tool.name] = tool
    return found


def _read_entry(place: str, schema: JSON, key: str | None) -> Iterator[Tool]:
    """The tools of one entry; Gemini puts several into one."""
    for group in ("function_declarations", "functionDeclarations"):
        if isinstance(schema, dict) and isinstance(schema.get(group), list):
            for i, declared in enumerate(schema[group]):
                yield _read_tool(f"{place}.{group}[{i}]", declared, None)
            return
    yield _read_tool(place, schema, key)


def _read_tool(place: str, schema: JSON, key: str | None) -> Tool:
    if not isinstance(schema, dict):
        raise ToolError(
            f"{place}: expected an object with name and parameters, found {type(schema).__name__}"
        )
    body = next((schema[k] for k in ("function", "toolSpec") if isinstance(schema.get(k), dict)), schema)
    name = body.get("name", key)
    if name is None:
        name = body.get("type")  # a provider's built-in tool, such as {"type": "web_search"}
    if not isinstance(name, str) or not name:
        raise ToolError(f"{place}.name: expected a non-empty string, found {_shown(name)}")
    description = body.get("description")
    if description is not None and not isinstance(description, str):
        raise ToolError(f"{place}.description: expected a string, found {_shown(description)}")
    annotations = body.get("annotations")
    return describe(
        name,
        description or "",
        _parameters(place, body),
        annotations if isinstance(annotations, dict) else None,
    )


def _parameters(place: str, body: Mapping[str, JSON]) -> list[str]:
    """Names of a tool's parameters, from a JSON schema, a list of objects with names, or a plain mapping."""
    field_ = next((k for k in ("parameters", "input_schema", "inputSchema") if body.get(k) is not None), "")
    schema = body.get(field_)
    if isinstance(schema, dict) and isinstance(schema.get("json"), dict):
        schema = schema["json"]
    if isinstance(schema, list):
        return [p["name"] for p in schema if isinstance(p, dict) and isinstance(p.get("name"), str)]
    if schema is not None and not isinstance(schema, dict):
        raise ToolError(f"{place}.{field_}: expected a JSON schema (an object), found {_shown(schema)}")
    properties = (schema or {}).get("properties")
    if (
        properties is None
        and schema
        and "type" not in schema
        and all(isinstance(v, dict) for v in schema.values())
    ):
        properties = schema
    if properties is not None and not isinstance(properties, dict):
        raise ToolError(f"{place}.{field_}.properties: expected an object, found {_shown(properties)}")
    return [p for p in properties or () if isinstance(p, str)]


def _shown(value: JSON) -> str:
    text = ascii(value) if value is None or isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def _stems(name: str) -> list[str]:
    return list(dict.fromkeys(stem(word) for word in name_words(name)))


class Toolbox:
    """The tools of a run: schemas, overridden by the policy; unknown names are inferred once and kept."""

    MAX_UNKNOWN = 4096
    """Invented names remembered; agents make them up without end, memory does not."""

    def __init__(self, tools: Mapping[str, Tool] | None = None, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._tools = {name: self._overridden(tool) for name, tool in (tools or {}).items()}
        self._tell_apart()
        self._unknown: dict[tuple[str, tuple[str, ...]], Tool] = {}

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def add(self, tool: Tool) -> None:
        """Put in one more tool."""
        self._tools[tool.name] = self._overridden(tool)
        self._tell_apart()

    def _tell_apart(self) -> None:
        """A word that all tools bear tells nothing, one that a single tool bears tells all."""
        stems = {name: _stems(name) for name in self._tools}
        bearers = Counter(stem for found in stems.values() for stem in found)
        most = math.log(max(2, len(stems)))
        for name, found in stems.items():
            telling = {s: math.log(max(2, len(stems)) / bearers[s]) / most for s in found}
            self._tools[name] = replace(self._tools[name], telling=telling)

    def _overridden(self, tool: Tool) -> Tool:
        rule = self._policy.rule(tool.name)
        if rule is None:
            return tool
        changes: dict[str, Any] = {}
        if rule.effects is not None:
            changes["effects"] = frozenset(rule.effects)
        if rule.sinks is not None:
            changes["sinks"] = frozenset(rule.sinks)
        if rule.output is not None:
            changes["output"] = TrustTier[rule.output.upper()]
            changes["vouched"] = rule.output == "verified"
        if rule.sensitivity is not None:
            changes["sensitivity"] = rule.sensitivity
        return replace(tool, described=True, **changes) if changes else tool

    def tool(self, name: str, parameters: Iterable[str] = ()) -> Tool:
        """The tool of that name; for a name nobody described, what the name and `parameters` suggest."""
        found = self._tools.get(name)
        if found is None:
            key = (name, tuple(sorted(parameters)))
            found = self._unknown.get(key)
            if found is None:
                guessed = describe(name[:256], "", key[1])
                telling = dict.fromkeys(_stems(name[:256]), 1.0)
                found = self._overridden(
                    replace(guessed, described=False, output=TrustTier.UNTRUSTED, telling=telling)
                )
                if len(self._unknown) < self.MAX_UNKNOWN:
                    self._unknown[key] = found
        return found
