"""What the worlds promise: tools do what they say, and tasks can be done from what was said."""

from __future__ import annotations

import copy
import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any

import pytest

from gatling.data.worlds.domain import (
    LANGUAGES,
    Domain,
    DomainError,
    Step,
    Task,
    ToolSpec,
    domains,
    read_domain,
)
from gatling.data.worlds.generators import known
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.state import ExecutionError, State
from gatling.data.worlds.tasks import Action, carry, delegate, do
from gatling.data.worlds.template import Template, shown
from gatling.data.worlds.world import World, typed
from gatling.plan import SIDE_EFFECTS
from gatling.spans import segments

ALL = domains()
TOOLS = [pytest.param(d, t, id=f"{d.name}.{t.name}") for d in ALL.values() for t in d.tools]
UNFILLED = re.compile(r"\{[\w.]+\}")

each_domain = pytest.mark.parametrize("domain", ALL.values(), ids=ALL)


def test_there_are_many_domains_and_their_tools_share_no_name() -> None:
    names = Counter(tool.name for domain in ALL.values() for tool in domain.tools)
    assert len(ALL) >= 24
    assert len(names) >= 150
    assert [name for name, count in names.items() if count > 1] == []


@each_domain
def test_a_domain_has_tasks_enough_in_every_language(domain: Domain) -> None:
    assert len({task.name for task in domain.tasks}) == len(domain.tasks) >= 12
    for task in domain.tasks:
        assert all(task.request.of(language) for language in LANGUAGES)


@each_domain
def test_what_a_tool_is_said_to_do_is_what_it_does(domain: Domain) -> None:
    for tool in domain.tools:
        acts = tool.do.kind in ("create", "update", "delete")
        assert acts or not tool.effects & SIDE_EFFECTS, f"{tool.name} {tool.do.kind}s and has {tool.effects}"
        assert tool.effects, tool.name
        assert set(tool.sinks) <= set(tool.parameters), tool.name
        assert tool.ask or not tool.acts, f"{tool.name} acts and nobody can ask for it"


def _source(written: Any, said: set[str], kinds: Sequence[str]) -> str:
    """Where a value comes from: the request, an earlier output, a created row or the domain's file."""
    if isinstance(written, list):
        return "+".join(sorted({_source(one, said, kinds) for one in written}))
    if not isinstance(written, Template) or not written.slots:
        return "constant"
    sources = set()
    for slot in written.slots:
        head = slot.partition(".")[0]
        created = head.isdecimal() and kinds[int(head) - 1] == "create"
        sources.add("request" if slot in said else "created" if created else "output")
    return "+".join(sorted(sources))


def _skeleton(domain: Domain, task: Task) -> tuple[Any, ...]:
    said = {slot for wording in task.request for slot in wording.slots}
    kinds = [domain.tool[step.tool].do.kind for step in task.steps]
    return tuple(
        (
            kind,
            step.each is not None,
            tuple(sorted(domain.tool[step.tool].effects)),
            tuple(sorted(_source(written, said, kinds) for written in step.arguments.values())),
        )
        for kind, step in zip(kinds, task.steps, strict=True)
    )


def test_no_domain_is_another_one_with_the_nouns_swapped() -> None:
    skeletons = {d.name: {_skeleton(d, task): task.name for task in d.tasks} for d in ALL.values()}

    def share(pair: tuple[str, str]) -> float:
        one, other = (skeletons[name].keys() for name in pair)
        return len(one & other) / min(len(one), len(other))

    worst = max(combinations(skeletons, 2), key=share)
    one, other = (skeletons[name] for name in worst)
    alike = [(one[skeleton], other[skeleton]) for skeleton in one if skeleton in other]
    assert share(worst) <= 0.2, f"{worst} share {share(worst):.0%} of their tasks' skeletons: {alike}"


def _tables(state: State) -> dict[str, list[dict[str, Any]]]:
    return {name: copy.deepcopy(state.tables[name]) for name in state.domain.tables}


