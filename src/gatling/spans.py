"""Content to segments of text: which sentence or field stands where in a message.

Strings that hold JSON are read as JSON. Everything else (YAML, Python reprs, HTML, mails, prose) goes through
one lexical pass that knows `key: value`, line wrapping, tags and sentence ends, since real tools print all
of these and an attacker writes none of them well-formed. Nothing is executed and nothing is resolved.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from gatling.plan import JSON
from gatling.text import visible

MAX_TEXT = 400_000
"""Characters read of one text: its first three quarters and its last quarter; what lies between is cut."""

MAX_SENTENCE = 400
"""Longer sentences are read in pieces, so that a clause buried in one is not averaged away."""

LISTED = 3
"""Labels with a colon in one sentence from which on it is taken for a list of fields."""

MAX_DEPTH = 64
MAX_LEAVES = 20_000

_WRAPPED = re.compile(
    r"(?<=[^\s.:;!?>,{}\[\]])[ \t]*\n[ \t]*(?=[a-z(\"'0-9][^\n:]*(?:\n|$))"
    r"|(?<=,)[ \t]*\n[ \t]+(?=[^\n:\"']*(?:\n|$))"
)
_FOLDED = re.compile(r"\\\n[ \t]*(?:\\(?= ))?")
"""Where a double-quoted YAML string goes on in the next line (https://yaml.org/spec/1.2.2/#731-double-quoted-style)."""
_FIELD = re.compile(
    r"(?:^[ \t]*(?:[-*•][ \t]+)?|[{,][ \t]*)[\"']?([^\W\d][\w .-]{0,40}?)[\"']?[ \t]*:(?:[ \t]+|$)", re.M
)
_INLINE = re.compile(r"(?:^|(?<=\s))((?:[^\W\d_a-z][\w-]* ){0,3}[^\W\d_a-z][\w-]*): (?=\S)")
_ESCAPED_BREAK = r"(?:\\{1,4}[nr]){2,}|(?<=\w\w[:.,;!?)])\\{1,4}[nr]|\\{1,4}[nr](?![a-z_])"
r"""A line break as Python and JSON print it inside a string. Before a small letter it needs a sentence's mark
before it, or another break: `C:\new` has none."""
_SENTENCE = re.compile("(?<=[.!?\u3002\uff01\uff1f])[\\s\"')\\]]+|\\n+|[;|\u2022]\\s|" + _ESCAPED_BREAK)
_PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W_]+\s+[^\W_]+\s+[^\W_]+")
_TAG = re.compile(r"<!--|<!?/?[a-zA-Z][\w:-]{0,40}([^<>]{0,4000})>")
_ATTRIBUTE = re.compile(r"([\w:-]{1,40})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{20,}={0,2}(?![A-Za-z0-9+/=])")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w{2,8};|\\u[0-9a-fA-F]{4}")
_TELLING = re.compile(r"[\d@]")
"""A field's name with digits or an @ in it is a value that somebody wrote before a colon."""
_INDEX = re.compile(r"\[\d+\]")


class Segment(NamedTuple):
    """A sentence or field: its text, its field's path, its record and whether it is the whole field."""

    text: str
    path: str = ""
    record: int = 0
    whole: bool = False


def cut_oversized(text: str) -> tuple[str, int]:
    """The text within `MAX_TEXT` characters, and how many were cut from its middle."""
    excess = len(text) - MAX_TEXT
    if excess <= 0:
        return text, 0
    head = MAX_TEXT * 3 // 4
    return text[:head] + "\n" + text[head + excess :], excess


def segments(content: JSON) -> tuple[list[Segment], int]:
    """Segments of a message's content in reading order, and the number of characters that were cut."""
    if isinstance(content, str):
        content, cut = cut_oversized(content)
        parsed = _parsed(content)
        if parsed is None:
            return list(_lexical(content)), cut
        content = parsed
    else:
        cut = 0
    found = [Segment(visible(key), key, 0, True) for key in _telling_keys(content)]
    records = _Records()
    count = 0
    for path, value in leaves(content):
        count += 1
        record = records.of(_INDEX.sub("", path))
        text, more = cut_oversized(value if isinstance(value, str) else json.dumps(value))
        cut += more
        found += _sentences(text, path, record)
    if count == MAX_LEAVES:
        cut += max(1, len(json.dumps(content)) - sum(len(s.text) for s in found))
    return found, cut


def _parsed(text: str) -> JSON:
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] not in ("{}", "[]"):
        return None
    try:
        parsed = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, (dict, list)) else None


