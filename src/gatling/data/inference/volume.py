"""How many items a text asks for, by its whole words.

A number counts only where it counts things: one that is an id, a price, a date, a measure or a duration
does not, and "call" and "small" are not "all". "Any" is no quantity, nor is a bare plural.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatling.data.inference import vocabulary as voc
from gatling.reach import EVERYTHING, MANY
from gatling.text import words
from gatling.tools.lexicon import VERBS, base

EXAMINED = 4_000
"""Characters of a text that are read."""

_LIMITS = re.compile(
    r"\b(?:limit(?:ed)?(?: of| to|:)?|(?:at|no) (?:most|more than)|up to|max(?:imum)?(?: of)?|for)$"
)
_BOUNDS = re.compile(
    r"\b(?:less|fewer|greater|higher|lower) than$|(?<!no )(?<!want )(?<!need )\bmore than$"
    r"|\b(?:at least|under|over|below|above)$"
)
_MEASURED = re.compile(
    r"(?<!\blimit)(?<!\bmaximum)(?<!\bmax)(?<!\blist)(?<!\bset)(?<!\btotal)(?<!\bbatch) of$"
)
"""Before a number: "a length of 7 units"."""
_HEADS = re.compile(r"\b(?:family|party|group|team) of$")
_TITLE = re.compile(r"\s*[^\W\d_a-z][^\W\d_A-Z]")
_STATE = re.compile(
    r"(?:\btrack of\s+"
    r"|\b(?:i|we|you|they)(?:['\u2019]ve| have)\b(?!.*\b(?:to|please|could|can|want|need)\b).*"
    r"|\b(?:are|is|was|were|been|be|(?:we|they|you)['\u2019]re|(?:it|that)['\u2019]s|at|after|above|for|in|not)\s+)$",
    re.I,
)
"""Before "all": what is told is a state, or a set phrase."""
_EVERYTHING_IS = re.compile(
    r"^\s*(?:else |already )*(?:has|have|had|can|will|informed|updated|posted|covered|['\u2019]s|is|are|was|"
    r"in order|in place|checks|aligns?|works?|goes|looks?|should|be|set|ready|"
    r"needed|before|i need|for our|for the|you need|up to)\b",
    re.I,
)
_THEM = re.compile(r"\b(?:them|these|those|us) $", re.I)
_IF = re.compile(r"\b(?:if|whether|how|so|too|as|unless|wenn|si|se|wie|où)\b[^,.;]*$", re.I)
_PRICED = re.compile(r"\d\s*(?:dollars|euros|usd|eur)?\s*$", re.I)
_NAMED = re.compile(r"(?<!\w)(?:\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|'[^'\n]{0,400}'(?!\w))")
_CLAUSE = re.compile(r"[.;:!?,\n—]\s")
_DIGIT = re.compile(r"\d")
_CUE = re.compile(
    r"(?<![\w$€£¥#@.,:/+\-−–_])(?P<digits>\d{1,3}(?:,\d{3})+|\d{1,7})(?![\w%°:/_\-–−]|[.,]\d)|(?P<word>[^\W\d_]+)"
)
_STATED = re.compile(_CUE.pattern.replace(r"[^\W\d_]+", r"(?!)"))
"""A number in digits alone."""
_NEXT = re.compile(r"[^\W\d_]+|[^\s]")
_AND = re.compile(r"^[\w' -]{0,40}(?:,(?: and| or)?|\band|\bplus|\bund|\by|\bet|\be)\s*$")
_LISTED_NUMBERS = re.compile(r"(?<![\w.\[])\d+(?:\s?,\s?\d+)+,? (?:and|und|y|et|e) \d+(?!\w|\.\d)")
_INTEGER = re.compile(r"\d+")
_THING = r"(?:(?:the|my|your|an?) )?[a-z'-]+(?: [a-z'-]+){0,2}"
_LISTED_THINGS = re.compile(
    rf"\b([A-Za-z]+) (?:the|my|your) [a-z'-]+(?: [a-z'-]+){{0,2}}(?:, (?!and\b){_THING}){{1,20}},? and \w+"
)
_BETWEEN = re.compile(r",? and |, ")
_CUES = (
    voc.ALL
    | voc.LISTS
    | voc.MANY
    | voc.SMALL.keys()
    | voc.NUMBERS.keys()
    | voc.FOREIGN_NUMBERS.keys()
    | voc.SCALES.keys()
)


def volume(text: str) -> float:
    """Items that a text asks for: all is 10,000, many 100, else the number that it states, else 1.

    >>> volume("my last 3 invoices"), volume("twelve emails"), volume("call the small shop")
    (3.0, 12.0, 1.0)
    >>> volume("cancel order 4711 of May 3, 2026"), volume("delete every mail")
    (1.0, 10000.0)
    """
    text = text[:EXAMINED]
    return volume_of(text, words(text))


def volume_of(text: str, ws: Sequence[str]) -> float:
    """`volume` of a text whose words are known."""
    worded = not _CUES.isdisjoint(ws)
    if not worded and not _DIGIT.search(text):
        return min(_listed(text), EVERYTHING)
    if '"' in text or "'" in text or "“" in text:
        text = _NAMED.sub(" this ", text)
    most, run, end = 1.0, 0.0, -1
    foreign: bool | None = None
    for cue in (_CUE if worded else _STATED).finditer(text):
        word = cue.group("word")
        if word is not None:
            if word not in _CUES:
                word = word.lower()
                if word not in _CUES:
                    continue
            if word in voc.ALSO_ENGLISH:
                if foreign is None:
                    foreign = _is_foreign(text)
                if not foreign and word not in voc.NUMBERS:
                    continue
            elif word in voc.FOREIGN_NUMBERS:
                foreign = True
        if foreign is None:
            foreign = _is_foreign(text)
        count = _count(text, cue, word, bool(foreign))
        if count <= 1:
            continue
        if (
            count < MANY
            and end >= 0
            and len(text[end : cue.start()]) < 60
            and _AND.match(text[end : cue.start()])
        ):
            run += count
        else:
            run = count
        end = cue.end()
        most = max(most, run)
    return min(max(most, _listed(text)), EVERYTHING)


def _listed(text: str) -> float:
    """Things that a text names one by one: "return the desk, lamp, and chair" is three."""
    if "," not in text:
        return 1.0
    most = 1.0
    for listed in _LISTED_NUMBERS.finditer(text):
        most = max(most, float(len(_INTEGER.findall(listed.group()))))
    for listed in _LISTED_THINGS.finditer(text):
        if base(listed.group(1).lower()) in VERBS:
            most = max(most, float(len(_BETWEEN.findall(listed.group())) + 1))
    return most


def _is_foreign(text: str) -> bool:
    return len(voc.FOREIGN.intersection(text[:600].lower().split())) >= 2


def _count(text: str, cue: re.Match[str], word: str | None, foreign: bool) -> float:
    """What one cue counts; 1 where it counts nothing."""
    before, after = text[max(0, cue.start() - 80) : cue.start()], text[cue.end() : cue.end() + 60]
    following = [w.lower() for w in _NEXT.findall(after)[:5]]
    if word is None or word in voc.NUMBERS or word in voc.FOREIGN_NUMBERS:
        if not foreign and _TITLE.match(after):
            return 1.0  # a name: "3 Below Theaters"
        return _stated(_value(cue, word, following), word is None, before, following, foreign)
    if word in voc.SCALES:
        return 1.0  # read with the number before it
    clause = _CLAUSE.split(before)[-1]
    if word in voc.ALL:
        return _all(word, clause, before, after, following)
    if word in voc.LISTS:
        return EVERYTHING if following[:1] and following[0] in voc.HOLDERS else 1.0
    if _IF.search(clause) or _STATE.search(clause) or (following[:1] and following[0] in voc.NOT_COUNTED):
        return 1.0
    if word in voc.SMALL:
        rest = [w for w in following if w not in voc.OF]
        vague = not rest or rest[0] in voc.NOT_COUNTED or not rest[0].isalpha()
        return 1.0 if vague and word != "both" else voc.SMALL[word]
    return MANY


def _value(cue: re.Match[str], word: str | None, following: list[str]) -> float:
    """The number that a cue writes, with what follows of it in words: two hundred, twenty-five."""
    value = float(cue.group().replace(",", "")) if word is None else voc.NUMBERS.get(word, 0.0)
    if word is not None and not value:
        value = voc.FOREIGN_NUMBERS.get(word, 0.0)
    while following and (following[0] in voc.SCALES or following[0] == "dozen"):
        value *= voc.SCALES.get(following.pop(0), 12.0)
    tail = following[1:] if following[:1] == ["-"] else following
    if value >= 20 and value % 10 == 0 and tail and 0 < voc.NUMBERS.get(tail[0], 0.0) < 10:
        value += voc.NUMBERS[tail[0]]
        del following[: len(following) - len(tail) + 1]
    return value


def _stated(value: float, digits: bool, before: str, following: list[str], foreign: bool) -> float:
    """A number, where it counts things; else 1."""
    previous = words(before[-24:])[-1:] if before[-1:] in (" ", "\n", "(", "") else []
    last = previous[0] if previous else ""
    lowered = before.rstrip().lower()
    if digits and last in voc.NUMBERED and (last != "order" or value >= MANY):
        return 1.0
    if _HEADS.search(lowered):
        return value
    if _BOUNDS.search(lowered) or _MEASURED.search(lowered):
        return 1.0
    ranked = last in voc.RANKING or bool(_LIMITS.search(lowered))
    for at, word in enumerate(following[:4]):
        if word in voc.NOT_COUNTED:
            return 1.0
        if not word.isalpha():
            break
        if word in voc.PEOPLE or _plural(word, foreign) or (at == 0 and word in ("of", "more")):
            return value
        if word in voc.STOPPING:
            break
    return value if ranked and last != "next" and not (following and following[0] == "-") else 1.0


def _plural(word: str, foreign: bool) -> bool:
    if len(word) > 3 and word[-1] == "s" and not word.endswith(("ss", "us", "is")):
        return True
    return foreign and len(word) > 3 and word[-1] in "nesiro" and word not in voc.FOREIGN


def _all(word: str, clause: str, before: str, after: str, following: list[str]) -> float:
    """What "all", "every" or "each" means: a number that follows, everything, or a manner of speaking."""
    rest = [w for w in following if w not in ("of", "the", "my", "your", "our", "these", "those", "its")]
    if rest and (rest[0] in voc.NUMBERS or rest[0].isdecimal()):
        return 1.0  # the number speaks for itself
    if rest and (rest[0] in voc.DETAIL or rest[0] in voc.NOT_COUNTED):
        return 1.0
    if word == "each" and (_PRICED.search(before) or rest[:1] == ["other"]):
        return 1.0
    if word.startswith("every") and len(word) > 5 and _EVERYTHING_IS.match(after):
        return 1.0
    if word in ("each", "every") and rest[1:2] and rest[1] in ("has", "have", "is", "are", "was", "gets"):
        return 1.0
    if word == "all" and (not rest or not rest[0].isalpha()):
        return EVERYTHING if _THEM.search(clause) else 1.0
    if _STATE.search(clause):
        return 1.0
    return EVERYTHING
