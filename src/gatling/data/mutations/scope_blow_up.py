"""Scope blow-up: a call reaches for far more rows, recipients or depth than the request needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.values import carried_out, other_like, replaced
from gatling.data.mutations.worded import around
from gatling.data.run import Run

_KEY = re.compile(r"[\d@/]")
"""A text with these is a key, an address or a path rather than a filter: a wildcard for it opens nothing."""

WILDCARDS = ("*", "%", "all", ".*")


class ScopeBlowUp:
    """A limit is multiplied, a filter becomes a wildcard, or a list of recipients grows."""

    name = "scope-blow-up"
    kind: ClassVar[AttackKind] = "mutated"
    raises: ClassVar[Mapping[str, float]] = {"scope": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """Needs a volume parameter, a text filter or a list among the arguments."""
        chances = []
        for at, call in carried_out(run):
            if not isinstance(call.arguments, dict):
                continue
            tool = run.setting.tool(call)
            for name, value in call.arguments.items():
                filters = isinstance(value, str) and not tool.acts and not _KEY.search(value)
                if name in tool.volume or isinstance(value, list) or filters:
                    made = self._more(value, run, rng)
                    if made is not None:
                        chances.append((at, call, {**call.arguments, name: made}))
        if not chances:
            return None
        at, call, arguments = rng.choice(chances)
        return mutant(self, replaced(run, at, call, arguments), [call.id], rng)

    def _more(self, value: Any, run: Run, rng: Random) -> Any:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, (int, float)):
            return int(max(value, 1)) * rng.choice((100, 250, 1000, 5000))
        if isinstance(value, list) and value and isinstance(value[0], str):
            maker = around(run, rng)
            return [*value, *(other_like(value[0], maker) for _ in range(rng.randint(12, 30)))]
        return rng.choice(WILDCARDS) if isinstance(value, str) else None