def leaves(value: JSON) -> Iterator[tuple[str, JSON]]:
    """Scalar leaves of a JSON value with their paths (`to[0].name`), at most `MAX_LEAVES` of them.

    What lies deeper than `MAX_DEPTH` comes as one leaf of JSON text.
    """
    stack: list[tuple[str, JSON, int]] = [("", value, 0)]
    count = 0
    while stack and count < MAX_LEAVES:
        at, item, level = stack.pop()
        if isinstance(item, dict) and level < MAX_DEPTH:
            keyed = [(f"{at}.{key}" if at else str(key), child, level + 1) for key, child in item.items()]
            stack.extend(reversed(keyed))
        elif isinstance(item, list) and level < MAX_DEPTH:
            stack.extend((f"{at}[{i}]", item[i], level + 1) for i in range(len(item) - 1, -1, -1))
        else:
            count += 1
            try:
                yield at, json.dumps(item) if isinstance(item, (dict, list)) else item
            except RecursionError:
                yield at, "(nested too deeply to read)"


def _telling_keys(value: JSON) -> Iterator[str]:
    stack: list[tuple[JSON, int]] = [(value, 0)]
    for _ in range(MAX_LEAVES):
        if not stack:
            return
        item, level = stack.pop()
        if isinstance(item, dict):
            yield from (key for key in item if _TELLING.search(key))
        if isinstance(item, (dict, list)) and level < MAX_DEPTH:
            stack.extend((child, level + 1) for child in (item.values() if isinstance(item, dict) else item))


class _Records:
    """Numbers list elements: a field that comes again starts the next record."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.number = 0

    def of(self, field: str) -> int:
        if field in self._seen:
            self._seen.clear()
            self.number += 1
        self._seen.add(field)
        return self.number


def _lexical(text: str) -> Iterator[Segment]:
    text = _WRAPPED.sub(" ", _FOLDED.sub("", text))
    records = _Records()
    last, field, record = 0, "", 0
    for match in _FIELD.finditer(text):
        yield from _sentences(text[last : match.start()], field, record)
        field = match.group(1)
        record = records.of(field)
        last = match.end()
        if _TELLING.search(field):
            yield Segment(visible(field), field, record, True)
    yield from _sentences(text[last:], field, record)


def _sentences(text: str, path: str, record: int) -> Iterator[Segment]:
    """Sentences of a text; a tag's attributes and comments are texts of their own."""
    last = 0
    tag = _TAG.search(text) if "<" in text else None
    while tag:
        yield from _split(text[last : tag.start()], path, record)
        if tag.group() == "<!--":
            end = text.find("-->", tag.end())
            last = end + 3 if end >= 0 else len(text)
            yield from _split(text[tag.end() : end if end >= 0 else len(text)], "!--", record)
        else:
            last = tag.end()
            for name, double, single in _ATTRIBUTE.findall(tag.group(1)):
                yield from _split(double or single, "@" + name, record)
        tag = _TAG.search(text, last)
    yield from _split(text[last:], path, record)


def _listed(piece: str, path: str, record: int) -> Iterator[Segment]:
    """The fields of a line like "Name: Ana Room: 12 Key: K4", whose line breaks got lost."""
    found = list(_INLINE.finditer(piece))
    if found[0].start():
        yield Segment(piece[: found[0].start()].rstrip(), path, record)
    for at, match in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(piece)
        value = piece[match.end() : end].strip(" |,;")
        if value:
            yield Segment(value, match.group(1), record, not _PROSE.search(value[:200]))


def _split(text: str, path: str, record: int) -> Iterator[Segment]:
    text = visible(text)
    pieces = [p for p in (piece.strip(" \t\r\n'\"{}[],") for piece in _SENTENCE.split(text)) if p]
    whole = len(pieces) == 1 and bool(path) and not _PROSE.search(pieces[0][:200])
    for piece in pieces:
        if piece.count(": ") >= LISTED and len(_INLINE.findall(piece)) >= LISTED:
            yield from _listed(piece, path, record)
            continue
        hidden_texts = decodings(piece) if len(piece) >= 20 or "%" in piece or "&" in piece else ()
        while len(piece) > MAX_SENTENCE:
            at = piece.rfind(" ", MAX_SENTENCE // 2, MAX_SENTENCE)
            at = at if at > 0 else MAX_SENTENCE
            yield Segment(piece[:at], path, record)
            piece = piece[at:].lstrip()
        yield Segment(piece, path, record, whole)
        for hidden in hidden_texts:
            yield Segment(hidden, path, record)


def decodings(text: str) -> list[str]:
    """What a text says once URL, HTML and base64 encodings are undone; empty when nothing was encoded."""
    found = []
    if ("%" in text or "&" in text or "\\u" in text) and _ESCAPED.search(text):
        plain = html.unescape(unquote(text, errors="replace"))
        if plain != text:
            found.append(visible(plain))
    if len(text) >= 20:
        for blob in _BASE64.findall(text)[:32]:
            try:
                decoded = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                continue
            if decoded.replace("\n", " ").isprintable():
                found.append(visible(decoded))
    return found
