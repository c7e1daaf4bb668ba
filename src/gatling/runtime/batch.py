"""A file of traces audited in input order, in memory that does not grow, by one process or several.

Nothing that one line holds can stop the others: what cannot be read or audited is escalated with its place.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from threading import current_thread, main_thread
from typing import BinaryIO

from gatling.model.bundle import Bundle
from gatling.plan import JSON
from gatling.policy import Policy
from gatling.runtime.audit import Auditor
from gatling.runtime.verdict import TraceVerdict, unreadable
from gatling.trace import Trace, TraceError, read_trace
from gatling.trace.jsonl import Line, read_lines
from gatling.trace.reader import identity, plain
from gatling.worker import follow_parent

CHUNK = 16
"""Lines that travel to a worker together."""

CHUNKS_AHEAD = 3
"""Chunks per worker that may be under way, so that a slow line makes readers wait rather than memory grow."""


class BatchError(RuntimeError):
    """The batch cannot go on; the message says where it stopped and what may help."""


def audit_lines(
    path: str | Path,
    *,
    policy: Policy | None = None,
    tools: JSON = None,
    model: Bundle | None = None,
    redact: bool = False,
    format: str | None = None,
    workers: int = 1,
    stdin: BinaryIO | None = None,
) -> Generator[TraceVerdict, None, None]:
    """Yield one verdict per line of a file, or of standard input for `-`, the same for any number of workers.

    Raises:
        OSError: the file cannot be opened or read.
        BatchError: a worker died.
    """
    judge = Judge(path, policy, tools, model, redact, format)
    lines = read_lines(path, stdin)
    if workers == 1:
        yield from map(judge, lines)
        return
    # Spawned on every system: a fork would share the locks of whatever threads the caller has.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (judge,))
    ahead: deque[Future[list[TraceVerdict]]] = deque()
    done = 0
    try:
        while chunk := list(islice(lines, CHUNK)):
            with _deaf():
                ahead.append(pool.submit(_judge_chunk, chunk))
            if len(ahead) == workers * CHUNKS_AHEAD:
                for verdict in ahead.popleft().result():
                    yield verdict
                    done += 1
        while ahead:
            for verdict in ahead.popleft().result():
                yield verdict
                done += 1
    except BrokenProcessPool:
        raise BatchError(
            f"{place(path)}: a worker process died after {done} traces, perhaps for want of memory; "
            "try fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


class Judge:
    """Audits lines one by one and fails closed: whatever goes wrong with a line becomes its verdict."""

    def __init__(
        self,
        path: str | Path,
        policy: Policy | None,
        tools: JSON,
        model: Bundle | None,
        redact: bool,
        format: str | None,
    ) -> None:
        self._place = place(path)
        self._auditor = Auditor(policy, tools, model=model, redact=redact)
        self._redact = redact
        self._format = format

    def __call__(self, line: Line) -> TraceVerdict:
        """The verdict on one line."""
        name = default_id(line)
        where = f"{self._place}:{line.number}"
        if line.problem is not None:
            return unreadable(name, f"{where}: {line.problem}")
        try:
            trace = read_line(line, self._format)
            name = trace.id
            verdict = self._auditor.audit(trace)
            if verdict.problem is None:
                return verdict
            return verdict.model_copy(update={"problem": f"{where}: {verdict.problem}"})
        except TraceError as error:
            # What was found there is a value of the trace; the field's name before it is not.
            reason = f"{str(error).partition(': found ')[0]}: cannot be read" if self._redact else str(error)
            return unreadable(name, f"{where}: {reason}")
        except Exception as error:  # a fault of ours must not let this call run, nor stop the audit of others
            return unreadable(name, f"{where}: the audit failed with {type(error).__name__}")


def read_line(line: Line, format: str | None = None) -> Trace:
    """Read a line's row as a trace, named by its place where it has no id. Raises `TraceError`."""
    return read_trace(line.row, format, default_id(line))


def default_id(line: Line) -> str:
    """The row's own id where one can be read, else `line N`."""
    own = line.row.get("id") if isinstance(line.row, dict) else None
    return str(plain(identity(own))) or f"line {line.number}"


def place(path: str | Path) -> str:
    """A file's name as messages give it: one that is not UTF-8 is made so."""
    return "stdin" if str(path) == "-" else os.fsencode(path).decode(errors="replace")


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile never hears Control-C; this process hears it when that is done.

    A child inherits the signal mask. This process needs a handler that waits as well: another of its threads
    may take the signal, and Python then interrupts the main thread whatever that one's mask.
    """
    if sys.platform == "win32" or current_thread() is not main_thread():
        yield
        return
    heard: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        if heard:
            signal.raise_signal(signal.SIGINT)


_judge: Judge
"""A worker's own, made once when it starts."""


def _begin(judge: Judge) -> None:
    global _judge
    _judge = judge
    follow_parent()


def _judge_chunk(lines: list[Line]) -> list[TraceVerdict]:
    return [_judge(line) for line in lines]
