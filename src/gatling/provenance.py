"""Messages to spans, argument origins, explanations and data-flow edges.

Provenance is computed, never labelled: it follows from who wrote which text and where each value stands.
`History` takes messages one by one and answers, for a proposed call, where each argument came from and
which text explains the call, in time that depends on the call and on a bounded window, not on the whole
history: values are found through an inverted index of their rarest word.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from gatling.intent import Request
from gatling.plan import (
    JSON,
    ArgumentProvenance,
    Edge,
    Explanation,
    Origin,
    Scope,
    Span,
    ToolCall,
    TrustTier,
)
from gatling.scope import scope_of
from gatling.spans import Segment, decodings, leaves, segments
from gatling.text import Matrix, encoder, visible, words
from gatling.tools import Tool
from gatling.trace.message import Message, ProposedCall

WINDOW = 2048
"""Most recent untrusted spans compared with a call by meaning; older ones are found by their words."""

MAX_POSTINGS = 64
"""Spans looked at for one value: the earliest and the latest that hold its rarest word."""

LONG_VALUE = 12
"""Values of more words than this are matched by share, not as a whole."""

SERVER_FIELDS = re.compile(
    r"(^|_)(id|ids|date|time|timestamp|status|created|updated|size|count|read|type|version|quantity|price|total|amount|balance)_?$",
    re.I,
)
"""Fields whose short values are the service's own word even where the rest of the record is a stranger's."""

_MONTHS = {m: i for i, m in enumerate("january february march april may june july august september october november december".split(), 1)}
_THOUSANDS = re.compile(r"(?<=\d)[,'](?=\d{3}(?!\d))")
_ZERO_CENTS = re.compile(r"(?<=\d)\.0+(?!\d)")
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")


def value_words(text: str) -> list[str]:
    """Words of a value in a form that survives rewriting: 1,500.00 = 1500, 007 = 7.

    >>> value_words("$1,500.00 on 2026-05-07")
    ['1500', 'on', '2026', '5', '7']
    """
    if any(c.isdigit() for c in text):
        text = _ZERO_CENTS.sub("", _THOUSANDS.sub("", text))
        return [w.lstrip("0") or "0" if w[0] == "0" else w for w in words(text)]
    return words(text)


def _spellings(text: str) -> list[list[str]]:
    """Other ways in which prose writes the same value: dates with month names, undone encodings."""
    found = [value_words(plain) for plain in decodings(text)]
    date = _ISO_DATE.search(text)
    if date:
        year, month, day = date.group(1), int(date.group(2)), int(date.group(3))
        for name, number in _MONTHS.items():
            if number == month:
                found += [[form, str(day), year] for form in (name, name[:3])]
                found += [[str(day), form, year] for form in (name, name[:3])]
                found += [[form, str(day)] for form in (name, name[:3])]
    return found


@dataclass(slots=True)
class _Store:
    """Vectors of spans of one standing, in a buffer that grows."""

    rows: Matrix
    spans: list[int]

    def add(self, ids: list[int], vectors: Matrix) -> None:
        used = len(self.spans)
        if used + len(ids) > len(self.rows):
            grown = np.zeros((max(64, 2 * (used + len(ids))), vectors.shape[1]), np.float32)
            grown[:used] = self.rows[:used]
            self.rows = grown
        self.rows[used : used + len(ids)] = vectors
        self.spans += ids

    def window(self) -> tuple[Matrix, list[int]]:
        start = max(0, len(self.spans) - WINDOW)
        return self.rows[start : len(self.spans)], self.spans[start:]


class History:
    """Everything that stood before a call, indexed by word and by meaning."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.request = Request()
        self.cut = 0
        """Characters of oversized texts that were not read."""
        self.unread: list[str] = []
        """Parts without text (images, audio) that were not read."""
        self._words: list[str] = []
        self._postings: dict[str, list[int]] = defaultdict(list)
        self._stores: dict[str, _Store] = {}
        self._calls: list[tuple[Tool, tuple[ArgumentProvenance, ...], frozenset[str]]] = []
'''
