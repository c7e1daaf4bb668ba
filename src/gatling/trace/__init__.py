"""Readers: from one row or item of a chat or log format to messages and the calls they propose.

>>> from gatling.trace import read_trace
>>> trace = read_trace({"request": "Mail Ana the report.", "calls": [{"tool": "send", "arguments": {}}]})
>>> [message.role for message in trace.messages]
['user', 'assistant']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from gatling.plan import JSON
from gatling.trace.anthropic import AnthropicReader
from gatling.trace.message import Message, ProposedCall, Trace, TraceError
from gatling.trace.openai_chat import ChatReader
from gatling.trace.openai_responses import ResponsesReader
from gatling.trace.plan import PlanReader
from gatling.trace.reader import Reader, found, plain

__all__ = [
    "FORMATS",
    "Message",
    "ProposedCall",
    "Reader",
    "Trace",
    "TraceError",
    "detect",
    "read_message",
    "read_trace",
]

_READERS: tuple[Reader, ...] = (PlanReader(), AnthropicReader(), ResponsesReader(), ChatReader())

FORMATS: Final[Mapping[str, Reader]] = MappingProxyType({reader.name: reader for reader in _READERS})
"""The formats by name, from the most particular shape to the plainest: the first that matches reads a row."""


def read_trace(row: object, format: str | None = None, default_id: str = "") -> Trace:
    """Read one trace or plan: a dict, a list of messages, or an SDK's object with `model_dump()`.

    The format is told from the row's shape unless `format` names it. Raises `TraceError`.
    """
    value = plain(row)
    trace = _reader(value, format).read(value)
    return trace if trace.id else replace(trace, id=default_id)


def read_message(item: object, format: str | None = None) -> tuple[Message, ...]:
    """Read one message, item or call, as `read_trace` reads a whole trace. Raises `TraceError`."""
    value = plain(item)
    return _reader([value], format).message(value)


def detect(row: object) -> str:
    """Name the format of a row or of a list of messages by its shape. Raises `TraceError`."""
    return _reader(plain(row), None).name


def _reader(value: JSON, format: str | None) -> Reader:
    if format is not None:
        if format not in FORMATS:
            raise TraceError(f"format: found {found(format)}; give one of {', '.join(FORMATS)}")
        return FORMATS[format]
    for reader in _READERS:
        if reader.matches(value):
            return reader
    shown = f"an object with {found(sorted(value))}" if isinstance(value, dict) else found(value)
    raise TraceError(f"row: found {shown}, none of {', '.join(FORMATS)}; name the format, or rewrite the row")
