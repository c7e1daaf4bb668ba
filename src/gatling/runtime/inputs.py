"""What a command is given beside traces, checked before anything is audited."""

# The command line imports this at once: what takes long to import is imported inside the functions.
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatling.plan import JSON

if TYPE_CHECKING:
    from gatling.model.bundle import Bundle
    from gatling.policy import Policy


class Unusable(Exception):
    """What the user gave cannot be used; each argument says on one line what, where and what to do."""


def check_format(format: str | None) -> None:
    """Raise `Unusable` for a name that is no format of traces."""
    from gatling.trace import FORMATS

    if format is not None and format not in FORMATS:
        raise Unusable(f"--format {format}: no such format; there are {', '.join(FORMATS)}")


def check_output(traces: str, output: str) -> None:
    """Raise `Unusable` where writing the output would replace the traces."""
    if os.path.isfile(traces) and os.path.isfile(output) and os.path.samefile(traces, output):
        raise Unusable(f"{output}: --output would replace the traces; name another file")


def load_rules(path: Path | None) -> Policy | None:
    """The policy of a file; raises `Unusable` or `OSError`."""
    from gatling.policy import PolicyError, load_policy

    try:
        return load_policy(path) if path is not None else None
    except PolicyError as error:
        raise Unusable(*str(error).split("\n")) from None


def load_model(name: str) -> Bundle:
    """The bundle of a file, or the one that ships for `default`; raises `Unusable` or `OSError`."""
    from gatling.model.bundle import BundleError, default, load

    try:
        return default() if name == "default" else load(name)
    except BundleError as error:
        raise Unusable(str(error)) from None


def load_schemas(path: Path | None) -> JSON:
    """The tool schemas of a file, once it is sure that they can be read; raises `Unusable` or `OSError`."""
    if path is None:
        return None
    from gatling.tools import ToolError, read_tools

    try:
        schemas: JSON = json.loads(path.read_text(encoding="utf-8-sig"))
        read_tools(schemas)
    except json.JSONDecodeError as error:
        reason = f"{path}:{error.lineno}: invalid JSON: {error.msg} at column {error.colno}"
        raise Unusable(f"{reason}; give one JSON array of tool schemas") from None
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: not UTF-8 at byte {error.start}; save the tools as UTF-8") from None
    except ToolError as error:
        raise Unusable(f"{path}: {error}") from None
    except (RecursionError, ValueError):  # what json gives up on: depth, and integers of too many digits
        raise Unusable(f"{path}: JSON that is nested too deep or holds too long a number") from None
    return schemas
