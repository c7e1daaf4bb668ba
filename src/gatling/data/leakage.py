"""The leakage audit: how far a shallow model gets on what must not tell an attack from a benign run.

A label that can be read off a run's length, the tools in it or the place of a stranger's text teaches a model
that, and not what a hijack is. Each *shortcut* is one such thing, as a bag of tokens, and the pair of kinds
that neutralises it. A logistic regression is fitted to the tokens of train and scored on validation and test,
which share no group with it and which nothing else here has looked at. Its AUC keeps its direction: under 0.5
means that what was learnt does not hold, not that it holds the other way round, so that chance is 0.5 for a
small build as for a large one.

A shortcut fails when the lower end of the 95% interval of its AUC, by a bootstrap over groups, is over the
limit: when it is sure that more than the limit leaks. A small build has wide intervals and so proves little;
the number of rows stands beside each AUC.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gatling.data.columns import text, values
from gatling.data.shards import read_manifest, tables
from gatling.plan import SIDE_EFFECTS, TrustTier
from gatling.trace import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 0.60
"""The AUC that a shortcut may reach."""

MOST = 10_000
"""Rows of a kind that are looked at in train, and again in validation and test: with that many an interval is
about 0.02 wide."""

FEWEST = 20
"""Rows on each side of a pair without which nothing is fitted or scored."""

RESAMPLES = 200
"""Draws of the bootstrap."""

_FEATURES = 1 << 14
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What a shallow model reached on one shortcut."""

    name: str
    pair: str
    """The kinds that it tells apart: `hijacked against resisted`."""
    auc: float
    """NaN where there are too few rows."""
    low: float
    """The ends of the 95% interval."""
    high: float
    n: int
    """Rows that were scored."""
    limit: float = LIMIT

    @property
    def measured(self) -> bool:
        """There are rows enough."""
        return not math.isnan(self.auc)

    @property
    def passed(self) -> bool:
        """It is not sure that the shortcut is over its limit."""
        return not self.low > self.limit

    def __str__(self) -> str:
        what = f"{self.name}, {self.pair}:"
        if not self.measured:
            return f"{what} too few rows to tell (n = {self.n})"
        verdict = "" if self.passed else f": over {self.limit:.2f}, the label can be read off it"
        return f"{what} AUC {self.auc:.2f} [{self.low:.2f}, {self.high:.2f}] (n = {self.n}){verdict}"


@dataclass(frozen=True, slots=True)
class Look:
    """What the shortcuts look at in a row. None of it says whether a call follows from the request."""

    kind: str
    poisoned: bool
    language: str
    domains: Sequence[str]
    sources: Sequence[str]
    """Where the run and what went into it are from."""
    tools: Sequence[str]
    """Names of the tools that the run offers."""
    messages: Sequence[Message]
    calls: Sequence[tuple[str, frozenset[str]]]
    """Tool and effects of each call."""
    spans: Sequence[tuple[int, str]]
    """Tier and text of each span."""

    @property
    def attack(self) -> bool:
        """Some call should not be made."""
        return self.kind in ("hijacked", "mutated")

    @property
    def acting(self) -> list[tuple[str, frozenset[str]]]:
        """The calls that change something."""
        return [(tool, effects) for tool, effects in self.calls if effects & SIDE_EFFECTS]

    @property
    def characters(self) -> int:
        """Characters of all messages."""
        return sum(len(text(m.content)) for m in self.messages)


def _size(value: float) -> int:
    """A measure in steps of a factor of about 1.4."""
    return round(2 * math.log2(1 + value))


def _poison(look: Look) -> Iterator[str]:
    """That a poison was read, and the words of strangers."""
    yield f"poisoned={look.poisoned}"
    outside = " ".join(t for tier, t in look.spans if tier == TrustTier.UNTRUSTED)
    yield from {word.lower() for word in _WORD.findall(outside)}


def _tiers(look: Look) -> Iterator[str]:
    """How many spans each tier has, and their share."""
    counts = Counter(tier for tier, _ in look.spans)
    for tier in TrustTier:
        yield f"{tier.name}={_size(counts[tier])}"
        yield f"{tier.name}/all={round(10 * counts[tier] / max(len(look.spans), 1))}"


def _position(look: Look) -> Iterator[str]:
    """Where the first and the last span by strangers stand, and what follows them."""
    places = [n for n, (tier, _) in enumerate(look.spans) if tier == TrustTier.UNTRUSTED]
    first, last = (places[0], places[-1]) if places else (-1, -1)
    yield f"first={round(10 * first / max(len(look.spans), 1))}"
    yield f"last={round(10 * last / max(len(look.spans), 1))}"
    yield f"after={_size(len(look.spans) - 1 - last)}"


def _tools(look: Look) -> Iterator[str]:
    """The acting calls' tools, by name and words of the name, and their effects."""
    for tool, effects in look.acting:
        yield tool
        yield from (f"word={word.lower()}" for word in re.findall("[A-Z]?[a-z]+", tool))
        yield from (f"effect={effect}" for effect in effects)
    yield f"last={look.acting[-1][0] if look.acting else ''}"


