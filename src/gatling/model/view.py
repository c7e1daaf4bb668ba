"""What the network reads of a call: texts with numbers, taken from a plan. NumPy alone: audits use it too.

A text is later replaced by its vector (`gatling.text.Encoder`), so a view holds no learned thing. Everything
in it is known when the call is proposed: later calls and texts do not enter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gatling.energy.hierarchy import SIGNS, privilege, quantities
from gatling.matching import Words, matched, read
from gatling.model.standing import STANDING, standings, strength
from gatling.plan import (
    JSON,
    ArgumentProvenance,
    Edge,
    Effect,
    ExecutionPlan,
    Span,
    ToolCall,
    TrustTier,
)
from gatling.spans import leaves
from gatling.text import Matrix, name_words
from gatling.values import value_words

USER_TEXTS, SYSTEM_TEXTS, VERIFIED_TEXTS = 16, 12, 4
"""Texts of each trusted tier that the intent tower reads: the user's and the services' latest, the
deployer's first."""
ARGUMENTS, EXPLANATIONS = 10, 10
"""Argument leaves and explaining spans that the plan tower reads of one call."""
LONGEST = 400
"""Characters of a text that are read."""
REQUEST_START, REQUEST_END = 64, 32
"""Words of a longer request that are matched with the call."""
NAME, VALUES, MATCHED, OF_TEXT = 8, 32, 4, 40
"""Words of a tool's name and of a call's values that are matched with texts, the explaining spans that are,
and the words of each."""

ROLES = ("user", "system", "verified", "delegated")
"""What a trusted text is; the last is a stranger's text that the user handed over to."""
_ONE_HOT = tuple(tuple(float(role == other) for other in ROLES) for role in ROLES)
CALL_NUMBERS = (
    *(f"effect {effect.value}" for effect in Effect),
    "privilege",
    "volume",
    "window",
    "depth",
    "sensitivity",
    "support",
    "overlap",
    "coverage",
    "open",
    "details",
    "exposed",
    "arguments",
    "calls before",
    "name in request",
    "values in request",
    "request in name",
    "request in values",
    "words of values",
)
ARGUMENT_NUMBERS = (
    "from the model",
    *(f"from {tier.name.lower()}" for tier in TrustTier),
    "share",
    "rarity",
    "pointed",
    "datum",
    "length",
)
EXPLANATION_NUMBERS = (
    *SIGNS,
    "name in text",
    "values in text",
    "text in request",
    "text in values",
    "text in name",
    "name in text, less in request",
    "values in text, less in request",
    "words of text",
    *STANDING,
)
"""The quantities of the hierarchy term; how the text matches request and call (`gatling.matching`), 0 for all
but the `MATCHED` that explain the call best; and where it stands."""


class Items(NamedTuple):
    """Texts as words, each with its numbers."""

    words: list[list[str]]
    numbers: Matrix
    """(texts, numbers), about -1 to 1."""


class View(NamedTuple):
    """What the network reads of one call."""

    intent: Items
    """Trusted texts; numbers one-hot by `ROLES`."""
    call: Items
    """Two rows, the tool's name and the arguments' values; numbers by `CALL_NUMBERS`, the same in both."""
    arguments: Items
    """Numbers by `ARGUMENT_NUMBERS`."""
    explanations: Items
    """Untrusted texts that may explain the call; numbers by `EXPLANATION_NUMBERS`."""
    sources: tuple[int, ...]
    """Indices of earlier calls whose output feeds this one, ascending."""


def views(plan: ExecutionPlan) -> list[View]:
    """The views of a plan's calls, in order."""
    feeds: dict[int, list[Edge]] = {}
    for edge in plan.edges:
        if edge.source < edge.target:
            feeds.setdefault(edge.target, []).append(edge)
    found = []
    for index, call in enumerate(plan.calls):
        trusted = [span for span in plan.spans[: call.seen] if span.tier is not TrustTier.UNTRUSTED]
        # as in an audit, where calls proposed together do not count as earlier
        earlier = {at: other for at, other in enumerate(plan.calls[:index]) if other.seen < call.seen}
        found.append(view(call, earlier, plan.spans, trusted, feeds.get(index, ())))
    return found


def view(
    call: ToolCall,
    earlier: Mapping[int, ToolCall],
    spans: Sequence[Span],
    trusted: Sequence[Span],
    edges: Sequence[Edge],
) -> View:
    """What the network reads of a call that follows answered ones, by index, and of the edges into it.

    `trusted` are those of the `spans` before it that are no stranger's, in order within each tier; of the
    verified ones the latest `VERIFIED_TEXTS` do.
    """
    asked = _request(tuple(s.text[:LONGEST] for s in trusted if s.tier is TrustTier.USER)[-USER_TEXTS:])
    values = [word for value in _texts(call.arguments) for word in value_words(value[:LONGEST])[:24]]
    name, held = _name(call.tool[:256]), read(values[:VALUES])
    said = _Said(asked, name, held, matched(name, asked), matched(held, asked))
    return View(
        _intent(call, spans, trusted),
        _call(call, len(earlier), values, said),
        _arguments(call.provenance),
        _explanations(call, earlier, spans, said),
        tuple(sorted({edge.source for edge in edges})),
    )


