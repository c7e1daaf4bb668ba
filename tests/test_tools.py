"""What Gatling promises about tools: read from any common schema, judged with care, overridden by policy."""

from __future__ import annotations

import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.plan import Effect, TrustTier
from gatling.policy import Policy, ToolRule
from gatling.tools import Tool, Toolbox, ToolError, describe, read_tools
from gatling.tools import lexicon as lex
from gatling.tools.lexicon import base

R, W, S, X, D, P = Effect.READ, Effect.WRITE, Effect.SEND, Effect.EXECUTE, Effect.DELETE, Effect.PAY

PARAMETERS = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "body": {"type": "string"}},
    "required": ["to", "body"],
}
FORMATS: dict[str, Any] = {
    "openai": [
        {
            "type": "function",
            "function": {"name": "send_note", "description": "Send a note.", "parameters": PARAMETERS},
        }
    ],
    "openai responses": [
        {"type": "function", "name": "send_note", "description": "Send a note.", "parameters": PARAMETERS}
    ],
    "anthropic": [{"name": "send_note", "description": "Send a note.", "input_schema": PARAMETERS}],
    "mcp": {"tools": [{"name": "send_note", "description": "Send a note.", "inputSchema": PARAMETERS}]},
    "gemini": [
        {
            "functionDeclarations": [
                {"name": "send_note", "description": "Send a note.", "parameters": PARAMETERS}
            ]
        }
    ],
    "bedrock": [
        {
            "toolSpec": {
                "name": "send_note",
                "description": "Send a note.",
                "inputSchema": {"json": PARAMETERS},
            }
        }
    ],
    "by name": {"send_note": {"description": "Send a note.", "parameters": PARAMETERS}},
    "a single tool": {"name": "send_note", "description": "Send a note.", "parameters": PARAMETERS},
    "a list of parameters": [
        {"name": "send_note", "description": "Send a note.", "parameters": [{"name": "to"}, {"name": "body"}]}
    ],
    "plain parameters": [
        {"name": "send_note", "description": "Send a note.", "parameters": {"to": {}, "body": {}}}
    ],
}


@pytest.mark.parametrize("schemas", FORMATS.values(), ids=FORMATS)
def test_the_same_tool_reads_the_same_from_every_format(schemas: Any) -> None:
    tools = read_tools(schemas)
    assert list(tools) == ["send_note"]
    tool = tools["send_note"]
    assert (tool.parameters, tool.description, tool.described) == (("to", "body"), "Send a note.", True)
    assert tool.effects == {S}
    assert (tool.sinks, tool.free_text) == (frozenset({"to"}), frozenset({"body"}))


