"""A text slipped into what a tool printed: into somebody's own words there, in their form."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import NamedTuple

from gatling.plan import JSON

_STOP = r"(?<=[\w)'\"»”]{2}[.!?])"
_ABBREVIATED = r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSr\.)(?<!\bSt\.)(?<!\bNr\.)(?<!\bNo\.)"
_SENTENCE_END = re.compile(rf"{_STOP}{_ABBREVIATED}[ \n]+(?=[^\W\da-zà-ÿ])")
"""Between two sentences: not after "p.m." or "Dr.", and not before a small letter."""

PROSE = 24
"""Lines from this length on, with several words, are taken for somebody's prose."""

_ENDS = ("", *".!?:,;>)\"'”»")
"""What a sentence ends with that nothing need be added to."""

_LETTER = 60
_AMONG_LONG = 0.85
"""Share of texts that go into lines of that length on, where there are any: what people write is longer."""

_REPLACED = 0.15
"""Share of texts that stand in a line's place instead of in it."""

_LITERAL = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_BETWEEN_TAGS = re.compile(r"(?<=>)[^<>]+(?=<)")
_KEYED = re.compile(r"\s*(?:- )?[^\W\d][\w ]{0,29}: +(?=\S)")
_YAML = re.compile(r"\s*(?:- )?[a-z]\w*: +(?=\S)")
_BARS = (" | ", "\t", ";")
_LONG = 90
"""Longer values stand in a block of their own in YAML."""


class Line(NamedTuple):
    """A line of text in a tool's output, as it reads when the output's form is undone."""

    text: str
    write: Callable[[str], JSON]
    """The output with another text in this line's place."""
    flat: bool = False
    """No line break may stand in it."""


class Slip(NamedTuple):
    """An output with a text slipped in, and the words beside it: with the text they are others.

    No words where the text was added for itself.
    """

    content: JSON
    old: str = ""
    new: str = ""


def slip(content: JSON, text: str, rng: Random, kept: str = "") -> Slip:
    """The content of a tool's output with a stranger's text in it, where strangers' words stand.

    What stands in `kept`, a line each, is said or used elsewhere: no text stands in its place, and it is left
    as it is where anything else can be taken.
    """
    found = lines(content)
    prose = [line for line in found if len(line.text) >= PROSE and line.text.count(" ") >= 3]
    long = [line for line in prose if len(line.text) >= _LETTER]
    if long and rng.random() < _AMONG_LONG:
        prose = long
    free = [line for line in prose if line.text not in kept]
    loose = [line for line in found if " " in line.text and line.text not in kept]
    chosen = free or prose or loose
    if not chosen:
        return Slip(_added(content, text))
    line = rng.choice(chosen)
    flat = " ".join(text.split()) if line.flat else text
    if len(line.text) >= PROSE and not _holds_any(line.text, kept) and rng.random() < _REPLACED:
        return Slip(line.write(flat), line.text, flat)
    before, after = _cut(line.text, rng)
    head, told, tail = _told(before, flat, after, rng, line.flat)
    earlier, later = _SENTENCE_END.split(before)[-1], _SENTENCE_END.split(after)[0]
    made = line.write(head + told + tail)
    if max(len(earlier), len(later)) < PROSE // 2:
        return Slip(made, line.text, head + told + tail)
    if len(earlier) >= len(later):
        return Slip(made, earlier, head[len(before) - len(earlier) :] + told)
    return Slip(made, later, told + tail[: len(tail) - len(after) + len(later)])


def _holds_any(text: str, kept: str) -> bool:
    """True when the text has to stay: it is one of the kept ones, or holds one."""
    return text in kept or any(len(value) > 3 and value in text for value in kept.split("\n"))


def again(content: JSON, old: str, new: str) -> JSON:
    """The content with a line's new text wherever the line stands in it, whatever form it is printed in."""
    if len(old) < PROSE // 2:
        return content
    count = sum(old in line.text for line in lines(content))
    # From the last on: the lines before stay as they are, and can be counted again.
    for nth in reversed(range(count)):
        line = [line for line in lines(content) if old in line.text][nth]
        content = line.write(line.text.replace(old, " ".join(new.split()) if line.flat else new))
    return content


def into_prose(prose: str, text: str, rng: Random) -> str:
    """A text between two sentences of a prose, before it or after it."""
    before, after = _cut(prose, rng)
    return "".join(_told(before, text, after, rng, False))


def _cut(prose: str, rng: Random) -> tuple[str, str]:
    """A prose in two, between sentences."""
    at = rng.choice([0, len(prose), *(m.start() for m in _SENTENCE_END.finditer(prose))])
    return prose[:at].rstrip(), prose[at:].lstrip()


def _told(before: str, text: str, after: str, rng: Random, flat: bool) -> tuple[str, str, str]:
    """What stands before a text, the text and what stands after it, with the gaps between them.

    What does not end as a sentence does stands in a line of its own, or gets its full stop.
    """
    gap = " " if flat else rng.choice((" ", " ", "\n", "\n\n"))
    first, told = (part if "\n" in gap or part[-1:] in _ENDS else f"{part}." for part in (before, text))
    return f"{first}{gap}" if before else "", told if after else text, f"{gap}{after}" if after else ""


