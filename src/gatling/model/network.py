"""The dual encoder at audit time: `gatling.model.encoders` again with NumPy alone, one call after another.

Everything is computed in 64 bits, so that the order in which a machine adds up does not show in the energies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatling.energy.term import Part, Reason, TermScore
from gatling.model import word_network
from gatling.model.layers import Floats, Linear, Mixing, Mlp, gelu
from gatling.model.view import (
    ARGUMENT_NUMBERS,
    CALL_NUMBERS,
    EXPLANATION_NUMBERS,
    MATCHED,
    NAME,
    OF_TEXT,
    ROLES,
    VALUES,
    Items,
    View,
    ends,
)
from gatling.model.word_network import CALL, REQUEST, TEXT, Text, WordNetwork, words_read
from gatling.text import Matrix, encoder

LATENT = "latent"
"""The term's name."""
FORMULA = "10 / (1 + exp(-sum)), the sum growing with the distance of the call from what is expected"
TERMS = 4
"""Energies that the network regresses: hierarchy, provenance, scope, flow."""
LARGEST = {"hidden": 4096, "dimensions": 4096, "heads": 4096, "compared": 4096, "rounds": 64}
"""The configuration's sizes at most."""
WORDS = "plan.words."
"""Before the names of the arrays that compare words."""
TEXTS = 2048
"""Texts whose vectors a process remembers; one reads 400 characters at most, so they take under 20 MB."""


class NetworkError(ValueError):
    """A configuration or weights that make no network; the message names the entry."""


@dataclass(slots=True)
class State:
    """What later calls of a session hear from the calls before them."""

    calls: dict[int, Floats] = field(default_factory=dict)
    """By call's index, its state before each round when it was first seen: (rounds, hidden)."""
    intent: _Intent | None = None
    """The latest one; most calls of a run share it."""


class _Intent(NamedTuple):
    read: object
    """What it was made from."""
    expected: Floats
    """Where its calls should lie."""
    request: Text | None
    """The user's words; None for a network that compares none."""


class Reading(NamedTuple):
    """What the network says of a call."""

    distance: float
    """1 − cos(expected, actual), in [0, 2]."""
    energies: tuple[float, ...]
    """Regressed, 0–10: hierarchy, provenance, scope, flow."""
    score: TermScore
    """The latent term."""


