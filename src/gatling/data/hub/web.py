"""HTTP on its bad days: refusals that pass, connections that break, bodies that stop in the middle."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from huggingface_hub import get_session
from huggingface_hub.errors import OfflineModeIsEnabled

# The package computes its `__all__`, which mypy cannot follow.
from huggingface_hub.utils import httpx, parse_ratelimit_headers  # type: ignore[attr-defined]
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from gatling.data.hub.errors import Refused

ATTEMPTS = 7
"""Tries of one request that brings nothing, about a minute and a half in all."""

PATIENCE = 600.0
"""Seconds that a server may ask to wait. One that asks for more is given up."""

SILENCE = 30.0
"""Seconds without a byte after which a connection counts as broken."""

_BROKEN: type[Exception] = httpx.HTTPError
"""What a connection raises that could not be made or broke."""

FAILED: tuple[type[Exception], ...] = (Refused, OfflineModeIsEnabled, _BROKEN)
"""What a request ends in that brought nothing."""

_BACK_OFF = wait_exponential_jitter(initial=1, max=60, jitter=1)

_MOST_JSON = 64 << 20
"""Bytes of one answer of the Hub's API; a page of a thousand files has under one million."""

_T = TypeVar("_T")


class Web:
    """Requests with retries.

    `headers` go with every request; `waiting` is told before each wait, `came` how many bytes arrived.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        waiting: Callable[[str], None] = lambda note: None,
        came: Callable[[int], None] = lambda count: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # Packed bodies could not be resumed: a range counts bytes as they are sent.
        self._headers = {**headers, "accept-encoding": "identity"}
        self._waiting, self._came, self._sleep = waiting, came, sleep

    def json(self, url: str) -> tuple[Any, str | None]:
        """A JSON answer, and the address of its next page if it names one.

        Raises:
            Exception: one of `FAILED`, for good or still after all tries.
            ValueError: what came is no JSON.
        """
        return self._tried(lambda: self._json(url))

    def pour(self, url: str, start: int, stop: int | None, sink: Callable[[bytes], None]) -> int:
        """Give the bytes from `start` up to `stop` (None: to the end) to `sink`, in order and each once.

        A connection that breaks is made again from where it broke. Returns where the bytes ended, which is
        before `stop` if the file is shorter.

        Raises:
            Exception: one of `FAILED`, for good or still after all tries; or what `sink` raised.
        """
        at, more = start, True
        while more:
            at, more = self._tried(partial(self._pour, url, at, stop, sink))
        return at

    def _tried(self, request: Callable[[], _T]) -> _T:
        retrying = Retrying(
            retry=retry_if_exception(_passes),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        return retrying(request)

    def _tell(self, state: RetryCallState) -> None:
        assert state.outcome is not None and state.next_action is not None
        error = state.outcome.exception()
        reason = str(error) if isinstance(error, Refused) else "the connection broke"
        self._waiting(f"{reason}; next try in {state.next_action.sleep:.0f} s")

    def _json(self, url: str) -> tuple[Any, str | None]:
        with get_session().stream(
            "GET", url, headers=self._headers, timeout=SILENCE, follow_redirects=True
        ) as response:
            _accept(response)
            body = bytearray()
            for chunk in response.iter_raw():
                self._came(len(chunk))
                body += chunk
                if len(body) > _MOST_JSON:
                    raise ValueError(f"an answer of more than {_MOST_JSON} bytes")
            return json.loads(body), response.links.get("next", {}).get("url")

    def _pour(self, url: str, at: int, stop: int | None, sink: Callable[[bytes], None]) -> tuple[int, bool]:
        """One request; where it ended, and whether another one is needed."""
        begun = at
        headers = {**self._headers, "range": f"bytes={at}-{'' if stop is None else stop - 1}"}
        try:
            with get_session().stream(
                "GET", url, headers=headers, timeout=SILENCE, follow_redirects=True
            ) as response:
                if response.status_code == 416:  # nothing stands there
                    return at, False
                _accept(response)
                # A server that knows no ranges sends all, from the first byte.
                skip = at - _begins(response, at)
                for chunk in response.iter_raw():
                    self._came(len(chunk))
                    chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                    wanted = chunk if stop is None else chunk[: stop - at]
                    if wanted:
                        sink(wanted)
                        at += len(wanted)
                    # A body that is read to its end leaves the connection open for the next request.
                    if len(wanted) < len(chunk):
                        return at, False
        except _BROKEN:
            if at == begun:
                raise
            # It came some way, so that the server is there: no need to wait.
            return at, True
        # A server may send less of a range than was asked for.
        return at, stop is not None and begun < at < stop


def _accept(response: httpx.Response) -> None:
    if response.is_success:
        return
    headers = response.headers
    raise Refused(response.status_code, headers.get("x-error-code", ""), asked_wait(headers))


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's headers ask to wait; None where they say nothing that can be read."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    if asked:
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return None
        return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and not limit.remaining else None


def _begins(response: httpx.Response, wanted: int) -> int:
    """The place of an answer's first byte in its file."""
    if response.status_code != 206:
        return 0
    found = re.match(r"bytes ([0-9]+)-", response.headers.get("content-range", ""))
    if found is None or int(found[1]) > wanted:
        raise Refused(response.status_code, "another range than was asked for", None)
    return int(found[1])


def _passes(error: BaseException) -> bool:
    """Whether it may go away by itself."""
    if isinstance(error, Refused):
        return (error.status in (408, 429) or error.status >= 500) and (error.wait or 0) <= PATIENCE
    return isinstance(error, _BROKEN)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Refused) and error.wait is not None:
        return error.wait
    return float(_BACK_OFF(state))
