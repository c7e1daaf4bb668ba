"""Calls written as Python are read without being evaluated, and nothing in them breaks the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.sources.syntax import literal, looks_like_calls, written_calls

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_./:' -]{0,18}[A-Za-z0-9]", fullmatch=True)
keys = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_.-]{0,10}", fullmatch=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
calls = st.lists(st.tuples(names, st.dictionaries(keys, values, max_size=4)), max_size=3)


def _written(made: list[tuple[str, dict[str, Any]]], show: Any) -> list[str]:
    return [
        f"{name}({', '.join(f'{key}={show(value)}' for key, value in given.items())})" for name, given in made
    ]


@pytest.mark.parametrize("show", [repr, json.dumps, ascii], ids=["python", "json", "ascii"])
@given(made=calls)
def test_what_was_written_is_read_back(show: Any, made: list[tuple[str, dict[str, Any]]]) -> None:
    for text in (f"[{', '.join(_written(made, show))}]", "\n".join(_written(made, show))):
        found, rest = written_calls(text)
        assert not rest and not any(call.problem for call in found)
        assert [(call.name, call.arguments()) for call in found] == made


@given(values)
def test_a_literal_is_read_as_python_reads_it(value: Any) -> None:
    assert literal(repr(value)) == literal(json.dumps(value)) == value


@given(st.text(st.characters(codec=None)) | st.text("[]{}()=,:'\"\\ abf1.-\n"))
def test_any_text_is_read_or_has_a_problem(text: str) -> None:
    looks_like_calls(text)
    for call in written_calls(text)[0]:
        json.dumps(call.arguments(), allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("[Get Today's Weather(city='Bonn')]", "Get Today's Weather", {"city": "Bonn"}),
        ("files:read(path=r)", "files:read", None),
        ("f(a=__import__('os').system('ls'))", "f", None),
        ("f(a=(1, 2), b={1, 2}, c={'x': true})", "f", {"a": [1, 2], "b": [1, 2], "c": {"x": True}}),
        ("f(a='it\\'s', b=\"\\u00fc\\n\")", "f", {"a": "it's", "b": "ü\n"}),
        ('f(a="""two\nlines "quoted" """)', "f", {"a": 'two\nlines "quoted" '}),
        ("f(a=-1.5e3, b=+2, c=.5, d=1_000)", "f", {"a": -1500.0, "b": 2, "c": 0.5, "d": 1000}),
        ("f(a=1e999)", "f", None),
        ("f(a=" + "9" * 5000 + ")", "f", None),
        ("f(a=nan)", "f", None),
        ("f(a=2024-01-01)", "f", None),
        ("f(a=1, a=2)", "f", None),
        ("f(a={'x': 1, 'x': 2})", "f", None),
        ("f(a='open", "f", None),
        ("f(g(1))", "f", None),
        ("f(a=" + "[" * 5000, "f", None),
        ("f(a='\\ud83d\\ude00')", "f", {"a": "😀"}),
        ("f(a='\\ud83d')", "f", {"a": "\ufffd"}),
    ],
)
def test_the_grammar_is_that_of_literals(text: str, name: str, arguments: dict[str, Any] | None) -> None:
    (call,) = written_calls(text)[0]
    assert call.name == name
    if arguments is None:
        assert call.problem and text.endswith(call.text)
    else:
        assert call.problem is None and call.arguments() == arguments


def test_calls_before_one_that_cannot_be_read_are_kept() -> None:
    good, bad = written_calls("f(a=1)\ng(b=two)\nh()")[0]
    assert (good.name, good.arguments(), good.problem) == ("f", {"a": 1}, None)
    assert (bad.name, bad.text) == ("g", "g(b=two)\nh()")
    assert bad.problem == "the call cannot be read: a bare word at character 11"


def test_values_without_a_name_take_the_parameters_in_order() -> None:
    (call,) = written_calls("move('a.txt', 'docs', 3, copy=True)")[0]
    named = call.arguments(("source", "target"))
    assert named == {"source": "a.txt", "target": "docs", "2": 3, "copy": True}


@pytest.mark.parametrize("text", ["[1] See (page 3)", "(see above)", "[]", "[f]", "", "Sure [f(a=1)]"])
def test_prose_does_not_look_like_calls(text: str) -> None:
    assert not looks_like_calls(text) or written_calls(text)[0][0].problem
