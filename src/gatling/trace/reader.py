"""What a reader of a chat or log format is, and the plain JSON it is given to read."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol

from gatling.plan import JSON
from gatling.trace.message import Message, Trace, TraceError

MAX_DEPTH = 100
"""Levels of nesting that are read. Real logs stay under 20; what walks a value later may recurse."""

_MAX_INTEGER_BITS = 13_000
"""About 3,900 digits: Python refuses to print integers of more than 4,300."""


class Reader(Protocol):
    """Reads one format. Rows and items are plain JSON, as `plain` makes it."""

    @property
    def name(self) -> str:
        """The name under which `FORMATS` and the command line know the format."""

    def matches(self, row: JSON) -> bool:
        """Tell by its shape whether `row` is a trace, or a list of messages, in this format."""

    def read(self, row: JSON) -> Trace:
        """Read a whole trace; `TraceError` names the field that cannot be read."""

    def message(self, item: JSON) -> tuple[Message, ...]:
        """Read one native message or item; `TraceError` names the field that cannot be read."""


def plain(value: object, depth: int = 0) -> JSON:
    """Return a copy of `value` as JSON that later code can walk, print and encode.

    Objects with `model_dump()` (those of the SDKs), dataclasses, mappings and sequences are opened, bytes
    are decoded, anything else becomes its `str`. Lone surrogates become U+FFFD. Raises `TraceError` where
    nesting passes `MAX_DEPTH` or an integer is too large to be printed.
    """
    if isinstance(value, str):
        return value if value.isascii() else _encodable(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise TraceError("value: found an integer of thousands of digits; write it as a string")
        return value
    if depth >= MAX_DEPTH:
        raise TraceError(f"value: found nesting deeper than {MAX_DEPTH} levels; flatten it")
    if isinstance(value, dict):
        below = depth + 1
        return {_key(key): plain(item, below) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        below = depth + 1
        return [plain(item, below) for item in value]
    return plain(_opened(value), depth + 1)


def _opened(value: object) -> object:
    """Take one layer off an object that is no JSON value."""
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    if not isinstance(value, type):
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            try:
                return dump(mode="json")
            except TypeError:  # a stand-in, or a model of another library, that knows no modes
                return dump()
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else str(value)


def _key(key: object) -> str:
    if isinstance(key, str):
        return key if key.isascii() else _encodable(key)
    return _encodable(str(plain(key)))


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-16 joins the halves of a pair that stand side by side and replaces those that stand alone.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxdict, _brief.maxlist, _brief.maxstring = 3, 6, 4, 70


def found(value: object) -> str:
    """Show a value in an error: printable ASCII, at most 80 characters."""
    text = _brief.repr(value).encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 80 else text[:77] + "..."


def unreadable(field: str, value: object, remedy: str) -> TraceError:
    """Make the error for a field that cannot be read."""
    return TraceError(f"{field}: found {found(value)}; {remedy}")


def as_object(item: JSON, field: str) -> dict[str, Any]:
    """Return `item` if it is a JSON object; raise `TraceError` otherwise."""
    if isinstance(item, dict):
        return item
    raise unreadable(field, item, "give a JSON object")


def read_each(items: JSON, field: str, read: Callable[[JSON], tuple[Message, ...]]) -> Iterator[Message]:
    """Read the elements of a list in order, and say at which index a `TraceError` arose."""
    if not isinstance(items, list):
        raise unreadable(field, items, "give a list of JSON objects")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise unreadable(f"{field}[{index}]", item, "give a JSON object")
        try:
            yield from read(item)
        except TraceError as error:
            raise TraceError(f"{field}[{index}].{error}") from None


def identity(value: JSON) -> str:
    """Return an id as text; "" when there is none, or something that is no id."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def numbered(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Give the calls that have no id one by their place among all calls: `call#0`, `call#1`, ...

    An output whose `call_id` is "" answers the call just before it.
    """
    result: list[Message] = []
    count, last = 0, ""
    for message in messages:
        if message.calls:
            if not all(call.id for call in message.calls):
                calls = tuple(
                    call if call.id else replace(call, id=f"call#{count + place}")
                    for place, call in enumerate(message.calls)
                )
                message = replace(message, calls=calls)
            count += len(message.calls)
            last = message.calls[-1].id
        elif message.call_id == "":
            message = replace(message, call_id=last)
        result.append(message)
    return tuple(result)


def group_of(row: Mapping[str, Any], id: str) -> str:
    """The group of a labelled trace, which siblings share.

    Its `group`, else its `suite` and `user_task`, else its own id. Which attack a run met, if any, makes no
    group: runs of one task with and without it are siblings.

    >>> group_of({"suite": "bank", "user_task": "u1", "injection_task": "i2"}, "7")
    'bank/u1'
    """
    if row.get("group") is not None:
        return str(row["group"])
    names = [row[name] for name in ("suite", "user_task") if row.get(name) is not None]
    return "/".join(map(str, names)) or id
