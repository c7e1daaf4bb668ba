"""Asking an endpoint: an answer from the cache, or one request after the other until there is one.

What a request may cost at most is reserved before it is sent: a token is never less than a byte, so that the
request's bytes bound its tokens. It is charged what the server reports. What was sent and brought no report
may be billed all the same, and is charged as reserved; what was refused with 429, or never sent, costs
nothing.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from ssl import SSLContext
from typing import Any, NamedTuple

# The package computes its `__all__`, which mypy cannot follow.
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from gatling.data.hub.errors import Refused
from gatling.data.hub.web import asked_wait
from gatling.data.shards import write_file
from gatling.mining.endpoint import Endpoint, OracleError
from gatling.mining.spending import Ledger, Spending

ATTEMPTS = 4
"""Requests for one answer; each is reserved anew."""

PATIENCE = 120.0
"""Seconds that a server may ask to wait. One that asks for more is given up."""

MOST_BYTES = 1 << 20
"""Of one answer's body; a thousand times what a thousand tokens take."""

_BACK_OFF = wait_exponential_jitter(initial=1, max=30, jitter=1)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
_UNSENT: tuple[type[Exception], ...] = (httpx.ConnectError, httpx.ConnectTimeout)
_BROKEN: type[Exception] = httpx.HTTPError


class Answer(NamedTuple):
    """What came back: texts as the model wrote them, or why there are none."""

    texts: tuple[str, ...]
    fault: str = ""


