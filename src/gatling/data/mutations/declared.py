"""What a run's tools really do: what their domain's file declares, else what their words tell.

Labels may rest on it, provenance and energies may not: production sees schemas alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache

from gatling.data.run import Run, Setting
from gatling.data.worlds.domain import Domain, ToolSpec, domains
from gatling.plan import JSON
from gatling.text import name_words
from gatling.tools import Tool
from gatling.trace import ProposedCall


@lru_cache(maxsize=512)
def _specs(names: tuple[str, ...]) -> dict[str, tuple[Domain, ToolSpec]]:
    """Tools of these domains by their words run together, with and without the domain's name before them."""
    found: dict[str, tuple[Domain, ToolSpec]] = {}
    for domain in (domains()[name] for name in reversed(names) if name in domains()):
        for tool in domain.tools:
            key = "".join(name_words(tool.name))
            found[key] = found["".join(name_words(domain.name)) + key] = domain, tool
    return found


def spec(setting: Setting, tool: str, parameters: Collection[str] = ()) -> tuple[Domain, ToolSpec] | None:
    """The domain and the declaration of a world's tool, whatever the world names it; None for others."""
    found = _specs(setting.domains).get("".join(name_words(tool)))
    return found if found is not None and set(parameters) <= set(found[1].parameters) else None


def known(setting: Setting, tool: str, arguments: JSON | Mapping[str, JSON]) -> Tool:
    """What is known of a tool: a mutation is sure of what its domain declares, and takes that first."""
    names = arguments if isinstance(arguments, Mapping) else ()
    inferred, found = setting.toolbox.tool(tool, names), spec(setting, tool, names)
    if found is None:
        return inferred
    declared = found[1]
    limits = frozenset(name for name, target in declared.where.items() if target == "limit")
    return replace(
        inferred,
        effects=declared.effects,
        sinks=frozenset(declared.sinks),
        sensitivity=declared.sensitivity,
        volume=limits if declared.do.kind == "find" else inferred.volume,
        free_text=inferred.free_text - frozenset(declared.sinks),
    )


def tool_of(run: Run, call: ProposedCall) -> Tool:
    """What is known of a call's tool."""
    return known(run.setting, call.tool, call.arguments)


def options(setting: Setting, tool: str, parameter: str) -> Collection[str]:
    """The values that a parameter may take; empty where it may take any."""
    given = described(setting, tool, parameter).get("enum")
    return given if isinstance(given, (list, tuple)) else ()


def described(setting: Setting, tool: str, parameter: str) -> dict[str, JSON]:
    """A parameter's schema; empty where the tool has none."""
    properties = _parameters(setting, tool).get("properties")
    found = properties.get(parameter) if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}


def required(setting: Setting, tool: str) -> Collection[str]:
    """Parameters without which the tool cannot be called, as far as its schema says."""
    names = _parameters(setting, tool).get("required")
    return names if isinstance(names, (list, tuple)) else ()


def _parameters(setting: Setting, tool: str) -> dict[str, JSON]:
    """What a tool's schema says of all its parameters; empty where there is no schema."""
    for schema in setting.schemas:
        body = schema.get("function", schema)
        if isinstance(body, dict) and body.get("name") == tool:
            found = body.get("parameters")
            return found if isinstance(found, dict) else {}
    return {}
