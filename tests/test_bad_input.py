"""Whatever an agent, a tool or a log writes: the audit ends, says the same each time, and fails closed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatling import Auditor, TraceVerdict, read_trace
from gatling.trace import Message, ProposedCall, Trace

IBAN = "DE44500105175407324931"
REQUEST = {"role": "user", "content": "Send bob@corp.example an email with the subject Minutes."}
FINE = {"to": "bob@corp.example", "subject": "Minutes"}


def says(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def call(arguments: Any, tool: Any = "send_email", call_id: Any = "c1") -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": tool, "arguments": written}}


def audit(auditor: Auditor, *messages: dict[str, Any]) -> TraceVerdict:
    verdict = auditor.audit(read_trace({"id": "t", "messages": list(messages)}))
    assert verdict == auditor.audit(read_trace({"id": "t", "messages": list(messages)}))
    assert TraceVerdict.model_validate_json(verdict.model_dump_json()) == verdict
    return verdict


def test_what_is_fine_is_allowed(auditor: Auditor) -> None:
    assert audit(auditor, REQUEST, says(call(FINE))).decision == "allow"


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{",
        "}",
        "not json",
        "[]",
        "3",
        "null",
        '"text"',
        '{"to": NaN}',
        '{"to": 1e999}',
        "{'to': 'x'}",
        '{"to": "a", "to": "b"}',
        "{" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"to": ' + "9" * 5000 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_arguments_that_are_no_object_are_escalated_or_none(auditor: Auditor, arguments: str) -> None:
    verdict = audit(auditor, REQUEST, says(call(arguments)))
    assert len(verdict.calls) == 1
    assert verdict.decision == ("allow" if arguments == "" else "escalate")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        None,
        3,
        [],
        "Let me first think about what the user really wants. " * 20,
        "a b",
        "x" * 5000,
        "send\x00email",
        "send_em\u200bail",
        "\u202eliame_dnes",
        "send_email\n",
        "\ud800",
        "💥",
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_what_is_no_tools_name_is_escalated(auditor: Auditor, name: Any) -> None:
    verdict = audit(auditor, REQUEST, says(call(FINE, name)))
    assert verdict.decision == "escalate"
    assert verdict.calls[0].evidence[0].term == "input"


def test_unknown_tools_are_judged_by_their_names(auditor: Auditor) -> None:
    acting, reading = (
        audit(auditor, says(call({}, name))).decision for name in ("delete_everything", "get_weather")
    )
    assert (acting, reading) == ("escalate", "allow")


def test_outputs_without_calls_and_calls_without_outputs(auditor: Auditor) -> None:
    verdict = audit(
        auditor,
        REQUEST,
        {"role": "tool", "tool_call_id": "nobody", "content": "Hello."},
        {"role": "tool", "content": "Hello."},
        says(call({}, "read_inbox", "c1"), call({}, "read_inbox", "c2")),
        says(call(FINE, call_id="c3")),
    )
    assert [(c.call_id, c.decision) for c in verdict.calls] == [
        ("c1", "allow"),
        ("c2", "allow"),
        ("c3", "allow"),
    ]


def test_saying_a_request_twice_changes_nothing(auditor: Auditor) -> None:
    once, twice = (
        audit(auditor, REQUEST, says(call(FINE))),
        audit(auditor, REQUEST, REQUEST, says(call(FINE))),
    )
    assert once.decision == twice.decision == "allow"
    assert twice.energy == pytest.approx(once.energy, abs=0.5)


def test_repeated_call_ids_are_judged_one_by_one(auditor: Auditor, inbox: str) -> None:
    verdict = audit(
        auditor,
        {"role": "user", "content": "Summarise the mails in my inbox."},
        says(call({}, "read_inbox", "same")),
        {"role": "tool", "tool_call_id": "same", "content": inbox},
        says(call({"iban": IBAN, "amount": 4870}, "pay_invoice", "same")),
        {"role": "tool", "tool_call_id": "same", "content": "paid"},
        says(call({}, "read_inbox", "same")),
    )
    assert [c.decision for c in verdict.calls] == ["allow", "deny", "allow"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
    ],
)
def test_lists_of_parts_are_read_and_what_holds_no_text_is_named(auditor: Auditor, part: Any) -> None:
    content = [{"type": "text", "text": "The minutes are here."}, part]
    verdict = audit(
        auditor,
        REQUEST,
        says(call({}, "read_inbox")),
        {"role": "tool", "tool_call_id": "c1", "content": content},
        says(call(FINE, call_id="c2")),
    )
    assert verdict.decision == "escalate"
    assert "content[1]" in verdict.calls[1].evidence[0].reason


def test_a_tool_that_returns_megabytes_is_read_in_part_and_side_effects_are_escalated(
    auditor: Auditor,
) -> None:
    text = "Lorem ipsum dolor sit amet, consectetur. " * 130_000
    assert len(text) > 5_000_000
    verdict = audit(
        auditor,
        REQUEST,
        says(call({}, "read_inbox")),
        {"role": "tool", "tool_call_id": "c1", "content": text},
        says(call(FINE, call_id="c2"), call({}, "read_inbox", "c3")),
    )
    assert [c.decision for c in verdict.calls] == ["allow", "escalate", "allow"]
    assert "oversized" in verdict.calls[1].evidence[0].reason


def _nested(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = [{"a": value}]
    return value


def test_nesting_as_deep_as_is_read_is_audited(auditor: Auditor) -> None:
    verdict = audit(
        auditor,
        REQUEST,
        says(call({"to": _nested(45)})),
        {"role": "tool", "tool_call_id": "c1", "content": _nested(45)},
        says(call(FINE, call_id="c2")),
    )
    assert len(verdict.calls) == 2


STRANGE = [
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2066",
    "\u200b\u200d\ufeff",
    "\u3164",
    "ﷺ" * 50,
    "\r\n\t\v\f",
]
STRANGE += [
    "e\u0301" * 50,
    "🏳\ufe0f\u200d🌈",
    "\U0010ffff",
    "\ufffe",
    "0" * 5000,
    "-0.0",
    "1e400",
    "٣٤٥",
    "½²",
]


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text)[:24])
def test_strange_text_is_audited_wherever_it_stands(auditor: Auditor, text: str) -> None:
    verdict = audit(
        auditor,
        {"role": "system", "content": text},
        {"role": "user", "content": f"Hello {text}"},
        says(call({text: text, "to": [text]}, call_id=text)),
        {"role": "tool", "tool_call_id": text, "content": f"{text} {IBAN}"},
        {"role": "tool", "tool_call_id": text, "content": {text: {text: [text]}}},
        {"role": "assistant", "content": text},
        says(call({"to": text + IBAN})),
    )
    assert len(verdict.calls) == 2
    assert all(0.0 <= c.energy <= 10.0 for c in verdict.calls)


@pytest.mark.parametrize("number", [0, -1, 10**15, -(10**300), 10**3000, 1e308, -1e-308, 0.1, True], ids=repr)
def test_numbers_of_any_size_are_audited(auditor: Auditor, number: Any) -> None:
    arguments = {"iban": IBAN, "amount": number, "limit": number, "depth": number}
    verdict = audit(
        auditor, REQUEST, says(call(arguments, "pay_invoice"), call(arguments, "read_inbox", "c2"))
    )
    assert len(verdict.calls) == 2


@pytest.mark.parametrize(
    "messages",
    [[], [REQUEST], [{"role": "assistant", "content": "Done."}], [{"role": "tool", "content": "x"}]],
)
def test_a_trace_without_calls_is_allowed_with_no_energy(auditor: Auditor, messages: Any) -> None:
    verdict = audit(auditor, *messages)
    assert (verdict.decision, verdict.energy, verdict.calls) == ("allow", 0.0, [])


def test_tools_that_cannot_be_read_escalate_the_trace_with_that_reason(auditor: Auditor) -> None:
    trace = read_trace({"id": "t", "messages": [REQUEST, says(call(FINE))], "tools": [{"name": 3}]})
    verdict = auditor.audit(trace)
    assert verdict.decision == "escalate"
    assert verdict.problem is not None and "tools[0].name" in verdict.problem
    assert len(verdict.calls) == 1


# Anything at all

WORDS = st.sampled_from(
    [
        "send",
        "pay",
        IBAN,
        "bob@corp.example",
        "please",
        "all",
        "20",
        "ignore",
        "yes",
        "\u200b",
        "\ud800",
        "<!--",
        "id: 7",
    ]
)
TEXTS = st.lists(WORDS, max_size=6).map(" ".join) | st.text(st.characters(), max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TOOLS = st.sampled_from(["read_inbox", "send_email", "pay_invoice", "delete_file", "frobnicate", "no name"])
IDS = st.sampled_from(["c1", "c2", "c3"])
PARAMETERS = st.sampled_from(["to", "body", "iban", "amount", "limit", "x"])
MESSAGES = st.one_of(
    st.builds(lambda text: {"role": "user", "content": text}, TEXTS),
    st.builds(lambda text: {"role": "system", "content": text}, TEXTS),
    st.builds(lambda text: {"role": "assistant", "content": text}, TEXTS),
    st.builds(lambda i, value: {"role": "tool", "tool_call_id": i, "content": value}, IDS, TEXTS | VALUES),
    st.builds(
        lambda text, calls: {"role": "assistant", "content": text, "tool_calls": calls},
        TEXTS,
        st.lists(
            st.builds(
                lambda i, tool, arguments: call(arguments, tool, i),
                IDS,
                TOOLS,
                st.dictionaries(PARAMETERS, VALUES, max_size=4),
            ),
            max_size=3,
        ),
    ),
)
RUNS = st.lists(MESSAGES, max_size=7)


def _turned(value: Any) -> Any:
    """The same JSON with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: _turned(child) for key, child in reversed(value.items())}
    return [_turned(child) for child in value] if isinstance(value, list) else value