def test_a_providers_built_in_tool_is_named_by_its_type() -> None:
    tool = read_tools([{"type": "web_search"}])["web_search"]
    assert tool.effects == {R}
    assert tool.output is TrustTier.UNTRUSTED


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        (None, r"^tools: expected an array of tools or an object name -> tool, found NoneType$"),
        ("send", r"^tools: expected an array .*, found str$"),
        ([{"name": "ok"}, 3], r"^tools\[1\]: expected an object with name and parameters, found int$"),
        ([{"description": "x"}], r"^tools\[0\]\.name: expected a non-empty string, found None$"),
        ([{"name": ""}], r"^tools\[0\]\.name: expected a non-empty string, found ''$"),
        ([{"name": ["a"]}], r"^tools\[0\]\.name: expected a non-empty string, found list$"),
        ({"send": 1}, r"^tools\['send'\]: expected an object"),
        ([{"name": "a", "description": 5}], r"^tools\[0\]\.description: expected a string, found 5$"),
        ([{"name": "a", "parameters": "to"}], r"^tools\[0\]\.parameters: expected a JSON schema .* 'to'$"),
        (
            [{"name": "a", "input_schema": {"properties": ["to"]}}],
            r"^tools\[0\]\.input_schema\.properties: expected an object, found list$",
        ),
        (
            [{"function_declarations": [{"name": "a"}, None]}],
            r"^tools\[0\]\.function_declarations\[1\]: expected an object",
        ),
    ],
)
def test_a_malformed_tool_is_refused_with_its_place(schemas: Any, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        read_tools(schemas)


UNSEEN: list[tuple[str, str, set[Effect]]] = [
    ("GmailSendEmail", "to cc subject body", {S}),
    ("banking.transfer", "iban amount", {P}),
    ("TodoistDeleteTask", "task_id", {D}),
    ("SlackPostMessage", "channel text", {S}),
    ("stripe.refunds.create", "charge amount", {P}),
    ("kubectl_apply", "manifest", {W}),
    ("S3.putObject", "bucket key body", {W}),
    ("jira-create-issue", "project summary", {S, W}),
    ("NotionManagerSearchContent", "keywords", {R}),
    ("web_search", "query", {R}),
    ("run_sql", "query", {X}),
    ("execute_python", "code", {X}),
    ("terminal", "command", {X}),
    ("FacebookManagerCreatePost", "content", {S}),
    ("ZoomManagerGetMeetingTranscript", "meeting_id", {R}),
    ("http_request", "method url body", {R, S}),
    ("github.merge_pull_request", "owner repo pull_number", {W}),
    ("mcp__tracker__create_issue", "title body", {S, W}),
    ("deleteFile", "path", {D}),
    ("order_pizza", "size address", {P, W}),
    ("grant_access", "user role", {S, W}),
    ("addUserToGroup", "user_id group_id", {S, W}),
    ("wire_transfer", "beneficiary amount", {P}),
    ("transfer_ownership", "new_owner", {S, W}),
    ("transfer_call_to_human", "", {S}),
    ("exportCustomerData", "destination", {S}),
    ("read_inbox", "limit", {R}),
    ("fetch_url", "url", {R}),
    ("calendar.list_events", "start end", {R}),
    ("twilio-send-sms", "to body", {S}),
    ("lock_door", "door_id", {X}),
    ("close_door", "", {X}),
    ("close_ticket", "ticket_id", {D, W}),
    ("HomeAssistant.turn_on", "entity_id", {X}),
    ("order_status", "order_id", {R}),
    ("search_order_history", "", {R}),
    ("message_count", "", {R}),
    ("exchange_ordered_item", "order_id item_id", {P, W}),
    ("exchange_rate", "base", {R}),
    ("share_location", "recipient", {S}),
    ("mark_email_as_read", "email_id", {W}),
    ("book_appointment", "date", {W}),
    ("book_flight", "flight_id", {P, W}),
    ("drive.permissions.create", "email role", {S, W}),
    ("get_and_delete_item", "id", {D}),
]


@pytest.mark.parametrize(("name", "parameters", "effects"), UNSEEN, ids=[row[0] for row in UNSEEN])
def test_a_vendor_never_seen_is_known_by_its_words(name: str, parameters: str, effects: set[Effect]) -> None:
    assert describe(name, "", parameters.split()).effects == effects


@pytest.mark.parametrize(
    ("name", "description", "effects"),
    [
        (
            "ticket_ops",
            "This tool belongs to the help desk, which lets users pay bills. Closes a ticket.",
            {D, W},
        ),
        ("x1", "This function is used to delete old backups.", {D}),
        ("acme_tool", "Use this tool to send money to a friend.", {P}),
        ("bank.transfer", "Initiates a bank transfer.", {P}),
        ("bank.transfer", "Move money between accounts.", {P}),
        ("percentage", "Tool description: Calculate the percentage of a part.", {R}),
        ("create_event", "Creates an event. It will also email the participants.", {S, W}),
        ("get_report", "Deletes the report after reading it.", {D}),
        ("send_money", "Returns the weather.", {P}),
        ("add", "Add two numbers.", {R}),
        ("rename_me", "", {W}),
    ],
)
def test_the_sentence_led_by_a_verb_tells_what_a_tool_does(
    name: str, description: str, effects: set[Effect]
) -> None:
    assert describe(name, description).effects == effects


@pytest.mark.parametrize(
    ("name", "description", "output"),
    [
        ("get_unread_emails", "", "UNTRUSTED"),
        ("get_sent_emails", "", "VERIFIED"),
        ("get_email_count", "", "VERIFIED"),
        ("find_user_id_by_email", "", "VERIFIED"),
        ("find_user_id_by_email", "Find a user's id by e-mail.", "VERIFIED"),
        ("list_files", "", "VERIFIED"),
        ("read_file", "", "UNTRUSTED"),
        ("get_product_reviews", "", "UNTRUSTED"),
        ("get_product_price", "", "VERIFIED"),
        ("get_conversion_rate", "Convert one currency to another.", "VERIFIED"),
        ("sort", "Sort the contents of a file.", "UNTRUSTED"),
        ("browser_get_elements", "", "UNTRUSTED"),
        ("run_shell", "", "UNTRUSTED"),
        ("reboot_device", "", "VERIFIED"),
        ("search", "", "UNTRUSTED"),
        ("send_email", "", "VERIFIED"),
        ("frobnicate", "", "UNTRUSTED"),
    ],
)
def test_output_that_others_can_write_is_untrusted(name: str, description: str, output: str) -> None:
    assert describe(name, description).output.name == output


@pytest.mark.parametrize(
    ("name", "parameters", "sinks"),
    [
        ("send_email", "to cc bcc subject body attachments", {"to", "cc", "bcc"}),
        ("login", "username password", set()),
        ("find_user_by_email", "email", set()),
        ("move_file", "source_path destination_path", set()),
        ("delete_message", "receiver_id", set()),
        ("forward_email", "email_id to", {"to"}),
        ("invite_user", "user user_email", {"user_email"}),
        ("book_flight", "origin destination user_id", set()),
        ("add_ssh_key", "ssh_key", {"ssh_key"}),
        ("set_webhook", "url", {"url"}),
        ("fetch_url", "url", set()),
        ("http_request", "url body", {"url"}),
        ("transfer_money", "from_account to_account amount", {"to_account"}),
        ("return_items", "order_id payment_method_id", {"payment_method_id"}),
        ("create_alert", "name alert_channel_ids", {"alert_channel_ids"}),
        ("share_file", "file_id email permission", {"email"}),
    ],
)
def test_sinks_are_where_content_money_or_access_goes(name: str, parameters: str, sinks: set[str]) -> None:
    assert describe(name, "", parameters.split()).sinks == sinks


def test_parameters_are_sorted_by_what_they_are_for() -> None:
    tool = describe(
        "pay_invoice", "", ["payee", "amount", "note", "description", "limit", "max_price", "invoice_ids"]
    )
    assert tool.decisive == {"payee", "amount", "max_price", "invoice_ids"}
    assert tool.free_text == {"note", "description"}
    assert tool.volume == {"limit"}


def test_volume_parameters_say_how_much() -> None:
    counting = [
        "limit",
        "max_results",
        "num_results",
        "page_size",
        "resultsPerPage",
        "recursive",
        "fetch_all",
    ]
    others = [
        "max_price",
        "phone_number",
        "page_content",
        "page_id",
        "all_day",
        "account_number",
        "max_tokens",
    ]
    assert describe("search_notes", "", counting + others).volume == set(counting)


def test_a_query_that_is_executed_is_no_prose() -> None:
    assert "query" in describe("run_sql", "", ["query"]).decisive
    assert "query" in describe("search_notes", "", ["query"]).free_text


@pytest.mark.parametrize(
    ("name", "sensitivity"),
    [
        ("get_weather", 1),
        ("list_projects", 2),
        ("get_user_profile", 3),
        ("get_medical_records", 4),
        ("get_bank_balance", 4),
        ("delete_anything", 4),
        ("reset_password", 5),
        ("list_api_keys", 5),
        ("list_keyboards", 1),
        ("get_taxonomy", 1),
    ],
)
def test_sensitivity_goes_by_whole_words(name: str, sensitivity: int) -> None:
    assert describe(name).sensitivity == sensitivity


def test_mcp_hints_are_believed_where_the_words_allow() -> None:
    assert describe("sync_state", annotations={"readOnlyHint": True}).effects == {R}
    assert describe("delete_state", annotations={"readOnlyHint": True}).effects == {D}
    assert describe("get_state", annotations={"readOnlyHint": False}).effects == {R, W}
    assert D in describe("put_state", annotations={"readOnlyHint": False, "destructiveHint": True}).effects
    assert describe("get_state", annotations={"openWorldHint": True}).output is TrustTier.UNTRUSTED
    assert describe("get_page", annotations={"openWorldHint": False}).output is TrustTier.VERIFIED
    (tool,) = read_tools([{"name": "sync_state", "annotations": {"readOnlyHint": True}}]).values()
    assert tool.effects == {R}


def test_the_lexicon_agrees_with_itself() -> None:
    """A word that a rule waits for and no verb list holds would never be found."""
    lists = lex.ALSO_NOUNS | lex.INSIDE_NOUNS | lex.CHANGES | lex.KEEPING | lex.MOVES_MONEY | lex.DEVICE_VERBS
    lists |= lex.OPEN_VERBS | lex.OWN_VERBS | lex.ANYWHERE | set(lex.NOMINAL.values())
    assert lists.union(*(rule.verbs for rule in lex.RULES)) <= set(lex.VERBS)
    assert lex.CHANGES <= lex.ALSO_NOUNS
    assert not lex.ALSO_NOUNS & lex.INSIDE_NOUNS


@pytest.mark.parametrize(
    ("one", "other"),
    [("conversion", "conversation"), ("specific", "specification"), ("posting", "position"), ("news", "new")],
)
def test_words_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert base(one) != base(other)


def test_a_schema_without_a_description_is_judged_by_its_name() -> None:
    (tool,) = read_tools([{"name": "get_order_details"}]).values()
    assert tool.effects == {R}
    assert (tool.described, tool.output) == (True, TrustTier.VERIFIED)


@pytest.mark.parametrize("description", ["Readings of a meter.", "Tenants' tickets.", "The members' forum."])
def test_a_tool_without_a_known_verb_may_return_what_others_wrote(description: str) -> None:
    tool = describe("tower", description, ["id"])
    assert not tool.acts and tool.output is TrustTier.UNTRUSTED


@pytest.mark.parametrize(
    ("name", "description", "parameters"),
    [
        ("chat_history", "Messages of a chat channel.", ["channel", "since"]),
        ("order_index", "Ticket orders of a screening", ["screening_id"]),
        ("payout_list", "Payouts and balance", []),
        ("visitorReviews", "Reviews from the terminals and portals.", ["stars"]),
        ("messages.open", "A conversation.", ["thread_id"]),
        ("print_products", "Prints, books, canvases with prices.", ["kind"]),
        ("accounts_overview", "Balances, IBANs and cards of all accounts.", []),
        ("list_threads", "List issues or pull requests of a repository.", ["repo"]),
    ],
)
def test_a_tool_described_as_a_thing_reads(name: str, description: str, parameters: list[str]) -> None:
    assert describe(name, description, parameters).effects == {Effect.READ}


@pytest.mark.parametrize(
    ("name", "description", "parameters"),
    [
        ("desk", "Rebook a flex ticket.", ["ticket", "date"]),
        ("agenda", "Annulla una prenotazione.", ["codice"]),
        ("calendar", "The calendar as text. With `add` puts an entry.", ["since", "add"]),
        ("driver_message", "Message to a driver's handset.", ["driver", "text"]),
        ("mailer", "A tool to send mail.", ["to", "body"]),
        ("order_supplies", "Orders drugs, food and material.", ["item", "qty"]),
        ("board_settings", "Read or change settings of the board.", ["set"]),
        ("ticketReply", "Answer a ticket.", ["ticket", "text"]),
        ("supplier_record", "Record of a supplier. With field and value it is changed.", ["field", "value"]),
        ("export_list", "Export records as CSV.", ["object"]),
    ],
)
def test_a_tool_described_as_an_act_acts(name: str, description: str, parameters: list[str]) -> None:
    assert describe(name, description, parameters).acts


def test_opening_a_draft_sends_nothing() -> None:
    assert Effect.SEND not in describe("open_draft", "Open a message draft.", ["body"]).effects
    assert Effect.SEND in describe("open_message", "Open a message thread.", ["body"]).effects


def test_a_tool_that_nobody_described_is_untrusted() -> None:
    tool = Toolbox().tool("get_order_details", ["order_id"])
    assert tool.effects == {R}
    assert (tool.described, tool.output) == (False, TrustTier.UNTRUSTED)
    assert Toolbox().tool("frobnicate").acts


def test_invented_names_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toolbox, "MAX_UNKNOWN", 3)
    box = Toolbox()
    for i in range(10):
        assert box.tool(f"tool_{i}").name == f"tool_{i}"
    assert len(box._unknown) == 3
    assert box.tool("tool_0") is box.tool("tool_0")


