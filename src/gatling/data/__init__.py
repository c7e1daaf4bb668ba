"""Training data: public rows and worlds, mutations, labels, and the shards they end in.

Three names are public here: `HFDatasetLoader` loads rows, `ExecutionPlanAdapter` makes plans of them, and
`GatlingDatasetBuilder` builds datasets. They are imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatling.data.adapter import ExecutionPlanAdapter
    from gatling.data.builder import GatlingDatasetBuilder
    from gatling.data.hub import HFDatasetLoader

__all__ = ["ExecutionPlanAdapter", "GatlingDatasetBuilder", "HFDatasetLoader"]

_HOMES = {
    "ExecutionPlanAdapter": "gatling.data.adapter",
    "GatlingDatasetBuilder": "gatling.data.builder",
    "HFDatasetLoader": "gatling.data.hub",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
