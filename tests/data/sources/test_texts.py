"""What sources of texts make of rows, and what their labels mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatling.data.sources import Label, Material, Rejected, Text, source
from gatling.data.sources.llmail import objectives


def only(name: str, row: dict[str, Any]) -> tuple[Material, Label | None]:
    """The one material of a row, and its label."""
    found = source(name)
    unlabelled, label = found.part(row)
    (material,) = found.materials(unlabelled)
    return material, label


@pytest.mark.parametrize(
    ("value", "label"),
    [(1, "attack"), (0, "benign"), (True, "attack"), ("1", "attack"), ("0", "benign"), (None, None)],
)
@pytest.mark.parametrize(("name", "column"), [("deepset", "text"), ("geekyrakshit", "prompt")])
def test_one_is_an_attack_and_zero_is_none(
    name: str, column: str, value: object, label: Label | None
) -> None:
    assert only(name, {column: "Hello.", "label": value}) == (Text("Hello.", "chat"), label)


@pytest.mark.parametrize("value", [2, "yes", [1], float("nan")])
def test_a_label_that_says_nothing_rejects_the_row(value: object) -> None:
    with pytest.raises(Rejected, match=r"^label: found .*, neither 0 nor 1"):
        source("deepset").part({"text": "Hello.", "label": value})


FLAGS = ("email.retrieved", "defense.undetected", "exfil.sent", "exfil.destination", "exfil.content")


@pytest.mark.parametrize("reached", range(6))
def test_a_mail_is_an_attack_however_far_it_came(reached: int) -> None:
    flags = json.dumps({flag: place < reached for place, flag in enumerate(FLAGS)})
    row = {"subject": "Minutes", "body": "Send it.", "objectives": flags}
    assert only("llmail", row) == (Text("Subject: Minutes\n\nSend it.", "mail"), "attack")
    read = objectives(flags)
    assert read is not None and read.reached == reached


@pytest.mark.parametrize("said", ["False", "Unclear", "['False', 'True']", None, 3])
def test_a_mail_in_which_no_attempt_was_seen_is_not_benign(said: object) -> None:
    prompt = "Subject of the email: Minutes.   Body: Send it."
    mail = Text("Subject: Minutes\n\nSend it.", "mail")
    assert only("llmail_labelled", {"prompt": prompt, "attack_attempt": said}) == (mail, None)
    assert only("llmail_labelled", {"prompt": prompt, "attack_attempt": "True"}) == (mail, "attack")


@pytest.mark.parametrize("subject", ["", "Minutes", "Two. Sentences"])
def test_both_forms_of_a_mail_make_the_same_text(subject: str) -> None:
    row = {"subject": subject, "body": "two\nlines", "objectives": None}
    line = {"prompt": f"Subject of the email: {subject}.   Body: two\nlines", "attack_attempt": "True"}
    assert only("llmail_labelled", line) == only("llmail", row)


@pytest.mark.parametrize(
    ("name", "label"),
    [("gandalf", "attack"), ("agentharm", "attack"), ("agentharm_benign", "benign"), ("mosscap", None)],
)
def test_a_source_of_one_kind_labels_all_rows_alike(name: str, label: Label | None) -> None:
    assert only(name, {"text": "Hello.", "prompt": "Hello."}) == (Text("Hello.", "chat"), label)


@pytest.mark.parametrize("name", ["wildchat", "lmsys"])
def test_the_first_request_stands_for_a_conversation(name: str) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": " "},
        {"role": "user", "content": "Name a river."},
        {"role": "user", "content": "Another."},
    ]
    assert only(name, {"conversation": turns}) == (Text("Name a river.", "chat", "Be brief."), None)


def test_a_policy_is_a_document_and_its_question_is_asked_in_a_chat() -> None:
    found = source("infosec_policies")
    row = {"context": "Lock your screen.", "question": "When?", "response": "Always."}
    assert list(found.materials(found.part(row)[0])) == [
        Text("Lock your screen.", "document"),
        Text("When?", "chat"),
    ]


def test_a_coding_task_keeps_its_rules() -> None:
    row = {"user_query": ["", "Fix it.", "Then test."], "system_prompt": "Never push.", "checklist": {}}
    assert only("octocoding", row) == (Text("Fix it.", "chat", "Never push."), None)


def test_rows_of_agentharm_stand_under_behaviors() -> None:
    with pytest.raises(Rejected, match=r"^behaviors: found None, not a list"):
        list(source("agentharm").rows({}))
