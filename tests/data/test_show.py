"""What is shown of a sample: everything a person asks about, and nothing that a terminal would obey."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from gatling.data.columns import Row
from gatling.data.show import render


def shown(row: Row) -> str:
    console = Console(file=StringIO(), width=100, markup=False)
    console.print(render(row))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("kind", ["gold", "clean", "resisted", "authorised", "hijacked", "mutated"])
def test_a_sample_is_told_whole(built: list[Row], kind: str) -> None:
    row = next(row for row in built if row.kind == kind)
    text = shown(row)
    assert f"{row.id} is {row.category}: {kind}" in text
    assert row.family in text
    for index, call in enumerate(row.calls):
        assert f"Call {index}: {call.tool} ({call.id})" in text
    assert f"energy by construction {row.energy:.1f}, in the audit {row.opinion:.1f}" in text
    assert text.count("  energy in the audit: hierarchy ") == len(row.calls)


def test_hostile_text_is_made_visible(built: list[Row]) -> None:
    row, bad = built[0], "\x1b[2J\u202e[bold]"
    spans = tuple(replace(span, text=bad, source=bad, path=bad) for span in row.spans)
    messages = tuple(replace(message, content=bad) for message in row.messages)
    calls = tuple(replace(call, id=bad, tool=bad) for call in row.calls)
    hostile = replace(
        row, id=bad, family=bad, register=bad, poisoned=True, spans=spans, messages=messages, calls=calls
    )
    text = shown(hostile)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[2J\u202e[bold]" in text
