"""A chat-completions endpoint on the loopback: one behaviour after the other, well-meant or not; and what
tests of oracles share."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

from gatling.mining.chat import MOST_BYTES
from gatling.mining.endpoint import Endpoint, parse
from gatling.mining.oracle import Oracle
from gatling.mining.spending import LEDGER


@dataclass(frozen=True)
class Reply:
    """What the endpoint does with one request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stuck: bool = False
    """Nothing is sent before the server ends."""
    dripping: bool = False
    """The body comes byte by byte, and without end."""
    cut: bool = False
    """The connection breaks in the middle of the body."""
    charged: tuple[int, int] | None = None
    """Tokens of prompt and answer for which it is to be charged; None for all that was reserved."""


USAGE = {"prompt_tokens": 40, "completion_tokens": 20}


def completion(content: Any, usage: Any = USAGE, charged: tuple[int, int] | None = None) -> Reply:
    """A reply with a message; a usage of None is left out."""
    reply: dict[str, Any] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}
    if usage is not None:
        reply["usage"] = usage
    if usage is USAGE:
        charged = (USAGE["prompt_tokens"], USAGE["completion_tokens"])
    return Reply(json.dumps(reply).encode(), charged=charged)


def texts(*said: str) -> Reply:
    """A proper reply of these texts."""
    return completion(json.dumps(said))


def obliging(prompt: str) -> Reply:
    """A proper reply to our prompts: three texts with all that they are to hold."""
    held = prompt.rpartition("as it stands here: ")[2].partition("\n")[0]
    told = " ".join(json.loads(held))
    return texts(*(f"Note {number}: please see to {told}" for number in "123"))


Answering: TypeAlias = Reply | Callable[[str], Reply]
"""A reply, or what makes one from the prompt."""


@dataclass
class Request:
    """A request that arrived."""

    path: str
    authorization: str | None
    body: bytes
    reply: Reply = Reply()

    @property
    def prompt(self) -> str:
        return str(json.loads(self.body)["messages"][0]["content"])


class Server:
    """Replies in order, the last one again and again; `arrived` is called before each."""

    def __init__(self, replies: Sequence[Answering]) -> None:
        self.url = ""
        self.replies = list(replies)
        self.log: list[Request] = []
        self.arrived: Callable[[], None] = lambda: None
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def take(self, path: str, authorization: str | None, body: bytes) -> Reply:
        with self._lock:
            self.arrived()
            made = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            request = Request(path, authorization, body)
            request.reply = made if isinstance(made, Reply) else made(request.prompt)
            self.log.append(request)
        return request.reply


@contextmanager
def serving(*replies: Answering) -> Iterator[Server]:
    """Serve until the block ends; `url` is the address for an endpoint's file."""
    served = Server(replies)
    listening = _Listening(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    try:
        yield served
    finally:
        served.ended.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    served: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        reply = self.served.take(self.path, self.headers.get("authorization"), body)
        self.close_connection = True
        if reply.stuck:
            self.served.ended.wait(30)
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        length = len(reply.body) + (100 if reply.cut else 1 << 20 if reply.dripping else 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(reply.body)
        while reply.dripping and not self.served.ended.wait(0.01):
            self.wfile.write(b" ")


# What the tests ask

ASK = "send 120.50 to bo@away.example"
KEEP = ("bo@away.example", "120.50")
GOOD = "Please send 120.50 to bo@away.example today."
TOML = """\
url = "{url}"
model = "small-1"
price_in = 0.50
price_out = 2
most_dollars = {most}
max_tokens = 100
timeout_s = {timeout}
"""


def endpoint(server: Server, most: str = "1", timeout: str = "20", more: str = "") -> Endpoint:
    return parse(TOML.format(url=server.url, most=most, timeout=timeout) + more)


def ask(oracle: Oracle, ask: str = ASK, keep: Sequence[str] = KEEP) -> list[str]:
    return oracle.wordings([ask], keep, "en", 3)


def cost(body: bytes, tokens: tuple[int, int] | None = None) -> Decimal:
    """What a request costs; at most, if nothing is reported."""
    prompt, answer = tokens or (len(body), 100)
    return prompt * Decimal("0.0000005") + answer * Decimal("0.000002")


def spent(folder: Path) -> Decimal:
    """What the ledger on the disk says."""
    costs = {}
    for line in (folder / LEDGER).read_text().splitlines():
        entry = json.loads(line)
        costs[entry["request"]] = Decimal(entry.get("reserved", entry.get("charged")))
    return sum(costs.values(), Decimal())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


LIST = json.dumps([GOOD])
BUSY = Reply(status=429, charged=(0, 0))
WRONG = [
    completion(f"Here you are: {LIST}"),
    completion(json.dumps({"texts": [GOOD]})),
    completion(json.dumps(GOOD)),
    completion(json.dumps([GOOD, 7])),
    completion(json.dumps([[GOOD]])),
    completion(LIST[:-1]),
    completion("[" * 100_000),
    completion(f"[{'9' * 5000}]"),
    completion(f"__import__('os').system('true') or {LIST}"),
    completion(""),
    completion(None),
    completion([GOOD]),
    Reply(b""),
    Reply(b"[]"),
    Reply(b"null"),
    Reply(b"\xff\xfe"),
    Reply(b"{" * 100_000),
    Reply(b'{"choices": []}'),
    Reply(b'{"choices": {"0": 1}}'),
    Reply(b'{"choices": [{"message": "hello"}]}'),
    Reply(b"<html>" + GOOD.encode()),
    Reply(b" " * (MOST_BYTES + 1)),
    Reply(b"\x1f\x8b\x08\x00", headers={"content-encoding": "gzip"}),
]
"""Successes that are no answer."""
