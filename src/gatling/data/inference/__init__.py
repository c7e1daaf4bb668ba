"""What a text alone asks for: the tool, its arguments and its scope, by fixed rules and no model's call."""

from gatling.data.inference.registry import InferredCall, ToolRegistry, default_registry
from gatling.data.inference.scope import sensitivity, window_days
from gatling.data.inference.volume import volume

__all__ = [
    "InferredCall",
    "ToolRegistry",
    "default_registry",
    "sensitivity",
    "volume",
    "window_days",
]
