"""Conversations as `[{"from", "value"}]`, the form that ShareGPT began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from gatling.data.sources.columns import content_of, objects
from gatling.plan import JSON

Speaker = Literal["system", "user", "assistant", "call", "output"]

_SPEAKERS: Final[dict[str, Speaker]] = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "call",
    "observation": "output",
    "tool": "output",
}


def turns(value: object, field: str) -> Iterator[tuple[str, Speaker | None, str, JSON]]:
    """Each turn's place, speaker (None where it is not known), the name it gives, and what it says.

    Raises `Rejected`.
    """
    for place, item in objects(value, field):
        name = item.get("from")
        speaker = _SPEAKERS.get(name) if isinstance(name, str) else None
        yield f"{place}.value", speaker, str(name), content_of(item.get("value"), f"{place}.value")