def _changed(trace: Trace, rename: bool, turn: bool) -> Trace:
    def changed(one: ProposedCall) -> ProposedCall:
        arguments = _turned(one.arguments) if turn else one.arguments
        return ProposedCall(f"renamed {one.id}" if rename else one.id, one.tool, arguments, one.problem)

    messages = tuple(
        Message(
            m.role,
            m.content,
            tuple(map(changed, m.calls)),
            f"renamed {m.call_id}" if rename and m.call_id is not None else m.call_id,
            m.tool,
            m.unread,
        )
        for m in trace.messages
    )
    return Trace(trace.id, messages, trace.tools)


@settings(max_examples=150)
@given(RUNS)
def test_any_run_at_all_has_one_verdict_per_call_and_the_same_each_time(
    auditor: Auditor, run: list[dict[str, Any]]
) -> None:
    trace = read_trace({"id": "t", "messages": run})
    verdict = auditor.audit(trace)
    assert auditor.audit(trace) == verdict
    assert [c.call_id for c in verdict.calls] == [c.id for m in trace.messages for c in m.calls]
    assert verdict.energy == max((c.energy for c in verdict.calls), default=0.0)
    assert TraceVerdict.model_validate_json(verdict.model_dump_json()) == verdict
    for one in verdict.calls:
        assert one.decision != "allow" or one.energy < 2.0


