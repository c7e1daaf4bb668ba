"""Whoever pushes a build finds it on the Hub whole, and nothing else there."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub.constants
import pytest
import typer
from typer.testing import CliRunner, Result

from gatling.cli.push import push
from gatling.data.card import write_card
from gatling.data.columns import Row
from gatling.data.push import Progress, PushError, pack, send
from gatling.data.run import Place
from gatling.data.shards import read_manifest
from gatling.data.sources import SOURCES, Source, source
from tests.data.conftest import Save
from tests.data.hub import Hub, Served, _Handler

# The client's own, when it sends a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_may_write"
REPO = "ana/plans"


class Shelf(Hub):
    """A Hub that takes files as well."""

    def __init__(self) -> None:
        super().__init__()
        self.private: set[str] = set()
        self.namespaces = {"ana"}
        self.large: dict[str, bytes] = {}
        """Files sent ahead of a commit: sha256 -> bytes."""
        self.chunks: list[bytes] = []
        """Blocks of chunks, when large files come as chunks."""
        self.commits: list[dict[str, Any]] = []
        """Headers of the commits."""

    def create(self, repo: str, private: bool) -> None:
        self.repos.setdefault(repo, {".gitattributes": Served(b"*.parquet filter=lfs\n")})
        if private:
            self.private.add(repo)


class _Taking(_Handler):
    """The requests that the client makes when it writes."""

    served: Shelf

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self._body()
        fault = self.served.fault(self.path)
        if fault is not None:
            return self._json(fault.status, {"error": "refused"}, **fault.headers)
        if path.startswith("/cas/"):
            return self._store(path, body)
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._json(401, {"error": "Invalid credentials in Authorization header"})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._json(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/preupload/main", path):
            return self._preupload(found[1], json.loads(body)["files"])
        if re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body)["objects"])
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/commit/main", path):
            return self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        return self._error(404, "")

    def do_GET(self) -> None:
        if re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/xet-write-token/main", self.path):
            store = {"casUrl": f"{self.served.endpoint}/cas", "accessToken": "passing", "exp": 99999999999}
            return self._json(200, store)
        return super().do_GET()

    def _store(self, path: str, body: bytes) -> None:
        """The other way for large files: in chunks that are known by their hashes."""
        if path.startswith("/cas/v1/xorbs/"):
            self.served.chunks.append(body)
            return self._json(200, {"was_inserted": True})
        if path == "/cas/v1/shards":
            return self._json(200, {"result": 1})
        return self._error(404, "")

    def do_PUT(self) -> None:
        data = self._body()
        fault = self.served.fault(self.path)
        if fault is not None:
            return self._json(fault.status, {"error": "refused"})
        self.served.large[self.path.rpartition("/")[2]] = data
        return self._json(200, {})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] not in self.served.namespaces:
            return self._json(403, {"error": "You don't have the rights to create a dataset there"})
        there = repo in self.served.repos
        self.served.create(repo, asked.get("visibility") == "private" and not there)
        url = f"{self.served.endpoint}/datasets/{repo}"
        return self._json(
            409 if there else 200, {"url": url, "error": "already created"} if there else {"url": url}
        )

    def _preupload(self, repo: str, files: list[dict[str, Any]]) -> None:
        held = self.served.repos[repo]
        answer = []
        for file in files:
            large = file["path"].endswith((".parquet", ".png"))
            here = held.get(file["path"])
            oid = None
            if here is not None and isinstance(here.data, bytes):
                oid = hashlib.sha256(here.data).hexdigest() if large else here.oid
            mode = "lfs" if large else "regular"
            answer.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return self._json(200, {"files": answer})

    def _batch(self, objects: list[dict[str, Any]]) -> None:
        answer = []
        for one in objects:
            if one["oid"] not in self.served.large:
                one["actions"] = {"upload": {"href": f"{self.served.endpoint}/large/{one['oid']}"}}
            answer.append(one)
        return self._json(200, {"transfer": "basic", "objects": answer})

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        hub = self.served
        held = dict(hub.repos[repo])
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                if value["parentCommit"] != hub.commit(repo):
                    return self._json(412, {"error": "A commit has happened since"})
                hub.commits.append(value)
            elif line["key"] == "deletedFile":
                del held[value["path"]]
            elif line["key"] == "lfsFile":
                held[value["path"]] = Served(hub.large.get(value["oid"], value["oid"].encode()))
            else:
                held[value["path"]] = Served(base64.b64decode(value["content"]))
        hub.repos[repo] = held
        commit = hub.commit(repo)
        url = f"{hub.endpoint}/datasets/{repo}/commit/{commit}"
        return self._json(200, {"success": True, "commitOid": commit, "commitUrl": url})

    def _json(self, status: int, body: object, **headers: str) -> None:
        if isinstance(body, dict) and body.get("id") in self.served.private:
            body = {**body, "private": True}
        super()._json(status, body, **headers)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    shelf = Shelf()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Taking,), {"served": shelf}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    shelf.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", shelf.endpoint)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    yield shelf
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, built: list[Row], save: Save) -> Path:
    """A build with its card."""
    out = tmp_path_factory.mktemp("push") / "plans"
    out.mkdir()
    save(out, built)
    write_card(out)
    (out / "dropped.jsonl").write_text('{"reason": "quota", "id": "w0000001-1"}\n')
    (out / "rejects.jsonl").write_text('{"source": "deepset", "row": 1, "reason": "what it said"}\n')
    return out


def gatling(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(push)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def apart(home: Path) -> dict[str, str]:
    """The environment of a process that is not to touch this user's caches."""
    return {**os.environ, "HF_HOME": str(home), "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1"}