class Chat:
    """Prompts in, lists of texts out; every answer is kept in the cache folder, also one of no use.

    `told` hears how the spending stands, `sleep` waits.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        cache: Path,
        told: Callable[[Spending], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint, self._cache, self._told, self._sleep = endpoint, cache, told, sleep
        self._key = _key(endpoint.key_env)
        cache.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(cache, endpoint.most_dollars, told)
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        self._client = httpx.Client(
            headers=headers,
            timeout=endpoint.timeout_s,
            follow_redirects=False,
            # A connection that is kept may break under the next request, which would then be charged.
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=_certificates(),
            trust_env=not endpoint.local,  # a proxy for the world is none for this machine
        )

    def ask(self, prompt: str) -> Answer:
        """The answer to a prompt, the same whenever it is asked for.

        Raises:
            CostCapReached: asking could pass the cap.
            OracleError: no answer came, or the cache is damaged.
        """
        endpoint = self._endpoint
        request = {
            "model": endpoint.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": endpoint.max_tokens,
        }
        name = sha256(json.dumps([endpoint.url, request]).encode()).hexdigest()
        path = self._cache / f"{name}.json"
        if path.exists():
            return _kept(path)
        with self._ledger.held():
            if path.exists():  # somebody else has just asked
                return _kept(path)
            body = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
            return self._asked(body, path)

    def _asked(self, body: bytes, path: Path) -> Answer:
        retrying = Retrying(
            retry=retry_if_exception(_passes),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            before_sleep=self._waiting,
            reraise=True,
        )
        try:
            return retrying(lambda: self._attempt(body, path))
        except Refused as error:
            wait = f", it asks to wait {error.wait:.0f} s" if error.wait else ""
            raise self._failed(f"HTTP {error.status}{wait}") from None

    def _attempt(self, body: bytes, path: Path) -> Answer:
        most = self._endpoint.cost(len(body), self._endpoint.max_tokens)
        request = self._ledger.reserve(most)
        try:
            content = self._post(body)
        except _UNSENT as error:
            self._ledger.settle(request, Decimal())
            raise self._failed(f"no connection ({type(error).__name__})") from None
        except (_BROKEN, TimeoutError) as error:
            self._ledger.settle(request, most)
            raise self._failed(f"the connection broke ({type(error).__name__})") from None
        except Refused as error:
            self._ledger.settle(request, Decimal() if error.status == 429 else most)
            raise
        answer, cost = self._read(content)
        # First, so that what was paid for is not lost.
        write_file(path, json.dumps(answer._asdict()).encode() + b"\n")
        self._ledger.settle(request, most if cost is None else cost)
        return answer

    def _post(self, body: bytes) -> bytes:
        """The body of a success; it is cut where it is longer than any answer."""
        until = time.monotonic() + self._endpoint.timeout_s
        came = bytearray()
        with self._client.stream("POST", self._endpoint.url, content=body) as response:
            if response.status_code != 200:
                asked = {"retry-after": response.headers.get("retry-after", "")}
                raise Refused(response.status_code, "", asked_wait(asked))
            for chunk in response.iter_raw():  # as it comes, so that no drip is waited for
                came += chunk
                if len(came) > MOST_BYTES:
                    break
                if time.monotonic() > until:
                    raise TimeoutError
        return bytes(came[: MOST_BYTES + 1])

    def _read(self, content: bytes) -> tuple[Answer, Decimal | None]:
        """The answer, and its cost if the server reports one."""
        if len(content) > MOST_BYTES:
            return Answer((), f"an answer of more than {MOST_BYTES} bytes"), None
        try:
            reply: Any = json.loads(content)
        except (ValueError, RecursionError):
            return Answer((), "a reply that is not JSON"), None
        cost = self._reported(reply)
        try:
            said = reply["choices"][0]["message"]["content"]
        except (LookupError, TypeError):
            said = None
        if not isinstance(said, str):
            return Answer((), "a reply without a message"), cost
        texts = _strings(said)
        if texts is None:
            return Answer((), "a message that is no JSON array of strings"), cost
        if self._key and any(self._key in text for text in texts):
            return Answer((), "a message with the API key in it"), cost
        return Answer(texts), cost

    def _reported(self, reply: Any) -> Decimal | None:
        usage = reply.get("usage") if isinstance(reply, dict) else None
        if not isinstance(usage, dict):
            return None
        prompt, answer = (_count(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
        return None if prompt is None or answer is None else self._endpoint.cost(prompt, answer)

    def _failed(self, found: str) -> OracleError:
        endpoint = self._endpoint
        return OracleError(
            f"{endpoint.url}: no answer from {endpoint.model!a}: {found}; check url, model, max_tokens, "
            "timeout_s and the key, and run again to go on: the answers so far are kept"
        )

    def _waiting(self, state: RetryCallState) -> None:
        assert state.outcome is not None and state.next_action is not None
        note = f"{state.outcome.exception()}; next try in {state.next_action.sleep:.0f} s"
        self._told(replace(self._ledger.spending, note=note))


@cache
def _certificates() -> SSLContext:
    """What https is checked against; reading it takes longer than many a request."""
    return httpx.create_ssl_context()


def _key(name: str) -> str:
    """The API key: the environment variable's value, which is shown nowhere."""
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise OracleError("key_env: the environment variable that it names is not set; set it to the API key")
    if not re.fullmatch(r"[!-~]+", key):
        raise OracleError("key_env: the variable's value is no API key: it has spaces or is not ASCII")
    return key


def _count(tokens: Any) -> int | None:
    return tokens if type(tokens) is int and tokens >= 0 else None


def _strings(said: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, which may stand in a fenced block; None for anything else."""
    said = said.strip()
    fenced = _FENCED.fullmatch(said)
    try:
        found = json.loads(fenced[1] if fenced else said)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        return None
    return tuple(found)


def _kept(path: Path) -> Answer:
    try:
        kept = json.loads(path.read_bytes())
        return Answer(tuple(map(str, kept["texts"])), str(kept["fault"]))
    except (ValueError, KeyError, TypeError):
        raise OracleError(
            f"{path}: the answer is damaged; delete the file to have it asked for anew"
        ) from None


def _passes(error: BaseException) -> bool:
    """Whether it may go away by itself."""
    if not isinstance(error, Refused):
        return False
    return (error.status == 429 or error.status >= 500) and (error.wait or 0) <= PATIENCE


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Refused) and error.wait is not None:
        return error.wait
    return float(_BACK_OFF(state))