def test_the_policy_has_the_last_word() -> None:
    rule = ToolRule(effects=(P,), sinks=("who",), output="untrusted", sensitivity=5)
    policy = Policy(tools={"get_*": rule, "ghost": ToolRule(output="verified", effects=(R,))})
    box = Toolbox(read_tools([{"name": "get_x", "description": "Get x."}, {"name": "send_x"}]), policy)
    tool = box.tool("get_x")
    assert tool.effects == {P}
    assert tool.sinks == {"who"}
    assert (tool.output, tool.sensitivity) == (TrustTier.UNTRUSTED, 5)
    assert box.tool("send_x").effects == {S}
    ghost = box.tool("ghost")
    assert (ghost.described, ghost.output) == (True, TrustTier.VERIFIED)


def test_a_toolbox_lists_its_tools() -> None:
    box = Toolbox(read_tools([{"name": "a"}, {"name": "b"}]))
    assert [tool.name for tool in box] == ["a", "b"]
    assert isinstance(next(iter(box)), Tool)


TEXT = st.text(max_size=200)
WORDS = ["get", "send", "delete", "order", "by", "for", "and", ".", "_", "status", "email", "a", "É", "1"]
WORDY = st.lists(
    st.sampled_from(WORDS),
    max_size=8,
)
NAMES = TEXT | WORDY.map("_".join) | WORDY.map(lambda ws: "".join(w.title() for w in ws))


