"""Where the texts stand that may explain a call, and what the agent made of their records before.

A text that the user handed over was fetched for him and is a record's business; an order slipped into a
record stands beside what has nothing to do with it. Audits use it too, so no torch is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from gatling.plan import Explanation, Span, ToolCall, TrustTier

STANDING = (
    "source pointed to",
    "source from user",
    "texts of record",
    "share of record",
    "explaining texts of record",
    "record followed",
    "text followed",
)
"""Whether the call that fetched the text had an argument from where the user pointed, and how rare its rarest
argument is that he gave himself; how many texts the record has, the text's share of its characters, and how
many of them may explain the call; of how many earlier calls a text of the record, or this one, was the best
explanation. Each about 0 to 1."""

REACH = 80
"""Texts before and after one that are looked at for its record."""
EARLIER = 16
"""The latest calls that are looked at."""
IN_REQUEST = 0.99
"""A call whose arguments stand in the request by this share follows the request."""


def strength(explanation: Explanation) -> float:
    """How well a text explains a call, before anything learnt."""
    return explanation.call + explanation.information + explanation.share


def standings(
    call: ToolCall,
    explanations: Iterable[Explanation],
    spans: Sequence[Span],
    earlier: Mapping[int, ToolCall],
) -> list[tuple[float, ...]]:
    """The numbers of `STANDING` for some of a call's explanations; `earlier` are answered calls by index."""
    followed = [
        max(other.explanations, key=strength).span
        for other in [*earlier.values()][-EARLIER:]
        if other.explanations and other.coverage < IN_REQUEST
    ]
    records = [_record(spans[span]) for span in followed]
    own = [_record(spans[e.span]) for e in call.explanations]
    found: list[tuple[float, ...]] = []
    for explanation in explanations:
        span = spans[explanation.span]
        record = _record(span)
        texts = [len(spans[at].text) for at in _beside(explanation.span, spans, call.seen)]
        source = earlier.get(span.call) if span.call is not None else None
        fetched = source.provenance if source is not None else ()
        found.append(
            (
                float(any(argument.pointed for argument in fetched)),
                max((a.rarity for a in fetched if a.tier is TrustTier.USER), default=0.0),
                math.log1p(len(texts)) / 4,
                len(span.text) / max(1, sum(texts)),
                own.count(record) / 10,
                math.log1p(records.count(record)) / 2,
                math.log1p(followed.count(explanation.span)) / 2,
            )
        )
    return found


def _record(span: Span) -> tuple[int, str]:
    """What tells a record from others: trusted texts have the number 0, which a tool's has as well."""
    return span.record, span.source


def _beside(at: int, spans: Sequence[Span], end: int) -> range:
    """The texts of one's record, which stand together, up to an end."""
    record, first, last = _record(spans[at]), at, at
    while first > max(0, at - REACH) and _record(spans[first - 1]) == record:
        first -= 1
    while last + 1 < min(end, at + REACH) and _record(spans[last + 1]) == record:
        last += 1
    return range(first, last + 1)
