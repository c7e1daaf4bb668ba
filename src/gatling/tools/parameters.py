"""What a tool's parameters are for: where things go, what decides, how much, and what is mere prose.

Judged by the words of the parameter's name beside the tool's effects: an e-mail address is where a sending
tool's content goes, a search term of a reading one, and the user's own in an order.
"""

from __future__ import annotations

from collections.abc import Set

from gatling.plan import Effect
from gatling.tools import lexicon as lex
from gatling.tools import vocabulary as voc
from gatling.tools.inference import Reading
from gatling.tools.lexicon import Effects


def sinks(reading: Reading, effects: Effects) -> frozenset[str]:
    """Parameters that say where content or money goes, or who gets access."""
    nouns = reading.nouns
    if not effects & (lex.SEND | lex.PAY | lex.WRITE) or Effect.DELETE in effects:
        return frozenset()
    if effects >= lex.PAY | lex.WRITE:  # an order: its addresses and accounts are the user's own
        refund = {"payment"} if reading.verb in ("return", "refund", "exchange", "reimburse") else set()
        return reading.where(lambda ws: bool(ws & (voc.RECIPIENTS | refund)))
    if not effects & (lex.SEND | lex.PAY):
        return reading.where(lambda ws: _granted(ws, reading.verb, nouns))
    outwards = voc.RECIPIENTS | voc.ADDRESSES
    certain = reading.where(lambda ws: bool(ws & outwards) and not ws & voc.NOT_SINKS and not _is_text_id(ws))
    persons = voc.PERSONS | ({"account"} if reading.verb in lex.MOVES_MONEY else set())
    certain |= reading.where(lambda ws: ws >= {"new", "owner"})
    return certain or reading.where(lambda ws: bool(ws & persons) and not ws & voc.NOT_SINKS)


def _is_text_id(ws: Set[str]) -> bool:
    return "id" in ws and bool(ws & {"email", "mail", "message", "phone"})


def _granted(ws: Set[str], verb: str, nouns: Set[str]) -> bool:
    """True for a parameter of a writing tool that lets somebody in or names who is paid or told later."""
    if ws & voc.LET_IN or ("key" in ws and ws & {"ssh", "public", "gpg"}) or {"new", "owner"} <= ws:
        return True
    if ws & {"url", "uri"} and nouns & {"webhook", "hook", "callback"}:
        return True
    if "channel" in ws and "channel" not in nouns:
        return True
    added = verb in ("add", "register", "enroll", "approve") and nouns & {"guest", "collaborator", "member"}
    account = "account" in nouns and verb in ("create", "register", "open", "update", "change", "set")
    return "email" in ws and "id" not in ws and bool("email" in nouns or added or account)


def decisive(reading: Reading, effects: Effects) -> frozenset[str]:
    """Parameters that decide what a privileged effect does: amount, path, command, object."""
    deciding = voc.DECISIVE | voc.CODE if Effect.EXECUTE in effects else voc.DECISIVE
    return reading.where(lambda ws: bool(ws & deciding))


def volume(reading: Reading) -> frozenset[str]:
    """Parameters that say how much is reached for: counts, limits, recursion."""
    return reading.where(
        lambda ws: (
            (bool(ws & voc.VOLUME) and not ws & voc.NOT_VOLUME) or (len(ws) > 1 and ws <= voc.VOLUME_ONLY)
        )
    )


def free_text(reading: Reading, effects: Effects) -> frozenset[str]:
    """Parameters that carry prose. What a tool executes is no prose."""
    code = voc.CODE if Effect.EXECUTE in effects else frozenset[str]()
    return frozenset(p for p, ws in reading.parameters.items() if ws and ws[-1] in voc.PROSE - code)