def held(hub: Shelf, repo: str = REPO) -> dict[str, Any]:
    return {name: file.data for name, file in hub.repos[repo].items() if name != ".gitattributes"}


def belonging(folder: Path) -> dict[str, bytes]:
    shards = [shard.file for shard in read_manifest(folder).shards]
    names = (*shards, "manifest.json", "README.md", "energy.png", "length.png")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries again at once."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


# What arrives


def test_all_that_belongs_arrives_in_one_commit_and_nothing_else(hub: Shelf, finished: Path) -> None:
    said = gatling(finished, REPO)
    assert (said.exit_code, said.stderr) == (0, "")
    assert held(hub) == belonging(finished)
    assert said.stdout.startswith(f"{len(belonging(finished))} files, ")
    assert f"in {hub.endpoint}/datasets/{REPO} at {hub.commit(REPO)[:8]}\n" in said.stdout
    assert said.stdout.endswith(f'datasets.load_dataset("{REPO}") loads it\n')
    assert len(hub.commits) == 1
    assert REPO not in hub.private


def test_what_was_pushed_loads_from_the_hub(hub: Shelf, finished: Path, tmp_path: Path) -> None:
    send(pack(finished), REPO)
    load = f"import datasets; print({{k: v.num_rows for k, v in datasets.load_dataset('{REPO}').items()}})"
    told = subprocess.run(
        [sys.executable, "-c", load],
        env=apart(tmp_path),
        capture_output=True,
        text=True,
    )
    rows: Counter[str] = Counter()
    for shard in read_manifest(finished).shards:
        rows[shard.split] += shard.rows
    assert told.stdout == f"{dict(rows)}\n", told.stderr


