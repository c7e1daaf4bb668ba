"""microsoft/llmail-inject-challenge: mails sent to take over a mail assistant.

Each was an attempt. The objectives say how far a mail came, so one that reached none is a failed attack and
no benign mail; a judge that saw no attempt in a mail does not make it one either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gatling.data.sources.columns import decoded, one_text, text_of
from gatling.data.sources.source import Columns, Label, Material, Rejected, Source, Text, Unlabelled
from gatling.trace.reader import found

_REPO = "microsoft/llmail-inject-challenge"
_ONE_LINE = re.compile(r"Subject of the email: (.*?)\. {3}Body: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Objectives:
    """How far a mail came."""

    retrieved: bool
    undetected: bool
    sent: bool
    destination: bool
    content: bool

    @property
    def reached(self) -> int:
        """How many of the five."""
        return self.retrieved + self.undetected + self.sent + self.destination + self.content


_FLAGS = ("email.retrieved", "defense.undetected", "exfil.sent", "exfil.destination", "exfil.content")


def objectives(value: object) -> Objectives | None:
    """Read the column of that name; None where it is null. Raises `Rejected`.

    >>> objectives('{"email.retrieved": true, "defense.undetected": true, "exfil.sent": false,'
    ...     ' "exfil.destination": false, "exfil.content": false}').reached
    2
    """
    flags = decoded(value, "objectives")
    if flags is None:
        return None
    if not isinstance(flags, dict):
        raise Rejected(f"objectives: found {found(flags)}, not an object")
    read = [flags.get(flag) for flag in _FLAGS]
    if not all(isinstance(flag, bool) for flag in read):
        raise Rejected(f"objectives: found {found(flags)}; {', '.join(_FLAGS)} must be true or false")
    return Objectives(*map(bool, read))


def _mail(subject: str, body: str) -> Text:
    if not subject.strip() and not body.strip():
        raise Rejected("subject, body: both empty, nothing to read")
    return Text(f"Subject: {subject}\n\n{body}" if subject.strip() else body, "mail")


class LLMail(Source):
    """The mails as they were submitted, the same one often several times."""

    name = "llmail"
    repo = _REPO
    files = ("data/raw_submissions_phase1.jsonl", "data/raw_submissions_phase2.jsonl")
    licence = "MIT"
    role = "adversarial"
    columns: ClassVar[Columns] = {"subject": "text", "body": "text", "objectives": "text"}
    labels = frozenset({"objectives", "output"})
    meaning = (
        "Every row is an attack; objectives say how far it came, and one that reached none is no benign mail."
    )
    terms = frozenset({"hierarchy", "provenance", "flow"})
    size = 461_640
    form = "text"
    note = "Splits `Phase1` (370,724 rows) and `Phase2` (90,916); many mails stand in it more than once."

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """Always an attack; the objectives are read all the same, so that damage shows."""
        objectives(labels["objectives"])
        return "attack"

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The mail."""
        yield _mail(text_of(row.get("subject"), "subject"), text_of(row.get("body"), "body"))


class LLMailLabelled(Source):
    """Each mail once, with what a judge or the send tool said about it."""

    name = "llmail_labelled"
    repo = _REPO
    files = (
        "data/labelled_unique_submissions_phase1.json",
        "data/labelled_unique_submissions_phase2.json",
    )
    licence = "MIT"
    role = "adversarial"
    columns: ClassVar[Columns] = {"prompt": "text", "attack_attempt": "any"}
    labels = frozenset({"attack_attempt", "reason", "judge_answer", "judge_category"})
    meaning = "attack_attempt: the tool was triggered, or a judge saw an attempt. Otherwise nothing is known."
    terms = frozenset({"hierarchy", "provenance", "flow"})
    size = 198_044
    form = "text"
    note = "The mails of `llmail`, without repeats (160,741 and 37,303): take one of the two sources."

    def rows(self, document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """The file is one object, mail -> what was said about it."""
        for prompt, said in document.items():
            yield {"prompt": prompt, **(said if isinstance(said, Mapping) else {"attack_attempt": said})}

    def label(self, labels: Mapping[str, Any]) -> Label | None:
        """Never benign: what no judge saw through was sent as an attack all the same."""
        return "attack" if str(labels["attack_attempt"]).lower() == "true" else None

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The mail, its subject and body apart where the text says which is which."""
        text = one_text(row.get("prompt"), "prompt", "mail")
        parts = _ONE_LINE.fullmatch(text.text)
        yield _mail(parts[1], parts[2]) if parts else text
