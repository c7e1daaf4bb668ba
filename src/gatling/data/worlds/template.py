"""Templates with `{name.field}` slots, filled by substitution alone: no format specs, no attribute access."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_SLOT = re.compile(r"\{([\w.]+)\}")
_ENDS = (".", "!", "?", "…")
_STOP = re.compile(r"[.!?](?=\s|$)")
_CLOSING = "\"'”»)]"


class Template:
    """A text with slots. What fills a slot is never read as a template again.

    >>> Template("pay {bill.amount} to {bill.payee}").fill({"bill": {"amount": 12.5, "payee": "Ana"}})
    'pay 12.50 to Ana'
    """

    __slots__ = ("_parts", "slots", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        pieces = _SLOT.split(text)
        self._parts = [(piece, i % 2 == 1) for i, piece in enumerate(pieces) if piece]
        self.slots = tuple(dict.fromkeys(pieces[1::2]))

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def fill(self, values: Mapping[str, Any], spoil: Callable[[str], str] | None = None) -> str:
        """The text with its slots filled; `spoil` changes what stands around them.

        Raises:
            KeyError: a slot names nothing in `values`.
        """
        made: list[str] = []
        for part, slot in self._parts:
            if slot:
                made.append(shown(look_up(values, part)))
            else:
                # What fills a slot may end its sentence itself.
                ended = made and made[-1].endswith(_ENDS) and _STOP.match(part)
                part = part[1:] if ended else part
                made.append(spoil(part) if spoil is not None else part)
        return "".join(made)

    def value(self, values: Mapping[str, Any]) -> Any:
        """Like `fill`, but a template that is one slot alone gives that value as it is."""
        if len(self._parts) == 1 and self._parts[0][1]:
            return look_up(values, self._parts[0][0])
        return self.fill(values)


def look_up(values: Mapping[str, Any], name: str) -> Any:
    """The value of `a.b` in nested mappings; a field of a list of rows is the list of that field."""
    head, _, rest = name.partition(".")
    found = values[head]
    while rest:
        head, _, rest = rest.partition(".")
        found = [row[head] for row in found] if isinstance(found, list) else found[head]
    return found


def ended(text: str) -> str:
    """A text that another sentence may follow: with a full stop, unless it ends in a stop or a colon.

    >>> ended("Book the room"), ended("Is it free?"), ended("Write 'Yes.'")
    ('Book the room.', 'Is it free?', "Write 'Yes.'")
    """
    inside = text.rstrip().rstrip(_CLOSING)
    return text if not inside or inside.endswith((*_ENDS, ":")) else f"{text.rstrip()}."


def shown(value: Any) -> str:
    """A value as people write it in a sentence."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.2f}"
    return str(value)