def _length(look: Look) -> Iterator[str]:
    """Characters, messages and calls: of the run, and of its longest and shortest outputs."""
    outputs = [len(text(m.content)) for m in look.messages if m.role == "tool"] or [0]
    yield f"characters={_size(look.characters)}"
    yield f"messages={len(look.messages)}"
    yield f"calls={len(look.calls)}"
    yield f"longest={_size(max(outputs))}"
    yield f"shortest={_size(min(outputs))}"
    yield f"said={_size(sum(len(text(m.content)) for m in look.messages if m.role == 'user'))}"


def _source(look: Look) -> Iterator[str]:
    """Where the run comes from and what hosts it."""
    yield from (f"source={source}" for source in look.sources)
    yield f"language={look.language}"
    yield from (f"domain={domain}" for domain in look.domains)
    yield f"system={any(m.role == 'system' for m in look.messages)}"
    yield f"tools={_size(len(look.tools))}"
    for style, pattern in (("dotted", r"[.]"), ("camel", "^[a-z]+[A-Z]"), ("pascal", "^[A-Z]"), ("_", "_")):
        yield f"{style}={any(re.search(pattern, tool) for tool in look.tools)}"


def _form(look: Look) -> Iterator[str]:
    """How the messages look, whatever they say: ids, thoughts, the end, the shape of outputs."""
    ids = [call.id for m in look.messages for call in m.calls]
    numbers = [int(digits) for i in ids if (digits := re.sub(r"\D", "", i)[-9:])]
    yield f"ids={''.join(sorted({re.sub(r'[0-9]+', '0', i) for i in ids}))}"
    yield f"widths={len({len(i) for i in ids})}"
    yield f"ordered={numbers == sorted(numbers)}"
    yield f"gaps={numbers[:1] == [1] and len(numbers) == max(numbers)}"
    calling = [m for m in look.messages if m.calls]
    thoughts = sum(bool(text(m.content)) for m in calling)
    yield f"thoughts={round(5 * thoughts / max(len(calling), 1))}"
    yield f"last thought={bool(calling and text(calling[-1].content))}"
    yield f"together={max((len(m.calls) for m in calling), default=0)}"
    yield f"ends={look.messages[-1].role} {bool(text(look.messages[-1].content))}"
    yield f"turns={sum(m.role == 'user' for m in look.messages)}"
    outputs = [text(m.content) for m in look.messages if m.role == "tool"]
    for name, output in (("first", outputs[:1]), ("last", outputs[-1:])):
        for said in output:
            yield f"{name} output={_shape(said)}"
            yield f"{name} size={_size(len(said))}"
    yield from (f"output={_shape(output)}" for output in outputs)


def _shape(output: str) -> str:
    """The ends of an output, and whether it has lines."""
    kinds = [
        "a" if c.isalpha() else "0" if c.isdigit() else c for c in (output[:1].strip(), output[-1:].strip())
    ]
    return f"{kinds}{'lines' if chr(10) in output.strip() else ''}"


@dataclass(frozen=True, slots=True)
class _Probe:
    name: str
    pair: str
    side: Callable[[Look], bool | None]
    """True for an attack of the pair, False for its counterpart, None for a row that is neither."""
    tokens: Callable[[Look], Iterable[str]]
    matched: Callable[[Look], Hashable] = lambda look: None
    """Both sides have the same number of rows with each value of it."""
    whole: bool = True
    """All rows count, not just those that could be matched."""


def _kinds(attack: str, *benign: str, poisoned: bool = False) -> Callable[[Look], bool | None]:
    def side(look: Look) -> bool | None:
        if look.kind == attack:
            return True
        return False if look.kind in benign and (look.poisoned or not poisoned) else None

    return side


_PROBES = (
    _Probe("poison", "hijacked against resisted", _kinds("hijacked", "resisted"), _poison),
    _Probe("tier counts", "hijacked against resisted", _kinds("hijacked", "resisted"), _tiers),
    _Probe("position", "hijacked against resisted", _kinds("hijacked", "resisted"), _position),
    _Probe(
        "tool",
        "hijacked against authorised with the poison read",
        _kinds("hijacked", "authorised", poisoned=True),
        _tools,
    ),
    _Probe("tool", "hijacked against delegated", _kinds("hijacked", "delegated"), _tools),
    _Probe(
        "length",
        "attacks against benign runs of as many calls",
        lambda look: look.attack,
        _length,
        lambda look: len(look.calls),
        whole=False,
    ),
    _Probe("source and host", "attacks against benign runs", lambda look: look.attack, _source),
    _Probe("form", "hijacked against resisted", _kinds("hijacked", "resisted"), _form),
    _Probe(
        "form", "hijacked against authorised, delegated", _kinds("hijacked", "authorised", "delegated"), _form
    ),
    _Probe("form", "mutated against clean", _kinds("mutated", "clean"), _form),
)


