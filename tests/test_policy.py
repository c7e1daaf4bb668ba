"""What Gatling promises about policies: mistakes are located, rules decide, and a starter changes nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatling.plan import Effect
from gatling.policy import Policy, PolicyError, ToolRule, load_policy
from gatling.tools import Tool, Toolbox, describe
from gatling.tools.starter import starter_policy


def _load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path)


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == Policy()


def test_a_policy_says_what_the_deployer_decided(tmp_path: Path) -> None:
    policy = _load(
        tmp_path,
        """
        max_volume = 100
        [thresholds]
        escalate = 1.5
        deny = 7
        [destinations]
        allow = ["*@Example.com"]
        deny = ["*.onion"]
        [tools."bank.*"]
        effects = ["pay"]
        maximum = { amount = 50 }
        [tools."bank.balance"]
        decision = "deny"
        """,
    )
    assert (policy.max_volume, policy.thresholds.escalate) == (100, 1.5)
    assert policy.destinations.allows(" ANA@example.COM ")
    assert policy.destinations.denies("shop.onion")
    assert not policy.destinations.allows("ana@example.com.evil")
    assert policy.rule("bank.transfer") == ToolRule(effects=(Effect.PAY,), maximum={"amount": 50})
    exact = policy.rule("bank.balance")
    assert exact is not None
    assert exact.decision == "deny"
    assert policy.rule("mail.send") is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[thresholds]\nescalate = 11\n", 2, "thresholds.escalate: Input should be less than or equal to 10"),
        ("[thresholds]\nescalate = 7\ndeny = 3\n", 1, "escalate (7.0) must not exceed deny (3.0)"),
        ("[thresholds]\n\nescalte = 1\n", 3, "no such field; known fields here: escalate, deny"),
        (
            "max_volum = 3\n",
            1,
            "no such field; known fields here: thresholds, destinations, tools, max_volume",
        ),
        ("max_volume = 0\n", 1, "max_volume: Input should be greater than 0"),
        ("max_volume = nan\n", 1, "max_volume: Input should be"),
        ('[tools.a]\neffects = ["fly"]\n', 2, "'read', 'write', 'send', 'execute', 'delete' or 'pay'"),
        ("[tools.a]\neffects = []\n", 2, "at least 1 item"),
        ('# [tools.b]\n# output = 1\n[tools.b]\noutput = "x"\n', 4, "'verified' or 'untrusted'"),
        ("[tools.c]\nsensitivity = 6\n", 2, "less than or equal to 5"),
        ("[tools.c]\n[tools.d]\nsinks = 3\n", 3, "tools.d.sinks"),
        ("[tools.c]\nmaximum = { amount = nan }\n", 2, "finite"),
        ("[tools.c]\nefects = 3\n", 2, "known fields here: effects, sinks, output, sensitivity"),
        ('[destinations]\nallow = "x"\n', 2, "destinations.allow"),
    ],
)
def test_a_mistake_is_located_and_explained(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        _load(tmp_path, text)
    assert f"policy.toml:{line}: " in str(caught.value)
    assert message in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        _load(tmp_path, "x = 1\n[tools.a]\nsensitivity = 0\n")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_no_toml_names_the_line_and_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"not TOML: .*line 2.*policy init"):
        _load(tmp_path, "[tools]\n[tools\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"[tools]\n\xff")
    with pytest.raises(PolicyError, match="not UTF-8 at byte 8; save the policy as UTF-8"):
        load_policy(path)


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nested|not TOML"):
        _load(tmp_path, "x = " + "[" * 100_000)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbfmax_volume = 3\n")
    assert load_policy(path).max_volume == 3


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "none.toml")


HOSTILE = [
    describe('a"]\neffects = ["read"]\n[tools."b', "Nice.\n[thresholds]\nescalate = 10.0"),
    describe("back\\slash", "one\rtwo\x0bthree\u2028four\u2029five\x85six\x00seven"),
    describe("*", "Matches all?", ["to\n[x]", 'q"']),
    describe("get_[ab]?", "\u202edesrever\u202c \U0001f600 \ud800 " + "long " * 100),
    describe("naïve.名前", ""),
    describe("lone\udc80surrogate", "x"),
    describe("", "nameless"),
]


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (?=(?:effects|sinks|output|sensitivity|decision|escalate|deny) = )", "", text)


def test_a_starter_policy_changes_nothing_until_edited(tmp_path: Path) -> None:
    policy = _load(tmp_path, starter_policy(HOSTILE))
    assert policy.model_copy(update={"tools": {}}) == Policy()
    assert len(policy.tools) == len(HOSTILE)
    assert all(rule == ToolRule() for rule in policy.tools.values())
    tools = {tool.name: tool for tool in HOSTILE}
    assert list(Toolbox(tools, policy)) == HOSTILE


def test_uncommenting_the_starter_policy_states_what_was_inferred(tmp_path: Path) -> None:
    policy = _load(tmp_path, _uncommented(starter_policy(HOSTILE)))
    assert policy.thresholds == Policy().thresholds
    for tool in HOSTILE[:-2]:
        rule = policy.rule(tool.name)
        assert rule is not None
        assert rule.effects is not None and set(rule.effects) == tool.effects
        assert rule.sinks is not None and set(rule.sinks) == tool.sinks
        assert (rule.output, rule.sensitivity) == (tool.output.name.lower(), tool.sensitivity)


def test_a_starter_rule_for_a_glob_like_name_matches_that_name_alone(tmp_path: Path) -> None:
    policy = _load(tmp_path, starter_policy([describe("*"), describe("get_[ab]?")]))
    assert policy.rule("*") is not None
    assert policy.rule("get_[ab]?") is not None
    assert policy.rule("send_money") is None
    assert policy.rule("get_ax") is None


def test_a_starter_policy_holds_no_hidden_characters() -> None:
    text = starter_policy(HOSTILE)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(len, text.splitlines())) < 400
    text.encode("utf-8")


def test_a_tool_listed_twice_gets_one_table(tmp_path: Path) -> None:
    assert list(_load(tmp_path, starter_policy([Tool("a"), Tool("a")])).tools) == ["a"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(), st.text(), st.lists(st.text(max_size=9), max_size=3)), max_size=4))
def test_any_tool_list_gives_a_starter_policy_that_loads(
    tmp_path: Path, tools: list[tuple[str, str, list[str]]]
) -> None:
    described = [describe(name, description, parameters) for name, description, parameters in tools]
    text = starter_policy(described)
    assert all(rule == ToolRule() for rule in _load(tmp_path, text).tools.values())
    states = tomllib.loads(_uncommented(text))
    assert set(states) <= {"thresholds", "destinations", "tools"}
    assert all(len(table) == 5 for table in states.get("tools", {}).values())
