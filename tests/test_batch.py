"""What an audit of a file promises: every line has its verdict, in order, whatever the line holds."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tracemalloc
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.plan import JSON
from gatling.runtime import batch
from gatling.runtime.audit import Auditor
from gatling.runtime.batch import BatchError, audit_lines
from gatling.runtime.output import open_output, output_line, output_schema
from gatling.runtime.verdict import Evidence, TraceVerdict, Verdict, unreadable
from gatling.trace import Trace

EXAMPLES = resources.files("gatling") / "examples" / "traces.jsonl"
ROW = {"request": "Mail Ana the report.", "calls": [{"tool": "send_mail", "arguments": {"to": "ana"}}]}


def lines_of(rows: list[Any]) -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


def audited(content: bytes, **settings: Any) -> list[TraceVerdict]:
    return list(audit_lines("-", stdin=io.BytesIO(content), **settings))


def problem_of(content: bytes, **settings: Any) -> str:
    (verdict,) = audited(content, **settings)
    assert (verdict.decision, verdict.energy, verdict.calls) == ("escalate", 10.0, [])
    assert verdict.problem is not None
    return verdict.problem


def test_traces_are_named_by_their_id_or_by_their_line() -> None:
    rows = [{**ROW, "id": "a"}, ROW, {**ROW, "id": 7}, "{", {"id": "no trace"}, 3]
    names = ["a", "line 2", "7", "line 4", "no trace", "line 6"]
    assert [verdict.id for verdict in audited(lines_of(rows))] == names


def test_what_cannot_be_read_is_escalated_with_its_place_and_the_rest_goes_on() -> None:
    before, broken, shape, after = audited(lines_of([ROW, '{"request": ', {"id": "x", "messages": 3}, ROW]))
    assert before.problem is None
    assert after.problem is None
    assert (broken.decision, shape.decision) == ("escalate", "escalate")
    assert str(broken.problem).startswith("stdin:2: invalid JSON")
    assert str(shape.problem).startswith("stdin:3: messages: found 3; ")


def test_a_half_written_last_line_is_escalated() -> None:
    *_, last = audited(lines_of([ROW]) + json.dumps(ROW).encode()[:30])
    assert (last.id, last.decision) == ("line 2", "escalate")
    assert "half-written" in str(last.problem)


def test_a_truncated_archive_keeps_what_came_before_the_cut() -> None:
    *whole, last = audited(gzip.compress(lines_of([ROW] * 50))[:-9])
    assert whole
    assert all(verdict.problem is None for verdict in whole)
    assert "gzip archive ends early" in str(last.problem)


def test_an_empty_file_has_no_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    assert list(audit_lines(path)) == []


def test_a_format_that_is_given_is_not_guessed() -> None:
    assert problem_of(lines_of([{"calls": []}]), format="openai-chat").startswith("stdin:1: ")


def test_tools_that_a_trace_brings_and_nobody_can_read_are_told_with_their_place() -> None:
    (verdict,) = audited(lines_of([{**ROW, "tools": 3}]))
    assert verdict.decision != "allow"
    assert str(verdict.problem).startswith("stdin:1: ")


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), RecursionError("secret"), MemoryError()])
def test_a_fault_in_the_audit_escalates_one_trace_and_names_the_exception_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sound = Auditor.audit

    def faulty(self: Auditor, trace: Trace) -> TraceVerdict:
        if trace.id == "bad":
            raise error
        return sound(self, trace)

    monkeypatch.setattr(Auditor, "audit", faulty)
    bad, good = audited(lines_of([{**ROW, "id": "bad"}, {**ROW, "id": "good"}]))
    assert bad == unreadable("bad", f"stdin:1: the audit failed with {type(error).__name__}")
    assert good.problem is None


def test_a_file_whose_name_is_no_text_can_be_named(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    try:
        path.write_bytes(b"{")
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    (verdict,) = audit_lines(path)
    assert b"invalid JSON" in output_line(verdict)


def test_redaction_keeps_values_out_of_problems() -> None:
    content = lines_of([{"messages": [{"role": "user", "content": {"a": "topsecret"}}, "topsecret"]}])
    assert "topsecret" in problem_of(content)
    redacted = problem_of(content, redact=True)
    assert "topsecret" not in redacted
    assert redacted.startswith("stdin:1: messages[1]")


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_gives_the_same_bytes(workers: int) -> None:
    content = EXAMPLES.read_bytes() * 6 + b'{\n{"messages": 3}\n[' + lines_of([ROW] * 3)
    alone = b"".join(map(output_line, audited(content)))
    assert b"".join(map(output_line, audited(content, workers=workers))) == alone
    assert alone.count(b"\n") == 6 * 12 + 5


def test_settings_reach_the_workers() -> None:
    tools: JSON = [{"name": "send_mail", "description": "Sends a mail", "parameters": {}}]
    rows = lines_of([ROW, {"messages": [3]}])
    assert audited(rows, workers=2, tools=tools, redact=True, format="plan") == audited(
        rows, tools=tools, redact=True, format="plan"
    )


def _die(lines: object) -> None:
    os._exit(1)


def test_the_death_of_a_worker_is_told_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_judge_chunk", _die)
    with pytest.raises(BatchError, match=r"stdin: a worker process died .* try fewer --workers"):
        audited(lines_of([ROW] * 3), workers=2)


def test_an_audit_that_is_not_finished_stops_its_workers() -> None:
    verdicts = audit_lines("-", stdin=io.BytesIO(lines_of([ROW] * 500)), workers=2)
    next(verdicts)
    verdicts.close()
    assert list(verdicts) == []


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def shallow(self: Auditor, trace: Trace) -> TraceVerdict:
        return TraceVerdict(id=trace.id, energy=0, decision="allow", calls=[])

    monkeypatch.setattr(Auditor, "audit", shallow)
    line = lines_of([{**ROW, "system": "x" * 10_000}])

    def peak(count: int) -> int:
        stream = io.BufferedReader(_Repeated(line, count))
        tracemalloc.start()
        try:
            assert sum(1 for _ in audit_lines("-", stdin=stream)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    assert peak(1000) < peak(100) + 1_000_000


class _Repeated(io.RawIOBase):
    """A stream of the same line many times, never held as a whole."""

    def __init__(self, line: bytes, count: int) -> None:
        self._lines: Iterator[bytes] = (line for _ in range(count))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        line = next(self._lines, b"")
        buffer[: len(line)] = line
        return len(line)


# What a line of output holds


def test_the_shipped_schema_is_the_models() -> None:
    shipped = resources.files("gatling.runtime").joinpath("verdict.schema.json").read_text("utf-8")
    remedy = "write it anew: gatling schema > src/gatling/runtime/verdict.schema.json"
    assert json.loads(shipped) == output_schema(), remedy


@pytest.mark.parametrize("redact", [False, True])
def test_lines_of_output_follow_the_schema(redact: bool) -> None:
    content = EXAMPLES.read_bytes() + b'{\n{"messages": 3}\n'
    validator = jsonschema.Draft202012Validator(output_schema())
    for verdict in audited(content, redact=redact):
        row = json.loads(output_line(verdict))
        validator.validate(row)
        assert {"id", "schema_version", "energy", "decision", "calls"} <= row.keys()
        for call in row["calls"]:
            assert call.keys() == {"call_id", "tool", "energy", "terms", "decision", "evidence"}
        assert TraceVerdict.model_validate(row).decision == verdict.decision


def test_lines_leave_out_what_is_none_and_keep_four_decimals() -> None:
    call = Verdict(
        call_id="c",
        tool="t",
        energy=2 / 3,
        terms={"flow": 1 / 3},
        decision="allow",
        evidence=[Evidence(term="flow", reason="r")],
    )
    row = json.loads(output_line(TraceVerdict(id="i", energy=2 / 3, decision="allow", calls=[call])))
    assert "problem" not in row
    assert row["energy"] == row["calls"][0]["energy"] == 0.6667
    assert row["calls"][0]["terms"] == {"flow": 0.3333}
    assert row["calls"][0]["evidence"] == [{"term": "flow", "reason": "r"}]


@settings(max_examples=50)
@given(st.text())
def test_a_line_is_printable_ascii_whatever_an_id_holds(text: str) -> None:
    line = output_line(unreadable(text, text))
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert json.loads(line)["id"] == text


# Where lines go


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), open_output(str(target)) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert target.read_bytes() == b"old"


def test_a_file_that_is_replaced_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    target, link = tmp_path / "out", tmp_path / "link"
    target.touch(mode=0o600)
    link.symlink_to(target)
    with open_output(str(link)) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    if sys.platform != "win32":
        assert target.stat().st_mode & 0o777 == 0o600


def test_equal_lines_make_equal_archives(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with open_output(str(tmp_path / name)) as file:
            file.write(b"line\n")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"line\n"


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/null")
def test_a_device_is_written_and_not_replaced() -> None:
    with open_output("/dev/null") as file:
        file.write(b"gone")
    assert not Path("/dev/null").is_file()
