"""What a tool's words say it does: the rules by which `gatling.tools` knows a tool nobody labelled.

The name's verb decides where it can be nothing but a verb, else the description's; nouns then say whether
`transfer` moves money or a caller, and whether `close` shuts a ticket or a door. `tools.lexicon` holds
the words. No rule knows a vendor, a data set or a whole tool name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import pairwise

from gatling.plan import Effect, TrustTier
from gatling.text import name_words, words
from gatling.tools import lexicon as lex
from gatling.tools import vocabulary as voc
from gatling.tools.lexicon import VERBS, Effects, base

_LEAD = re.compile(
    r"^(?:[\w ]{1,30}:\s+)?(?:(?:this|the|an?|it|tool|api|function|method|endpoint|command|action|operation|"
    r"service|that|which|to|can|may|will|is|are|be|used|useful|designed|able|for|you|use|when|need|want|allows?|lets?|"
    r"enables?|helps?|users?|agents?|clients?|assistants?|please|automatically|quickly|securely)\s+)*",
    re.I,
)
_NOUNISH = lex.ALSO_NOUNS | lex.INSIDE_NOUNS
_AFTER_VERBS = ("", "a", "an", "the", "it", "them", "one")
_SEGMENT = re.compile(r"[./:]|__")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NOTIFIES = re.compile(
    r"\b(?:also|will|and|then|automatically|who)\s+(?:\w+\s+)?(?:e-?mails?|sends?|notif(?:y|ies)|invites?|posts?)\b"
    r"|\bsends? (?:out )?(?:an? |the )?(?:\w+ )?(?:e-?mail|message|notification|invitation)",
    re.I,
)
_TOKEN = re.compile(r"[\w'\u2019-]+|[^\w\s]")
MAX_DESCRIPTION = 2000
"""Characters of a description that are read; what follows is manual, not purpose."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of a tool say, in the lexicon's spelling."""

    verb: str
    """The verb the tool is built around; "" when there is none."""
    told: str
    """The verb that leads the description; "" when there is none."""
    from_name: bool
    name: list[str]
    asked: list[str]
    """The name's words beside its verb, up to where it says how something is found."""
    phrase: list[str]
    """The same of the description's main sentence."""
    joined: list[str]
    """Verbs joined to the main one by "and" or "or"."""
    words: list[str]
    """All words of name and main sentence, as written."""
    description: str
    thing: bool
    """The description names what comes back, and no parameter carries what would be said or done."""
    parameters: Mapping[str, tuple[str, ...]]
    """Words of each parameter's name."""

    @property
    def nouns(self) -> set[str]:
        """What the verb may act on."""
        return {*self.name, *map(base, self.phrase[:8])}

    @property
    def inputs(self) -> set[str]:
        """Words of all parameter names."""
        return {w for ws in self.parameters.values() for w in ws}

    def where(self, holds: Callable[[Set[str]], bool]) -> frozenset[str]:
        """The parameters whose words satisfy a condition."""
        return frozenset(p for p, ws in self.parameters.items() if holds(frozenset(ws)))


def _name_verb(ws: list[str]) -> tuple[str, bool]:
    """The verb of a name and whether it can be nothing else; ("", False) when there is none."""
    plain = [w for w in ws if w in VERBS and w not in lex.ALSO_NOUNS]
    if ws and ws[0] in VERBS:
        if ws[0] not in lex.ALSO_NOUNS:
            return ws[0], True
        later = next((w for w in (*ws[1:2], *ws[-1:]) if w in plain), None)
        if later:
            return later, True
        fact = len(ws) > 1 and ws[0] not in lex.CHANGES and base(ws[-1]) in voc.FACTS
        return ("get" if fact else ws[0]), False
    strict = [w for w in plain if w not in lex.INSIDE_NOUNS]
    if strict:
        return strict[0], True
    doubtful = [(w, nxt) for w, nxt in zip(ws, [*ws[1:], ""], strict=False) if w in VERBS]
    if doubtful:
        if base(ws[-1]) in voc.FACTS and not plain:
            return "get", False
        return next((w for w, nxt in doubtful if nxt and nxt not in VERBS), doubtful[0][0]), False
    nominal = next((lex.NOMINAL[base(w)] for w in reversed(ws) if base(w) in lex.NOMINAL), "")
    return nominal or ("get" if ws and base(ws[-1]) in voc.FACTS else ""), False


def _led(sentence: str) -> list[str]:
    """A sentence's words from where it says what the tool does."""
    return words(_LEAD.sub("", sentence[:300]))