class _Said(NamedTuple):
    """What is matched with one another, and how the call matches the request; see `matched`."""

    request: Words
    name: Words
    values: Words
    asked_name: tuple[float, float]
    asked_values: tuple[float, float]


@lru_cache(maxsize=256)
def _request(texts: tuple[str, ...]) -> Words:
    """The words of the user's texts; calls of one run share them."""
    return read(ends([word for text in texts for word in _words(text)]))


def ends(words: list[str]) -> list[str]:
    """A text's first `REQUEST_START` words and its last `REQUEST_END`."""
    return (
        words if len(words) <= REQUEST_START + REQUEST_END else words[:REQUEST_START] + words[-REQUEST_END:]
    )


@lru_cache(maxsize=2048)
def _words(text: str) -> list[str]:
    """A text's words. Calls of one run read the same texts again and again; nobody changes the list."""
    return value_words(text)


def _items(texts: list[str], numbers: Sequence[Sequence[float]], width: int) -> Items:
    rows = np.array(numbers, np.float32).reshape(-1, width)
    return Items([_words(text[:LONGEST]) for text in texts], rows)


def _intent(call: ToolCall, spans: Sequence[Span], trusted: Sequence[Span]) -> Items:
    by_tier: dict[TrustTier, list[str]] = {tier: [] for tier in TrustTier}
    for span in trusted:
        by_tier[span.tier].append(span.text)
    texts = (
        by_tier[TrustTier.USER][-USER_TEXTS:],
        by_tier[TrustTier.SYSTEM][:SYSTEM_TEXTS],
        by_tier[TrustTier.VERIFIED][-VERIFIED_TEXTS:],
        [spans[e.span].text for e in call.explanations if e.delegated > 0.5][:4],
    )
    numbers = [_ONE_HOT[role] for role, of in enumerate(texts) for _ in of]
    return _items([text for of in texts for text in of], numbers, len(ROLES))


def _call(call: ToolCall, before: int, values: list[str], said: _Said) -> Items:
    scope = call.scope
    numbers = [
        *(float(effect in call.effects) for effect in Effect),
        privilege(call),
        math.log1p(max(0.0, scope.volume)) / 10,
        math.log1p(max(0.0, scope.window_days)) / 6,
        min(scope.depth, 10) / 10,
        (scope.sensitivity - 1) / 4,
        call.support / 8,
        call.overlap,
        call.coverage,
        call.open,
        call.details,
        float(bool(call.explanations)),
        math.log1p(len(call.provenance)) / 3,
        math.log1p(before) / 3,
        said.asked_name[0],
        said.asked_values[0],
        said.asked_name[1],
        said.asked_values[1],
        len(said.values.bits) / VALUES,
    ]
    return Items([name_words(call.tool[:256]), values[:96]], np.array([numbers, numbers], np.float32))


def _texts(arguments: JSON) -> list[str]:
    found = []
    for count, (_, value) in enumerate(leaves(arguments)):
        if count == ARGUMENTS:
            break
        found.append(str(value))
    return found


def _arguments(provenance: Sequence[ArgumentProvenance]) -> Items:
    texts, found = [], []
    for argument in provenance[:ARGUMENTS]:
        tiers = [float(argument.tier is None), *(float(argument.tier is tier) for tier in TrustTier)]
        numbers = [
            *tiers,
            max((origin.share for origin in argument.origins), default=0.0),
            argument.rarity,
            float(argument.pointed),
            float(argument.datum),
            math.log1p(len(argument.value)) / 8,
        ]
        path = " ".join(name_words(argument.path[:256]))
        texts.append(f"{path} {argument.value[:LONGEST]}")
        found.append(numbers)
    return _items(texts, found, len(ARGUMENT_NUMBERS))


def _explanations(
    call: ToolCall, earlier: Mapping[int, ToolCall], spans: Sequence[Span], said: _Said
) -> Items:
    kept = sorted(call.explanations, key=lambda e: (-strength(e), e.span))[:EXPLANATIONS]
    numbers = [
        (
            *quantities(call, e),
            *(_matches(spans[e.span].text, said) if at < MATCHED else _UNMATCHED),
            *standing,
        )
        for at, (e, standing) in enumerate(zip(kept, standings(call, kept, spans, earlier), strict=True))
    ]
    return _items([spans[e.span].text for e in kept], numbers, len(EXPLANATION_NUMBERS))


def _matches(text: str, said: _Said) -> tuple[float, ...]:
    """The numbers of `EXPLANATION_NUMBERS` between the quantities and `STANDING`."""
    own = _text(text[:LONGEST])
    named, in_name = matched(said.name, own)
    held, in_values = matched(said.values, own)
    return (
        named,
        held,
        matched(own, said.request)[0],
        in_values,
        in_name,
        named - said.asked_name[0],
        held - said.asked_values[0],
        len(own.bits) / OF_TEXT,
    )


_UNMATCHED = (0.0,) * (len(EXPLANATION_NUMBERS) - len(SIGNS) - len(STANDING))


@lru_cache(maxsize=256)
def _name(tool: str) -> Words:
    return read(name_words(tool)[:NAME])


@lru_cache(maxsize=256)
def _text(text: str) -> Words:
    """The first words of an explaining text; calls of one run are explained by the same ones."""
    return read(_words(text)[:OF_TEXT])
