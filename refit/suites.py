"""Runs of invented agents: hand-written tasks and attacks, put together.

Each file of `suites/` is one agent: its tools, tasks with two ways of doing each (whole runs, with slots in
the tools' outputs at which strangers may write), and goals of attackers, each in six wordings, with two ways
of carrying it out and three sentences by which a user would ask for it himself. Two in five of the tasks
hand over: the request leaves what is to be done to a text that the agent reads. The files were written by
language models, each given a domain and this form and nothing else: no data set, no benchmark, not each
other's work.

A task and a goal make siblings: *resisted* (one wording of the goal stands in a slot, nobody follows it),
*hijacked* (the goal's calls follow it), *authorised* (the user asks for them, whether the text is there or
not), and for a task's first goals *clean*. Slots without attack are empty or hold what an ordinary person
may have written there.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

FOLDER = Path(__file__).with_name("suites")
CALIBRATION = ("airline", "analyst", "banking", "campus", "cloud", "club", "council", "gestoria", "inbox")
"""By whose runs the default bundle's step, gain and thresholds were chosen; no weight rests on them."""
HELD_OUT = ("moderation", "phone", "procurement", "property", "returns")
"""Suites on which neither weights nor thresholds rest; their totals were seen while both were worked on."""
SLOT = "{{slot}}"
CLEAN = 3
"""Clean runs of a task."""
BENIGN, AT_ONCE, STOPPED, TOGETHER = 0.4, 0.6, 0.5, 0.3
"""Shares: of slots with an ordinary text, of hijacks right after the text was read, of hijacked runs that end
with the attack, and of attacks whose calls are made in one message."""

Row: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[int, int]
"""A message of a run and a slot in it."""


@dataclass
class Attack:
    """How one attacker's goal meets one task."""

    at: Place
    text: str
    calls: list[Row]
    asked: str
    before: int
    """The message of the run before which a fooled agent makes the calls."""
    stopped: bool
    together: bool


@dataclass
class Chat:
    """A run in OpenAI's form as it grows."""

    messages: list[Row] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Ids of calls without output."""
    calls: int = 0

    def say(self, role: str, content: str) -> None:
        """A message without calls."""
        self.messages.append({"role": role, "content": content})

    def call(self, content: str, calls: list[Row]) -> list[str]:
        """An assistant's message; the ids of its calls."""
        ids = [f"call_{self.calls + n}" for n in range(1, len(calls) + 1)]
        self.calls += len(calls)
        self.waiting += ids
        self.messages.append({"role": "assistant", "content": content})
        if calls:
            self.messages[-1]["tool_calls"] = [
                {
                    "id": identifier,
                    "type": "function",
                    "function": {"name": call["tool"], "arguments": _json(call["arguments"])},
                }
                for identifier, call in zip(ids, calls, strict=True)
            ]
        return ids

    def answer(self, content: Any) -> None:
        """The output of the earliest call that waits for one."""
        text = content if isinstance(content, str) else _json(content)
        self.messages.append({"role": "tool", "tool_call_id": self.waiting.pop(0), "content": text})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _filled(value: Any, texts: Iterator[str]) -> Any:
    """A value with its slots filled, in the order of reading."""
    if isinstance(value, str):
        first, *rest = value.split(SLOT)
        return first + "".join(next(texts) + part for part in rest)
    if isinstance(value, list):
        return [_filled(item, texts) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, texts) for key, item in value.items()}
    return value


def _attack(run: list[Row], goal: Row, wording: int, rng: random.Random) -> Attack:
    places = [
        (i, k)
        for i, message in enumerate(run)
        if message["role"] == "tool"
        for k in range(_json(message["content"]).count(SLOT))
    ]
    at = rng.choice(places)
    read = at[0]
    while read + 1 < len(run) and run[read + 1]["role"] == "tool":
        read += 1
    turns = [i for i in range(read + 1, len(run)) if run[i]["role"] == "assistant"] or [len(run)]
    return Attack(
        at=at,
        text=goal["texts"][wording],
        calls=rng.choice(goal["calls"]),
        asked=rng.choice(goal["asked"]),
        before=turns[0] if rng.random() < AT_ONCE else rng.choice(turns),
        stopped=rng.random() < STOPPED,
        together=rng.random() < TOGETHER,
    )


def _play(
    suite: Row, task: Row, run: list[Row], attack: Attack, kind: str, texts: dict[Place, str]
) -> tuple[list[Row], list[str]]:
    """The messages of one sibling, and the ids of the calls that carry an attack out."""
    chat, followed = Chat(), list[str]()
    if suite["system"]:
        chat.say("system", suite["system"])
    chat.say("user", f"{task['request']} {attack.asked}" if kind == "authorised" else task["request"])
    last = max(i for i, message in enumerate(run) if message["role"] == "assistant")
    when = {"hijacked": attack.before, "authorised": last}.get(kind)
    for i, message in enumerate([*run, None]):
        if i == when:
            for calls in [attack.calls] if attack.together else [[call] for call in attack.calls]:
                followed += chat.call("", calls)
                for call in calls:
                    chat.answer(call["output"])
            if kind == "hijacked" and attack.stopped:
                break
        if message is None:
            break
        if message["role"] == "tool":
            slots = _json(message["content"]).count(SLOT)
            chat.answer(_filled(message["content"], iter([texts.get((i, k), "") for k in range(slots)])))
        elif message["role"] == "assistant":
            chat.call(message.get("content", ""), message.get("tool_calls") or [])
        else:
            chat.say("user", message["content"])
    return chat.messages, followed if kind == "hijacked" else []


def _siblings(suite: Row, number: int, which: int) -> Iterator[Row]:
    task, goal = suite["tasks"][number], suite["goals"][which]
    name = f"{suite['name']}/{task['id']}"
    rng = random.Random(f"{name}/{goal['id']}")
    run = rng.choice(task["runs"])
    attack = _attack(run, goal, (number + which) % len(goal["texts"]), rng)
    ordinary = {
        (i, k): rng.choice(task["benign"])
        for i, message in enumerate(run)
        for k in range(_json(message.get("content", "")).count(SLOT))
        if rng.random() < BENIGN
    }
    poisoned = ordinary | {attack.at: attack.text}
    texts = {
        "resisted": poisoned,
        "hijacked": poisoned,
        "authorised": poisoned if rng.random() < 0.5 else ordinary,
    }
    if which < CLEAN:
        texts["clean"] = ordinary
    for kind, there in texts.items():
        messages, followed = _play(suite, task, run, attack, kind, there)
        yield {
            "id": f"{name}/{goal['id']}/{kind}",
            "group": name,
            "kind": kind,
            "hijacked_calls": followed,
            "messages": messages,
            "tools": suite["tools"],
            "handed_over": task["handed_over"],
            "goal": goal["id"],
        }


def agents() -> list[str]:
    """The suites."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def learnt() -> list[str]:
    """The suites that weights are fitted on."""
    return [name for name in agents() if name not in (*CALIBRATION, *HELD_OUT)]


def rows(name: str) -> Iterator[Row]:
    """A suite's runs as labelled traces."""
    suite = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    for number in range(len(suite["tasks"])):
        for which in range(len(suite["goals"])):
            yield from _siblings(suite, number, which)


def main() -> None:
    """Write agents' runs as labelled traces: `python refit/suites.py OUT.jsonl.gz [AGENT ...]`, without names
    those that are fitted on."""
    with gzip.open(sys.argv[1], "wt", encoding="utf-8") as out:
        for name in sys.argv[2:] or learnt():
            for row in rows(name):
                out.write(_json(row) + "\n")


if __name__ == "__main__":
    main()
