"""Endpoints: where an oracle is asked and what it may cost, in one TOML file.

    url = "https://models.example/v1"   # as OpenAI's clients take it; `/chat/completions` is added
    model = "small-1"
    price_in = 0.15                     # dollars per million tokens of the prompts
    price_out = 0.60                    # dollars per million tokens of the answers
    most_dollars = 2.50                 # the cap
    key_env = "MODELS_KEY"              # names the environment variable that holds the API key

The key itself stands in no file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Price = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""Dollars per million tokens."""

_PATH = "/chat/completions"
_MILLION = 1_000_000


class OracleError(RuntimeError):
    """An oracle that cannot be used or asked; the message says where, and what a person can do."""


class Endpoint(BaseModel):
    """An OpenAI-compatible endpoint, and what may be spent there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """The address to which requests go; https, unless it is on this machine."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    price_in: Price
    price_out: Price
    most_dollars: Annotated[Decimal, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
    """The cap, on everything that is spent with one cache folder."""
    key_env: Annotated[str, Field(pattern="^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    """Name of the environment variable that holds the API key; empty for an endpoint that wants none."""
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 60.0
    """Seconds that one answer may take."""
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Tokens of one answer at most; the endpoint is asked to stop there."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[\w.~:/%\[\]-]+", url, re.ASCII):
            raise ValueError(
                "write https://HOST/PATH without a name, password, query or fragment; the key's place is the "
                "environment variable that key_env names"
            )
        parts = urlsplit(url)
        if not parts.hostname or (parts.port is not None and not parts.port):
            raise ValueError("no host; write https://HOST/PATH")
        if parts.scheme == "http" and not _loopback(parts.hostname):
            raise ValueError("http would show key and texts to the network; write https")
        return url.rstrip("/").removesuffix(_PATH) + _PATH

    @property
    def local(self) -> bool:
        """It is on this machine."""
        return _loopback(urlsplit(self.url).hostname or "")

    def cost(self, prompt: int, answer: int) -> Decimal:
        """Dollars for so many tokens of prompt and answer."""
        return (prompt * self.price_in + answer * self.price_out) / _MILLION


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load(path: Path) -> Endpoint:
    """An endpoint from a TOML file.

    Raises:
        OracleError: the file cannot be used.
        OSError: it cannot be read.
    """
    try:
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise OracleError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None


def parse(text: str, file: str = "endpoint") -> Endpoint:
    """An endpoint from TOML; `file` is what errors call it. They show no values, which may be secrets.

    >>> parse('url = "https://models.example/v1"\\nmodle = "small-1"', "a.toml")
    Traceback (most recent call last):
        ...
    gatling.mining.endpoint.OracleError: a.toml:1: model: missing; add it
    a.toml:1: price_in: missing; add it
    a.toml:1: price_out: missing; add it
    a.toml:1: most_dollars: missing; add it
    a.toml:2: modle: no such key; allowed: url, model, price_in, price_out, most_dollars, key_env, \
timeout_s, max_tokens
    """
    try:
        return Endpoint.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise OracleError(f"{file}: not TOML: {error}") from None
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise OracleError(f"{file}: not TOML that can be read; write one key a line") from None
        raise OracleError("\n".join(_located(file, text, found) for found in error.errors())) from None


def _located(file: str, text: str, error: Mapping[str, Any]) -> str:
    key, message = str(error["loc"][0]), str(error["msg"]).removeprefix("Value error, ")
    pattern = re.compile(rf"\s*\[*\s*['\"]?{re.escape(key)}\b")
    line = next((n for n, written in enumerate(text.splitlines(), 1) if pattern.match(written)), 1)
    if error["type"] == "missing":
        message = "missing; add it"
    elif error["type"] == "extra_forbidden":
        message = f"no such key; allowed: {', '.join(Endpoint.model_fields)}"
    elif key == "key_env":
        message = "name an environment variable; the key itself stands in no file"
    return f"{file}:{line}: {key}: {message}"