class NumpyNetwork:
    """The trained network.

    Args:
        config: `encoders.NetworkConfig`'s sizes, which `LARGEST` names; what else it holds is ignored.
        weights: the arrays of `encoders.Network.state_dict()`, float32.

    Raises:
        NetworkError: a size is missing or out of range; an array is missing, unknown, of another shape or not
            finite.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
        sizes = {name: _size(config, name) for name in LARGEST}
        self._hidden, self._heads = sizes["hidden"], sizes["heads"]
        if self._hidden % self._heads:
            raise NetworkError(f"network: {self._heads} heads do not divide {self._hidden} hidden values")
        expected = shapes(**sizes)
        for name in sorted(expected.keys() ^ weights.keys()):
            raise NetworkError(
                f"network: array {name!a:.200} is {'missing' if name in expected else 'unknown'}"
            )
        for name, shape in expected.items():
            if weights[name].shape != shape:
                raise NetworkError(f"network: array {name} has shape {weights[name].shape}, needs {shape}")
            if weights[name].dtype.kind != "f" or not np.isfinite(weights[name]).all():
                raise NetworkError(f"network: array {name} holds what is no finite number")
        exact = {name: array.astype(np.float64) for name, array in weights.items()}

        def linear(name: str, *before: str) -> Linear:
            """A layer; those `before` it, which have no bias, take the first parts of a joined input."""
            parts = [exact[f"{part}.weight"] for part in (*before, name)]
            return Linear(np.ascontiguousarray(np.concatenate(parts, 1).T), exact[f"{name}.bias"])

        def items(name: str) -> Linear:
            return linear(f"{name}.numbers", f"{name}.text.linear")

        def mlp(name: str) -> Mlp:
            return Mlp(linear(f"{name}first"), linear(f"{name}second"))

        def mixing(name: str) -> Mixing:
            first, second = mlp(f"{name}.")
            own, *heard = (np.ascontiguousarray(part) for part in np.split(first.weight, 3))
            scale, shift = exact[f"{name}.norm.weight"], exact[f"{name}.norm.bias"]
            return Mixing(Linear(own, first.bias), heard, second, scale, shift)

        self._intent_items, self._intent_scores = items("intent.items"), exact["intent.scores.weight"].T
        self._intent, self._predictor = mlp("intent."), mlp("predictor_")
        self._plan = linear("plan.numbers", "plan.tool.linear", "plan.values.linear")
        self._arguments, self._explanations = (
            _Asked(items(f"{name}.items"), linear(f"{name}.query"))
            for name in ("plan.arguments", "plan.explanations")
        )
        words = {name.removeprefix(WORDS): array for name, array in exact.items() if name.startswith(WORDS)}
        self._words = WordNetwork(words) if words else None
        self._mixing = mixing("plan.mixing")
        self._rounds = [mixing(f"plan.rounds.{r}") for r in range(sizes["rounds"])]
        self._projection, self._energies = linear("projection"), mlp("energy_")
        self._steepness = math.exp(min(float(weights["steepness"]), 50.0))
        self._offset = float(weights["offset"])

    def step(self, view: View, index: int, previous: int | None, state: State) -> Reading:
        """Read the call at `index`, which follows the one at `previous`; `state` keeps what later calls hear.

        A call read again is heard as it was at first, and one that was never read is not heard at all.
        """
        intent = self._intended(view.intent, state)
        expected = intent.expected
        hidden = self._call(view, index, previous, intent, state)
        actual = _unit(self._projection(hidden))
        energies = self._energies(np.concatenate([hidden, expected])).tolist()
        distance = 1.0 - float(expected @ actual)
        value = 10.0 * _sigmoid(self._steepness * distance - self._offset)
        parts = (Part("distance", distance, self._steepness), Part("offset", 1.0, -self._offset))
        reasons = (Reason("the call lies far from what request and policy lead one to expect"),)
        score = TermScore(value, FORMULA, parts, reasons if value >= 1.0 else ())
        return Reading(distance, tuple(10.0 * _sigmoid(x) for x in energies), score)

    def _intended(self, intent: Items, state: State) -> _Intent:
        read = ([*map(tuple, intent.words)], intent.numbers.tobytes())
        if state.intent is not None and state.intent.read == read:
            return state.intent
        pooled = np.zeros(self._hidden)
        if intent.words:
            items = gelu(self._intent_items(_joined(intent)))
            pooled = self._attended(items @ self._intent_scores, items)
        request = None
        if self._words is not None:
            from_user = intent.numbers[:, ROLES.index("user")] == 1
            said = [
                word for words, user in zip(intent.words, from_user, strict=True) if user for word in words
            ]
            request = words_read(self._words, REQUEST, tuple(ends(said)))
        state.intent = _Intent(read, _unit(self._predictor(self._intent(pooled))), request)
        return state.intent

    def _call(self, view: View, index: int, previous: int | None, intent: _Intent, state: State) -> Floats:
        tool, values = map(_vector, map(tuple, view.call.words))
        call = self._plan(np.concatenate([tool, values, view.call.numbers[0]], dtype=np.float64))
        met = None
        if self._words is not None and intent.request is not None:
            name, held = view.call.words[0][:NAME], view.call.words[1][:VALUES]
            read = words_read(self._words, CALL, (*name, *held))
            texts = [
                words_read(self._words, TEXT, tuple(w[:OF_TEXT])) for w in view.explanations.words[:MATCHED]
            ]
            asked, beside = self._words.asked(read, len(name), intent.request)
            call += asked
            met = self._words.met(beside, intent.request, texts) if texts else None
        call = gelu(call)
        arguments = self._asked(self._arguments, call, view.arguments)
        explanations = self._asked(self._explanations, call, view.explanations, met)
        hidden = self._mixing(call, arguments, explanations)
        before = np.zeros((len(self._rounds), self._hidden))
        feeding = [state.calls[source] for source in view.sources if source in state.calls]
        flow = sum(feeding[1:], feeding[0]) / len(feeding) if feeding else None
        last = state.calls.get(previous) if previous is not None else None
        for r, mixing in enumerate(self._rounds):
            before[r] = hidden
            hidden = mixing(hidden, None if flow is None else flow[r], None if last is None else last[r])
        state.calls.setdefault(index, before)
        return hidden

    def _asked(self, layer: _Asked, call: Floats, items: Items, met: Floats | None = None) -> Floats | None:
        if not items.words:
            return None
        found = layer.items(_joined(items))
        if met is not None:
            found[: len(met)] += met
        found = gelu(found)
        parts = found.reshape(len(found), self._heads, -1)
        query = layer.query(call).reshape(self._heads, -1)
        return self._attended(np.einsum("hw,ihw->ih", query, parts) / math.sqrt(query.shape[1]), found)

    def _attended(self, scores: Floats, items: Floats) -> Floats:
        weights = np.exp(scores - scores.max(0))
        weights /= weights.sum(0)
        parts = items.reshape(len(items), self._heads, -1)
        pooled: Floats = (weights[..., None] * parts).sum(0).ravel()
        return pooled


class _Asked(NamedTuple):
    """`encoders.CallAttention`."""

    items: Linear
    query: Linear


def shapes(
    *, hidden: int, dimensions: int, heads: int, compared: int, rounds: int
) -> dict[str, tuple[int, ...]]:
    """The network's arrays by name, with their shapes."""
    found: dict[str, tuple[int, ...]] = {"steepness": (), "offset": ()}

    def linear(name: str, outputs: int, inputs: int) -> None:
        found[f"{name}.weight"] = (outputs, inputs)
        found[f"{name}.bias"] = (outputs,)

    def items(name: str, numbers: int) -> None:
        found[f"{name}.text.linear.weight"] = (hidden, encoder().dimensions)
        linear(f"{name}.numbers", hidden, numbers)

    items("intent.items", len(ROLES))
    found["intent.scores.weight"] = (heads, hidden)
    linear("intent.first", hidden, hidden)
    linear("intent.second", dimensions, hidden)
    linear("predictor_first", hidden, dimensions)
    linear("predictor_second", dimensions, hidden)
    for name in ("plan.tool", "plan.values"):
        found[f"{name}.linear.weight"] = (hidden, encoder().dimensions)
    linear("plan.numbers", hidden, len(CALL_NUMBERS))
    for name, numbers in (("arguments", ARGUMENT_NUMBERS), ("explanations", EXPLANATION_NUMBERS)):
        items(f"plan.{name}.items", len(numbers))
        linear(f"plan.{name}.query", hidden, hidden)
    if compared:
        found |= {f"{WORDS}{name}": shape for name, shape in word_network.shapes(hidden, compared).items()}
    for name in ("plan.mixing", *(f"plan.rounds.{r}" for r in range(rounds))):
        linear(f"{name}.first", hidden, 3 * hidden)
        linear(f"{name}.second", hidden, hidden)
        found[f"{name}.norm.weight"] = found[f"{name}.norm.bias"] = (hidden,)
    linear("projection", dimensions, hidden)
    linear("energy_first", hidden, hidden + dimensions)
    linear("energy_second", TERMS, hidden)
    return found


def _size(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    least = 0 if name in ("rounds", "compared") else 1
    if type(value) is not int or not least <= value <= LARGEST[name]:
        raise NetworkError(f"network: {name} is {value!a:.40}, needs {least} to {LARGEST[name]}")
    return value


@lru_cache(maxsize=TEXTS)
def _vector(words: tuple[str, ...]) -> Matrix:
    vector: Matrix = encoder().embed([words])[0]
    return vector


def _joined(items: Items) -> Floats:
    """Each text's vector with its numbers behind it."""
    vectors = np.array([_vector(tuple(words)) for words in items.words])
    return np.concatenate([vectors, items.numbers], 1, dtype=np.float64)


def _unit(x: Floats) -> Floats:
    return x / max(math.sqrt(float(x @ x)), 1e-12)


def _sigmoid(x: float) -> float:
    # What is no number counts as 700: an energy fails closed.
    return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, x))))
