"""Your own agents' logs, in any format that `gatling.trace` reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gatling.data.sources.columns import read_tools
from gatling.data.sources.source import Columns, Material, Rejected, Source, Talk, Text, Unlabelled
from gatling.trace import TraceError, read_trace


class Logs(Source):
    """Runs out of a folder of files; there is nothing to download, so `repo` is empty."""

    name = "logs"
    repo = ""
    files = ("**/*.json*",)
    licence = "LicenseRef-own"
    role = "benign"
    columns: ClassVar[Columns] = {}
    meaning = (
        "No label: runs are taken for what your agents should do, so leave out those that were attacked."
    )
    terms = frozenset({"hierarchy", "provenance", "scope", "flow"})
    form = "calls"
    note = "Read from the folder that stands where the mirror of the Hub would. They stay on your machine."

    def materials(self, row: Unlabelled) -> Iterator[Material]:
        """The run; or its first request, where nothing was called."""
        try:
            trace = read_trace(row.columns)
        except TraceError as error:
            raise Rejected(str(error)) from None
        if any(message.calls for message in trace.messages):
            observed = any(message.role == "tool" for message in trace.messages)
            yield Talk(trace.messages, read_tools(trace.tools, "tools"), observed)
            return
        asked = next((m for m in trace.messages if m.role == "user" and str(m.content).strip()), None)
        if asked is None:
            raise Rejected("the run holds no call and no user's request")
        yield Text(str(asked.content), "chat")