def test_a_world_follows_from_its_seed() -> None:
    chosen = [ALL["mail"], ALL["banking"]]
    one, other = (World(chosen, "fr", Random(7)) for _ in range(2))
    assert [_tables(s) for s in one.states.values()] == [_tables(s) for s in other.states.values()]
    assert one.system() == other.system()
    assert one.setting.schemas == other.setting.schemas


@each_domain
def test_keys_name_one_row_each(domain: Domain) -> None:
    for seed in range(4):
        world = World([domain], "en", Random(seed))
        for name, rows in _tables(world.states[domain.name]).items():
            key = next(iter(domain.tables[name].columns))
            assert len({str(row[key]) for row in rows}) == len(rows), f"{name}.{key}"


def _arguments(world: World, domain: Domain, tool: ToolSpec) -> dict[str, Any]:
    """Arguments that the tool takes: its samples, or values of a row that is there."""
    if tool.ask:
        return dict(WorldGoals(world).call(domain, tool).deed.arguments)
    state = world.states[domain.name]
    row = state.tables[tool.do.table][0] if state.tables[tool.do.table] else state.grow(tool.do.table)
    key = next(iter(domain.tables[tool.do.table].columns))
    columns = {p: re.split(r"[|><]", target)[0] for p, target in tool.where.items() if target != "limit"}
    if tool.key:
        columns[tool.key] = key
    return {
        p: typed(tool, p, row[column]) for p, column in columns.items() if not isinstance(row[column], list)
    }


def _moved(
    tool: ToolSpec, arguments: Mapping[str, Any], row: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, float]]:
    """Table, key, column and difference of each number that a call moves."""
    for adjustment in tool.adjust:
        by = adjustment.by[1:]
        step = float(by) if by.isdecimal() else float(arguments.get(by, row.get(by, 0)))
        key = str(arguments.get(adjustment.key, row.get(adjustment.key)))
        yield adjustment.table, key, adjustment.column, step if adjustment.by[0] == "+" else -step


@pytest.mark.parametrize(("domain", "tool"), TOOLS)
def test_a_tool_changes_the_state_as_its_kind_says(domain: Domain, tool: ToolSpec) -> None:
    for seed in range(3):
        _executed(World([domain], LANGUAGES[seed], Random(seed)), domain, tool)


def _executed(world: World, domain: Domain, tool: ToolSpec) -> None:
    arguments = _arguments(world, domain, tool)
    state, table = world.states[domain.name], tool.do.table
    key = next(iter(domain.tables[table].columns))
    before = _tables(state)
    outcome = state.execute(tool, arguments)
    after = _tables(state)
    row = outcome.row

    for where, other, column, step in _moved(tool, arguments, row):
        first = next(iter(domain.tables[where].columns))
        (at,) = [i for i, r in enumerate(before[where]) if str(r[first]) == other]
        assert after[where][at][column] - before[where][at][column] == pytest.approx(step), (where, other)
        after[where][at][column] = before[where][at][column]

    if tool.do.kind in ("find", "get"):
        assert after == before
        if tool.do.kind == "get":
            assert str(row[key]) == str(arguments[str(tool.key)])
        return
    rows, old = after.pop(table), before.pop(table)
    assert after == before, "another table changed"
    if tool.do.kind == "create":
        assert rows[:-1] == old
        _holds(tool, rows[-1], arguments)
    elif tool.do.kind == "delete":
        assert rows == [r for r in old if str(r[key]) != str(arguments[str(tool.key)])]
        assert len(rows) == len(old) - 1
    else:
        changed = [i for i, (new, was) in enumerate(zip(rows, old, strict=True)) if new != was]
        (meant,) = [i for i, r in enumerate(old) if str(r[key]) == str(arguments[str(tool.key)])]
        assert changed in ([], [meant])
        stored = {n: v for n, v in arguments.items() if n in rows[meant] and n != tool.key}
        assert {n: rows[meant][n] for n in stored if n not in tool.put} == {
            n: v for n, v in stored.items() if n not in tool.put
        }