@given(NAMES, TEXT | WORDY.map(" ".join), st.lists(NAMES, max_size=5))
def test_every_tool_has_an_effect(name: str, description: str, parameters: list[str]) -> None:
    tool = describe(name, description, parameters)
    assert tool.effects
    assert tool.sinks | tool.decisive | tool.volume | tool.free_text <= set(parameters)
    assert not tool.decisive & tool.free_text
    assert not tool.sinks & tool.free_text
    assert 1 <= tool.sensitivity <= 5


KEYS = st.sampled_from(
    [
        "name",
        "type",
        "tools",
        "function",
        "toolSpec",
        "parameters",
        "inputSchema",
        "properties",
        "annotations",
    ]
) | st.text(string.ascii_letters, max_size=5)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_is_read_or_refused(schemas: Any) -> None:
    try:
        tools = read_tools(schemas)
    except ToolError as error:
        assert str(error).startswith("tools")
    else:
        assert all(name == tool.name for name, tool in tools.items())


def test_describing_a_tool_is_quick() -> None:
    description = "This tool belongs to a suite of tools. It will also send an email. " * 20
    start = time.perf_counter()
    for _ in range(50):
        describe("vendor_send_message", description, ["recipient", "subject", "body", "max_results"])
    assert (time.perf_counter() - start) / 50 < 0.005