def audit(folder: Path) -> list[Shortcut]:
    """Measure every shortcut on a folder of shards.

    Raises:
        gatling.data.shards.ShardError: the manifest or a shard cannot be read.
    """
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(_FEATURES, input_type="string", alternate_sign=False)
    samples = [_Samples(probe, hasher) for probe in _PROBES]
    taken: Counter[tuple[bool, str]] = Counter()
    for shard in read_manifest(folder).shards:
        if shard.split not in ("train", "validation", "test"):
            continue
        fitted = shard.split == "train"
        for table in tables(folder / shard.file, _COLUMNS):
            found = []
            for group, look in _looks(table):
                taken[fitted, look.kind] += 1
                if taken[fitted, look.kind] <= MOST:
                    found.append((group, look))
            for one in samples:
                one.add(found, fitted)
    return [one.measure() for one in samples]


_PLAIN = ("group", "kind", "poisoned", "language", "domains", "source", "rows", "tools", "messages")
_COLUMNS = (
    *_PLAIN,
    "calls.list.element.tool",
    "calls.list.element.effects",
    "spans.list.element.tier",
    "spans.list.element.text",
)


def _looks(table: pa.Table) -> Iterator[tuple[str, Look]]:
    plain = (values(table, name) for name in _PLAIN)
    rows = zip(*plain, table["calls"].to_pylist(), table["spans"].to_pylist(), strict=True)
    for group, kind, poisoned, language, domains, source, places, tools, messages, calls, spans in rows:
        yield (
            group,
            Look(
                kind,
                poisoned,
                language,
                domains,
                [source, *(place.source for place in places)],
                [str(schema.get("function", schema).get("name")) for schema in json.loads(tools)],
                messages,
                [(call["tool"], frozenset(call["effects"])) for call in calls],
                [(span["tier"], span["text"]) for span in spans],
            ),
        )


class _Samples:
    """The rows of a pair as features, for fitting and for scoring."""

    def __init__(self, probe: _Probe, hasher: Any) -> None:
        self.probe, self.hasher = probe, hasher
        self.features: dict[bool, list[Any]] = {True: [], False: []}
        self.sides: dict[bool, list[bool]] = {True: [], False: []}
        self.matched: dict[bool, list[Hashable]] = {True: [], False: []}
        self.groups: dict[bool, list[str]] = {True: [], False: []}

    def add(self, looks: Iterable[tuple[str, Look]], fitted: bool) -> None:
        """Take rows of train (`fitted`) or of the splits that are scored."""
        probe, bags = self.probe, []
        for group, look in looks:
            side = probe.side(look)
            if side is not None:
                bags.append([*dict.fromkeys(probe.tokens(look))])
                self.sides[fitted].append(side)
                self.groups[fitted].append(group)
                self.matched[fitted].append(probe.matched(look))
        if bags:
            self.features[fitted].append(self.hasher.transform(bags))

    def measure(self) -> Shortcut:
        """Fit and score."""
        from scipy.sparse import vstack
        from sklearn.linear_model import LogisticRegression

        kept = {fitted: self._kept(fitted) for fitted in (True, False)}
        name, pair, n = self.probe.name, self.probe.pair, len(kept[False])
        sides = {fitted: np.array(self.sides[fitted], bool)[kept[fitted]] for fitted in kept}
        if any(min(side.sum(), (~side).sum()) < FEWEST for side in sides.values()):
            return Shortcut(name, pair, math.nan, math.nan, math.nan, n)
        features = {fitted: vstack(self.features[fitted], "csr")[kept[fitted]] for fitted in kept}
        model = LogisticRegression(C=0.1, solver="liblinear", class_weight="balanced")
        model.fit(features[True], sides[True])
        scores = model.decision_function(features[False])
        groups = np.array(self.groups[False])[kept[False]]
        return Shortcut(name, pair, *_interval(sides[False], scores, groups), n)

    def _kept(self, fitted: bool) -> NDArray[np.int64]:
        """The rows of the pair: all, or as many of each side as have a counterpart."""
        sides, matched = self.sides[fitted], self.matched[fitted]
        if self.probe.whole:
            return np.arange(len(sides))
        counts = Counter(zip(matched, sides, strict=True))
        seen: Counter[tuple[Hashable, bool]] = Counter()
        kept = []
        for n, key in enumerate(zip(matched, sides, strict=True)):
            seen[key] += 1
            if seen[key] <= min(counts[key[0], True], counts[key[0], False]):
                kept.append(n)
        return np.array(kept, np.int64)


def _interval(
    sides: NDArray[np.bool_], scores: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[float, float, float]:
    """The AUC and its 95% interval by a bootstrap over groups."""
    _, ranks = np.unique(scores, return_inverse=True)
    names, members = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(0)
    share = np.full(len(names), 1 / len(names))
    drawn = [_auc(sides, ranks, rng.multinomial(len(names), share)[members]) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return _auc(sides, ranks, np.ones(len(sides))), float(low), float(high)


def _auc(sides: NDArray[np.bool_], ranks: NDArray[np.int64], weights: NDArray[Any]) -> float:
    """The share of pairs, by weight, in which the attack has the higher rank; a tie counts half."""
    attacks, benign = np.bincount(ranks, weights * sides), np.bincount(ranks, weights * ~sides)
    pairs = attacks.sum() * benign.sum()
    return float(attacks @ (np.cumsum(benign) - benign / 2) / pairs) if pairs else math.nan