def test_large_files_may_go_as_chunks(hub: Shelf, finished: Path, tmp_path: Path) -> None:
    """As they do to the Hub itself. In a process of its own, for the threads that it leaves."""
    go = "import typer; from gatling.cli.push import push; app = typer.Typer(); app.command()(push); app()"
    told = subprocess.run(
        [sys.executable, "-c", go, finished, REPO],
        env={k: v for k, v in apart(tmp_path).items() if k != "HF_HUB_DISABLE_TELEMETRY"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert hub.chunks and not hub.large
    assert hub.asked("telemetry") == []
    for shard in read_manifest(finished).shards:
        assert hub.repos[REPO][shard.file].data == shard.sha256.encode()


def test_pushed_again_nothing_is_sent_and_nothing_changes(hub: Shelf, finished: Path) -> None:
    gatling(finished, REPO)
    before = len(hub.asked("^/large/"))
    said = gatling(finished, REPO)
    assert said.exit_code == 0
    assert said.stdout == f"{hub.endpoint}/datasets/{REPO} holds exactly this already\n"
    assert len(hub.commits) == 1
    assert len(hub.asked("^/large/")) == before


@pytest.mark.usefixtures("hasty")
def test_an_interrupted_push_shows_nothing_and_goes_on(hub: Shelf, finished: Path) -> None:
    first, second = read_manifest(finished).shards[:2]
    hub.refuse(second.sha256, 503, times=6)
    said = gatling(finished, REPO)
    assert said.exit_code == 2
    assert "run the same command again, what was sent is kept" in said.stderr
    assert held(hub) == {}
    assert gatling(finished, REPO).exit_code == 0
    assert held(hub) == belonging(finished)
    assert len(hub.asked(first.sha256)) == 1, "a file that was there is sent again"


def test_shards_of_an_earlier_build_go_and_other_files_stay(hub: Shelf, finished: Path) -> None:
    hub.create(REPO, private=False)
    for name in ("manifest.json", "train-00007.parquet", "notes.md"):
        hub.add(REPO, name, b"old")
    said = gatling(finished, REPO)
    assert "; 1 shards of an earlier build removed\n" in said.stdout
    assert held(hub) == {**belonging(finished), "notes.md": b"old"}


def test_progress_ends_with_every_file_and_byte(hub: Shelf, finished: Path) -> None:
    told: list[Progress] = []
    parcel = pack(finished)
    send(parcel, REPO, told=told.append)
    assert [progress.files for progress in told] == [*range(1, len(parcel.files) + 1)]
    assert told[-1].bytes == parcel.size == sum(map(len, belonging(finished).values()))


# What is refused before anything is asked of the Hub


def _unfinished(folder: Path) -> None:
    (folder / ".build").mkdir()


def _cut(folder: Path) -> None:
    path = folder / read_manifest(folder).shards[0].file
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "the build did not finish"),
        (_unfinished, "the build did not finish"),
        (lambda folder: (folder / "README.md").unlink(), "the build did not finish"),
        (lambda folder: (folder / "energy.png").unlink(), "energy.png: missing"),
        (_cut, "cut short"),
    ],
)
def test_an_unfinished_or_damaged_build_stays_here(
    hub: Shelf, finished: Path, tmp_path: Path, harm: Callable[[Path], None], word: str
) -> None:
    out = tmp_path / "plans"
    shutil.copytree(finished, out)
    harm(out)
    said = gatling(out, REPO)
    assert said.exit_code == 2
    assert word in said.stderr
    assert hub.log == []


@pytest.mark.parametrize("name", ["plans", "a/b/c", "ana/pl ans", "ana/--", "/plans", "ana/\x1b[2Jx"])
def test_what_is_no_name_is_refused(hub: Shelf, finished: Path, name: str) -> None:
    said = gatling(finished, name)
    assert said.exit_code == 2
    assert "give NAMESPACE/NAME" in said.stderr and "\x1b" not in said.stderr
    assert hub.log == []


def test_without_a_token_it_says_which_variable_and_where(
    hub: Shelf, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    said = gatling(finished, REPO)
    assert said.exit_code == 2
    assert f"no token: set HF_TOKEN to a token that may write; {hub.endpoint}/settings/tokens" in said.stderr
    assert hub.log == []


# What the Hub refuses


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "does not take the token (HTTP 401, refused); set HF_TOKEN"),
        (403, "there is no namespace 'ana', or the token may not write there"),
        (412, "somebody else changed it meanwhile"),
        (413, "the Hub refuses the files (HTTP 413, refused)"),
        (429, "check the network and HF_ENDPOINT and run the same command again"),
        (502, "check the network and HF_ENDPOINT and run the same command again"),
    ],
)
@pytest.mark.parametrize("at", ["/api/repos/create", "/preupload/", "/commit/"])
def test_a_refusal_says_what_to_do(hub: Shelf, finished: Path, at: str, status: int, word: str) -> None:
    hub.refuse(at, status, times=9, Retry_After="1")
    said = gatling(finished, REPO)
    assert said.exit_code == 2
    assert word in said.stderr
    assert REPO not in hub.repos or held(hub) == {}
    assert TOKEN not in said.output


