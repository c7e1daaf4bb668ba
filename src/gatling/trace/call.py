"""How a proposed call is read: its id, its tool's name, its arguments, and what is wrong with them."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from gatling.plan import JSON
from gatling.trace.message import ProposedCall, TraceError
from gatling.trace.reader import found, identity, plain

_NAME = re.compile(r"\w[\w.:/-]{0,127}")
"""Dots, colons and slashes, because servers prefix their tools' names: `mail.send`, `files:read`."""

_BESIDE = frozenset({"id", "call_id", "type", "name", "tool", "output", "index", "status", "description"})
"""Fields that a call without arguments may have."""


def propose(call_id: JSON, name: JSON, fields: dict[str, Any], key: str = "arguments") -> ProposedCall:
    """Make a call whose arguments stand in `fields[key]`, as an object or as JSON text.

    Arguments that are absent, null or blank are no arguments. They are a problem, though, where `fields`
    holds something else that may be meant as arguments: a guard must not judge less than what will run.
    """
    problems = []
    if not isinstance(name, str):
        problems.append(f"the tool's name is {found(name)}, not text")
    elif not _NAME.fullmatch(name):
        problems.append(f"the tool's name is no name: {found(name)}")
    arguments, problem = _arguments(fields.get(key))
    if problem is None and key not in fields and fields.keys() - _BESIDE:
        problem = f"no {key!r} among {found(sorted(fields))}"
    if problem is not None:
        problems.append(problem)
    return ProposedCall(
        id=identity(call_id),
        tool=name if isinstance(name, str) else "",
        arguments=arguments,
        problem="; ".join(problems) or None,
    )


def propose_openai(entry: JSON) -> ProposedCall:
    """Read an element of `tool_calls`: `{"id", "type", "function": {"name", "arguments"}}` or `custom`."""
    if not isinstance(entry, dict):
        return ProposedCall("", "", entry, f"the call is {found(entry)}, not an object")
    call_id = entry.get("id")
    function, custom = entry.get("function"), entry.get("custom")
    if isinstance(function, dict):
        return propose(call_id, function.get("name"), function)
    if isinstance(custom, dict):
        return propose(call_id, custom.get("name"), {"arguments": {"input": custom.get("input")}})
    return propose(call_id, entry.get("name"), entry)


def _arguments(raw: JSON) -> tuple[JSON, str | None]:
    """Return the arguments and no problem, or what was there instead and what is wrong with it."""
    if raw is None:
        return {}, None
    value: JSON = raw
    if isinstance(raw, str):
        if not raw.strip():
            return {}, None
        try:
            value = plain(json.loads(raw, parse_constant=_no_number, object_pairs_hook=_without_repeats))
        except json.JSONDecodeError as error:
            return raw, f"the arguments are no JSON: {error.msg} at character {error.pos}"
        except RecursionError:
            return raw, "the arguments are no JSON that can be read: nested too deep"
        except TraceError as error:
            return raw, f"the arguments cannot be read: {error}"
        except ValueError as error:  # ours, or an integer of too many digits
            return raw, f"the arguments are no JSON that can be read: {error}"
    if not isinstance(value, dict):
        return raw, f"the arguments are {found(value)}, not an object"
    if not _finite(value):
        return raw, "the arguments hold a number that is not finite"
    return value, None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key: parsers differ in which value they take, so ours may not be the tool's."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_number(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _finite(value: JSON) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True