def _main_sentence(description: str) -> tuple[str, str, list[str]]:
    """The first sentence led by a verb, the verb, and the words after it; else the first sentence."""
    sentences = [s for s in _SENTENCE.split(description[:MAX_DESCRIPTION].strip())[:8] if s]
    for sentence in sentences:
        ws = _led(sentence)
        for at, word in enumerate(ws[:2]):
            verb = base(word)
            if verb in VERBS and (at == 0 or word.endswith("s") or ws[0].endswith("ly")):
                return sentence, verb, ws[at + 1 :]
    return (sentences[0] if sentences else ""), "", []


def _names_a_thing(sentence: str) -> bool:
    """True for "Latest bills", "Comments under a page", "Ticket orders of a screening"; False for an act."""
    tokens = [token.lower() for token in _TOKEN.findall(sentence[:300])] + ["."]
    acts = {base(token) for token in tokens[:8]} & VERBS.keys() - _NOUNISH
    if any(VERBS[act] != lex.READ for act in acts):
        return False
    if tokens[0] in lex.THING or tokens[0].endswith(("'s", "\u2019s", "s'", "s\u2019")):
        return not lex.KINDS_OF_TOOL & set(tokens[1:4])
    for at, (token, after) in enumerate(pairwise(tokens[:3])):
        verb = base(token)
        plural = token.endswith("s")
        orders = verb in VERBS and (verb not in _NOUNISH or (token == verb and after != "of"))
        if orders or after in lex.THING:
            return False  # "Post to a channel", "Rewire a plug"
        if after == "of" or (plural and after in lex.RELATIONS | lex.LOOSE_RELATIONS):
            return True
        if at == 0 and (after == "," or after in lex.RELATIONS or (plural and after in ".;(")):
            return True
        if verb in VERBS or not token[0].isalpha() or token.endswith("ly"):
            return False
    return False


def _until_criterion(ws: list[str]) -> list[str]:
    skipped = 1 if ws[:1] == ["for"] else 0
    end = next((i for i, w in enumerate(ws) if i >= skipped and w in voc.CRITERIA), len(ws))
    return ws[skipped:end]


def _joined(ws: list[str], links: int) -> list[str]:
    """Verbs after the first `links` words, where these are "and", "or", "then".

    One that may be a noun counts where the link comes first ("read or change settings"), or where an article
    or nothing comes after it; in "list issues or pull requests" nothing is pulled.
    """
    found = []
    followed = zip(ws[:links], ws[1:], [*ws[2:], ""], strict=False)
    for at, (link, word, after) in enumerate(followed):
        verb = base(word)
        acts = verb in VERBS and (verb not in _NOUNISH or at == 0 or after in _AFTER_VERBS)
        if link in ("and", "or", "then") and acts:
            found.append(verb)
    return found


def _asked(segments: list[list[str]], verb: str) -> list[str]:
    last = segments[-1] if segments else []
    if verb not in last:
        return _until_criterion([w for ws in segments for w in ws])
    at = last.index(verb)
    after = _until_criterion(last[at + 1 :])
    return after or last[:at] or [w for ws in segments[:-1] for w in ws]


def read_words(name: str, description: str, parameters: Iterable[str]) -> Reading:
    """Read a tool's name, description and parameter names."""
    description = description[:MAX_DESCRIPTION]
    segments = [ws for ws in map(name_words, _SEGMENT.split(name[:256])) if ws]
    found = [_name_verb(ws) for ws in reversed(segments)]
    named, sure = next((v for v in found if v[1]), None) or next((v for v in found if v[0]), ("", False))
    sentence, told, rest = _main_sentence(description)
    whole, said = [w for ws in segments for w in ws], words(sentence[:300])
    asks = {p: tuple(base(w) for w in name_words(p[:256])) for p in parameters}
    carries = any(lex.CONTENT & {*ws} and not {"id", "ids"} & {*ws} for ws in asks.values())
    thing = not carries and _names_a_thing(sentence)
    if thing:
        told, rest = "", said
        holds = not sure or base(whole[-1]) in lex.HOLDERS
        if named and holds and VERBS[named] != lex.READ:
            named = ""
    elif _led(sentence)[:1] == [told] and any(ws[0] == told for ws in segments):
        named, sure = told, False  # `export_list`, described as "Export records"
    from_name = bool(named) and (sure or not told)
    verb = named if from_name else told
    return Reading(
        verb=verb,
        told=told,
        from_name=from_name,
        name=[base(w) for w in whole],
        asked=_asked(segments, named),
        phrase=_until_criterion(rest),
        joined=_joined(whole, len(whole)) + (_joined(rest, 2) if told else []),
        words=[*whole, *said],
        description=description,
        thing=thing,
        parameters=asks,
    )