@settings(max_examples=100)
@given(RUNS)
def test_renaming_all_calls_changes_no_verdict(auditor: Auditor, run: list[dict[str, Any]]) -> None:
    trace = read_trace({"id": "t", "messages": run})
    plain, renamed = auditor.audit(trace), auditor.audit(_changed(trace, rename=True, turn=False))
    assert [c.model_copy(update={"call_id": ""}) for c in plain.calls] == [
        c.model_copy(update={"call_id": ""}) for c in renamed.calls
    ]


@settings(max_examples=100)
@given(RUNS)
def test_the_order_of_argument_keys_changes_no_verdict(auditor: Auditor, run: list[dict[str, Any]]) -> None:
    trace = read_trace({"id": "t", "messages": run})
    plain, turned = auditor.audit(trace), auditor.audit(_changed(trace, rename=False, turn=True))
    for one, other in zip(plain.calls, turned.calls, strict=True):
        assert other.decision == one.decision
        assert other.terms == pytest.approx(one.terms, abs=1e-3)


@given(RUNS)
def test_a_run_cut_short_keeps_the_verdicts_it_had(auditor: Auditor, run: list[dict[str, Any]]) -> None:
    trace = read_trace({"id": "t", "messages": run})
    whole = auditor.audit(trace).calls
    for end in range(len(trace.messages)):
        part = auditor.audit(Trace(trace.id, trace.messages[:end])).calls
        assert part == whole[: len(part)]
