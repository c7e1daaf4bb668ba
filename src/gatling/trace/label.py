"""What is known of a labelled trace: the calls of its run that carry out an attack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatling.trace.message import Trace
from gatling.trace.reader import identity, plain, unreadable


def hijacked_calls(row: Mapping[str, Any], trace: Trace) -> frozenset[str] | None:
    """The ids in a row's `hijacked_calls`, or None where the row says nothing of its calls.

    `trace` is what `gatling.trace.read_trace` made of the row; calls without an id have `call#0`, `call#1`, …

    Raises:
        TraceError: it is no list of ids, or names one that no call of the trace has.

    >>> from gatling.trace import read_trace
    >>> row = {"request": "Hi.", "calls": [{"id": "c1", "tool": "send"}], "hijacked_calls": ["c1"]}
    >>> sorted(hijacked_calls(row, read_trace(row)) or ())
    ['c1']
    """
    said = plain(row.get("hijacked_calls"))
    if said is None:
        return None
    ids = [identity(id) for id in said] if isinstance(said, list) else [""]
    if not all(ids):
        raise unreadable("hijacked_calls", said, "list the ids of the calls that carry out the attack")
    known = {call.id for message in trace.messages for call in message.calls}
    if unknown := sorted(set(ids) - known):
        raise unreadable("hijacked_calls", unknown[0], "no call of this trace has that id; mend the label")
    return frozenset(ids)
