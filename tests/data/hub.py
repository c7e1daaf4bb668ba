"""A Hub on the loopback: datasets from memory or disk, with the bad days of a real one on request."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

_NOW = "2026-01-01T00:00:00.000Z"
_CHUNK = 1 << 16


@dataclass
class Served:
    """A file: its bytes, or where they lie."""

    data: bytes | Path

    @property
    def size(self) -> int:
        return self.data.stat().st_size if isinstance(self.data, Path) else len(self.data)

    @cached_property
    def oid(self) -> str:
        """As git names a file; one on disk is named by its place, since it may be large."""
        if isinstance(self.data, Path):
            return sha1(f"{self.data} {self.size}".encode()).hexdigest()
        return sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        if isinstance(self.data, bytes):
            yield self.data[start:stop]
            return
        with open(self.data, "rb") as file:
            file.seek(start)
            while start < stop:
                chunk = file.read(min(_CHUNK, stop - start))
                start += len(chunk)
                yield chunk


@dataclass
class Asked:
    """A request that was answered."""

    method: str
    path: str
    status: int
    range: str | None
    authorization: str | None
    sent: int
    """Bytes of the body."""


@dataclass
class _Fault:
    path: re.Pattern[str]
    times: int
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


class Hub:
    """What is served, and how badly. Repositories are `NAMESPACE/NAME`."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.repos: dict[str, dict[str, Served]] = {}
        self.plain: dict[str, bytes] = {}
        """Other files: path -> bytes."""
        self.gated: dict[str, str] = {}
        """Repository -> the token that opens it."""
        self.revisions: dict[str, set[str]] = {}
        """Repository -> branches and tags beside `main`; all name the one commit."""
        self.page = 1000
        """Entries on a page of a listing."""
        self.elsewhere = False
        """Files are served by another host, to which the Hub redirects."""
        self.ranges = True
        """Ranges are known."""
        self.log: list[Asked] = []
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._answered = threading.Condition()
        self._answering = 0

    def add(self, repo: str, path: str, data: bytes | Path) -> None:
        """Put a file into a dataset."""
        self.repos.setdefault(repo, {})[path] = Served(data)

    def refuse(self, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Refuse the next `times` requests whose path matches; `Retry_After="3"` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._faults.append(_Fault(re.compile(path), times, status, named))

    def cut(self, path: str, after: int, times: int = 1) -> None:
        """Break the connection after that many bytes of a body, `times` times."""
        self._faults.append(_Fault(re.compile(path), times, cut=after))

    def fault(self, path: str) -> _Fault | None:
        """The fault that the next answer has, counted as used."""
        with self._lock:
            for found in self._faults:
                if found.times and found.path.search(path):
                    found.times -= 1
                    return found
        return None

    def commit(self, repo: str) -> str:
        """The commit of a dataset as it is now."""
        files = sorted(self.repos[repo].items())
        return sha1("".join(f"{path} {file.oid}\n" for path, file in files).encode()).hexdigest()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a request is answered."""
        with self._answered:
            self._answering += 1
        try:
            yield
        finally:
            with self._answered:
                self._answering -= 1
                self._answered.notify_all()

    def _settle(self) -> None:
        """Wait until what was asked is in the log: a client has its answer a moment before."""
        with self._answered:
            self._answered.wait_for(lambda: not self._answering, timeout=5.0)

    def sent(self, path: str = "") -> int:
        """Bytes of the answers to requests whose path matches."""
        self._settle()
        return sum(asked.sent for asked in self.log if re.search(path, asked.path))

    def asked(self, path: str = "") -> list[Asked]:
        """The requests whose path matches."""
        self._settle()
        return [asked for asked in self.log if re.search(path, asked.path)]


@contextmanager
def serving(hub: Hub | None = None) -> Iterator[Hub]:
    """Serve a Hub until the block ends; `hub.endpoint` is its address."""
    served = hub or Hub()
    handler = type("Handler", (_Handler,), {"served": served})

    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    served.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        with self.served.answering():
            self._get()

    def _get(self) -> None:
        hub, address = self.served, urlsplit(self.path)
        path = address.path
        fault = hub.fault(self.path)
        if fault is not None and fault.status:
            return self._json(fault.status, {"error": "refused"}, **fault.headers)
        cut = fault.cut if fault else None
        if path.lstrip("/") in hub.plain:
            return self._file(Served(hub.plain[path.lstrip("/")]), cut)
        if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(found[1], unquote(found[2]), unquote(found[3]), cut)
        if found := re.fullmatch(r"/elsewhere/([^/]+/[^/]+)/(.+)", path):
            return self._file(hub.repos[found[1]][unquote(found[2])], cut)
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/([a-z-]+))?(?:/([^/]+))?(?:/(.*))?", path):
            revision, folder = unquote(found[3] or "main"), unquote(found[4] or "")
            return self._api(found[1], found[2] or "revision", revision, folder)
        return self._error(404, "")

    def do_POST(self) -> None:
        with self.served.answering():
            self._post()

    def _post(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        found = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/([^/]+)", unquote(self.path))
        if not found or found[1] not in self.served.repos:
            return self._error(404, "RepoNotFound")
        if "json" in (self.headers.get("content-type") or ""):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode()).get("paths", [])
        return self._json(200, [entry for entry in self._tree(found[1], "", True) if entry["path"] in wanted])

    def _known(self, repo: str, revision: str) -> bool:
        """Whether there is something to answer; else the answer has been given."""
        hub = self.served
        if repo not in hub.repos:
            self._error(404, "RepoNotFound")
            return False
        if revision not in {"main", hub.commit(repo), *hub.revisions.get(repo, ())}:
            self._error(404, "RevisionNotFound")
            return False
        return True

    def _open(self, repo: str) -> bool:
        token = self.served.gated.get(repo)
        sent = self.headers.get("authorization")
        if token is None or sent == f"Bearer {token}":
            return True
        self._error(401 if sent is None else 403, "GatedRepo")
        return False

    def _resolve(self, repo: str, revision: str, path: str, cut: int | None) -> None:
        if not (self._known(repo, revision) and self._open(repo)):
            return
        file = self.served.repos[repo].get(path)
        if file is None:
            return self._error(404, "EntryNotFound")
        if self.served.elsewhere:
            port = self.served.endpoint.rpartition(":")[2]
            return self._json(302, {}, Location=f"http://localhost:{port}/elsewhere/{repo}/{quote(path)}")
        return self._file(file, cut, X_Repo_Commit=self.served.commit(repo), ETag=f'"{file.oid}"')

    def _api(self, repo: str, what: str, revision: str, folder: str) -> None:
        if not self._known(repo, revision):
            return None
        commit = self.served.commit(repo)
        if what == "revision":
            names = [{"rfilename": path} for path in sorted(self.served.repos[repo])]
            info = {"_id": "0", "id": repo, "sha": commit, "lastModified": _NOW, "createdAt": _NOW}
            flags = {"private": False, "gated": False, "disabled": False, "downloads": 0, "likes": 0}
            return self._json(200, {**info, **flags, "tags": [], "siblings": names}, X_Repo_Commit=commit)
        if what != "tree":
            return self._error(404, "")
        return self._list(repo, folder.rstrip("/"))

    def _list(self, repo: str, folder: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        recursive = query.get("recursive", ["false"])[0].lower() == "true"
        entries = self._tree(repo, folder, recursive)
        if folder and not entries:
            return self._error(404, "EntryNotFound")
        at, page = int(query.get("cursor", ["0"])[0]), self.served.page
        headers = {}
        if at + page < len(entries):
            bare = self.served.endpoint + re.sub(r"&cursor=\d+", "", self.path)
            headers["Link"] = f'<{bare}&cursor={at + page}>; rel="next"'
        return self._json(200, entries[at : at + page], **headers)

    def _tree(self, repo: str, folder: str, recursive: bool) -> list[dict[str, Any]]:
        start = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, file in sorted(self.served.repos[repo].items()):
            if not path.startswith(start):
                continue
            parts = path[len(start) :].split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                place = start + "/".join(parts[:depth])
                entries[place] = {"type": "directory", "path": place, "oid": "0" * 40}
            if recursive or len(parts) == 1:
                entries[path] = {"type": "file", "path": path, "size": file.size, "oid": file.oid}
        return list(entries.values())

    def _file(self, file: Served, cut: int | None, **headers: str) -> None:
        start, stop, status = 0, file.size, 200
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("range") or "")
        if asked and self.served.ranges:
            start = int(asked[1]) if asked[1] else max(0, file.size - int(asked[2]))
            stop = min(int(asked[2]) + 1, file.size) if asked[1] and asked[2] else file.size
            if start >= file.size:
                return self._json(416, {}, Content_Range=f"bytes */{file.size}")
            status, headers["Content_Range"] = 206, f"bytes {start}-{stop - 1}/{file.size}"
        self._head(status, stop - start, "application/octet-stream", Accept_Ranges="bytes", **headers)
        sent = 0
        if self.command != "HEAD":
            try:
                sent = _send(self.wfile, file.read(start, stop), stop - start if cut is None else cut)
            except ConnectionError:
                self.close_connection = True
        self._note(status, sent)
        if cut is not None and sent < stop - start:
            self.close_connection = True

    def _error(self, status: int, code: str) -> None:
        self._json(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def _json(self, status: int, body: object, **headers: str) -> None:
        data = json.dumps(body).encode()
        self._head(status, len(data), "application/json", **headers)
        if self.command != "HEAD":
            self.wfile.write(data)
        self._note(status, len(data))

    def _head(self, status: int, length: int, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _note(self, status: int, sent: int) -> None:
        headers = self.headers
        self.served.log.append(
            Asked(self.command, self.path, status, headers.get("range"), headers.get("authorization"), sent)
        )


def _send(out: BufferedIOBase, chunks: Iterator[bytes], most: int) -> int:
    sent = 0
    for chunk in chunks:
        out.write(chunk[: most - sent])
        sent += len(chunk[: most - sent])
        if sent == most:
            break
    return sent
