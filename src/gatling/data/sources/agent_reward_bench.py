"""McGill-NLP/agent-reward-bench: runs of web agents, one file each, pages and actions step by step.

The 1,408 annotations of the same repository name a run and judge it; they hold no text and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from gatling.data.sources.columns import Tools, objects, parameters_of, text_of
from gatling.data.sources.conversation import Conversation
from gatling.data.sources.source import Columns, Material, Source, Unlabelled
from gatling.data.sources.syntax import written_calls
from gatling.plan import JSON

_ACTIONS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "click": ("Click an element of the page.", ("bid", "button", "modifiers")),
    "dblclick": ("Double-click an element of the page.", ("bid", "button", "modifiers")),
    "hover": ("Hover over an element of the page.", ("bid",)),
    "focus": ("Focus an element of the page.", ("bid",)),
    "fill": ("Fill a field of the page with a text.", ("bid", "value")),
    "clear": ("Clear a field of the page.", ("bid",)),
    "press": ("Press keys in an element of the page.", ("bid", "key_comb")),
    "select_option": ("Select options in a field of the page.", ("bid", "options")),
    "drag_and_drop": ("Drag an element of the page onto another.", ("from_bid", "to_bid")),
    "upload_file": ("Upload a file to the page.", ("bid", "file")),
    "scroll": ("Scroll the page.", ("delta_x", "delta_y")),
    "goto": ("Open a web page.", ("url",)),
    "go_back": ("Go back to the page before.", ()),
    "go_forward": ("Go forward to the next page.", ()),
    "new_tab": ("Open a new tab.", ()),
    "tab_close": ("Close the tab.", ()),
    "tab_focus": ("Switch to another tab.", ("index",)),
    "noop": ("Wait.", ("wait_ms",)),
    "send_msg_to_user": ("Answer the user.", ("text",)),
    "report_infeasible": ("Tell the user that it cannot be done.", ("reason",)),
}


def _schema(name: str, description: str, parameters: tuple[str, ...]) -> Mapping[str, Any]:
    properties: dict[str, JSON] = {parameter: {} for parameter in parameters}
    return {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties},
    }


_TOOLS: Final[Tools] = tuple(_schema(name, *action) for name, action in _ACTIONS.items())
_PARAMETERS: Final = parameters_of(_TOOLS)


class AgentRewardBench(Source):
    """What agents did in a browser, and the pages that they saw."""

    name = "agent_reward_bench"
    repo = "McGill-NLP/agent-reward-bench"
    files = ("cleaned/**/*.json",)
    licence = "unknown"
    role = "benign"
    columns: ClassVar[Columns] = {"goal": "any", "steps": "list"}
    labels = frozenset({"summary_info"})
    meaning = "No label of attacks: summary_info and the annotations say whether a run reached its goal."
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    form = "calls"
    note = (
        "No licence found. A file holds a whole run and may be large: take few. Actions are BrowserGym's; "
        "their schemas are not in the data, and are ours."
    )

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The run: what a step shows is what the action before it led to."""
        talk = Conversation()
        talk.say("user", _goal(row.get("goal")))
        acted = False
        for place, step in objects(row.get("steps"), "steps"):
            page = _page(step, place)
            if acted:
                talk.output(page)
            else:
                talk.other("browser", page)
            talk.say("assistant", text_of(step.get("reasoning"), f"{place}.reasoning"))
            calls, rest = written_calls(text_of(step.get("action"), f"{place}.action"))
            for call in calls:
                talk.call_written(call, _PARAMETERS)
            talk.say("assistant", rest)
            acted = bool(calls)
        yield from talk.materials(_TOOLS, "goal")


def _goal(goal: object) -> str:
    """A text, or parts of which some hold text."""
    if not isinstance(goal, list):
        return text_of(goal, "goal")
    parts = [text_of(part.get("text"), f"{place}.text") for place, part in objects(goal, "goal")]
    return "\n".join(part for part in parts if part)


def _page(step: Mapping[str, Any], place: str) -> JSON:
    fields = {"url": "url", "error": "last_action_error", "page": "axtree_pruned"}
    shown = {name: text_of(step.get(column), f"{place}.{column}") for name, column in fields.items()}
    return {name: text for name, text in shown.items() if text}
