"""What an oracle has cost: a ledger on the disk, written before a request is sent and after its answer.

Before a request the most that it may cost is reserved, and settled once its cost is known. A reservation
that was never settled, because the run was killed, counts as spent. The ledger, `ledger.jsonl`, holds one
JSON object a line, {"request": 1, "reserved": "0.0021"} and {"request": 1, "charged": "0.0004"}, in dollars.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from gatling.mining.endpoint import OracleError

LEDGER = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Spending:
    """How an oracle stands."""

    spent: Decimal
    """Dollars, open reservations included."""
    cap: Decimal
    """Dollars."""
    requests: int
    """Requests sent, those of earlier runs included."""
    note: str = ""
    """What it waits for."""

    def __str__(self) -> str:
        sent = "1 request" if self.requests == 1 else f"{self.requests} requests"
        note = f"; {self.note}" if self.note else ""
        return f"oracle: {money(self.spent)} of {money(self.cap)} spent, {sent}{note}"


class CostCapReached(OracleError):
    """The next request could pass the cap, so it was not sent."""

    def __init__(self, spending: Spending, needed: Decimal) -> None:
        super().__init__(
            f"{spending}; the next request may cost {money(needed)}, which could pass the cap, so it was not "
            "sent; raise most_dollars to ask on"
        )
        self.spending, self.needed = spending, needed


def money(dollars: Decimal) -> str:
    """Dollars as people read them.

    >>> money(Decimal("2.50")), money(Decimal("0.000123456789"))
    ('$2.5', '$0.000123457')
    """
    return f"${float(dollars):.6g}"


class Ledger:
    """The ledger of a cache folder; runs that share the folder share the cap, and ask one after the other."""

    def __init__(self, folder: Path, cap: Decimal, told: Callable[[Spending], None]) -> None:
        self._path, self._cap, self._told = folder / LEDGER, cap, told
        self._costs: dict[int, Decimal] = {}
        self._at = self._lines = 0
        """Bytes and lines that are known."""
        with self.held():
            pass
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from asking, and learn what they have spent.

        Raises:
            OracleError: the ledger is damaged.
        """
        with open(self._path, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.seek(0, os.SEEK_END) < self._at:
                raise self._damaged(self._lines)
            file.seek(self._at)
            for line in file.read().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    # A run was killed here. Its request was not sent, or its reservation stays open.
                    file.truncate(self._at)
                    break
                self._take(line)
            yield

    @property
    def spending(self) -> Spending:
        """How it stands."""
        return Spending(sum(self._costs.values(), Decimal()), self._cap, len(self._costs))

    def reserve(self, dollars: Decimal) -> int:
        """Reserve the most that a request may cost, on the disk, and number the request. Needs `held`.

        Raises:
            CostCapReached: with what is spent, that would pass the cap.
        """
        spending = self.spending
        if spending.spent + dollars > self._cap:
            raise CostCapReached(spending, dollars)
        request = len(self._costs) + 1
        self._write(request, "reserved", dollars)
        return request

    def settle(self, request: int, dollars: Decimal) -> None:
        """Charge what a request has cost instead of what was reserved, on the disk. Needs `held`."""
        self._write(request, "charged", dollars)

    def _write(self, request: int, what: str, dollars: Decimal) -> None:
        line = json.dumps({"request": request, what: str(dollars)}).encode() + b"\n"
        with open(self._path, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._take(line)
        self._told(self.spending)

    def _take(self, line: bytes) -> None:
        try:
            entry: Any = json.loads(line)
            request = entry.pop("request")
            ((what, written),) = entry.items()
            dollars = Decimal(written) if isinstance(written, str) else Decimal("NaN")
            known = request in self._costs
            fits = known if what == "charged" else what == "reserved" and request == len(self._costs) + 1
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
            raise self._damaged(self._lines + 1) from None
        if not (fits and dollars.is_finite() and dollars >= 0):
            raise self._damaged(self._lines + 1)
        self._costs[request] = dollars
        self._at += len(line)
        self._lines += 1

    def _damaged(self, line: int) -> OracleError:
        return OracleError(
            f"{self._path}:{line}: the ledger is damaged, so that what was spent is not known; put it right, "
            "or name another cache folder, whose spending is counted from 0"
        )
