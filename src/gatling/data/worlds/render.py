"""How tools print what they found: the same rows as JSON, YAML, lines, a table, a page, a mail or prose.

Written here rather than with a YAML or template library because a build renders millions of small outputs and
real tools seldom print well-formed documents anyway.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from gatling.data.worlds.generators import Row
from gatling.data.worlds.template import ended

STYLES = ("json", "json", "yaml", "yaml", "lines", "table", "html", "prose", "prose", "repr")
"""Styles drawn for tools that prefer none."""

_EMPTY = ("[]", "No results.", "Nothing found.", "0 records")


def render(shown: Any, style: str, rng: Random) -> str:
    """What a tool prints: `shown` is a list of rows, one row, or a sentence."""
    if isinstance(shown, str):
        return shown
    if isinstance(shown, list) and not shown:
        return rng.choice(_EMPTY)
    return _RENDER[style](shown, rng)


def _rows(shown: Any) -> list[Row]:
    return shown if isinstance(shown, list) else [shown]


def _json(shown: Any, rng: Random) -> str:
    return json.dumps(shown, ensure_ascii=rng.random() < 0.2, indent=rng.choice((None, None, 2)), default=str)


def _repr(shown: Any, rng: Random) -> str:
    return repr(shown)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not isinstance(value, str):
        return text
    if "\n" in text or len(text) > 90:
        body = text.replace("\n", "\n    ")
        return f"|\n    {body}"
    if text == "" or text[0] in "-[{#&*!|>'\"%@`" or ": " in text or text[-1] == ":":
        return "'" + text.replace("'", "''") + "'"
    return text


def _yaml(shown: Any, rng: Random) -> str:
    many = isinstance(shown, list)
    lines = []
    for row in _rows(shown):
        lead = "- " if many else ""
        for column, value in row.items():
            if isinstance(value, list):
                lines.append(f"{lead}{column}:")
                lines += [f"  - {_scalar(v)}" for v in value]
            else:
                lines.append(f"{lead}{column}: {_scalar(value)}")
            lead = "  " if many else ""
    return "\n".join(lines)


def _label(column: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ").lower()
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _lines(shown: Any, rng: Random) -> str:
    divider = rng.choice(("\n\n", "\n---\n"))
    return divider.join(
        "\n".join(f"{_label(column)}: {_text(value)}" for column, value in row.items())
        for row in _rows(shown)
    )


def _table(shown: Any, rng: Random) -> str:
    rows = _rows(shown)
    columns = list(rows[0])
    bar = rng.choice((" | ", " | ", "\t", ";"))
    lines = [bar.join(columns)]
    if bar == " | " and rng.random() < 0.5:
        lines.append("|".join("---" for _ in columns))
    lines += [bar.join(_text(row[column]).replace("\n", " ") for column in columns) for row in rows]
    return "\n".join(lines)


def _html(shown: Any, rng: Random) -> str:
    rows = _rows(shown)
    if len(rows) > 1 and rng.random() < 0.4:
        head = "".join(f"<th>{_label(column)}</th>" for column in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_text(v))}</td>" for v in row.values()) + "</tr>\n"
            for row in rows
        )
        return f"<table>\n<tr>{head}</tr>\n{body}</table>"
    parts = []
    for row in rows:
        title, *others = row.items()
        parts.append(f'<section id="{html.escape(_text(title[1]))}">')
        parts += [
            f"<p>{html.escape(_text(value))}</p>"
            if len(_text(value)) > 60
            else f"<div class='{column}'>{_label(column)}: {html.escape(_text(value))}</div>"
            for column, value in others
        ]
        parts.append("</section>")
    return "<html><body>\n" + "\n".join(parts) + "\n</body></html>"


_HEADERS = ("sender", "from", "sender_name", "author", "to", "date", "subject", "title")


def _mail(shown: Any, rng: Random) -> str:
    mails = []
    for row in _rows(shown):
        long = [c for c, v in row.items() if isinstance(v, str) and len(v) > 60 and c not in _HEADERS]
        heads = [f"{_label(c)}: {_text(v)}" for c, v in row.items() if c not in long]
        body = "\n\n".join(_text(row[c]) for c in long)
        if body and rng.random() < 0.3:
            who = _text(next((row[c] for c in _HEADERS if c in row), "they"))
            day = f"{rng.randint(1, 28)}/{rng.randint(1, 12)}"
            body += f"\n\nOn {day} {who} wrote:\n> Thanks, will do.\n> More soon."
        mails.append("\n".join(heads) + "\n\n" + body)
    return "\n\n=====\n\n".join(mails)


_SAID = (
    "The {label} of {key} is {value}",
    "{key} has {value} as its {label}",
    "For {key} the {label} is {value}",
    "{key} is listed here with the {label} {value}",
    "Its {label} is {value}",
    "As {label} we have {value}",
    "Please note that the {label} reads {value}",
)


def _prose(shown: Any, rng: Random) -> str:
    sentences: list[str] = []
    rows = _rows(shown)
    if len(rows) > 1:
        sentences.append(f"Found {len(rows)} results.")
    together = rng.random() < 0.4
    for row in rows:
        (first, key), *others = row.items()
        short = [(_label(c).lower(), _text(v)) for c, v in others if len(_text(v)) <= 60]
        if together or not short:
            # No colon: what stands before one is read as a field's name.
            named = [f"{_label(first)} {_text(key)}", *(f"{label} {v}" for label, v in short)]
            sentences.append(ended(", ".join(named)))
        else:
            for number, (label, value) in enumerate(short):
                # The first sentence names the row, or nobody could act on it.
                said = rng.choice(_SAID[:4] if number == 0 else _SAID).replace("{label}", label)
                sentences.append(ended(said.replace("{key}", _text(key)).replace("{value}", value)))
        sentences += [_text(v) for _, v in others if len(_text(v)) > 60]
    return rng.choice(("\n", " ", "\n\n")).join(sentences)


_RENDER: dict[str, Callable[[Any, Random], str]] = {
    "json": _json,
    "repr": _repr,
    "yaml": _yaml,
    "lines": _lines,
    "table": _table,
    "html": _html,
    "mail": _mail,
    "prose": _prose,
}


def choose(styles: Sequence[str], rng: Random) -> str:
    """A style for a tool that suits `styles`, any if there are none."""
    return rng.choice(styles or STYLES)
