"""Hostile text made visible: what came out of a trace or a dataset passes here on its way to a terminal.

It reaches the terminal as `Text`, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

NAME_LIMIT = 60
"""Characters of an id, a tool's name or an argument's path."""

TEXT_LIMIT = 300
"""Characters of a value or a quoted text."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

# Characters that `str.isprintable` accepts and that a terminal shows as nothing.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def safe(text: str, limit: int = TEXT_LIMIT) -> str:
    r"""The text on one line, with everything a terminal would obey or hide written out, cut to `limit`.

    >>> safe("pay\x1b[2J me\u202e\nnow")
    'pay\\x1b[2J me\\u202e\\nnow'
    >>> safe("abcdef", 4)
    'abc…'
    """
    shown = "".join(map(_visible, text[: limit + 1]))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(char: str) -> str:
    if char.isprintable() and not _BLANK.match(char):
        return char
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def name(text: str, style: str = "") -> Text:
    """A name from a trace, short enough for a column."""
    return Text(safe(text, NAME_LIMIT), style)


def quoted(text: str, limit: int = TEXT_LIMIT) -> Text:
    """A text from a trace, in quotation marks."""
    return Text(f'"{safe(text, limit)}"', "italic")


def folding(*columns: str) -> Table:
    """An empty table whose cells fold."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def stacked(texts: Iterable[Text]) -> Text:
    """Texts, one a line."""
    return Text("\n").join(texts)
