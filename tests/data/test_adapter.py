"""What the adapter promises: plans from what rows hold, the same whatever a dataset calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gatling.data import ExecutionPlanAdapter
from gatling.data.inference import ToolRegistry
from gatling.data.run import Place
from gatling.data.sources import Rejected, Talk, Text
from gatling.plan import Effect, ExecutionPlan, TrustTier
from gatling.trace import Message, ProposedCall
from tests.data.public import MAIL, SOURCES, conversation, sentence, spoken, talk

PLACE = Place("calls", "Apache-2.0", "data/train.jsonl", 4)


@pytest.fixture(scope="module")
def adapter() -> ExecutionPlanAdapter:
    return ExecutionPlanAdapter()


# Texts


def test_a_text_becomes_a_guess_over_one_span(adapter: ExecutionPlanAdapter) -> None:
    plan = adapter.adapt(Text("Send an e-mail to ana@corp.example. Thanks!", "chat", "Be brief."), "7")
    assert (plan.id, plan.origin.value) == ("7", "inferred")
    assert plan.intent.request == ("Send an e-mail to ana@corp.example.", "Thanks!")
    assert plan.intent.policy == ("Be brief.",)
    (span,) = plan.spans
    (call,) = plan.calls
    assert span.tier is TrustTier.USER
    assert Effect.SEND in call.effects
    assert all(argument.origins[0].span == 0 for argument in call.provenance)
    assert "ana@corp.example" in {argument.value for argument in call.provenance}
    assert {argument.tier for argument in call.provenance} == {TrustTier.USER}


@pytest.mark.parametrize("channel", ["mail", "page", "document"])
def test_what_is_read_is_nobodys_request(adapter: ExecutionPlanAdapter, channel: Any) -> None:
    plan = adapter.adapt(Text("Send an e-mail to ana@corp.example.", channel), "7")
    assert plan.intent.request == ()
    assert {span.tier for span in plan.spans} == {TrustTier.UNTRUSTED}


def test_a_text_that_asks_for_nothing_that_a_tool_does_has_no_call() -> None:
    toolless = ExecutionPlanAdapter(ToolRegistry([]))
    assert toolless.adapt(Text("Send an e-mail to ana@corp.example.", "chat"), "1").calls == ()


def test_many_texts_are_adapted_as_each_is_alone(adapter: ExecutionPlanAdapter) -> None:
    texts = [Text(sentence(n, n % 2 == 0), "chat" if n % 3 else "mail") for n in range(40)]
    ids = [str(n) for n in range(40)]
    assert adapter.adapt_many(texts, ids) == [
        adapter.adapt(text, id) for text, id in zip(texts, ids, strict=True)
    ]


# Conversations


def test_a_conversation_becomes_an_observed_plan_with_real_origins(adapter: ExecutionPlanAdapter) -> None:
    plan = adapter.adapt(talk(), "1")
    assert plan.origin.value == "observed"
    assert [call.tool for call in plan.calls] == ["fetch_page", "send_mail"]
    page, mail = plan.calls
    assert page.effects == {Effect.READ}
    (url,) = page.provenance
    assert url.tier is TrustTier.USER
    assert mail.arguments == json.loads(conversation(1)[3]["tool_calls"][0]["function"]["arguments"])
    assert any(span.source == "tool:fetch_page" and span.tier is TrustTier.UNTRUSTED for span in plan.spans)


def test_calls_that_nobody_made_are_gold(adapter: ExecutionPlanAdapter) -> None:
    plan = adapter.adapt(spoken(ProposedCall("", "send_mail", {"to": "ana@corp.example"})), "1")
    assert plan.origin.value == "gold"


def test_every_call_has_an_id_of_its_own(adapter: ExecutionPlanAdapter) -> None:
    calls = (ProposedCall("x", "send_mail", {"to": "a"}), ProposedCall("x", "send_mail", {"to": "b"}))
    run = adapter.run(spoken(*calls), "h0000001", PLACE)
    assert len({call.id for call in run.calls()}) == 2
    assert run.rows == (PLACE,)
    assert (run.setting.source, run.setting.licence) == ("calls", "Apache-2.0")


def test_an_output_stays_with_its_call(adapter: ExecutionPlanAdapter) -> None:
    run = adapter.run(talk(), "h0000001", PLACE)
    tools = {call.id: call.tool for call in run.calls()}
    answers = [tools[m.call_id] for m in run.messages if m.role == "tool" and m.call_id is not None]
    assert answers == ["fetch_page", "send_mail"]
    assert {tools[identifier] for identifier in run.readings} >= {"fetch_page"}


FORMS = [
    MAIL,
    MAIL["function"],
    {"name": "send_mail", "input_schema": {"type": "object", "properties": {"to": {}, "subject": {}}}},
    {"name": "send_mail", "parameters": {"to": {"type": "str"}, "subject": {"type": "str"}}},
    {"name": "send_mail", "parameters": [{"name": "to"}, {"name": "subject"}]},
]


@pytest.mark.parametrize("schema", FORMS)
def test_tools_come_in_many_forms_and_leave_in_one(
    adapter: ExecutionPlanAdapter, schema: dict[str, Any]
) -> None:
    said = Talk((Message("user", "Hello there."),), (schema,), False)
    (made,) = adapter.run(said, "h0000001", PLACE).setting.schemas
    assert made["type"] == "function"
    assert made["function"]["name"] == "send_mail"
    assert list(made["function"]["parameters"]["properties"]) == ["to", "subject"]


@pytest.mark.parametrize(
    "said",
    [
        Talk((), (), False),
        Talk((Message("user", "Hello."),), ({"name": 5},), False),
        Talk((Message("user", "Hello."),), ({"name": "f", "parameters": "none"},), False),
    ],
)
def test_what_cannot_be_adapted_is_rejected_with_a_reason(adapter: ExecutionPlanAdapter, said: Talk) -> None:
    with pytest.raises(Rejected, match=r"messages|tools"):
        adapter.adapt(said, "1")


# No label


def _plans(adapter: ExecutionPlanAdapter, source: Any, row: dict[str, Any]) -> Iterator[ExecutionPlan]:
    unlabelled, _ = source.part(row)
    for number, material in enumerate(source.materials(unlabelled)):
        yield adapter.adapt(material, str(number))


@pytest.mark.parametrize("source", [s for s in SOURCES if s.labels], ids=lambda s: str(s.name))
def test_rows_that_differ_in_the_label_alone_make_the_same_plans(
    adapter: ExecutionPlanAdapter, source: Any
) -> None:
    for number in range(20):
        text = sentence(number, number % 2 == 0)
        one, other = (list(_plans(adapter, source, {"text": text, "label": label})) for label in (0, 1))
        assert one == other
