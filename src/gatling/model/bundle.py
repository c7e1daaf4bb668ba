"""A bundle: all that an audit needs of a model, in one file, and no torch.

It is a safetensors file (https://github.com/huggingface/safetensors): the network's arrays, and in the file's
metadata a `Card` as JSON with the weights, the calibration, and what it was trained on. The file's own hash
over both makes a changed byte visible. `default()` is the bundle that the package ships.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from gatling.energy import Weights
from gatling.energy.calibration import Calibration
from gatling.model.network import LATENT, NetworkError, NumpyNetwork

FORMAT: Final = 3
"""Raised when an older reader could not use a bundle."""

LARGEST = 64 << 20
"""Bytes of a bundle at most; what is larger is no bundle."""

DEFAULT = Path(__file__).with_name("default.safetensors")
"""The bundle that the package ships."""

GROUPS = "groups"
"""Name of the array with the training groups' codes."""

Arrays = Mapping[str, NDArray[np.float32]]


class BundleError(ValueError):
    """A file that is no usable bundle; the message names the file, what is wrong and a remedy."""


class Data(BaseModel):
    """One set of runs that a bundle was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Literal["train", "validation"]
    licence: str
    runs: int
    groups: int
    sha256: str
    """Of the build's manifest or of the traces' file."""


class Card(BaseModel):
    """What a bundle says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[3] = FORMAT
    name: str
    gatling: str
    """Version of the package that made it."""
    command: str
    """What remakes it."""
    data: tuple[Data, ...]
    limits: tuple[str, ...]
    """What it is known not to do."""
    weights: Weights
    network: dict[str, Any] | None = None
    """The network's configuration; None for analytic terms alone."""


@dataclass(frozen=True)
class Bundle:
    """A card and the arrays of its network."""

    card: Card
    arrays: Arrays
    groups: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """The groups that it was trained on, by `group_code`, ascending."""

    @property
    def weights(self) -> Weights:
        """Analytic weights, gains and calibration."""
        return self.card.weights

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms that an audit with this bundle has."""
        names = tuple(term.name for term in self.weights.terms)
        return (*names, LATENT) if self.network is not None else names

    @cached_property
    def network(self) -> NumpyNetwork | None:
        """The dual encoder; None where the bundle has analytic terms alone."""
        return NumpyNetwork(self.card.network, self.arrays) if self.card.network is not None else None

    @property
    def sha256(self) -> str:
        """Hash over card and arrays: 64 hexadecimal digits, the same on every machine."""
        digest = hashlib.sha256(_canonical(self.card).encode())
        for name in sorted(self.arrays):
            array = np.asarray(self.arrays[name], "<f4", order="C")
            digest.update(f"{name} {array.shape}".encode())
            digest.update(array.tobytes())
        digest.update(self.groups.astype("<u8").tobytes())
        return digest.hexdigest()

    def calibrated(self, calibration: Calibration) -> Bundle:
        """The same bundle with other thresholds."""
        weights = self.weights.model_copy(update={"calibration": calibration})
        return replace(self, card=self.card.model_copy(update={"weights": weights}))

    def refuse(self, groups: Iterable[str]) -> None:
        """Refuse runs whose siblings it was trained on.

        Raises:
            BundleError: some of these groups are among its training groups; names the first ones.
        """
        evaluated = sorted(set(groups))
        known = np.isin(np.array(list(map(group_code, evaluated)), np.uint64), self.groups)
        shared = [group for group, there in zip(evaluated, known.tolist(), strict=True) if there]
        if shared:
            raise BundleError(
                f"{len(shared)} of {len(evaluated)} groups are in the model's training data, {shared[:3]} "
                "among them; evaluate its test split, or data of other groups"
            )

    def save(self, path: str | Path) -> None:
        """Write the bundle; the file is there whole or not at all, and its bytes depend on nothing else."""
        from safetensors.numpy import save

        metadata = {"card": _canonical(self.card), "sha256": self.sha256}
        ordered: dict[str, NDArray[Any]] = {
            name: np.asarray(self.arrays[name], "<f4", order="C") for name in sorted(self.arrays)
        }
        ordered[GROUPS] = self.groups
        partial = Path(f"{path}.partial")
        partial.write_bytes(_settled(save(ordered, metadata)))
        os.replace(partial, path)


def group_code(group: str) -> int:
    """A group's name as 64 bits of its SHA-256: enough to recognise it, too little to read it.

    >>> group_code("offline-7/w0000012")
    3999955115745466343
    """
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "replace")).digest()[:8], "little")


def _settled(content: bytes) -> bytes:
    """The file with its metadata in order: safetensors writes it in one that differs from save to save."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + ordered.ljust(size) + content[8 + size :]


def load(path: str | Path) -> Bundle:
    """Read a bundle and check it.

    Raises:
        BundleError: the file is no bundle, of another format, damaged, or holds what no audit can use.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.stat().st_size > LARGEST:
        raise BundleError(f"{file}: larger than {LARGEST >> 20} MiB; name a bundle that gatling train wrote")
    return _read(file.read_bytes(), str(file))


def _read(content: bytes, where: str) -> Bundle:
    from safetensors import SafetensorError
    from safetensors.numpy import load as read_arrays

    try:
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
        arrays = read_arrays(content)
    except (SafetensorError, ValueError, KeyError, AttributeError, RecursionError) as error:
        reason = type(error).__name__
        raise BundleError(
            f"{where}: no safetensors file ({reason}); name a bundle, or fetch it again"
        ) from None
    if "card" not in metadata:
        raise BundleError(f"{where}: safetensors without a card; name a bundle that gatling train wrote")
    try:
        raw = json.loads(metadata["card"])
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise BundleError(
                f"{where}: format {raw.get('format')!r}, this version reads {FORMAT}; "
                "update gatling, or make the bundle again"
            )
        card = Card.model_validate_json(metadata["card"])
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, ("card", *first["loc"]))).encode("unicode_escape").decode()
        raise BundleError(f"{where}: {field}: {first['msg']}; make the bundle again") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{where}: its card is no JSON; fetch the file again") from None
    groups = arrays.pop(GROUPS, np.zeros(0, np.uint64))
    if groups.dtype != np.uint64 or groups.ndim != 1:
        raise BundleError(f"{where}: array {GROUPS} holds what is no list of groups; make the bundle again")
    odd = [n for n, a in arrays.items() if a.dtype != np.float32 or not np.isfinite(a).all()]
    if odd:
        raise BundleError(f"{where}: arrays {sorted(odd)[:3]} hold what is no finite float32; fetch it again")
    bundle = Bundle(card, arrays, groups)
    try:
        _ = bundle.network
    except NetworkError as error:
        raise BundleError(f"{where}: {error}; make the bundle again") from None
    if metadata["card"] != _canonical(card) or metadata.get("sha256") != bundle.sha256:
        raise BundleError(f"{where}: its content does not match its hash; fetch the file again")
    return bundle


def _canonical(card: Card) -> str:
    return json.dumps(card.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=1)
def default() -> Bundle:
    """The bundle that the package ships; see its model card in `docs/model.md`."""
    return _read(DEFAULT.read_bytes(), DEFAULT.name)
