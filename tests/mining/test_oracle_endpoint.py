"""Endpoints: files that say where and how, bad days that pass or are named, a key that is shown nowhere."""

from __future__ import annotations

import doctest
import json
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gatling.mining.endpoint
import gatling.mining.spending
from gatling.mining.chat import ATTEMPTS, PATIENCE
from gatling.mining.endpoint import OracleError, load, parse
from gatling.mining.oracle import Oracle
from gatling.mining.spending import Spending
from tests.mining.endpoint import (
    ASK,
    BUSY,
    GOOD,
    TOML,
    Answering,
    Reply,
    ask,
    completion,
    cost,
    endpoint,
    files,
    obliging,
    serving,
    spent,
    texts,
)

KEY = "sk-0123456789-abcdef"


def test_a_file_says_where_and_what_it_may_cost(tmp_path: Path) -> None:
    path = tmp_path / "oracle.toml"
    path.write_text(TOML.format(url="https://models.example/v1/", most="2.5", timeout="9"), "utf-8")
    found = load(path)
    assert found.url == "https://models.example/v1/chat/completions"
    assert found.most_dollars == Decimal("2.5")
    assert found.cost(1_000_000, 1_000_000) == Decimal("2.5")
    assert not found.local


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/v1",
        "http://127.0.0.1:1",
        "http://127.8.9.1/",
        "http://[::1]:80/v1",
        "https://a.example/v1",
    ],
)
def test_https_and_this_machine_may_be_asked(url: str) -> None:
    assert parse(TOML.format(url=url, most=1, timeout=1)).url == f"{url.rstrip('/')}/chat/completions"


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/v1",
        "http://127.0.0.1.models.example/v1",
        "http://localhost.models.example/",
        "http://10.0.0.1/v1",
        "https://name:secret@models.example/v1",
        "http://127.0.0.1@models.example/",
        "http://127.0.0.1\\\\@models.example/",
        "https://models.example/v1?key=secret",
        "https://models.example/v1#secret",
        "https://:80/v1",
        "https://models.example:99999/v1",
        "ftp://models.example/",
        "file:///etc/hosts",
        "models.example",
        "https://models.example/a b",
        "",
    ],
)
def test_no_other_address_is_taken_and_none_is_shown(url: str) -> None:
    with pytest.raises(OracleError, match=r"^a\.toml:1: url: ") as caught:
        parse(TOML.format(url=url, most=1, timeout=1), "a.toml")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("price_in = -1", "price_in: Input should be greater than or equal to 0"),
        ("price_out = nan", "price_out: "),
        ("price_out = true", "price_out: "),
        ("most_dollars = 0", "most_dollars: Input should be greater than 0"),
        ("most_dollars = inf", "most_dollars: "),
        ("timeout_s = 0", "timeout_s: "),
        ("max_tokens = 1.5", "max_tokens: "),
        ('key_env = "sk-secret"', "key_env: name an environment variable; the key itself stands in no file"),
        ('api_key = "secret"', "api_key: no such key; allowed: url, model, "),
    ],
)
def test_a_key_that_cannot_be_used_is_named_with_its_line(line: str, said: str) -> None:
    key = line.partition(" ")[0]
    kept = [
        old
        for old in TOML.format(url="https://a.example", most=1, timeout=1).splitlines()
        if not old.startswith(key)
    ]
    with pytest.raises(OracleError) as caught:
        parse("\n".join([*kept, "", line]), "a.toml")
    assert f"a.toml:{len(kept) + 2}: {said}" in str(caught.value)
    assert "secret" not in str(caught.value)


@given(
    st.text() | st.builds(TOML.format, url=st.text(), most=st.text(max_size=9), timeout=st.text(max_size=9))
)
@example("a = " + "[" * 5000)
@example("a = " + "9" * 5000)
@example('"" = 1')
def test_any_text_is_an_endpoint_or_an_error_that_names_the_file(text: str) -> None:
    try:
        assert parse(text, "a.toml").most_dollars > 0
    except OracleError as error:
        assert str(error).startswith("a.toml:")


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(OracleError, match=r"a\.toml: not UTF-8 at byte 0; save"):
        load(path)


def test_a_server_that_is_busy_is_waited_for_as_it_asks(tmp_path: Path) -> None:
    slept: list[float] = []
    with serving(replace(BUSY, headers={"Retry-After": "7"}), Reply(status=500), obliging) as server:
        assert len(ask(Oracle(endpoint(server), tmp_path, sleep=slept.append))) == 3
        failed = cost(server.log[1].body)
    assert slept[0] == 7
    assert 2 <= slept[1] <= 3
    assert len(server.log) == 3
    assert spent(tmp_path) == failed + cost(b"", (40, 20))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_that_stays_so_is_given_up(status: int, tmp_path: Path) -> None:
    slept: list[float] = []
    with (
        serving(Reply(status=status)) as server,
        pytest.raises(OracleError, match=f"HTTP {status}; check url"),
    ):
        ask(Oracle(endpoint(server), tmp_path, sleep=slept.append))
    assert len(server.log) == ATTEMPTS == len(slept) + 1


