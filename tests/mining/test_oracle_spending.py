"""What an oracle costs: the cap holds whatever an endpoint does, and no run forgets what was spent."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.mining.chat import ATTEMPTS
from gatling.mining.endpoint import OracleError, load
from gatling.mining.oracle import Oracle
from gatling.mining.spending import LEDGER, CostCapReached, Ledger, Spending
from tests.mining.endpoint import (
    ASK,
    BUSY,
    LIST,
    TOML,
    WRONG,
    Answering,
    Reply,
    ask,
    completion,
    cost,
    endpoint,
    obliging,
    serving,
    spent,
)

USELESS: list[Any] = [
    7,
    [],
    {},
    {"prompt_tokens": 5},
    {"prompt_tokens": -5, "completion_tokens": -5},
    {"prompt_tokens": 5, "completion_tokens": 1e300},
    {"prompt_tokens": float("nan"), "completion_tokens": 5},
    {"prompt_tokens": "5", "completion_tokens": True},
]
REPLIES: list[Answering] = [
    obliging,
    *WRONG[::3],
    completion(LIST, None),
    *(completion(LIST, usage) for usage in USELESS),
    completion(LIST, {"prompt_tokens": 0, "completion_tokens": 0}, (0, 0)),
    completion(LIST, {"prompt_tokens": 9, "completion_tokens": 5_000}, (9, 5_000)),
    completion(LIST, {"prompt_tokens": 10**400, "completion_tokens": 1}, (10**400, 1)),
    BUSY,
    replace(BUSY, headers={"Retry-After": "3"}),
    replace(BUSY, headers={"Retry-After": "99999"}),
    Reply(status=500),
    Reply(status=503, headers={"Retry-After": "Mon, 01 Jan 99999 00:00:00 GMT"}),
    Reply(status=401),
    Reply(status=404),
    Reply(status=204),
    Reply(b"{", cut=True),
    Reply(stuck=True),
    Reply(b"{", dripping=True),
    Reply(status=307, headers={"Location": "http://localhost:9/"}),
]


@pytest.mark.parametrize("reply", REPLIES[1:])
def test_what_came_back_decides_what_is_charged(reply: Reply, tmp_path: Path) -> None:
    with serving(reply) as server:
        with suppress(OracleError):
            ask(Oracle(endpoint(server, timeout="0.05"), tmp_path, sleep=lambda seconds: None))
        assert server.log
        assert spent(tmp_path) == sum((cost(one.body, reply.charged) for one in server.log), Decimal())


@settings(max_examples=60)
@given(st.lists(st.sampled_from(REPLIES), min_size=1, max_size=9), st.integers(1, 4000), st.integers(3, 9))
def test_the_cap_is_not_passed_whatever_the_endpoint_does(
    replies: list[Answering], cap: int, runs: int
) -> None:
    most = Decimal(cap) / 1_000_000
    with TemporaryDirectory() as folder, serving(*replies, obliging) as server:
        cache, standing, capped = Path(folder), [], False
        server.arrived = lambda: standing.append(spent(cache))
        there = endpoint(server, str(most), "0.05")
        oracle = Oracle(there, cache, sleep=lambda seconds: None)
        for number in range(11):
            if number % runs == 0:  # a run that ends, and is started again
                oracle = Oracle(there, cache, sleep=lambda seconds: None)
            before = len(server.log)
            try:
                ask(oracle, f"{ASK} {number}")
            except CostCapReached as error:
                capped = True
                assert error.spending.spent + error.needed > most
                assert error.spending.spent == spent(cache)
            except OracleError:
                assert len(server.log) > before
            assert len(server.log) - before <= ATTEMPTS
        assert all(reserved <= most for reserved in standing)
        bills = [cost(request.body, request.reply.charged) for request in server.log]
        assert spent(cache) == sum(bills, Decimal())
        honest = all(bill <= cost(request.body) for bill, request in zip(bills, server.log, strict=True))
        assert spent(cache) <= most or (capped and not honest)


def test_the_cap_is_checked_before_a_request_and_names_the_figures(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        ask(oracle)
        needed = cost(server.log[0].body)
        enough, short = f"{spent(tmp_path) + needed}", f"{spent(tmp_path) + needed - Decimal('1e-12')}"
        with pytest.raises(
            CostCapReached, match=r"oracle: \$\S+ of \$\S+ spent, 1 request; .* raise most_dollars"
        ):
            ask(Oracle(endpoint(server, short), tmp_path), ASK[::-1])
        assert len(server.log) == 1
        assert ask(Oracle(endpoint(server, short), tmp_path))  # what is in the cache costs nothing
        ask(Oracle(endpoint(server, enough), tmp_path), ASK[::-1])
        assert len(server.log) == 2


def test_how_the_spending_stands_is_told_before_and_after_each_request(tmp_path: Path) -> None:
    told: list[Spending] = []
    with serving(BUSY, obliging) as server:
        ask(Oracle(endpoint(server), tmp_path, told=told.append, sleep=lambda seconds: None))
    reserved, charged = (cost(server.log[0].body, tokens) for tokens in (None, (40, 20)))
    assert [(one.spent, one.requests) for one in told] == [
        (reserved, 1),
        (0, 1),
        (0, 1),
        (reserved, 2),
        (charged, 2),
    ]
    assert all(one.cap == 1 for one in told)
    assert told[2].note.startswith("HTTP 429; next try in ")
    assert str(told[-1]) == "oracle: $6e-05 of $1 spent, 2 requests"


def test_what_was_never_sent_costs_nothing(tmp_path: Path) -> None:
    with serving(obliging) as server:
        there = endpoint(server)
    with pytest.raises(OracleError, match="no connection"):
        ask(Oracle(there, tmp_path))
    assert spent(tmp_path) == 0


ASKING = """
import sys
from pathlib import Path
from gatling.mining.endpoint import load
from gatling.mining.oracle import Oracle
Oracle(load(Path(sys.argv[1])), Path(sys.argv[2])).wordings([sys.argv[3]], [], "en", 3)
"""


def test_a_run_that_is_killed_while_it_waits_goes_on_with_what_it_spent(tmp_path: Path) -> None:
    asked = threading.Event()
    cache, file = tmp_path / "cache", tmp_path / "oracle.toml"
    with serving(obliging, Reply(stuck=True), obliging) as server:
        file.write_text(TOML.format(url=server.url, most="0.001", timeout="60"), "utf-8")
        ask(Oracle(load(file), cache))
        server.arrived = asked.set
        run = subprocess.Popen([sys.executable, "-c", ASKING, str(file), str(cache), "pay it"])
        try:
            assert asked.wait(60)
        finally:
            run.kill()
            run.wait()
        first, second = server.log
        both = cost(first.body, (40, 20)) + cost(second.body)
        assert spent(cache) == both
        with pytest.raises(CostCapReached):
            Oracle(load(file), cache).wordings(["pay it"], [], "en", 3)
        told: list[Spending] = []
        Oracle(endpoint(server), cache, told=told.append).wordings(["pay it"], [], "en", 3)
        assert told[0].spent == both + cost(second.body)
        assert [request.prompt for request in server.log[1:]] == [second.prompt] * 2


def test_a_ledger_cut_off_anywhere_never_forgets_what_was_sent(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        for number in range(2):
            ask(oracle, f"{ASK} {number}")
    path, cap = tmp_path / LEDGER, Decimal(1)
    written = path.read_bytes()
    for cut in range(len(written) + 1):
        path.write_bytes(written[:cut])
        ledger = Ledger(tmp_path, cap, lambda spending: None)
        lines = written[:cut].count(b"\n")
        bills = [
            cost(r.body, (40, 20) if lines >= 2 * n + 2 else None)
            for n, r in enumerate(server.log)
            if lines > 2 * n
        ]
        assert ledger.spending.spent == sum(bills, Decimal())
        with ledger.held():
            ledger.settle(ledger.reserve(Decimal("0.5")), Decimal("0.25"))
        assert Ledger(tmp_path, cap, lambda spending: None).spending.spent == sum(bills, Decimal("0.25"))


SOUND = '{"request": 1, "reserved": "0.5"}'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        SOUND,
        '{"request": 3, "reserved": "0.5"}',
        '{"request": 2, "charged": "0.5"}',
        '{"request": 2, "reserved": "-0.5"}',
        '{"request": 2, "reserved": "NaN"}',
        '{"request": 2, "reserved": "x"}',
        '{"request": 2, "reserved": 0.5}',
        '{"request": [], "charged": "0.5"}',
        '{"request": 1, "refunded": "0.5"}',
        '{"request": 2, "reserved": "0.5", "charged": "0"}',
    ],
)
def test_a_damaged_ledger_stops_the_oracle(line: str, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text(f"{SOUND}\n{line}\n")
    with pytest.raises(OracleError, match=rf"{LEDGER}:2: the ledger is damaged"):
        Ledger(tmp_path, Decimal(9), lambda spending: None)


def test_a_ledger_that_shrinks_under_a_run_stops_it(tmp_path: Path) -> None:
    with serving(obliging) as server:
        oracle = Oracle(endpoint(server), tmp_path)
        ask(oracle)
        (tmp_path / LEDGER).unlink()
        with pytest.raises(OracleError, match="damaged"):
            ask(oracle, "pay it")
    assert len(server.log) == 1