def _holds(tool: ToolSpec, row: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    put = {slot for written in tool.put.values() for slot in Template(written).slots}
    for name, value in arguments.items():
        if name in row and name not in tool.put:
            assert row[name] == value, f"{tool.name}.{name}"
        else:
            assert name in put, f"{tool.name}.{name} is stored nowhere"
    for column, written in tool.put.items():
        slots = Template(written).slots
        if not known(written) and all(slot in arguments for slot in slots):
            assert row[column] == Template(written).value(arguments), f"{tool.name}: {column}"


def test_calls_that_cannot_be_made_are_refused_with_a_reason() -> None:
    mail = ALL["mail"]
    world = World([mail], "en", Random(1))
    with pytest.raises(ExecutionError, match=r"unknown arguments \['colour'\], missing arguments \['id'\]"):
        world.execute(mail, mail.tool["read_mail"], {"colour": "red"})
    with pytest.raises(ExecutionError, match="no row of mails has id 'm-none'"):
        world.execute(mail, mail.tool["read_mail"], {"id": "m-none"})


def test_a_domain_file_with_a_mistake_is_refused_by_file_and_field(tmp_path: Any) -> None:
    path = tmp_path / "odd.toml"
    path.write_text("name = ", "utf-8")
    with pytest.raises(DomainError, match=r"odd.toml: not TOML"):
        read_domain(path)
    path.write_text('name = "odd"\nflavour = 3\n', "utf-8")
    with pytest.raises(DomainError, match=r"odd.toml: flavour: "):
        read_domain(path)


# What was said before a call is made. A value is looked for as words, whatever a rendering puts around them.


def _plain(text: str) -> str:
    return " " + " ".join(re.findall(r"[^\W_]+", text.casefold())) + " "


def _haystack(texts: Iterable[str]) -> str:
    found = []
    for text in texts:
        text = text.replace("\\n", " ")
        found += [text, html.unescape(text), *(segment.text for segment in segments(text)[0])]
    return _plain("\n".join(found))


def _written(value: Any) -> set[str]:
    ways = {shown(value), str(value)}
    if isinstance(value, str) and re.fullmatch(r"\d+\.\d\d?", value):
        value = float(value)
    return ways | {str(value), f"{value:.0f}"} if isinstance(value, float) else ways


def _slot_values(written: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """The values of an argument that fill its template's slots: what stands around them is a constant."""
    if isinstance(written, list):
        for one, single in zip(written, value if isinstance(value, list) else [value], strict=True):
            yield from _slot_values(one, single)
    elif isinstance(written, Template) and written.slots:
        if written.text == "{" + written.slots[0] + "}":
            yield from ((written.text, one) for one in (value if isinstance(value, list) else [value]))
            return
        pattern = "(.+)".join(re.escape(part) for part in re.split(r"\{[\w.]+\}", written.text))
        match = re.fullmatch(pattern, str(value), re.S)
        assert match, f"{value!r} was made otherwise than by {written}"
        yield from ((written.text, group) for group in match.groups())


def _unsaid(steps: Iterable[Step], actions: list[Action], request: str) -> Iterator[str]:
    """Argument values that stand neither in the request nor in an earlier output nor in the file."""
    said, rest = [request], iter(actions)
    for step, count in _times(steps, actions):
        calls = [next(rest) for _ in range(count)]
        before = _haystack(said)
        for action in calls:
            for name, written in step.arguments.items():
                for slot, value in _slot_values(written, action.arguments[name]):
                    # Every agent knows what day it is, and may list what is to come.
                    anyway = isinstance(value, bool) or (slot == "{today}" and not action.tool.acts)
                    if not anyway and not any(_plain(way) in before for way in _written(value)):
                        yield f"{action.tool.name}.{name} = {value!r}"
        said += [action.output for action in calls]
    assert next(rest, None) is None


def _times(steps: Iterable[Step], actions: list[Action]) -> Iterator[tuple[Step, int]]:
    """Each step, and how often it is done: once, or for each of its rows."""
    steps = list(steps)
    many = [step for step in steps if step.each]
    each = (len(actions) - (len(steps) - len(many))) // max(1, len(many))
    for step in steps:
        yield step, each if step.each else 1


@each_domain
def test_every_task_is_done_in_every_language_from_what_was_said(domain: Domain) -> None:
    for task in domain.tasks:
        for seed, language in enumerate(LANGUAGES):
            world = World([domain], language, Random(f"{seed}/{task.name}"))
            job = do(world, domain, task)
            assert len(job.actions) >= len(task.steps)
            texts = [job.request, job.finding, *(action.output for action in job.actions)]
            assert not any(UNFILLED.search(text) for text in texts), (task.name, texts)
            unsaid = list(_unsaid(task.steps, job.actions, job.request))
            assert unsaid == [], f"{task.name} [{language}] {job.request}: nobody said {unsaid}"
            for action in job.actions:
                if action.tool.do.kind == "find" and action.arguments:
                    assert action.row, f"{task.name}: {action.tool.name}({action.arguments}) finds nothing"


@each_domain
def test_every_carrier_takes_a_finding_along(domain: Domain) -> None:
    for carrier in domain.carriers:
        for seed, language in enumerate(LANGUAGES):
            world = World([domain], language, Random(seed))
            job = carry(world, domain, carrier, "FOUND 41")
            assert not UNFILLED.search(job.request)
            (action,) = job.actions
            assert any("FOUND 41" in str(value) for value in action.arguments.values())
            said = _haystack([job.request, "FOUND 41"])
            for name, written in carrier.arguments.items():
                for _, value in _slot_values(Template(written), action.arguments[name]):
                    ways = _written(value)
                    assert any(_plain(way) in said for way in ways), f"{name} = {value!r}: {job.request}"


@each_domain
def test_every_channel_shows_the_text_that_was_handed_over_to(domain: Domain) -> None:
    for channel in domain.channels:
        for seed, language in enumerate(LANGUAGES):
            world = World([domain], language, Random(seed))
            job = delegate(world, domain, channel, "the delegated text")
            assert not UNFILLED.search(job.request)
            assert list(_unsaid(channel.steps, job.actions, job.request)) == [], job.request
            showing = [action for action in job.actions if "the delegated text" in action.output]
            assert showing, f"{channel.table}: {[a.output for a in job.actions]}"
            assert all(action.tool.output == "untrusted" for action in showing), channel.table


@each_domain
def test_every_ask_names_the_values_of_its_call(domain: Domain) -> None:
    for tool in domain.tools:
        if tool.ask is None:
            continue
        for seed, language in enumerate(LANGUAGES):
            world = World([domain], language, Random(seed))
            goal = WorldGoals(world).call(domain, tool)
            state = _tables(world.states[domain.name])
            for text in (*goal.asks, *goal.facts, goal.english):
                assert not UNFILLED.search(text), text
                assert text, tool.name
            for ask in goal.asks:
                said = _plain(ask)
                for name, value in goal.deed.arguments.items():
                    for one in value if isinstance(value, list) else [value]:
                        found = any(_plain(way) in said for way in _written(one))
                        assert found or isinstance(one, bool), f"{ask!r} does not name {name} {one!r}"
            assert _tables(world.states[domain.name]) == state
            world.execute(domain, tool, goal.deed.arguments)


@each_domain
def test_system_prompts_state_the_limits_and_the_role(domain: Domain) -> None:
    for seed in range(6):
        world = World([domain], "en", Random(seed))
        text = world.system()
        assert not UNFILLED.search(text)
        assert world.role.text in text
        assert all(shown(most) in text for most, _ in world.limits.values())
        assert world.setting.denied <= {schema["name"] for schema in world.setting.schemas}
        assert {tool for tool, _ in world.setting.limits} <= {s["name"] for s in world.setting.schemas}
