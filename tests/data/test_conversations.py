"""What the worlds' runs promise: each holds together, and breaks none of the rules that it states."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest

from gatling.data.groups import hand_over
from gatling.data.mutations.declared import known
from gatling.data.worlds import conversation
from gatling.data.worlds.conversation import (
    A_FEW,
    IDENTITY,
    PRIVATE,
    Conversation,
    Step,
    converse,
    obeyed,
    pick_domains,
    pick_language,
)
from gatling.data.worlds.domain import LANGUAGES, Domain, ToolSpec, domains
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.state import State
from gatling.data.worlds.tasks import Action, Job, bind, delegate, find
from gatling.data.worlds.template import ended, shown
from gatling.data.worlds.world import World, phrasing
from gatling.trace import ProposedCall

ALL = tuple(domains().values())
RUNS = 400


class Told(NamedTuple):
    """A conversation and the texts in it that the user handed over to."""

    conversation: Conversation
    handed: bool

    @property
    def steps(self) -> list[Step]:
        return [step for turn in self.conversation.turns for step in turn.steps]

    @property
    def said(self) -> str:
        return "\n".join(turn.user for turn in self.conversation.turns)


@cache
def told() -> tuple[Told, ...]:
    found = []
    for number in range(RUNS):
        rng = Random(f"told/{number}")
        world = World(pick_domains(rng, ALL), pick_language(rng), rng)
        conversation = converse(world, f"t{number}")
        handed = number % 2 == 0
        if handed:
            hand_over(conversation, limited=number % 4 == 0)
        found.append(Told(conversation, handed))
    return tuple(found)


def _specs(world: World) -> dict[str, tuple[Domain, ToolSpec]]:
    return {
        world.named(tool.name, domain): (domain, tool) for domain in world.domains for tool in domain.tools
    }


def _arguments(step: Step) -> dict[str, Any]:
    assert isinstance(step.call.arguments, dict)
    return step.call.arguments


def _successful(one: Told) -> Iterator[tuple[Step, Domain, ToolSpec]]:
    specs = _specs(one.conversation.world)
    for step in one.steps:
        yield step, *specs[step.call.tool]


def test_no_run_uses_what_the_role_may_not_use_or_passes_a_limit() -> None:
    for one in told():
        setting = one.conversation.world.setting
        for step in one.steps:
            assert step.call.tool not in setting.denied
            for name, value in _arguments(step).items():
                most = setting.limits.get((step.call.tool, name))
                if most is not None and isinstance(value, (int, float)):
                    assert value <= most, f"{step.call.tool}.{name} = {value} > {most}"


def test_a_system_prompt_that_says_what_a_role_may_not_do_says_whose_role_it_is() -> None:
    stated = 0
    for one in told():
        world, system = one.conversation.world, one.conversation.system
        if system and world.role.text:
            stated += 1
            assert world.role.title in system, system
            assert world.user["name"] in system, system
    assert stated > RUNS / 10


def _rules(domain: Domain) -> list[str]:
    return [*domain.rules, *(template.text for template in domain.system)]


FORBIDDING = re.compile(
    r"only (when|if) \{user\.name\} (names|asks|says (which|where))|^only \{user\.name\}"
    r"|\bno order to\b|not (an )?(order|instruction)s?\b|decides? nothing|in the words of \{user"
    r"|only give information|on the word of \{user|from nobody",
    re.I,
)


def test_no_rule_forbids_what_a_user_may_hand_over_to_a_text() -> None:
    for domain in ALL:
        for rule in _rules(domain):
            assert not FORBIDDING.search(rule), f"{domain.name}: {rule}"


def test_a_code_goes_to_the_service_that_sent_it_and_to_nobody_else() -> None:
    confirmed = 0
    for one in told():
        world = one.conversation.world
        if IDENTITY not in world.states:
            continue
        notices = world.states[IDENTITY].tables["notifications"]
        services = {notice["code"]: notice["service"] for notice in notices}
        for step, _, tool in _successful(one):
            for name, value in _arguments(step).items():
                if tool.name == "submit_code" and name == "code" and value in services:
                    confirmed += 1
                    if (
                        "error" not in step.output.lower()
                        and _arguments(step)["service"] in services.values()
                    ):
                        assert _arguments(step)["service"] == services[value]
                else:
                    assert str(value) not in services, f"{tool.name}.{name} carries a code"
    assert confirmed > 10


def test_who_looks_around_sees_a_little_and_nothing_private() -> None:
    seen = 0
    for one in told():
        specs = _specs(one.conversation.world)
        for step in one.conversation._seen:
            _, tool = specs[step.call.tool]
            seen += 1
            assert not tool.acts
            assert tool.sensitivity < PRIVATE, step.call
            for name in (name for name, target in tool.where.items() if target == "limit"):
                assert _arguments(step)[name] <= A_FEW[1], step.call
    assert seen > RUNS / 10


def test_a_slip_in_a_call_that_acts_reaches_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "FAILING", 1.0)
    slips = 0
    for number in range(60):
        rng = Random(f"slips/{number}")
        made = converse(World(pick_domains(rng, ALL), pick_language(rng), rng), "slips")
        specs = _specs(made.world)
        for steps in (turn.steps for turn in made.turns):
            for step, tried in pairwise(steps):
                if step.shown is None and step.call.tool == tried.call.tool:
                    was, now = _arguments(step), _arguments(tried)
                    wrong = [value for name, value in was.items() if value != now[name]]
                    slips += len(wrong)
                    assert not specs[step.call.tool][1].acts or set(wrong) <= {"null", "", "N/A"}, was
    assert slips > 60


def test_a_confirmation_names_the_service_and_is_of_today() -> None:
    seen = 0
    for one in told():
        world, steps = one.conversation.world, one.steps
        titles, specs = {domain.title for domain in world.domains}, _specs(world)
        for asking, listing, submitting in zip(steps, steps[1:], steps[2:], strict=False):
            service = str(_arguments(submitting).get("service", ""))
            if service not in titles or specs[submitting.call.tool][1].name != "submit_code":
                continue
            if specs[asking.call.tool][0].name == IDENTITY:
                continue  # somebody signs in, which is another matter
            seen += 1
            assert service in asking.output
            assert isinstance(listing.shown, list)
            rows = [row for row in listing.shown if row["service"] == service]
            assert any(
                row["received"].startswith(world.today.isoformat())
                and service in row["text"]
                and str(_arguments(submitting)["code"]) in row["text"]
                for row in rows
            )
            times = [row["received"] for row in listing.shown if row["received"] != "just now"]
            assert max(times) == max(row["received"] for row in rows), "not the latest"
    assert seen > 10


def test_it_is_asked_for_in_the_language_of_the_run() -> None:
    for language in LANGUAGES:
        assert all("{finding}" in phrase for phrase in phrasing()[language]["finders"])


def test_a_call_that_failed_differs_from_the_one_that_did_not() -> None:
    failed = 0
    for one in told():
        for before, after in zip(one.steps, one.steps[1:], strict=False):
            # A call that failed printed nothing from the state.
            if not one.handed and before.shown is None and before.call.tool == after.call.tool:
                assert before.call.arguments != after.call.arguments
                failed += 1
    assert failed > 5


def _printed(step: Step) -> list[dict[str, Any]]:
    rows = step.shown if isinstance(step.shown, list) else [step.shown]
    return [row for row in rows if isinstance(row, dict)]


def test_a_record_says_the_same_wherever_it_is_read() -> None:
    twice = 0
    for one in told():
        known: dict[tuple[str, str, str], dict[str, Any]] = {}
        for step, domain, tool in _successful(one):
            table = tool.do.table
            key = next(iter(domain.tables[table].columns))
            if tool.acts:
                # It may have changed the row or others' numbers: what is read now counts.
                known = {where: row for where, row in known.items() if where[0] != domain.name}
                continue
            for row in _printed(step):
                if key not in row:
                    continue
                before = known.setdefault((domain.name, table, str(row[key])), {})
                both = before.keys() & row.keys()
                twice += bool(both - {key}) and before is not row
                different = {column: (before[column], row[column]) for column in both}
                assert all(old == new for old, new in different.values()), different
                before.update(row)
    assert twice > 100


def _contents(state: State) -> dict[str, list[dict[str, Any]]]:
    return {name: copy.deepcopy(state.tables[name]) for name in state.domain.tables}


def test_a_goal_changes_nothing_before_it_is_carried_out() -> None:
    changed = 0
    for number in range(60):
        rng = Random(f"goal/{number}")
        world = World([ALL[number % len(ALL)]], rng.choice(LANGUAGES), rng)
        conversation = Conversation(world, "g")
        (state,) = world.states.values()
        _contents(state)  # fills every table
        sizes = {name: len(rows) for name, rows in state.tables.items()}
        goal = WorldGoals(world).task()
        assert goal is not None
        before = _contents(state)
        # What a task needs may have been added; nothing that it does may show.
        assert all(len(rows) >= sizes[name] for name, rows in before.items())
        made = obeyed(conversation, goal)
        assert [step.call.tool for step in made] == [deed.tool for deed in goal.deeds]
        changed += _contents(state) != before
        kinds = Counter(_specs(world)[deed.tool][1].do.kind for deed in goal.deeds)
        grown = sum(map(len, _contents(state).values())) - sum(map(len, before.values()))
        assert grown == kinds["create"] - kinds["delete"]
    assert changed > 50


def test_what_is_undone_leaves_tables_that_were_filled_meanwhile_as_they_were_filled() -> None:
    for domain in ALL:
        world = World([domain], "en", Random(5))
        state = world.states[domain.name]
        with state.undone() as change:
            for table in domain.tables:
                first = _contents(state)[table]
                state.grow(table)
                for row in state.tables[table]:
                    row[next(iter(row))] = "changed"
                assert state.tables[table] != first
        assert not any("changed" in row.values() for rows in _contents(state).values() for row in rows)
        sizes = {name: len(rows) for name, rows in state.tables.items()}
        change.again()
        for table, rows in state.tables.items():
            assert len(rows) == sizes[table] + 1
            assert all("changed" in row.values() for row in rows)


def test_a_text_is_handed_over_that_nobody_has_read_and_the_agent_did_not_write() -> None:
    read = 0
    for domain in ALL:
        for channel in domain.channels:
            world = World([domain], "en", Random(channel.table))
            state, key = world.states[domain.name], next(iter(domain.tables[channel.table].columns))
            kept = state.tables[channel.table][:2]
            for tool in domain.tools:
                if tool.do.kind == "create" and tool.do.table == channel.table:
                    world.execute(domain, tool, WorldGoals(world).call(domain, tool).deed.arguments)
            for tool in domain.tools:
                readable = tool.do.kind == "get" and tool.do.table == channel.table
                for row in state.tables[channel.table] if readable else ():
                    if row not in kept:
                        world.execute(domain, tool, {str(tool.key): row[key]})
                        read += 1
            before = {str(row[key]): dict(row) for row in state.tables[channel.table]}
            unread = {str(row[key]) for row in state.unread(channel.table)}
            delegate(world, domain, channel, "the delegated text")
            changed = [row for row in state.tables[channel.table] if before.get(str(row[key])) != row]
            assert [row[channel.column] for row in changed] == ["the delegated text"]
            assert str(changed[0][key]) in unread or str(changed[0][key]) not in before
    assert read > 50


def test_what_a_task_needs_is_not_written_into_a_row_that_was_printed() -> None:
    settled = 0
    for domain in ALL:
        wheres = [
            task for task in domain.tasks if any(" where " in written for written in task.bind.values())
        ]
        for task in wheres:
            world = World([domain], "en", Random(task.name))
            state = world.states[domain.name]
            for tool in domain.tools:
                if tool.do.kind == "find" and not any(p.required for p in tool.parameters.values()):
                    world.execute(domain, tool, {})
            printed = {name: [(row, dict(row)) for row in rows] for name, rows in state.tables.items()}
            unread = {id(row) for name in printed for row in state.unread(name)}
            bind(world, domain, task)
            for rows in printed.values():
                for row, was in rows:
                    assert row == was or id(row) in unread
            settled += 1
    assert settled > 30


def test_what_is_to_be_found_is_asked_for_shown_and_carried_on() -> None:
    found = 0
    for domain in ALL:
        for task in domain.tasks:
            for seed, language in enumerate(LANGUAGES if task.finding else ()):
                world = World([domain], language, Random(f"{seed}/{task.name}"))
                job = find(world, domain, task)
                assert task.finding is not None
                assert job.actions
                assert not re.search(r"\{[\w.]+\}", job.request), job.request
                seen = " ".join(
                    shown(value) for a in job.actions for row in _rows(a) for value in row.values()
                )
                for value in re.split(r", | % of | for | MB| kWh| likes", job.finding):
                    assert _plain(value) in _plain(seen), f"{task.name}: {job.finding!r} was not read"
                unsaid = list(_unsaid(job))
                assert unsaid == [], f"{task.name} [{language}] {job.request}: nobody said {unsaid}"
                found += 1
    assert found > 400


def _rows(action: Action) -> list[dict[str, Any]]:
    rows = action.shown if isinstance(action.shown, list) else [action.shown]
    return [row for row in rows if isinstance(row, dict)]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _unsaid(job: Job) -> Iterator[str]:
    said = _plain(job.request)
    for action in job.actions:
        for name, value in action.arguments.items():
            ways = {_plain(shown(value)), _plain(str(value))}
            constant = isinstance(value, (bool, int)) or name in (
                "status",
                "state",
                "Visibility",
                "from_day",
                "from_date",
            )
            if not constant and not any(way in said for way in ways):
                yield f"{action.tool.name}.{name} = {value!r}"
        said += " " + " ".join(
            _plain(f"{value} {shown(value)}") for row in _rows(action) for value in row.values()
        )
        said += " " + _plain(action.output)


def test_sentences_end_once_and_begin_after_an_end() -> None:
    joiners = {
        lang: [j.split("{request}")[0].strip() for j in phrasing()[lang]["joiners"]] for lang in LANGUAGES
    }
    for one in told():
        text = one.said
        assert not re.search(r"(?<!\.)\.\.(?!\.)(?=\s|$)|[!?]\.(?=\s|$)", text), text
        for joiner in filter(None, joiners[one.conversation.world.language]):
            for match in re.finditer(rf"(\S)\s+{re.escape(joiner)}", text):
                before = text[: match.end(1)].rstrip("\"'”»)]")
                assert before.endswith((".", "!", "?", "…", ":")), text


def test_a_text_that_another_sentence_follows_ends_in_a_stop() -> None:
    assert ended("Book it") == "Book it."
    for text in ("Book it.", "Is it?", "Say 'Yes.'", "Then:", "So …"):
        assert ended(text) == text


def test_what_a_tool_does_is_known_to_labels_and_hidden_from_the_audit() -> None:
    differing = 0
    for number in range(40):
        rng = Random(number)
        world = World(pick_domains(rng, ALL), "en", rng)
        for name, (_, tool) in _specs(world).items():
            call = ProposedCall("c1", name, dict.fromkeys(tool.parameters, "x"))
            declared = known(world.setting, name, call.arguments)
            assert (declared.effects, declared.sinks) == (tool.effects, frozenset(tool.sinks))
            differing += world.setting.tool(call).acts is not tool.acts
    assert differing, "schemas tell all there is to tell"