def test_one_that_asks_for_too_much_patience_is_given_up_at_once(tmp_path: Path) -> None:
    slept: list[float] = []
    asked = f"{PATIENCE + 1:.0f}"
    busy = replace(BUSY, headers={"Retry-After": asked})
    with serving(busy) as server, pytest.raises(OracleError, match=f"it asks to wait {asked} s"):
        ask(Oracle(endpoint(server), tmp_path, sleep=slept.append))
    assert len(server.log) == 1
    assert slept == []
    assert spent(tmp_path) == 0


@pytest.mark.parametrize("reply", [Reply(stuck=True), Reply(b"{", dripping=True), Reply(b"{", cut=True)])
def test_a_connection_that_brings_no_answer_is_charged_and_not_made_again(
    reply: Reply, tmp_path: Path
) -> None:
    with serving(reply, obliging) as server:
        with pytest.raises(OracleError, match=r"the connection broke \(\w+\); check url"):
            ask(Oracle(endpoint(server, timeout="0.3"), tmp_path))
        assert len(server.log) == 1
        assert spent(tmp_path) == cost(server.log[0].body)
        assert len(ask(Oracle(endpoint(server), tmp_path))) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_KEY", KEY)
    with serving(obliging) as elsewhere:
        moved = Reply(status=status, headers={"Location": f"{elsewhere.url}/chat/completions"})
        with serving(moved) as server, pytest.raises(OracleError, match=f"HTTP {status}; check url"):
            ask(Oracle(endpoint(server, more='key_env = "MODELS_KEY"'), tmp_path))
    assert elsewhere.log == []
    assert len(server.log) == 1


def test_a_proxy_for_the_world_does_not_see_what_this_machine_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(obliging) as proxy, serving(obliging) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert len(ask(Oracle(endpoint(server), tmp_path))) == 3
    assert proxy.log == []


SHOWING: list[Answering] = [
    texts(f"{GOOD} {KEY}", GOOD),
    completion(json.dumps([f"{GOOD} {KEY}"]).replace("s", "\\u0073")),
    completion(f"The key is {KEY}"),
    Reply(KEY.encode()),
    Reply(status=401, body=KEY.encode(), headers={"X-Key": KEY, "WWW-Authenticate": KEY}),
    Reply(status=429, body=KEY.encode(), headers={"Retry-After": KEY}),
    Reply(status=302, headers={"Location": f"http://localhost:9/{KEY}"}),
    Reply(KEY.encode(), cut=True),
    Reply(status=503, headers={"Retry-After": "999"}),
    obliging,
]


def test_the_key_is_sent_and_shown_nowhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MODELS_KEY", f"{KEY}\n")
    caplog.set_level(logging.INFO)
    shown: list[str] = []

    def tell(spending: Spending) -> None:
        shown.append(f"{spending!r} {spending}")

    with serving(*SHOWING) as server:
        there = endpoint(server, more='key_env = "MODELS_KEY"')
        for number in range(len(SHOWING)):
            oracle = Oracle(there, tmp_path, told=tell, sleep=lambda s: None)
            try:
                shown += ask(oracle, f"{ASK} {number}")
            except OracleError as error:
                shown.append(f"{error!r} {error.__dict__} {error.__cause__!r}")
            shown += [repr(oracle), repr(oracle._chat.__dict__.get("_ledger")), *oracle.rejected]
        shown.append(there.model_dump_json())
    assert {request.authorization for request in server.log} == {f"Bearer {KEY}"}
    assert len(server.log) >= len(SHOWING)
    captured = capfd.readouterr()
    for text in (*shown, caplog.text, captured.out, captured.err, *map(repr, files(tmp_path).items())):
        assert KEY not in text


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "schlüssel", "a\nb"])
def test_a_key_that_is_missing_or_none_is_said_before_anything_is_asked(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELS_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MODELS_KEY", value)
    with serving(obliging) as server, pytest.raises(OracleError, match=r"key_env: the .*variable") as caught:
        Oracle(endpoint(server, more='key_env = "MODELS_KEY"'), tmp_path)
    assert server.log == []
    assert not value or not value.strip() or value not in str(caught.value)


def test_without_a_key_none_is_sent(tmp_path: Path) -> None:
    with serving(obliging) as server:
        ask(Oracle(endpoint(server), tmp_path))
    assert server.log[0].authorization is None


@pytest.mark.parametrize("module", [gatling.mining.endpoint, gatling.mining.spending])
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert result.failed == 0
