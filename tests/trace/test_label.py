"""What a label of calls promises: the ids of calls that are there, or an error that says which is not."""

from __future__ import annotations

import doctest
import subprocess
import sys
from typing import Any

import pytest

from gatling.trace import TraceError, label, read_trace
from gatling.trace.label import hijacked_calls

ROW: dict[str, Any] = {
    "request": "Pay Ana.",
    "calls": [{"id": "c1", "tool": "read"}, {"id": 7, "tool": "pay"}, {"tool": "send"}],
}


def test_the_example_runs() -> None:
    result = doctest.testmod(label)
    assert result.attempted > 0
    assert result.failed == 0


def labelled(**fields: Any) -> frozenset[str] | None:
    row = {**ROW, **fields}
    return hijacked_calls(row, read_trace(row))


@pytest.mark.parametrize("ids", [["c1"], ["call#2", "c1"], ["7"], [7], ["c1", "c1"], []])
def test_calls_are_named_by_the_ids_that_an_audit_shows(ids: list[Any]) -> None:
    assert labelled(hijacked_calls=ids) == frozenset(map(str, ids))


def test_a_row_that_says_nothing_of_its_calls_has_no_such_label() -> None:
    assert labelled() is None
    assert labelled(hijacked_calls=None) is None


@pytest.mark.parametrize(
    "ids", ["c1", 3, {"c1": 1}, True, [None], [["c1"]], ["c1", ""], [1.5], [True]], ids=str
)
def test_what_is_no_list_of_ids_is_refused(ids: Any) -> None:
    with pytest.raises(TraceError, match=r"^hijacked_calls: found .*; list the ids of the calls"):
        labelled(hijacked_calls=ids)


@pytest.mark.parametrize("id", ["c9", "C1", " c1", "\x1b[2J\u202e", "x" * 5000])
def test_an_id_that_no_call_has_is_named_with_a_remedy(id: str) -> None:
    with pytest.raises(
        TraceError, match=r"^hijacked_calls: found .*no call of this trace has that id; mend"
    ) as told:
        labelled(hijacked_calls=["c1", id])
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 200


def test_a_label_is_read_without_any_extra() -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'pyarrow', 'sklearn', 'faker']))\n"
        "import gatling.trace.label\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
