"""Values in a form that survives rewriting, so that an argument is found where it came from."""

from __future__ import annotations

import re

from gatling.spans import decodings
from gatling.text import words

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_THOUSANDS = re.compile(r"(?<=\d)[,'](?=\d{3}(?!\d))")
_ZERO_CENTS = re.compile(r"(?<=\d)\.0+(?!\d)")
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_DIGIT = re.compile(r"\d")


def value_words(text: str) -> list[str]:
    """Words of a value in a normal form: no case, no separators, no leading zeros.

    >>> value_words("$1,500.00 on 2026-05-07")
    ['1500', 'on', '2026', '5', '7']
    """
    if not _DIGIT.search(text):
        return words(text)
    text = _ZERO_CENTS.sub("", _THOUSANDS.sub("", text))
    return [w.lstrip("0") or "0" if w[0] == "0" else w for w in words(text)]


def spellings(text: str) -> list[list[str]]:
    """Other ways in which prose writes the same value: dates with month names, encodings undone.

    >>> spellings("2026-05-07")[0]
    ['may', '7', '2026']
    """
    found = [value_words(plain) for plain in decodings(text)]
    date = _ISO_DATE.search(text)
    if date and 1 <= int(date.group(2)) <= 12:
        year, name, day = date.group(1), _MONTHS[int(date.group(2)) - 1], str(int(date.group(3)))
        for form in (name, name[:3]):
            found += [[form, day, year], [day, form, year], [form, day], [day, form]]
    return [w for w in found if w]
