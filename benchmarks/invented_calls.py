"""Conversations with calls in the forms of the sources: runs in worlds, and public ones among them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from benchmarks.common import rows
from gatling.data.run import Run
from gatling.data.worlds.conversation import converse, pick_domains, pick_language
from gatling.data.worlds.domain import domains
from gatling.data.worlds.state import ExecutionError
from gatling.data.worlds.world import World

SEED = 7
EACH = 3
"""Runs of a world."""

SINGLE, MULTI = "data/calls/bfcl_single_turn.jsonl.gz", "data/calls/bfcl_multi_turn.jsonl.gz"
EMULATED, DEMO = "data/traces/toolemu.jsonl.gz", "data/hf/glaive_toolcall_en_demo.jsonl.gz"

STEP = 7
"""Of so many emulated runs one is taken by a source: they are of few tasks."""

Row: TypeAlias = dict[str, Any]
Talk: TypeAlias = tuple[Sequence[Mapping[str, Any]], Sequence[Any]]
"""Messages and tools as OpenAI writes them."""


def talks(seed: object) -> Iterator[Run]:
    """Runs in worlds, without end."""
    pool = tuple(domains().values())
    for number in count():
        rng = Random(f"{seed}/talks/{number}")
        try:
            world = World(pick_domains(rng, pool), pick_language(rng), rng)
            for _ in range(EACH):
                yield converse(world, "").run()
        except ExecutionError:
            continue


def openai(run: Run) -> Talk:
    """A run as OpenAI writes it."""
    said = []
    for message in run.messages:
        calls = [
            {"function": {"name": call.tool, "arguments": json.dumps(call.arguments)}}
            for call in message.calls
        ]
        said.append({"role": message.role, "content": message.content, "tool_calls": calls})
    return said, [json.loads(json.dumps(schema, default=dict)) for schema in run.setting.schemas]


def _listed(folder: Path, name: str) -> list[Row]:
    path = folder / name
    return [*rows(path)] if path.is_file() else []


def emulated(folder: Path, first: int) -> list[Talk]:
    """Emulated runs, one in `STEP` from the first on."""
    return [(row["messages"], []) for row in _listed(folder, EMULATED)[first::STEP]]


def referenced(folder: Path) -> list[Talk]:
    """Requests with reference calls, which nobody answered."""
    found: list[Talk] = []
    for row in _listed(folder, SINGLE):
        if row["ground_truth"] and isinstance(row["ground_truth"][0], dict):
            made = [
                {"name": name, "arguments": json.dumps({k: next(iter(v), None) for k, v in given.items()})}
                for call in row["ground_truth"]
                for name, given in call.items()
            ]
            said = [m for turn in row["turns"] for m in turn if m["role"] == "user"]
            answer = {"role": "assistant", "content": None, "tool_calls": [{"function": m} for m in made]}
            found.append(([*said, answer], row["functions"]))
    return found


def _mixed(found: list[Talk], runs: Iterator[Run], number: int) -> list[Talk]:
    """So many: those that were found, and runs in worlds, shuffled."""
    found = [*found[:number], *map(openai, islice(runs, max(0, number - len(found))))]
    Random(SEED).shuffle(found)
    return found


def _called(message: Mapping[str, Any]) -> list[Row]:
    """A message's calls, with their arguments read."""
    found = []
    for call in message.get("tool_calls") or ():
        try:
            arguments = json.loads(call["function"]["arguments"])
        except ValueError:
            arguments = {}
        made = arguments if isinstance(arguments, dict) else {}
        found.append({"name": call["function"]["name"], "arguments": made})
    return found


def _pythonic(calls: Sequence[Row]) -> list[str]:
    return [f"{c['name']}({', '.join(f'{k}={v!r}' for k, v in c['arguments'].items())})" for c in calls]


