"""Layers of the networks at audit time, with NumPy alone and in 64 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Linear(NamedTuple):
    """x W + b."""

    weight: Floats
    """(inputs, outputs)."""
    bias: Floats | None = None

    def __call__(self, x: NDArray[Any]) -> Floats:
        """(…, inputs) to (…, outputs)."""
        mapped: Floats = x @ self.weight
        if self.bias is not None:
            mapped += self.bias
        return mapped


class Mlp(NamedTuple):
    """`encoders` writes it out as `first` and `second`."""

    first: Linear
    second: Linear

    def __call__(self, x: Floats) -> Floats:
        """(…, inputs) to (…, outputs)."""
        return self.second(gelu(self.first(x)))


class Mixing(NamedTuple):
    """`encoders.Mixing`: a state takes in two messages. None, where nothing was heard, is as zeros."""

    own: Linear
    heard: Sequence[Floats]
    """For each message, its part of the joined layer: (hidden, hidden)."""
    second: Linear
    scale: Floats
    shift: Floats

    def __call__(self, state: Floats, *messages: Floats | None) -> Floats:
        """State and messages, (hidden,) each, to (hidden,)."""
        first = self.own(state)
        for message, weight in zip(messages, self.heard, strict=True):
            if message is not None:
                first += message @ weight
        mixed = self.second(gelu(first))
        mixed += state
        mixed -= mixed.sum() / len(mixed)
        mixed /= math.sqrt(float(mixed @ mixed) / len(mixed) + 1e-5)
        mixed *= self.scale
        mixed += self.shift
        return mixed


def gelu(x: Floats) -> Floats:
    """GELU by tanh (https://arxiv.org/abs/1606.08415)."""
    bent = x * x
    bent *= 0.044715 * math.sqrt(2.0 / math.pi)
    bent += math.sqrt(2.0 / math.pi)
    bent *= x
    np.tanh(bent, out=bent)
    bent += 1.0
    bent *= x
    bent *= 0.5
    return bent
