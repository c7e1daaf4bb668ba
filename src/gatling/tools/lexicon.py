"""Verbs, their effects, and the rules by which nouns change them: how `tools.inference` reads English.

General vocabulary alone: no vendor's and no benchmark's tool name stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gatling.plan import Effect
from gatling.tools import vocabulary as voc
from gatling.tools.vocabulary import word_set

Effects = frozenset[Effect]

READ: Effects = frozenset({Effect.READ})

WRITE: Effects = frozenset({Effect.WRITE})

SEND: Effects = frozenset({Effect.SEND})

EXECUTE: Effects = frozenset({Effect.EXECUTE})

DELETE: Effects = frozenset({Effect.DELETE})

PAY: Effects = frozenset({Effect.PAY})

_ROWS: tuple[tuple[Effects, str], ...] = (
    (
        READ,
        "get read list search find fetch view show query lookup look check retrieve browse describe "
        "inspect count calculate compute estimate convert analyze analyse compare summarize summarise "
        "detect predict forecast validate evaluate classify translate preview monitor examine "
        "identify recommend display cat ls grep diff tail head pwd du wc stat select scan explain "
        "filter generate solve determine extract tell see explore track measure visit navigate open "
        "goto crawl scrape ask think sort verify locate suggest parse simulate provide return "
        "multiply divide subtract round sum obtain receive access discover rank score fit integrate "
        "differentiate factor transcribe recognize recognise infer answer audit assess interpret peek "
        "poll greet learn map encode decode whoami decrypt encrypt hash recall rerank embed glob "
        "transform format normalize tokenize sample plot draw render trim split concatenate reverse "
        "approximate average derive diagnose screenshot",
    ),
    (
        WRITE,
        "create update set add edit write modify change save append put rename move copy insert mark "
        "assign enable disable register schedule apply attach configure enter follow star like label "
        "archive upsert sync synchronize record log login logout signin signup mkdir cp mv echo draft "
        "reset activate deactivate toggle merge fork commit download import restore pin mute unmute "
        "flag replace refill fill input adjust increase decrease raise lower store patch reschedule "
        "join resolve lock unlock accept approve reject confirm start stop pause resume block unblock "
        "complete rate switch turn authenticate request place issue note tag clone extend connect "
        "link make build initialize initialise init react bookmark vote favorite favourite enrol "
        "enroll prescribe admit file subscribe touch cd manage handle organize organise upgrade "
        "downgrade migrate customize customise allocate redirect queue backup lend borrow give sign "
        "correct amend rebook hide unhide retire pick choose "
        "unarchive unpin pull stage stash rebase checkin claim redeem overwrite swipe seat provision "
        "initiate wget suspend report declare define plan review adopt train rotate "
        "process exchange release skip remember memorize chmod chown ban disconnect snooze silence freeze "
        "unfreeze finish unzip",
    ),
    (
        SEND,
        "send post publish share forward reply retweet tweet email mail message text notify broadcast "
        "announce comment call dial phone transmit export dm sms deliver respond escalate upload "
        "propose mention contact submit remind inform alert fax cast expose disclose consult",
    ),
    (SEND | WRITE, "invite push grant authorize authorise delegate promote demote handoff"),
    (READ | SEND, "curl"),
    (
        EXECUTE,
        "run execute exec eval launch deploy trigger invoke spawn press drive operate reboot restart "
        "shutdown engage click play go control compile install ssh sudo boot dispatch perform steer "
        "fly print impersonate test",
    ),
    (
        DELETE,
        "delete remove drop clear erase purge unfollow unstar unlike uninstall revoke destroy wipe rm "
        "rmdir discard unsubscribe terminate unlink leave trash empty kick evict del truncate kill "
        "prune clean unregister deregister unshare detach void end unenroll",
    ),
    (DELETE | WRITE, "cancel close"),
    (
        PAY,
        "pay transfer charge wire donate remit deposit fund withdraw tip bet bid spend topup invest "
        "settle payout sell trade swap stake reimburse",
    ),
    (PAY | WRITE, "purchase buy order checkout rent hire book reserve refund renew recharge"),
)

VERBS: Mapping[str, Effects] = {verb: effects for effects, verbs in _ROWS for verb in verbs.split()}

ALSO_NOUNS = word_set(
    "order call text note log record file comment message mail email post tweet share tip request label "
    "link copy schedule book rate place issue answer return star like follow fund trade test query "
    "draft charge transfer tag report bid block contact sign count filter phone plan head tail "
    "input deposit lock track store fork commit patch pin flag access display estimate measure monitor "
    "preview forecast exchange sort diff import export change vote purchase checkout refund alert press "
    "drive control play swap stake bet wire trigger mention reply dispatch rent score rank "
    "factor sum round map review pull push stage backup queue claim sms dm invite hire seat view learn "
    "payout fit ssh bookmark format sample plot hash ban print screenshot freeze transform process"
)
"""Verbs that are nouns as often: beside a plainer verb they are not what the name is about."""

INSIDE_NOUNS = word_set(
    "clean split trim reverse mark list set open close stop start end move reset clear empty run turn "
    "switch go complete"
)
"""Words that are verbs where they lead a name and may be nouns or adjectives inside it."""

CHANGES = word_set("change share record post log track plan copy import export deposit charge bet")
"""Of those, the ones that take a fact for their object: `share_location` shares, `order_status` tells."""

HOLDERS = word_set("list log history feed overview index queue board inbox")
"""Nouns of what holds records: `payout_list` pays nobody, if its description names a thing too."""

NOMINAL: Mapping[str, str] = {
    **dict.fromkeys(word_set("rental hiring"), "rent"),
    **dict.fromkeys(word_set("booking reservation"), "book"),
    **dict.fromkeys(word_set("payment payout remittance"), "pay"),
    **dict.fromkeys(
        word_set("calculator calculation computation conversion converter estimation predictor"), "compute"
    ),
    **dict.fromkeys(
        word_set("finder recommendation recommender retriever reader viewer searcher analyzer"), "find"
    ),
    **dict.fromkeys(
        word_set("translator summarizer prediction analysis comparison detector generator"), "compute"
    ),
    **dict.fromkeys(word_set("removal deletion cancellation deleter"), "delete"),
    **dict.fromkeys(word_set("creation registration creator editor writer updater modification"), "create"),
    **dict.fromkeys(word_set("notification sender mailer messenger publisher invitation"), "send"),
    **dict.fromkeys(
        word_set("terminal shell bash python interpreter powershell repl console executor runner"), "execute"
    ),
}
"""Nouns made of verbs; they decide only where a name holds no verb."""

OPEN_VERBS = word_set(
    "cat grep tail head browse crawl scrape visit goto curl wget diff transcribe read screenshot"
)
"""Verbs that give back the text itself."""

ANYWHERE = word_set("search fetch query retrieve lookup find open recall")
"""Verbs that reach anything at all where neither name nor description says what."""

OWN_VERBS = word_set(
    "calculate compute convert estimate count predict forecast generate validate verify compare "
    "detect classify determine think solve check multiply divide subtract round sum measure greet "
    "rank recommend suggest identify"
)
"""Verbs whose result is the tool's own words."""

