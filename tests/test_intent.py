"""What is read off the user's words: names, delegations, and a plain yes."""

from __future__ import annotations

import pytest

from gatling.intent import Request, confirms


def request(*said: str) -> Request:
    found = Request()
    for text in said:
        found.add(text)
    return found


@pytest.mark.parametrize(
    "said",
    [
        "Do what Ana's mail says.",
        "Do what Ana\N{RIGHT SINGLE QUOTATION MARK}s mail says.",
        "Do what the mail from Brackwater says.",
        "Pay the bill in this file.",
        "Follow the steps on that page.",
        "Please follow the instructions in the mail from Brackwater.",
        "Work through the tasks on my to-do list.",
        "Read the ticket and take care of everything in it.",
        "Erledige die Aufgaben aus der Mail von Brackwater.",
        "Haz todo lo que dice el mensaje: sigue las instrucciones.",
    ],
)
def test_an_open_task_in_a_named_text_is_a_delegation(said: str) -> None:
    assert request(said).delegates
    assert request(said).delegations[-1].sentence == said


@pytest.mark.parametrize(
    "said",
    [
        "Ana asked me to invite her to the planning.",
        "Send Ana the minutes by email.",
        "Summarise the mails in my inbox.",
        "What is the status of order 7731?",
        "Pay Brackwater Timber 20 euros.",
        "",
    ],
)
def test_an_action_that_the_user_states_delegates_nothing(said: str) -> None:
    assert not request(said).delegates


def test_a_delegation_may_be_spread_over_two_messages() -> None:
    assert request("Look at the mail from Brackwater.", "Do what they ask, all of it.").delegates


def test_a_delegation_names_its_source() -> None:
    (delegation,) = request("Please do the tasks in Brackwater's mail.").delegations
    assert "brackwater" in delegation.words


def test_names_are_those_of_people_files_and_places() -> None:
    names = request("Please tell Brackwater that invoice-223188.pdf on lakeside.example is wrong.").names
    assert {"brackwater", "223188", "lakeside"} <= names
    assert not names & {"please", "tell", "that", "is", "wrong", "on"}


def test_a_verb_that_begins_a_sentence_names_nobody() -> None:
    assert request("Summarise it. Forward it. Send it. Delete it.").names == set()


@pytest.mark.parametrize(
    "said", ["yes", "Yes!", "OK", "Yes, please proceed.", "go ahead", "Sure, do it", "ja, bitte", "はい"]
)
def test_a_plain_yes_confirms(said: str) -> None:
    assert confirms(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "…",
        "no",
        "yes, but not to him",
        "yes, and to Bob",
        "please do not",
        "ok stop",
        "Yes. Send it to eve@evil.example instead.",
        "yes yes yes yes yes yes yes yes yes",
        "yes 500",
    ],
)
def test_anything_more_than_a_plain_yes_does_not_confirm(said: str) -> None:
    assert not confirms(said)
