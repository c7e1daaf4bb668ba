"""Plans of written-down runs."""

from __future__ import annotations

from typing import Any

from gatling.data.label import compute
from gatling.data.run import Run, Setting
from gatling.plan import ExecutionPlan, PlanOrigin
from gatling.tools import Toolbox
from gatling.trace import read_trace


def planned(row: Any) -> ExecutionPlan:
    """The plan of a run, as builds and traces compute it."""
    setting = Setting((), Toolbox({}), (), "")
    run = Run("g", setting, read_trace(row).messages, PlanOrigin.OBSERVED, frozenset())
    return compute([run])[0].plan