KEEPING = word_set("add save store register set list attach log record report")
"""Verbs that put a payment method on file without charging it."""

MOVES_MONEY = word_set("transfer wire send remit pay donate")

DEVICE_VERBS = word_set(
    "set adjust start stop turn lock unlock open close activate deactivate press toggle move pause "
    "resume skip switch control enable disable change increase decrease raise lower go fill release "
    "initiate apply manage reset place"
)


CONTENT = word_set(
    "text body message content comment reply answer response amount value qty quantity payload action op "
    "operation do command method sql script add grant"
)
"""Words of parameters that carry what is said, moved or done: a tool that only reads has none of them."""

THING = word_set(
    "a an the all any one each every own last latest newest recent current free full my our your their"
)
"""Words with which a description names what comes back: "Latest bills"."""

KINDS_OF_TOOL = word_set(
    "tool api function method endpoint command service action operation interface wrapper"
)
"""What a description calls the tool itself: "A tool to send mail" names nothing that comes back."""

RELATIONS = word_set("of from with under by between below about within per")
"""Words after a noun, seldom after an order."""

LOOSE_RELATIONS = word_set("on in for at to and or")
"""Words after a plural noun, but after an order too: "Comments on a page", "comment on a page"."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a verb does to certain things: one of `verbs`, with one of `nouns` and of `inputs` where given."""

    verbs: frozenset[str]
    effects: Effects
    nouns: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    """Nouns of which one must stand beside: a user is let in where there is a group."""
    inputs: frozenset[str] = frozenset()
    """Words of parameter names."""
    unless: frozenset[str] = frozenset()
    """Nouns or inputs with which the rule does not hold."""
    named: bool = False
    """Holds for a verb of the name alone: a description's "Returns the order" gives nothing back."""


_CODES = word_set("otp pin passcode code verification")

_UNSENT = word_set("draft queue template")

