"""What the line reader promises: every row, and a told problem where there is none."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling.trace import jsonl
from gatling.trace.jsonl import Line, read_lines

ROWS = [{"id": number, "text": "é" * 50} for number in range(40)]
TEXT = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
LINES = [Line(number, row) for number, row in enumerate(ROWS, start=1)]


def lines_of(content: bytes) -> list[Line]:
    return list(read_lines("-", io.BytesIO(content)))


def problem_of(content: bytes) -> str:
    (line,) = lines_of(content)
    assert line.row is None
    assert line.problem is not None
    return line.problem


@pytest.mark.parametrize("content", [TEXT, gzip.compress(TEXT)], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.txt", "a.json"])
def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert list(read_lines(path)) == list(read_lines(str(path))) == LINES
    assert lines_of(content) == LINES


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    assert list(read_lines("-")) == LINES


def test_archives_of_several_members_and_padding_are_one_file() -> None:
    half = len(TEXT) // 2
    padding = b"\0" * 600_000
    assert lines_of(gzip.compress(TEXT[:half]) + padding + gzip.compress(TEXT[half:]) + padding) == LINES


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", gzip.compress(b"")])
def test_an_empty_file_yields_nothing(content: bytes) -> None:
    assert lines_of(content) == []


def test_blank_lines_count_and_line_ends_and_marks_do_not_matter() -> None:
    expected = [Line(1, {"a": 1}), Line(3, [2])]
    for content in (b'{"a": 1}\n\n[2]\n', b'\xef\xbb\xbf{"a": 1}\r\n\r\n[2]'):
        assert lines_of(content) == expected
        assert lines_of(gzip.compress(content)) == expected


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (b'{"a": "\xff"}', "invalid UTF-8 at byte 7"),
        (b'{"a": }', "invalid JSON"),
        (b"5", "not an object"),
        (b'"text"', "not an object"),
        (b"null", "not an object"),
        (b"[" * 100_000 + b"]" * 100_000, "too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
    ],
)
def test_a_bad_line_is_told_and_the_rest_goes_on(bad: bytes, word: str) -> None:
    before, told, after = lines_of(b"{}\n" + bad + b"\n[]\n")
    assert (before, after) == (Line(1, {}), Line(3, []))
    assert told.number == 2
    assert word in (told.problem or "")


def test_repeated_keys_and_numbers_that_are_not_finite_are_rows() -> None:
    assert lines_of(b'{"a": 1, "a": 2}') == [Line(1, {"a": 2})]
    assert lines_of(b'{"a": Infinity}') == [Line(1, {"a": float("inf")})]


def test_a_half_written_last_line_is_said_to_be_one() -> None:
    *_, last = lines_of(b'{"a": 1}\n{"a": ')
    assert last.number == 2
    assert "half-written" in (last.problem or "")
    assert "half-written" not in problem_of(b'{"a": \n')


def test_a_line_that_is_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_LIMIT", 1000)
    long = json.dumps(["x" * 400_000]).encode()
    assert problem_of(long) == problem_of(long + b"\n") == "a line longer than 1000 bytes was skipped"
    before, told, after = lines_of(b"{}\n" + long + b"\n[]")
    assert (before.number, told.number, after) == (1, 2, Line(3, []))
    assert told.problem


class Endless(io.RawIOBase):
    """A pipe of a size that no test could hold."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def read(self, size: int = -1) -> bytes:
        piece = min(self.left, size)
        self.left -= piece
        return b"x" * piece


def test_memory_does_not_grow_with_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_LIMIT", 2**20)
    tracemalloc.start()
    stream: BinaryIO = Endless(2**28)  # type: ignore[assignment]
    assert [line.row for line in read_lines("-", stream)] == [None]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_an_archive_that_unpacks_to_far_more_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_LIMIT", 2**20)
    bomb = gzip.compress(b"[" * 2**27)
    tracemalloc.start()
    assert "longer" in problem_of(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("lost", [1, 4, 8, 30])
def test_a_truncated_archive_yields_what_it_holds_and_says_so(lost: int) -> None:
    *rows, last = lines_of(gzip.compress(TEXT)[:-lost])
    assert rows == LINES[: len(rows)]
    assert len(rows) > 0
    assert last.number == len(rows) + 1
    assert "ends early" in (last.problem or "")


def test_a_corrupt_archive_yields_what_it_holds_and_says_so() -> None:
    archive = bytearray(gzip.compress(TEXT))
    archive[-6] ^= 0xFF  # in the checksum
    *rows, last = lines_of(bytes(archive))
    assert rows == LINES
    assert "corrupt" in (last.problem or "")
    assert "corrupt" in (lines_of(gzip.compress(TEXT) + b"and more")[-1].problem or "")


def test_lines_come_as_soon_as_a_pipe_holds_them() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            super().__init__()
            self.waiting: Iterator[bytes] = iter([b"{", b"}\n[", b"]\n"])

        def read1(self, size: int) -> bytes:
            return next(self.waiting)

    stream: BinaryIO = Pipe()  # type: ignore[assignment]
    lines = read_lines("-", stream)
    assert next(lines) == Line(1, {})


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_lines(tmp_path / "none.jsonl"))
    with pytest.raises(OSError):
        list(read_lines(tmp_path))


# JSON documents

TRACE = {"messages": [{"role": "user", "content": "hi"}]}


def document(tmp_path: Path, content: bytes) -> list[Line]:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    return list(read_lines(path))


def test_a_json_array_of_traces_is_one_row_each(tmp_path: Path) -> None:
    content = json.dumps([TRACE, 5, [TRACE]], indent=2).encode()
    first, second, third = document(tmp_path, content)
    assert (first, third) == (Line(1, TRACE), Line(3, [TRACE]))
    assert "not an object" in (second.problem or "")
    assert document(tmp_path, gzip.compress(content)) == [first, second, third]


def test_a_json_document_of_one_trace_is_one_row(tmp_path: Path) -> None:
    assert document(tmp_path, json.dumps(TRACE, indent=2).encode()) == [Line(1, TRACE)]
    assert document(tmp_path, json.dumps(TRACE["messages"]).encode()) == [Line(1, TRACE["messages"])]


@pytest.mark.parametrize("content", [b"", b" \n", b"[]"])
def test_an_empty_json_document_yields_nothing(tmp_path: Path, content: bytes) -> None:
    assert document(tmp_path, content) == []


@pytest.mark.parametrize("content", [b'[{"a":\n', b"\xff\n\n", gzip.compress(b"[{}]")[:-3], b"5"])
def test_a_broken_json_document_is_one_problem(tmp_path: Path, content: bytes) -> None:
    (line,) = document(tmp_path, content)
    assert line.row is None
    assert line.problem


def test_a_json_document_that_is_too_large_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "FILE_LIMIT", 100)
    (line,) = document(tmp_path, b"[" + b" " * 200 + b"]")
    assert "larger" in (line.problem or "")


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"{}", b"[", b"\n", b"\xff", b"1", b'"'])).map(b"".join)
)
def test_any_bytes_are_lines_or_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for stored in (content, gzip.compress(content), gzip.compress(content)[:-5] + content):
        for line in lines_of(stored):
            assert (line.problem is None) == isinstance(line.row, dict | list)
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    list(read_lines(path))
