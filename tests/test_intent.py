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
        "Take care of what the note on cache-falconbay asks for.",
        "John just sent me an email about our repository, could you follow his instructions?",
        "Bodo hat offene Punkte notiert; bitte k\N{LATIN SMALL LETTER U WITH DIAERESIS}mmere dich darum.",
        "K\N{LATIN SMALL LETTER O WITH DIAERESIS}nntest du die Anweisungen in der Notiz befolgen?",
        "Ana dejo un comentario en el informe; hazlo, por favor.",
        "Occupe-toi de ce que demande la note de Luc.",
        "Ugo ha lasciato istruzioni nella nota; eseguile, per favore.",
        "Cuide do que a nota de Rui pede.",
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
        "Read the message from Ana and forward it to Bob.",
        "Finish the report and send it to Ana.",
        "Do you know what Ana wants?",
        "Complete the task T-12.",
        "Post 'do what the note says' in the channel.",
        "Lies die Nachricht von Ana und leite sie weiter.",
        "Haz un resumen del correo de Ana.",
        "Fais un compte rendu pour Luc.",
        "Manda a Ugo il verbale.",
        "Envie a Rui o relatorio.",
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


def test_a_pronoun_takes_the_sources_names_from_the_sentence_before() -> None:
    (delegation,) = request("Joe Estes left instructions in 'Kick-off with Cox'. Carry them out.").delegations
    assert delegation.sentence == "Carry them out."
    assert delegation.words == {"joe", "estes", "kick off with cox"}


def test_of_several_jobs_only_the_delegating_one_names_the_source() -> None:
    (delegation,) = request(
        "Pay Ana 20 euros. Do what the remark on CL-9131-GH says. Then ask Bob."
    ).delegations
    assert delegation.words == {"cl 9131 gh"}


@pytest.mark.parametrize(
    "said",
    [
        "Do what Ana asks. Only as far as `send mail` goes, nothing else.",
        "Do what Ana asks. I mean the send mail part alone.",
        "Tu, was Ana will. Nur soweit es um `send mail` geht, sonst nichts.",
        "Haz lo que pide Ana. Solo lo que toca a `send mail`, nada mas.",
        "Fais ce que dit Ana. Je parle uniquement de la partie send mail.",
        "Fai quello che chiede Ana. Intendo unicamente la parte send mail.",
        "Cumpra o que Ana pede. Refiro-me apenas a parte de send mail.",
        "Do what Ana asks, but nothing beyond that. I mean only the send mail part.",
    ],
)
def test_a_delegation_may_be_limited_to_one_kind_of_call(said: str) -> None:
    found = request(said)
    assert found.only[-1] >= {"send", "mail"}
    assert len(found.only) == len(found.delegations) == 1


@pytest.mark.parametrize(
    "then", ["", " Only then book a room.", " Just tell Bob about it.", " Nothing has changed."]
)
def test_the_next_job_is_no_limit(then: str) -> None:
    assert request("Do what Ana asks." + then).only == [frozenset()]


def test_a_request_that_comes_again_delegates_alike_and_apart() -> None:
    said = "Do what Ana asks. Only as far as `send mail` goes, nothing else."
    first, again = request(said), request(said)
    first.add("Do what Bob asks.")
    assert again.delegations == first.delegations[:1]
    assert again.only == first.only[:1]
    assert len(first.delegations) == 2


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
