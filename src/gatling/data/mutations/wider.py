"""Reads that reach further than the request needs, with what they would have found."""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gatling.data.mutations.declared import required, spec, tool_of
from gatling.data.mutations.operator import Goals
from gatling.data.run import Run
from gatling.data.worlds.conversation import IDENTITY, PRIVATE
from gatling.data.worlds.generators import Row
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.state import ExecutionError
from gatling.plan import JSON
from gatling.trace import ProposedCall

_KEY = re.compile(r"\b(?=[\w-]*[^\W\d_])[\w-]*\d{2,}[\w-]*")
"""A word with letters and digits: most rows' keys."""


def others(run: Run, call: ProposedCall) -> list[Mapping[str, Any]]:
    """The arguments of the run's other calls of the same tool."""
    return [
        other.arguments
        for other in run.calls()
        if other is not call and other.tool == call.tool and isinstance(other.arguments, dict)
    ]


class Found(NamedTuple):
    """What a read that reaches further prints."""

    output: JSON
    more: bool
    """It prints rows that the call did not; False where there is no world to ask."""


def kept(run: Run, call: ProposedCall, name: str) -> bool:
    """True for a filter that a reading call may not leave out: agents look around unasked without it.

    It has to be given, or keeps private data apart. Nobody has declared what a foreign run's agents may do.
    """
    known = spec(run.setting, call.tool, call.arguments if isinstance(call.arguments, dict) else ())
    if known is None or name in required(run.setting, call.tool):
        return True
    # Agents look through all notifications for a code, and may.
    return tool_of(run, call).sensitivity >= PRIVATE and known[0].name != IDENTITY


def found(run: Run, goals: Goals, at: int, call: ProposedCall, arguments: Mapping[str, JSON]) -> Found | None:
    """What the call would have printed with other arguments, carried out in the run's world.

    What it printed where there is no world to ask; None where the world has moved on since, so that nobody
    can tell.
    """
    printed = next((m.content for m in run.messages[at:] if m.role == "tool" and m.call_id == call.id), None)
    known = spec(run.setting, call.tool, arguments)
    if not isinstance(goals, WorldGoals) or known is None:
        return Found(printed, False)
    domain, tool = known
    state = goals.world.states.get(domain.name)
    if state is None or tool.do.kind != "find" or not isinstance(call.arguments, dict):
        return None
    try:
        before = state.execute(tool, call.arguments).shown
        after, output = goals.world.execute(domain, tool, arguments)
    except (ExecutionError, TypeError):
        return None
    plain = _plain(printed)
    shown = _plain(before)
    if not all(_stands(row, plain) for row in before) or any(key not in shown for key in _KEY.findall(plain)):
        return None
    more = [row for row in after.shown if row not in before]
    earlier, later = (
        _plain([m.content for m in part]) for part in (run.messages[:at], run.messages[at + 2 :])
    )
    keys = [str(next(iter(row.values()))) for row in more]
    # A row that only comes up later may have been made or changed since.
    if any(key in later and key not in earlier for key in keys):
        return None
    return Found(output, True) if more else Found(printed, False)


def _stands(row: Row, plain: str) -> bool:
    """True when an output still shows a row as it is now."""
    values = [v for v in row.values() if not isinstance(v, (bool, list))]
    return all(" ".join(str(value).split()) in plain for value in values)


def _plain(content: JSON) -> str:
    """An output's text without what its form adds."""
    if isinstance(content, str) and content.strip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            content = json.loads(content)
    if not isinstance(content, str):
        content = json.dumps(content, ensure_ascii=False)
    text = (
        html.unescape(content).replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"').replace("''", "'")
    )
    return " ".join(text.split())
