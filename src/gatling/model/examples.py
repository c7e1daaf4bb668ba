"""Examples: runs with their labels, as training reads them, from builds or from labelled traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gatling.data.columns import Row
from gatling.data.label import compute
from gatling.data.run import TERMS, Run, Setting
from gatling.model.view import View, views
from gatling.plan import PlanOrigin
from gatling.policy import Thresholds
from gatling.tools import Tool, Toolbox, read_tools
from gatling.trace import TraceError, read_trace
from gatling.trace.label import hijacked_calls
from gatling.trace.reader import group_of

FloatArray: TypeAlias = NDArray[np.float32]

KINDS = ("hijacked", "mutated", "resisted", "clean", "authorised", "delegated", "gold", "unexposed")
"""Kinds of runs: those of builds, and `unexposed`, a real run that read no attack. Batches hold indices."""

LABELLED = ("clean", "unexposed", "resisted", "authorised", "hijacked")
"""Kinds of traces that are examples; with any other, what the run was is not known."""


@dataclass(frozen=True, slots=True)
class Example:
    """One run: what the network reads of its calls, and what is known of them."""

    id: str
    group: str
    """Everything made from one origin shares it."""
    kind: str
    """One of `KINDS`."""
    family: str
    """The attack family or mutation operator; empty for benign runs."""
    dataset: str
    views: tuple[View, ...]
    energies: FloatArray
    """(calls, 4) by construction, 0–10, by `gatling.data.run.TERMS`; NaN where unknown."""
    violating: FloatArray
    """(calls,): 1 violates, 0 does not, NaN unknown."""


def from_row(row: Row, dataset: str) -> Example:
    """The example of a build's row.

    A call violates when its worst energy by construction is 2 or more. What a hijacked agent does after its
    first violating call may serve the attack too, so there calls that are not known to violate are unknown.
    """
    energies = np.array([said[1:] for said in row.energies], np.float64).reshape(-1, len(TERMS))
    violating = (energies.max(1, initial=0.0) >= Thresholds().escalate).astype(np.float32)
    if row.kind == "hijacked":
        later = np.cumsum(violating) > violating
        violating[later & (violating == 0.0)] = np.nan
    return Example(
        row.id,
        row.group,
        row.kind,
        row.family,
        dataset,
        tuple(views(row.plan)),
        energies.astype(np.float32),
        violating,
    )


def from_trace(row: Mapping[str, Any], tools: Mapping[str, Tool], dataset: str) -> Example | None:
    """The example of a labelled trace, or None where its `kind` is not one of `LABELLED`.

    `row` is a trace in any known format with `id`, `kind`, and for a hijacked run `hijacked_calls`, the ids
    of the calls that carry out the attack. Its group is `gatling.trace.reader.group_of`'s. `tools` are
    described beside the trace, and give way to its own.

    Energies are unknown; calls of a hijacked run not known to carry out the attack are unknown too.

    Raises:
        TraceError: the trace or a field of it cannot be read.
        ToolError: the trace's own tools cannot be read.
    """
    if (kind := row.get("kind")) not in LABELLED:
        return None
    trace = read_trace(row)
    toolbox = Toolbox({**tools, **(read_tools(trace.tools) if trace.tools else {})})
    group = group_of(row, trace.id)
    run = Run(group, Setting((), toolbox, (), ""), trace.messages, PlanOrigin.OBSERVED, frozenset())
    plan = compute([run])[0].plan
    violating = np.zeros(len(plan.calls), np.float32)
    if kind == "hijacked":
        if (followed := hijacked_calls(row, trace)) is None:
            raise TraceError("hijacked_calls: missing; list the ids of the calls that carry out the attack")
        violating[:] = [1.0 if call.id in followed else np.nan for call in plan.calls]
    energies = np.full((len(plan.calls), len(TERMS)), np.nan, np.float32)
    family = str(row.get("family") or "") if kind == "hijacked" else ""
    return Example(trace.id, group, kind, family, dataset, tuple(views(plan)), energies, violating)
