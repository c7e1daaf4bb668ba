"""How content is read: text, lists of content parts, and structured tool output."""

from __future__ import annotations

from typing import Any, Literal

from gatling.plan import JSON
from gatling.trace.message import Message, ProposedCall
from gatling.trace.reader import found, unreadable

_TEXTS = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
    "thinking": "thinking",
}
"""Types of parts that hold text, and the field it stands in."""

_TEXTLESS = {
    "image": {"source", "data", "mimeType"},
    "image_url": {"image_url"},
    "input_image": {"image_url", "file_id", "detail"},
    "computer_screenshot": {"image_url", "file_id", "detail"},
    "audio": {"data", "mimeType"},
    "input_audio": {"input_audio"},
    "video_url": {"video_url"},
    "file": {"file"},
    "input_file": {"file_data", "file_id", "file_url", "filename", "detail"},
    "document": {"source"},
    "redacted_thinking": {"data"},
}
"""Types of parts that hold no text, and the fields they may have."""

_MARKS = frozenset({"type", "annotations", "citations", "logprobs", "signature", "cache_control", "_meta"})
"""Fields of any part that are not its content."""


def _text_of(part: dict[str, Any]) -> str | None:
    """Return the text of a part of a known type with no fields but its own, else None."""
    key = _TEXTS.get(_kind(part))
    text = part.get(key) if key is not None and _only(part, {key}) else None
    return text if isinstance(text, str) else None


def _textless(part: dict[str, Any]) -> bool:
    fields = _TEXTLESS.get(_kind(part))
    return fields is not None and _only(part, fields)


def _only(part: dict[str, Any], fields: set[str]) -> bool:
    return all(key in fields or key in _MARKS or value is None for key, value in part.items())


def _kind(part: dict[str, Any]) -> str:
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


def _named(part: dict[str, Any], field: str) -> str:
    return f"{found(_kind(part) or 'part')[1:-1]} at {field}"


def read_output(content: JSON) -> tuple[JSON, tuple[str, ...]]:
    """Read what a tool returned: its text, or its value where that is structured, and what was unread.

    A list counts as content parts only if each element is one to the letter. Tools return lists of
    `{"type": "file", "name": ...}` too, and taking those for parts would hide the text in them.
    """
    if content is None:
        return "", ()
    parts = [content] if isinstance(content, dict) else content
    if not isinstance(parts, list) or not parts:
        return content, ()
    texts, unread = [], []
    for index, part in enumerate(parts):
        text = _text_of(part) if isinstance(part, dict) else None
        if text is not None:
            texts.append(text)
        elif isinstance(part, dict) and _textless(part):
            unread.append(_named(part, f"content[{index}]"))
        else:
            return content, ()
    return "\n".join(texts), tuple(unread)


class Turn:
    """Collects what stands in one turn into messages, in the order in which it stands.

    A tool's output inside the turn ends the message before it and begins another after it.
    """

    def __init__(self, role: Literal["system", "user", "assistant"]) -> None:
        self._role = role
        self._texts: list[str] = []
        self._calls: list[ProposedCall] = []
        self._unread: list[str] = []
        self._messages: list[Message] = []

    def say(self, text: str) -> None:
        """Add text by the one whose turn it is."""
        self._texts.append(text)

    def call(self, call: ProposedCall) -> None:
        """Add a call; it is the assistant's, whoever's turn it is."""
        if self._role != "assistant":
            self._end()
            self._messages.append(Message("assistant", calls=(call,)))
        else:
            self._calls.append(call)

    def output(self, content: JSON, call_id: str | None = None, tool: str | None = None) -> None:
        """Add what a tool returned, or other text that the one whose turn it is did not write."""
        self._end()
        value, unread = read_output(content)
        self._messages.append(Message("tool", value, call_id=call_id, tool=tool, unread=unread))

    def content(self, content: JSON) -> None:
        """Add a message's whole `content`: text, a part, or a list of parts."""
        if isinstance(content, str):
            self._texts.append(content)
        elif isinstance(content, list):
            for index, part in enumerate(content):
                self.part(part, f"content[{index}]")
        elif content is not None:
            self.part(content, "content")

    def part(self, part: JSON, field: str) -> None:
        """Add one part. Of an unknown type it is not the speaker's word: its text counts as a tool's.

        Raises `TraceError` if the part holds a call, which this turn's format has no parts for.
        """
        if isinstance(part, str):
            self._texts.append(part)
            return
        if not isinstance(part, dict):
            raise unreadable(field, part, "a part is text or an object with a type")
        text = _text_of(part)
        if text is not None:
            self._texts.append(text)
            return
        kind = _kind(part)
        if kind.endswith(("tool_use", "_call", "tool_result", "_call_output")):
            raise unreadable(f"{field}.type", kind, "this format has no such part; name the right format")
        keys = (_TEXTS.get(kind, "text"), "text", "content", "value")
        text = next((part[key] for key in keys if isinstance(part.get(key), str)), None)
        if text is None or _textless(part):
            self._unread.append(_named(part, field))
        elif kind in _TEXTS or not kind:
            self._texts.append(text)
        else:
            self.output(text, tool=kind)

    def unread(self, name: str) -> None:
        """Name something that cannot be read."""
        self._unread.append(name)

    def messages(self) -> tuple[Message, ...]:
        """Return the turn; one in which nothing was said is still a turn."""
        self._end()
        return tuple(self._messages) or (Message(self._role),)

    def _end(self) -> None:
        if self._texts or self._calls or self._unread:
            text = "\n".join(self._texts)
            self._messages.append(Message(self._role, text, tuple(self._calls), unread=tuple(self._unread)))
            self._texts, self._calls, self._unread = [], [], []