def effects(reading: Reading) -> Effects:
    """The effects, never empty.

    Without a known verb a tool reads whose description names a thing, another that is described writes, and
    an undescribed one executes.
    """
    if not reading.verb:
        if reading.thing or lex.RETURNS.search(reading.description):
            return lex.READ
        return lex.WRITE if reading.description else lex.EXECUTE
    found = _acting(reading, reading.verb)
    if found == lex.READ and reading.from_name and reading.told and reading.told not in lex.ALSO_NOUNS:
        found = _acting(reading, reading.told)  # `get_report`, described as "Deletes …"
    for other in reading.joined:
        found |= VERBS[other]
    if found == lex.READ:
        return found
    if _NOTIFIES.search(reading.description):
        found |= lex.SEND
    return found if Effect.SEND in found else found - lex.READ


def _acting(reading: Reading, verb: str) -> Effects:
    """A verb's effects, given what it acts on: the first rule that fits, else the verb's own."""
    nouns, inputs = reading.nouns, reading.inputs
    for rule in lex.RULES:
        if (
            verb in rule.verbs
            and (not rule.nouns or nouns & rule.nouns)
            and (not rule.places or nouns & rule.places)
            and (not rule.inputs or inputs & rule.inputs)
            and not (nouns | inputs) & rule.unless
            and (reading.from_name or not rule.named)
        ):
            return rule.effects
    found = VERBS[verb]
    if found == lex.WRITE and verb not in lex.KEEPING and any(lex.PAYS.search(p) for p in reading.parameters):
        return lex.PAY | lex.WRITE
    if found == lex.READ and any(
        voc.OUTPUT & set(ws) and voc.FILES & set(ws) for ws in reading.parameters.values()
    ):
        return lex.WRITE
    return found


def output(reading: Reading, effects: Effects) -> TrustTier:
    """Who may have written what comes back: UNTRUSTED where others can."""
    if not reading.verb:
        return TrustTier.UNTRUSTED
    if Effect.EXECUTE in effects:
        code = {*reading.nouns, *reading.inputs} & voc.CODE
        return TrustTier.UNTRUSTED if code else TrustTier.VERIFIED
    if Effect.READ not in effects:
        return TrustTier.VERIFIED
    told = reading.told if reading.from_name else ""
    if reading.verb in lex.OPEN_VERBS or told in lex.OPEN_VERBS:
        measured = reading.asked and base(reading.asked[-1]) in voc.BARE_FACTS
        return TrustTier.VERIFIED if measured else TrustTier.UNTRUSTED
    if reading.verb in lex.ANYWHERE and not reading.asked and not reading.phrase:
        return TrustTier.UNTRUSTED
    if reading.verb in lex.OWN_VERBS or "sent" in reading.words:
        return TrustTier.VERIFIED
    if reading.asked and base(reading.asked[-1]) in voc.BARE_FACTS:
        return TrustTier.VERIFIED
    if voc.WEB & set(reading.name):
        return TrustTier.UNTRUSTED
    listing = reading.verb in ("list", "find", "ls")
    opened = (
        _open(reading.asked, listing)
        or _open(reading.phrase, listing)
        or reading.inputs & {"url", "uri", "urls"}
    )
    return TrustTier.UNTRUSTED if opened else TrustTier.VERIFIED


def _open(ws: list[str], listing: bool) -> bool:
    """True when a phrase's head noun is text that others write."""
    for word, after in zip(ws, [*ws[1:], ""], strict=False):
        if word.endswith(("ed", "ing")):
            continue
        word = base(word)
        if word in voc.OPEN_PLACES:
            return True
        head = not after or after in voc.TRANSPARENT or after in voc.LINKS or after.endswith(("ed", "ing"))
        if (
            word in voc.OPEN_CONTENT
            and head
            and not (listing and word in ("file", "document", "repository", "channel"))
        ):
            return True
    return False


def sensitivity(reading: Reading, effects: Effects) -> int:
    """1 public, 2 internal, 3 personal, 4 confidential or destructive, 5 credentials; by whole words."""
    text = " ".join(reading.words)
    level = next((level for level, cue in voc.SENSITIVE if cue.search(text)), 1)
    return max(level, 4) if effects & (lex.DELETE | lex.PAY) else level