def lines(content: JSON) -> list[Line]:
    """The lines of text that an output holds, but for what its form adds."""
    if not isinstance(content, str):
        return list(_in_value(content, lambda value: value))
    stripped = content.strip()
    if stripped[:1] in ("{", "["):
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            return list(_in_literals(content))
        ascii_only = stripped.isascii() and "\\u" in stripped
        indent = 2 if "\n" in stripped else None
        return list(_in_value(value, partial(json.dumps, ensure_ascii=ascii_only, indent=indent)))
    if stripped[:1] == "<":
        return list(_in_markup(content))
    return list(_in_text(content))


def _added(content: JSON, text: str) -> JSON:
    """The content with a text beside all else that it holds."""
    if isinstance(content, str):
        stripped = content.strip()
        try:
            value = json.loads(stripped) if stripped[:1] in ("{", "[") else None
        except ValueError:
            value = None
        if value is None:
            return f"{content}\n{text}".lstrip("\n")
        return json.dumps(_added(value, text), ensure_ascii=False, indent=2 if "\n" in stripped else None)
    if isinstance(content, dict):
        return {**content, "note": text}
    return [*content, text] if isinstance(content, list) else text


def _each(text: str, write: Callable[[str], JSON]) -> Iterator[Line]:
    """The lines of a text that `write` puts back."""
    parts = text.split("\n")
    for at, part in enumerate(parts):
        if part.strip():
            yield Line(part, partial(_joined, parts, at, write))


def _joined(parts: list[str], at: int, write: Callable[[str], JSON], new: str) -> JSON:
    return write("\n".join([*parts[:at], new, *parts[at + 1 :]]))


def _in_value(value: JSON, write: Callable[[JSON], JSON]) -> Iterator[Line]:
    if isinstance(value, str):
        yield from _each(value, write)
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _in_value(child, partial(_put, value, key, write))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _in_value(child, partial(_put_at, value, index, write))


def _put(holder: dict[str, JSON], key: str, write: Callable[[JSON], JSON], new: JSON) -> JSON:
    return write({**holder, key: new})


def _put_at(holder: list[JSON], index: int, write: Callable[[JSON], JSON], new: JSON) -> JSON:
    return write([*holder[:index], new, *holder[index + 1 :]])


def _in_literals(content: str) -> Iterator[Line]:
    """The strings of a Python `repr`, keys left out."""
    for match in _LITERAL.finditer(content):
        if content[match.end() : match.end() + 1] == ":":
            continue
        try:
            text = ast.literal_eval(match.group())
        except (ValueError, SyntaxError):
            continue
        yield from _each(str(text), partial(_spliced, content, *match.span(), repr))


def _spliced(content: str, start: int, end: int, form: Callable[[str], str], new: str) -> str:
    return content[:start] + form(new) + content[end:]


def _in_markup(content: str) -> Iterator[Line]:
    """The texts between tags, without their labels."""
    for match in _BETWEEN_TAGS.finditer(content):
        label = _KEYED.match(match.group())
        start = match.start() + (label.end() if label else 0)
        text = html.unescape(content[start : match.end()])
        yield from _each(text, partial(_spliced, content, start, match.end(), _escaped))


def _escaped(text: str) -> str:
    """A text for a page; one that brings character references of its own keeps them."""
    return text if re.search(r"&#\d+;.*&#\d+;", text) else html.escape(text)


def _in_text(content: str) -> Iterator[Line]:
    rows = content.split("\n")
    bar = next((b for b in _BARS if min(row.count(b) for row in (rows[0], rows[-1])) >= 2), None)
    for at, row in enumerate(rows):
        write = partial(_joined, rows, at, lambda text: text)
        if bar is not None and row.count(bar) >= 2:
            if at:
                cells = row.split(bar)
                for index, cell in enumerate(cells):
                    if cell.strip():
                        yield Line(cell, partial(_cell, cells, index, bar, write), True)
            continue
        key = _KEYED.match(row)
        start = key.end() if key else len(row) - len(row.lstrip())
        said = row[start:]
        if not said.strip() or said.strip() == "|":
            continue
        indent = " " * (len(row) - len(row.lstrip()))
        if _YAML.match(row):
            quoted = len(said) > 1 and said[0] == said[-1] == "'"
            text = said[1:-1].replace("''", "'") if quoted else said
            yield Line(text, partial(_scalar, row[:start], indent, write))
        else:
            yield Line(said, partial(_indented, row[:start], indent, write))


def _cell(cells: list[str], index: int, bar: str, write: Callable[[str], JSON], new: str) -> JSON:
    return write(bar.join([*cells[:index], new, *cells[index + 1 :]]))


def _indented(key: str, indent: str, write: Callable[[str], JSON], new: str) -> JSON:
    return write(key + new.replace("\n", f"\n{indent}"))


def _scalar(key: str, indent: str, write: Callable[[str], JSON], new: str) -> JSON:
    """A YAML value: plain, quoted where it must be, a block when it is long."""
    if "\n" in new or len(new) > _LONG:
        inner = f"{indent}    "
        return write(f"{key}|\n{inner}" + new.replace("\n", f"\n{inner}"))
    if new[0] in "-[{#&*!|>'\"%@`" or ": " in new or new[-1] == ":":
        return write(key + "'" + new.replace("'", "''") + "'")
    return write(key + new)