def parted(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As reason_tool_use writes them."""
    for run in islice(runs, number):
        messages = []
        for message in run.messages:
            parts = [{"type": "text", "value": str(message.content)}] if message.content else []
            if message.role == "assistant" and message.calls:
                parts = [{"type": "reasoning", "value": str(message.content) or "I use a tool."}]
            for call in message.calls:
                written = json.dumps({"name": call.tool, "arguments": call.arguments})
                parts.append({"type": "tool_call", "value": written})
            messages.append({"role": message.role, "content": parts})
        yield {"messages": messages, "tools": json.dumps(run.setting.schemas, default=dict)}


def environments(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As dolci writes them."""
    public = [*emulated(folder, 0), *referenced(folder)][: number // 4]
    for at, (asked, tools) in enumerate(_mixed(public, runs, number)):
        found: list[Row] = []
        if not any(message["role"] == "system" for message in asked):
            asked = [{"role": "system", "content": "You can call functions."}, *asked]
        for message in asked:
            role = "environment" if message["role"] == "tool" else message["role"]
            functions = json.dumps(tools) if role == "system" else None
            said = {"role": role, "content": message["content"], "functions": functions}
            found.append({**said, "function_calls": "\n".join(_pythonic(_called(message))) or None})
        yield {"id": f"d-{at}", "dataset_source": "made up", "messages": found}


def tagged(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As hermes writes them."""
    about = {"task": "made up", "category": "made up", "source": "made up"}
    for asked, tools in _mixed(emulated(folder, 1), runs, number):
        turns: list[dict[str, str]] = []
        for message in asked:
            text = str(message["content"] or "")
            match message["role"]:
                case "assistant":
                    calls = [f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in _called(message)]
                    thought = "<think>\nI look at what is asked.\n</think>"
                    turns.append({"from": "gpt", "value": "\n".join([thought, text, *calls])})
                case "tool" if turns and turns[-1]["from"] == "tool":
                    turns[-1]["value"] += f"\n<tool_response>\n{text}\n</tool_response>"
                case "tool":
                    turns.append({"from": "tool", "value": f"<tool_response>\n{text}\n</tool_response>"})
                case role:
                    turns.append({"from": "human" if role == "user" else "system", "value": text})
        yield {"conversations": turns, "tools": json.dumps(tools), **about, "scenario_category": "multi_step"}


def requests(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As xlam writes them: a request and its calls."""
    for asked, tools in _mixed(referenced(folder), runs, number):
        query = next(str(m["content"]) for m in asked if m["role"] == "user")
        calls = next((made for m in asked if (made := _called(m))), [])
        bodies = [{"name": b["name"], "description": b.get("description") or ""} for b in map(_body, tools)]
        for body, schema in zip(bodies, tools, strict=True):
            parameters = _body(schema).get("parameters") or {}
            body["parameters"] = parameters.get("properties", parameters)
        yield {"query": query, "answers": json.dumps(calls), "tools": json.dumps(bodies)}


def _body(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    body: Mapping[str, Any] = schema.get("function", schema)
    return body


def bracketed(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As ToolACE writes them."""
    begin = "You compose functions. Here is a list of functions in JSON format that you can invoke:\n"
    found: list[Row] = []
    for row in _listed(folder, MULTI):
        turns = []
        for said, calls in zip(row["turns"], row["ground_truth"], strict=True):
            turns += [{"from": "user", "value": message["content"]} for message in said]
            turns += [{"from": "assistant", "value": f"[{', '.join(calls)}]"}] if calls else []
        found.append({"system": "", "conversations": turns})
    for asked, tools in map(openai, islice(runs, max(0, number - len(found)))):
        turns = []
        for message in asked:
            calls = _pythonic(_called(message))
            if calls:
                turns.append({"from": "assistant", "value": f"[{', '.join(calls)}]"})
            elif message["role"] != "system":
                turns.append({"from": message["role"], "value": str(message["content"] or "")})
        system = f"{begin}{json.dumps([dict(_body(tool)) for tool in tools])}.\nPut calls in brackets.\n"
        found.append({"system": system, "conversations": turns})
    Random(SEED).shuffle(found)
    yield from found[:number]


def turned(folder: Path, runs: Iterator[Run], number: int) -> Iterator[Row]:
    """As Glaive writes them."""
    known = _listed(folder, DEMO)[:number]
    yield from known
    for asked, tools in map(openai, islice(runs, number - len(known))):
        turns: list[dict[str, str]] = []
        for message in asked:
            calls = _called(message)
            role = {"user": "human", "assistant": "gpt", "tool": "observation"}.get(message["role"])
            if role and not calls:
                turns.append({"from": role, "value": str(message["content"] or "")})
            turns += [{"from": "function_call", "value": json.dumps(call)} for call in calls]
        yield {"conversations": turns, "tools": json.dumps(tools)}


CALLS: Mapping[str, Callable[[Path, Iterator[Run], int], Iterator[Row]]] = {
    "reason_tool_use": parted,
    "dolci": environments,
    "hermes": tagged,
    "xlam": requests,
    "toolace": bracketed,
    "glaive": turned,
}
"""How each source writes its rows: of so many, from the data folder and from runs in worlds."""
