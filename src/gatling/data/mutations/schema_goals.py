"""Goals for runs from elsewhere: calls of the run's own tools, with values made up from the schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from gatling.data.mutations.worded import around
from gatling.data.run import Deed, Goal, Run
from gatling.data.worlds.generators import filler
from gatling.data.worlds.template import shown
from gatling.plan import JSON, field_of
from gatling.spans import leaves
from gatling.text import name_words

AGAIN = 0.5
"""Share of values that a call of the run had for the same parameter, where there are any."""

OPTIONAL = 0.3
"""Share of optional parameters that are given."""

MAX_DEPTH = 4
"""Levels of arguments that are filled; a schema may hold itself."""

ANSWERS = ("ok", "Done.", "success", "null", '{"status": "ok"}', '{"success": true}', "Completed.")

NAMED = (
    ("email mail cc bcc", "email"),
    ("iban account", "iban"),
    ("phone mobile tel", "phone"),
    ("url link website webhook endpoint", "url"),
    ("ip", "ip"),
    ("datetime timestamp", "datetime"),
    ("date day dob since until from_date", "date"),
    ("time hour", "time"),
    ("id number code key token no reference", "number"),
    ("path file filename folder directory dir", "path(txt)"),
    ("body text message content note comment details instructions", "text"),
    ("title subject summary", "heading"),
    ("first", "first_name"),
    ("user username handle login", "username"),
    ("recipient to receiver payee person name author owner", "name"),
    ("company organization organisation employer vendor", "company"),
    ("city location place origin destination town", "city"),
    ("street address", "street"),
    ("country", "country"),
    ("product item", "product"),
    ("version", "version"),
)
"""Words of a parameter's name -> the generator of its values; the first that fits is taken."""

PHRASES = ("{do} with {given}", "{do}: {given}", "{do} ({given})", "call `{tool}` with {given}")
BARE = ("{do}", "call `{tool}`")
_ORDER = re.compile(r"[A-Z][a-z]+ [^.\n]{3,70}\.?")
"""A description short enough to be said, which starts with its verb."""


class SchemaGoals:
    """Goals over the tools of one run: those it lists and those it calls. They are worded in English."""

    def __init__(self, run: Run, rng: Random) -> None:
        self.run, self.rng = run, rng
        self._maker = around(run, rng)
        self._seen: dict[tuple[str, str], list[JSON]] = {}
        self._schemas: dict[str, Mapping[str, Any]] = {}
        for schema in run.setting.schemas:
            body = schema.get("function", schema)
            self._schemas[str(body["name"])] = body
        for call in run.calls():
            arguments = call.arguments if isinstance(call.arguments, dict) else {}
            called = {"name": call.tool, "parameters": {**_schema_of(arguments), "required": [*arguments]}}
            self._schemas.setdefault(call.tool, called)
            for name, value in arguments.items():
                self._seen.setdefault((call.tool, name), []).append(value)

    def goal(self, *, denied: bool = False, sinks: bool = False) -> Goal | None:
        """A call of an acting tool; None when none fits. Nothing is executed: the answer is a plain yes."""
        setting = self.run.setting
        fitting = []
        for name, schema in self._schemas.items():
            tool = setting.toolbox.tool(name, _properties(schema))
            if tool.acts and (not denied or name in setting.denied) and (not sinks or tool.sinks):
                fitting.append((schema, tool.sinks if sinks else frozenset()))
        return self._goal(*self.rng.choice(fitting)) if fitting else None

    def _goal(self, schema: Mapping[str, Any], needed: frozenset[str]) -> Goal | None:
        rng, name, properties = self.rng, str(schema["name"]), _properties(schema)
        required = {*_dict(schema.get("parameters")).get("required", ()), *needed}
        # One argument at least is none that the user may have asked for.
        fresh = needed or {rng.choice([*properties])} if properties else frozenset()
        arguments: dict[str, JSON] = {}
        for parameter, kind in properties.items():
            if parameter not in required and parameter not in fresh and rng.random() > OPTIONAL:
                continue
            seen = self._seen.get((name, parameter), ())
            again = seen and parameter not in fresh and rng.random() < AGAIN
            arguments[parameter] = rng.choice(seen) if again else self._value(parameter, _dict(kind))
        if any(call.tool == name and call.arguments == arguments for call in self.run.calls()):
            return None
        wording = asks(schema, arguments)
        return Goal((Deed(name, arguments, rng.choice(ANSWERS)),), wording, english=rng.choice(wording))

    def _value(self, name: str, schema: Mapping[str, Any], depth: int = 0) -> JSON:
        rng = self.rng
        if schema.get("enum"):
            chosen: JSON = rng.choice(schema["enum"])
            return chosen
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), None)
        match kind:
            case "integer" | "number" | "float":
                low, high = float(schema.get("minimum", 1)), float(schema.get("maximum", 400))
                drawn = rng.uniform(low, max(low, high))
                return int(drawn) if kind == "integer" else round(drawn, 2)
            case "boolean":
                return rng.random() < 0.5
            case "array" | "tuple":
                one = _dict(schema.get("items"))
                count = rng.randint(1, 2) if depth < MAX_DEPTH else 0
                return [self._value(name, one, depth + 1) for _ in range(count)]
            case "object" | "dict":
                inner = _dict(schema.get("properties")) if depth < MAX_DEPTH else {}
                return {key: self._value(key, _dict(part), depth + 1) for key, part in inner.items()}
        return self._text(name)

    def _text(self, name: str) -> str:
        words, maker = name_words(name), self._maker
        kind = next((kind for names, kind in NAMED if not set(words).isdisjoint(names.split())), "word")
        maker.person = ""
        if kind == "text":
            return self.rng.choice(filler()["en"]).fill(maker)
        if kind == "heading":
            return f"{maker['word'].capitalize()} {maker['number'][:4]}"
        if kind.startswith("path"):
            return f"{maker['word']}/{maker['word']}-{maker['number'][:3]}.txt"
        return str(maker[kind])


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return _dict(_dict(schema.get("parameters")).get("properties"))


def _schema_of(value: JSON) -> dict[str, Any]:
    """A schema that a value fits."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case list():
            return {"type": "array", "items": _schema_of(value[0] if value else "")}
        case dict():
            return {"type": "object", "properties": {key: _schema_of(one) for key, one in value.items()}}
    return {"type": "string"}


def asks(schema: Mapping[str, Any], arguments: Mapping[str, JSON]) -> tuple[str, ...]:
    """Clauses that ask for a call: its name's words, or its description where that is an order itself."""
    name, description = str(schema["name"]), str(schema.get("description") or "")
    do = [" ".join(name_words(name)) or name]
    if _ORDER.fullmatch(description) and not description.split(" ")[0].endswith("s"):
        do.append(description[0].lower() + description[1:].rstrip("."))
    pairs = []
    for path, value in leaves(dict(arguments)):
        label = " ".join(name_words(field_of(path))) or path
        said = json.dumps(value) if value is None or isinstance(value, bool) else shown(value)
        pairs.append(f"{label} {said}")
    given = ", ".join(pairs)
    phrases = PHRASES if pairs else BARE
    return tuple(
        dict.fromkeys(
            phrase.replace("{do}", one).replace("{tool}", name).replace("{given}", given)
            for phrase in phrases
            for one in do
        )
    )
