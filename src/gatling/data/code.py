"""The code that decides bytes: a digest of the package's files, and the versions that count beside it."""

from __future__ import annotations

from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from gatling import __version__

PACKAGE = Path(__file__).parents[1]
KINDS = (".py", ".toml", ".json", ".npz", ".jinja")
"""Files that decide what is made."""


def code() -> str:
    """A digest of the package's code and tables: 16 hexadecimal digits, the same wherever it is installed."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in KINDS):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """The versions of Gatling and of these packages.

    Raises:
        importlib.metadata.PackageNotFoundError: one is not installed.
    """
    return {"gatling": __version__, **{package: version(package) for package in packages}}
