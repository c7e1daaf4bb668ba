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
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.]*\d)")
ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_DIGIT = re.compile(r"\d")
_GROUPED = re.compile(r"\b[A-Za-z]{2}\d{2}(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?\b")
"""An account number in groups of four (ISO 13616)."""


def value_words(text: str) -> list[str]:
    """Words of a value in a normal form: no case, no separators, no leading zeros.

    >>> value_words("$1,500.00 on 2026-05-07")
    ['1500', 'on', '2026', '5', '7']
    """
    if not _DIGIT.search(text):
        return words(text)
    if " " in text and len(text) > 12:
        text = _GROUPED.sub(_joined, text)
    if "," in text or "'" in text:
        text = _THOUSANDS.sub("", text)
    if "." in text:
        text = _DECIMAL.sub(_decimal, text)
    return [w.lstrip("0") or "0" if w[0] == "0" else w for w in words(text)]


def _joined(found: re.Match[str]) -> str:
    return found.group().replace(" ", "")


def _decimal(found: re.Match[str]) -> str:
    """A decimal without trailing zeros, each zero after the point a word: 1500.05 is not 1500.5."""
    fraction = found.group(2).rstrip("0")
    rest = fraction.lstrip("0")
    return " ".join([found.group(1), *"0" * (len(fraction) - len(rest)), rest])


def spellings(text: str) -> list[list[str]]:
    """Other ways in which prose writes the same value: dates with month names, encodings undone.

    >>> spellings("2026-05-07")[0]
    ['may', '7', '2026']
    """
    found = [value_words(plain) for plain in decodings(text)]
    date = ISO_DATE.search(text)
    if date and 1 <= int(date.group(2)) <= 12:
        year, name, day = date.group(1), _MONTHS[int(date.group(2)) - 1], str(int(date.group(3)))
        for form in (name, name[:3]):
            found += [[form, day, year], [day, form, year], [form, day], [day, form]]
    return [w for w in found if w]