def test_a_namespace_that_is_not_there(hub: Shelf, finished: Path) -> None:
    said = gatling(finished, "nobody/plans")
    assert said.exit_code == 2
    assert "there is no namespace 'nobody', or the token may not write there" in said.stderr
    assert "set HF_TOKEN" in said.stderr


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network(
    hub: Shelf, finished: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    if offline:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = gatling(finished, REPO)
    assert said.exit_code == 2
    assert "check the network and HF_ENDPOINT and run the same command again" in said.stderr


def test_a_repository_that_holds_something_else_is_left_alone(hub: Shelf, finished: Path) -> None:
    hub.create(REPO, private=False)
    hub.add(REPO, "data/mine.parquet", b"mine")
    said = gatling(finished, REPO)
    assert said.exit_code == 2
    assert "holds files (data/mine.parquet) and no build" in said.stderr
    assert held(hub) == {"data/mine.parquet": b"mine"}


# Whose rows may go


@pytest.fixture
def hosting(built: list[Row], save: Save, finished: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """A build in which one row of a source stands in the last sample."""

    def host(name: str, licence: str) -> Path:
        out = tmp_path / "plans"
        out.mkdir()
        place = Place(name, licence, "data.jsonl", 3)
        save(out, [*built[:-1], replace(built[-1], rows=(place,))])
        for card in ("README.md", "energy.png", "length.png"):
            shutil.copy(finished / card, out)
        return out

    return host


RESTRICTED = [
    ("lmsys", "its owner wants every reader's consent first"),
    ("xlam", "its owner wants every reader's consent first"),
    ("agentharm", "for evaluation alone"),
    ("logs", "your own logs"),
]


@pytest.mark.parametrize(("name", "why"), RESTRICTED)
def test_rows_that_are_not_for_everybody_go_to_a_private_repository_alone(
    hub: Shelf, hosting: Callable[[str, str], Path], name: str, why: str
) -> None:
    out = hosting(name, source(name).licence)
    said = gatling(out, REPO)
    assert said.exit_code == 2
    assert f"{name}: {why}" in said.stderr and "push with --private, or build without it" in said.stderr
    assert hub.log == []
    said = gatling(out, REPO, "--private")
    assert said.exit_code == 0, said.output
    assert f"{name}: {why}" in said.stderr
    assert REPO in hub.private
    assert held(hub) == belonging(out)


def test_they_do_not_go_to_a_repository_that_was_public_before(
    hub: Shelf, hosting: Callable[[str, str], Path]
) -> None:
    hub.create(REPO, private=False)
    said = gatling(hosting("lmsys", source("lmsys").licence), REPO, "--private")
    assert said.exit_code == 2
    assert f"is there and public; make it private at {hub.endpoint}/datasets/{REPO}/settings" in said.stderr
    assert held(hub) == {}


def test_a_licence_of_its_own_is_barred_whatever_the_source(
    hub: Shelf, hosting: Callable[[str, str], Path]
) -> None:
    said = gatling(hosting("mine", "LicenseRef-Mine"), REPO)
    assert said.exit_code == 2
    assert "mine: under terms of its own (LicenseRef-Mine)" in said.stderr


def test_rows_without_a_known_licence_go_with_a_warning(
    hub: Shelf, hosting: Callable[[str, str], Path]
) -> None:
    said = gatling(hosting("geekyrakshit", "unknown"), REPO)
    assert said.exit_code == 0
    assert "geekyrakshit: no licence is known, which allows nothing; ask its author" in said.stderr
    assert "https://huggingface.co/datasets/geekyrakshit/prompt-injection-dataset" in said.stderr


@pytest.mark.parametrize("one", SOURCES, ids=lambda one: one.name)
def test_every_source_is_open_noted_or_barred_as_its_terms_say(
    one: Source, hosting: Callable[[str, str], Path]
) -> None:
    out = hosting(one.name, one.licence)
    notes = pack(out, private=True).notes
    if one.gate == "gated" or one.role == "evaluation" or one.licence.startswith("LicenseRef-"):
        assert len(notes) == 1
        with pytest.raises(PushError, match=one.name):
            pack(out)
    else:
        assert pack(out).notes == notes
        assert len(notes) == (one.licence == "unknown")