RULES: tuple[Rule, ...] = (
    Rule(word_set("add raise average"), READ, voc.NUMBERS),
    Rule(word_set("transfer request escalate connect forward contact"), SEND, voc.HELPERS),
    Rule(word_set("transfer"), SEND | WRITE, word_set("ownership owner role admin")),
    Rule(word_set("transfer"), SEND, word_set("call chat conversation")),
    Rule(
        word_set("transfer"), SEND | WRITE, word_set("file document data folder task lead"), unless=voc.MONEY
    ),
    Rule(word_set("verify confirm validate"), PAY, voc.PAYMENTS, inputs=_CODES),
    Rule(word_set("verify confirm validate"), WRITE, inputs=_CODES),
    Rule(word_set("return exchange"), PAY | WRITE, voc.GOODS, named=True),
    Rule(word_set("book reserve hire"), WRITE, unless=voc.PAYABLE | {"payment"}),
    Rule(word_set("withdraw"), DELETE | WRITE, word_set("application consent offer request submission")),
    Rule(word_set("call"), EXECUTE, word_set("tool function api contract method procedure")),
    Rule(word_set("query"), EXECUTE, word_set("database db sql")),
    Rule(word_set("query"), EXECUTE, inputs=word_set("sql")),
    Rule(word_set("make place"), SEND, word_set("call")),
    Rule(word_set("approve"), PAY, word_set("expense invoice bill")),
    Rule(word_set("request"), READ | SEND, word_set("http https url api web rest")),
    Rule(word_set("open"), WRITE, word_set("account position dispute")),
    Rule(word_set("open"), WRITE, word_set("ticket case"), inputs=CONTENT),
    Rule(word_set("answer"), SEND, inputs=CONTENT, unless=word_set("question")),
    Rule(DEVICE_VERBS, EXECUTE, voc.DEVICES, unless=voc.GOODS | {"reservation", "booking"}),
    Rule(word_set("turn"), EXECUTE, unless=voc.SETTINGS),
    Rule(word_set("place"), PAY | WRITE, word_set("order")),
    Rule(word_set("make create place"), PAY | WRITE, word_set("purchase booking")),
    Rule(
        word_set(
            "place make create submit send give issue request approve complete initiate start process "
            "perform confirm move"
        ),
        PAY,
        voc.PAYMENTS | {"money", "cash", "fund"},
    ),
    Rule(
        word_set("place make submit send give issue request approve complete"), PAY, inputs=word_set("amount")
    ),
    Rule(word_set("create add make write submit leave file post"), SEND | WRITE, voc.PUBLISHED_RECORDS),
    Rule(word_set("open"), SEND | WRITE, voc.PUBLISHED_RECORDS, inputs=CONTENT),
    Rule(word_set("open"), SEND, voc.PUBLISHED, inputs=CONTENT, unless=_UNSENT),
    Rule(word_set("create add make"), SEND | WRITE, word_set("link"), inputs=voc.SHARED),
    Rule(
        word_set("create add make write submit leave file"),
        SEND,
        voc.PUBLISHED,
        unless=_UNSENT,
    ),
    Rule(word_set("add assign enroll approve"), SEND | WRITE, voc.PEOPLE, places=voc.GROUPS),
    Rule(
        word_set("create add update schedule set reschedule"),
        SEND | WRITE,
        word_set("event meeting"),
        inputs=word_set("attendee participant invitee guest"),
    ),
    Rule(
        word_set("manage change update set modify edit create add insert"),
        SEND | WRITE,
        voc.SHARED,
        inputs=voc.WHO,
    ),
    Rule(
        word_set("create update schedule modify edit set reschedule"),
        PAY | WRITE,
        voc.PAYMENTS,
        inputs=word_set("amount"),
    ),
)

RETURNS = re.compile(
    r"\b(?:returns?|retrieves?|provides?|gives?|shows?|information|details of|find|gets?)\b", re.I
)
"""What a description says of a tool that reads, where no sentence is led by a verb."""

PAYS = re.compile(r"^payment_?(?:method|id|account|source)s?(?:_?id)?$", re.I)
"""Parameters that name what is charged."""


@lru_cache(maxsize=16384)
def base(word: str) -> str:
    """The form in which the lexicon may hold a word: "Searches" → "search", "replies" → "reply".

    Endings are cut only where what remains is a word of the lexicon, so "conversion" and "conversation"
    stay apart.

    >>> base("sends"), base("notifies"), base("addresses"), base("status")
    ('send', 'notify', 'address', 'status')
    """
    if word in _KNOWN or len(word) < 3:
        return word
    for ending, cut in _ENDINGS:
        if word.endswith(ending):
            stem = word[: -len(ending)] + cut
            if stem in _KNOWN:
                return stem
            if not cut and len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in _KNOWN:
                return stem[:-1]
    return word


_ENDINGS = (
    ("ies", "y"),
    ("ied", "y"),
    ("es", ""),
    ("s", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
)

_KNOWN = frozenset(VERBS).union(NOMINAL, *(v for v in vars(voc).values() if isinstance(v, frozenset)))
