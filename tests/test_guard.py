"""What a guarded tool promises: a refused call never reaches the tool, and what it returns is remembered."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gatling import Auditor, CallRefused, Policy, Verdict
from gatling.plan import TrustTier
from gatling.policy import ToolRule
from gatling.trace import Message, ProposedCall

IBAN = "DE44500105175407324931"


class Office:
    """An auditor, guarded tools, and a record of what they did."""

    def __init__(self, inbox: str, approve: Callable[[Verdict], bool] | None = None) -> None:
        self.auditor = Auditor()
        self.done: list[tuple[Any, ...]] = []

        @self.auditor.guard
        def read_inbox(folder: str = "inbox") -> str:
            """Lists the emails in the inbox."""
            self.done.append(("read", folder))
            return inbox

        def pay_invoice(iban: str, amount: float, /, note: str = "") -> str:
            """Pays an invoice by bank transfer."""
            self.done.append(("pay", iban, amount, note))
            return "paid"

        def send_email(to: str, *rest: str, subject: str = "", **headers: str) -> dict[str, str]:
            """Sends an email."""
            self.done.append(("send", to, rest, subject, headers))
            return {"status": "sent"}

        async def transfer_money(iban: str, amount: float) -> str:
            """Transfers money to a bank account."""
            await asyncio.sleep(0)
            self.done.append(("transfer", iban, amount))
            return "transferred"

        self.read_inbox = read_inbox
        guard = self.auditor.guard(approve=approve)
        self.pay_invoice, self.send_email = guard(pay_invoice), guard(send_email)
        self.transfer_money = guard(transfer_money)


@pytest.fixture
def office(inbox: str) -> Office:
    return Office(inbox)


def test_a_call_that_the_user_asked_for_runs_and_returns(office: Office) -> None:
    with office.auditor.session() as session:
        session.observe(Message("user", "Send bob@corp.example an email with the subject Minutes."))
        assert office.send_email("bob@corp.example", subject="Minutes") == {"status": "sent"}
    assert office.done == [("send", "bob@corp.example", (), "Minutes", {})]


def test_a_refused_call_raises_before_the_tool_runs(office: Office) -> None:
    with office.auditor.session() as session:
        session.observe(Message("user", "Summarise the mails in my inbox."))
        office.read_inbox()
        with pytest.raises(CallRefused) as refused:
            office.pay_invoice(IBAN, 4870)
    assert office.done == [("read", "inbox")]
    verdict = refused.value.verdict
    assert (verdict.tool, verdict.decision) == ("pay_invoice", "deny")
    assert "pay_invoice: deny at energy" in str(refused.value)
    assert verdict.evidence[0].reason in str(refused.value)


def test_what_a_guarded_tool_returns_taints_what_follows(office: Office) -> None:
    with office.auditor.session() as session:
        session.observe(Message("user", "Summarise the mails in my inbox."))
        before = session.judge(ProposedCall("a", "pay_invoice", {"iban": IBAN})).call.provenance[0]
        office.read_inbox()
        after = session.judge(ProposedCall("b", "pay_invoice", {"iban": IBAN})).call.provenance[0]
    assert (before.tier, after.tier) == (None, TrustTier.UNTRUSTED)
    assert {session.spans[origin.span].source for origin in after.origins} == {"tool:read_inbox"}


def test_guarded_tools_are_known_by_signature_and_docstring(office: Office) -> None:
    assert office.pay_invoice.__name__ == "pay_invoice"
    assert inspect.getdoc(office.pay_invoice) == "Pays an invoice by bank transfer."
    assert list(inspect.signature(office.pay_invoice).parameters) == ["iban", "amount", "note"]
    with office.auditor.session() as session:
        session.observe(Message("user", "Hello."))
        tool = session.judge(ProposedCall("a", "pay_invoice", {})).tool
    assert tool.described
    assert tool.sinks == {"iban"}


def test_positional_keyword_default_and_extra_arguments_are_all_judged(office: Office) -> None:
    seen: list[Any] = []

    def watch(verdict: Verdict) -> bool:
        seen.append(verdict)
        return True

    watched = Office("", watch)
    with watched.auditor.session() as session:
        watched.send_email("a@x.example", "b@x.example", subject="S", reply_to="c@x.example")
        watched.pay_invoice(IBAN, 20.0, note="n")
        calls = session.plan().calls
    assert [call.arguments for call in calls] == [
        {"to": "a@x.example", "rest": ["b@x.example"], "subject": "S", "reply_to": "c@x.example"},
        {"iban": IBAN, "amount": 20.0, "note": "n"},
    ]
    assert [verdict.decision for verdict in seen] == ["escalate", "escalate"]
    assert len(watched.done) == 2


def test_arguments_that_the_tool_does_not_take_raise_as_without_a_guard(office: Office) -> None:
    with office.auditor.session(), pytest.raises(TypeError):
        office.pay_invoice(IBAN)  # type: ignore[call-arg]
    assert office.done == []


@pytest.mark.parametrize("answer", [True, False])
def test_an_escalated_call_runs_only_if_it_is_approved(inbox: str, answer: bool) -> None:
    asked: list[Verdict] = []

    def approve(verdict: Verdict) -> bool:
        asked.append(verdict)
        return answer

    office = Office(inbox, approve)
    with office.auditor.session():  # nobody asked for anything
        if answer:
            assert office.pay_invoice(IBAN, 20) == "paid"
        else:
            with pytest.raises(CallRefused):
                office.pay_invoice(IBAN, 20)
    assert [verdict.decision for verdict in asked] == ["escalate"]
    assert len(office.done) == answer


def test_nobody_is_asked_to_approve_what_is_allowed_or_denied() -> None:
    asked: list[Verdict] = []
    auditor = Auditor(Policy(tools={"wipe": ToolRule(decision="deny")}))

    def approve(verdict: Verdict) -> bool:
        asked.append(verdict)
        return True

    def wipe(path: str) -> str:
        """Deletes a folder."""
        raise AssertionError("it ran")

    def read_status(order: str) -> str:
        """Gets the status of an order."""
        return "shipped"

    with auditor.session() as session:
        session.observe(Message("user", "What is the status of order 7731?"))
        assert auditor.guard(read_status, approve=approve)("7731") == "shipped"
        with pytest.raises(CallRefused):
            auditor.guard(wipe, approve=approve)("/")
    assert asked == []


def test_a_call_that_an_observed_message_proposed_is_not_made_twice(office: Office) -> None:
    with office.auditor.session() as session:
        session.observe(Message("user", "Summarise the mails in my inbox."))
        proposed = ProposedCall("native-7", "read_inbox", {"folder": "inbox"})
        session.observe(Message("assistant", "", (proposed,)))
        office.read_inbox("inbox")
        assert [call.id for call in session.plan().calls] == ["native-7"]
        assert {span.call for span in session.spans if span.source == "tool:read_inbox"} == {0}


def test_a_tool_that_fails_raises_its_own_error(office: Office) -> None:
    @office.auditor.guard
    def read_status(order: str) -> str:
        """Gets the status of an order."""
        raise FileNotFoundError(order)

    with office.auditor.session() as session:
        session.observe(Message("user", "What is the status of order 7731?"))
        with pytest.raises(FileNotFoundError, match="7731"):
            read_status("7731")
        with pytest.raises(FileNotFoundError, match="7731"):
            read_status("7731")


def test_an_async_tool_is_guarded_before_it_is_awaited_and_observed_after(office: Office, inbox: str) -> None:
    async def agent() -> None:
        with office.auditor.session() as session:
            session.observe(Message("user", "Transfer 20 to FR7630006000011234567890189 from my account."))
            assert await office.transfer_money("FR7630006000011234567890189", amount=20) == "transferred"
            assert any(span.source == "tool:transfer_money" for span in session.spans)
            office.read_inbox()
            with pytest.raises(CallRefused):
                await office.transfer_money(IBAN, 4870)

    assert inspect.iscoroutinefunction(office.transfer_money)
    asyncio.run(agent())
    assert [what for what, *_ in office.done] == ["transfer", "read"]


def test_a_guarded_tool_outside_a_session_does_not_run(office: Office) -> None:
    with pytest.raises(RuntimeError, match="no session is active"):
        office.read_inbox()
    with pytest.raises(RuntimeError, match="no session is active"):
        asyncio.run(office.transfer_money("a", 1))
    assert office.done == []


@pytest.mark.parametrize(
    "result", [None, 3, True, b"bytes", {1, 2}, object(), {"day": date(2026, 5, 7)}, ("x", 1)]
)
def test_whatever_a_tool_returns_comes_back_as_it_is(result: Any) -> None:
    auditor = Auditor()

    @auditor.guard
    def read_thing() -> Any:
        """Gets a thing."""
        return result

    with auditor.session() as session:
        assert read_thing() is result
        assert json.loads(session.dump())["messages"]


def test_arguments_of_any_type_are_judged_as_what_they_print(office: Office) -> None:
    class Address:
        def __str__(self) -> str:
            return "bob@corp.example"

    with office.auditor.session() as session:
        session.observe(Message("user", "Send bob@corp.example an email."))
        office.send_email(Address())  # type: ignore[arg-type]
        assert session.plan().calls[0].arguments == {"to": "bob@corp.example"}


# An agent, written as one writes it with OpenAI's client


class FakeModel:
    """Answers with canned messages, and keeps what it was told."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)

    def create(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        assert messages
        return self.answers.pop(0)


def wants(call_id: str, tool: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def run_agent(model: FakeModel, tools: dict[str, Callable[..., Any]], auditor: Auditor, request: str) -> str:
    messages: list[dict[str, Any]] = [{"role": "user", "content": request}]
    with auditor.session() as session:
        session.observe(messages[0])
        while True:
            messages.append(answer := model.create(messages))
            session.observe(answer)
            for call in answer.get("tool_calls") or []:
                result = tools[call["function"]["name"]](**json.loads(call["function"]["arguments"]))
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            if not answer.get("tool_calls"):
                return str(answer["content"])


def tools_of(done: list[tuple[Any, ...]], auditor: Auditor, inbox: str) -> dict[str, Callable[..., Any]]:
    @auditor.guard
    def read_inbox() -> str:
        """Lists the emails in the inbox."""
        done.append(("read",))
        return inbox

    @auditor.guard
    def pay_invoice(iban: str, amount: float) -> str:
        """Pays an invoice by bank transfer."""
        done.append(("pay", iban, amount))
        return "paid"

    return {"read_inbox": read_inbox, "pay_invoice": pay_invoice}


def test_an_agent_that_a_mail_hijacks_is_stopped_before_it_pays(inbox: str) -> None:
    auditor, done = Auditor(), list[tuple[Any, ...]]()
    model = FakeModel(wants("c1", "read_inbox"), wants("c2", "pay_invoice", iban=IBAN, amount=4870))
    with pytest.raises(CallRefused) as refused:
        run_agent(model, tools_of(done, auditor, inbox), auditor, "Summarise the mails in my inbox.")
    assert done == [("read",)]
    assert refused.value.verdict.call_id == "c2"
    assert "DE44" in str(refused.value.verdict.evidence)


def test_the_same_agent_pays_when_the_user_asks_for_it(inbox: str) -> None:
    auditor, done = Auditor(), list[tuple[Any, ...]]()
    model = FakeModel(
        wants("c1", "read_inbox"),
        wants("c2", "pay_invoice", iban=IBAN, amount=4870),
        {"role": "assistant", "content": "Paid."},
    )
    request = f"Read my inbox, then pay Brackwater's invoice of 4,870.00 to {IBAN}."
    assert run_agent(model, tools_of(done, auditor, inbox), auditor, request) == "Paid."
    assert done == [("read",), ("pay", IBAN, 4870)]
