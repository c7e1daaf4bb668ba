"""Runs to scored runs: builds and labelled traces, replayed through the audit as it runs in production."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatling.evaluate.scored import VIOLATES, EvaluationError, ScoredCall, ScoredRun
from gatling.model.bundle import Bundle, group_code
from gatling.plan import JSON
from gatling.policy import Policy
from gatling.runtime.audit import Auditor
from gatling.terminal import NAME_LIMIT, safe
from gatling.trace import Trace, TraceError, read_trace
from gatling.trace.jsonl import read_lines
from gatling.trace.label import hijacked_calls
from gatling.trace.reader import group_of
from gatling.worker import follow_parent

if TYPE_CHECKING:
    from gatling.data.columns import Row

EVIDENCE = 3
"""Reasons kept of one call."""
CHUNK = 16


def score(
    inputs: Iterable[Path],
    model: Bundle,
    *,
    split: str = "test",
    tools: JSON = None,
    policy: Policy | None = None,
    unlabelled: str = "",
    skip: Collection[int] = (),
    workers: int = 1,
    told: Callable[[int], None] = lambda runs: None,
) -> list[ScoredRun]:
    """Score builds (folders, of which `split` is taken) and files of labelled traces, in order.

    A labelled trace is one in any format with `kind`, one of `VIOLATES`, in its row, and for hijacked ones,
    where they are known, `hijacked_calls`, the ids of the calls that carry out the attack. Its group is its
    `group`, else its `suite` and `user_task`, else its own id. One without `kind` is taken
    for `unlabelled`, where that is given. Runs of the groups whose `gatling.model.bundle.group_code` is in
    `skip` are left out. `told` hears how many runs are done.

    Raises:
        EvaluationError: an input holds no runs, or a trace cannot be read or has no known kind.
        gatling.data.shards.ShardError: a build cannot be read.
        OSError: a file cannot be read.
    """
    found: list[ScoredRun] = []
    auditor = Auditor(policy, tools, model=model)
    for path in inputs:
        labelled = _build(path, split) if path.is_dir() else _traces(path, unlabelled)
        wanted = (one for one in labelled if group_code(one[1]["group"]) not in skip)
        before = len(found)
        for run in _each(auditor, wanted, workers):
            found.append(run)
            told(len(found))
        if len(found) == before:
            raise EvaluationError(f"{safe(str(path))}: no runs; name a build with this split, or traces")
    return found


Labelled = tuple[Trace, Mapping[str, Any]]
"""A run, and the fields of `ScoredRun` that are known of it, with `bad` and `targets` by call id."""


_auditor: Auditor
"""A worker's own, given once when it starts: with its model it is megabytes."""


def _begin(auditor: Auditor) -> None:
    global _auditor
    _auditor = auditor
    follow_parent()


def _score_here(labelled: Labelled) -> ScoredRun:
    return _score(_auditor, labelled)


def _each(auditor: Auditor, labelled: Iterator[Labelled], workers: int) -> Iterator[ScoredRun]:
    if workers == 1:
        yield from map(partial(_score, auditor), labelled)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (auditor,)) as pool:
        while ahead := list(islice(labelled, workers * CHUNK * 4)):
            yield from pool.map(_score_here, ahead, chunksize=CHUNK)


def _score(auditor: Auditor, labelled: Labelled) -> ScoredRun:
    trace, known = labelled
    known = dict(known)
    bad, targets = known.pop("bad"), known.pop("targets")
    session, problem = auditor.session_for(trace)
    if problem is not None:
        raise EvaluationError(f"{known['dataset']}: run {safe(trace.id, NAME_LIMIT)}: {problem}")
    calls, steps = [], []
    for message in trace.messages:
        began = time.perf_counter()
        session.observe(message)
        verdicts = [session.judge(call).verdict for call in message.calls]
        steps.append(time.perf_counter() - began)
        for verdict in verdicts:
            reasons = [
                f"{one.term}: {one.reason}" + (f": {one.text}" if one.text else "")
                for one in verdict.evidence
            ]
            calls.append(
                ScoredCall(
                    id=verdict.call_id,
                    tool=verdict.tool,
                    energy=verdict.energy,
                    terms=verdict.terms,
                    hijacked=verdict.call_id in bad,
                    target=targets.get(verdict.call_id),
                    evidence=tuple(reasons[:EVIDENCE]),
                )
            )
    return ScoredRun(
        id=trace.id,
        **known,
        violation=VIOLATES[known["kind"]],
        calls=tuple(calls),
        seconds=sum(steps),
        steps=tuple(steps),
    )


def _build(folder: Path, split: str) -> Iterator[Labelled]:
    from gatling.data.shards import read_manifest, read_rows
    from gatling.model.corpus import group_name

    manifest = read_manifest(folder)
    if split not in manifest.splits:
        there = ", ".join(manifest.splits)
        raise EvaluationError(f"{safe(str(folder))}: no split {safe(split)}; there are {there}")
    for row in read_rows(folder, split):
        yield _of_row(row, folder.name, group_name(manifest, row.group))


def _of_row(row: Row, dataset: str, group: str) -> Labelled:
    from gatling.data.run import TERMS

    targets = {
        call.id: {term: getattr(energies, term) for term in TERMS}
        for call, energies in zip(row.calls, row.energies, strict=True)
    }
    return Trace(row.id, row.messages, json.loads(row.tools)), {
        "group": group,
        "dataset": dataset,
        "split": row.split,
        "kind": row.kind,
        "family": row.family,
        "domain": "+".join(row.domains),
        "suite": row.source,
        "language": row.language,
        "label_source": row.label_source,
        "plan_origin": str(row.origin),
        "bad": {name for name, energies in targets.items() if max(energies.values()) >= 2.0},
        "targets": targets,
    }


def _traces(path: Path, unlabelled: str) -> Iterator[Labelled]:
    name = safe(str(path))
    for line in read_lines(path):
        where = f"{name}:{line.number}"
        if line.problem is not None:
            raise EvaluationError(f"{where}: {line.problem}; mend the line or leave it out")
        row = line.row
        known: dict[str, Any] = row if isinstance(row, dict) else {}
        kind = known.get("kind") or unlabelled
        if not isinstance(kind, str) or kind not in VIOLATES:
            kinds = ", ".join(VIOLATES)
            raise EvaluationError(f"{where}: kind: found {safe(str(kind), NAME_LIMIT)!r}; label it {kinds}")
        try:
            trace = read_trace(row, None, f"line {line.number}")
            bad = hijacked_calls(known, trace) or frozenset()
        except TraceError as error:
            raise EvaluationError(f"{where}: {error}") from None
        yield (
            trace,
            {
                "group": group_of(known, trace.id),
                "dataset": path.name,
                "split": "",
                "kind": kind,
                "family": str(known.get("family") or ""),
                "domain": str(known.get("domain") or ""),
                "suite": str(known.get("suite") or path.name.partition(".")[0]),
                "language": str(known.get("language") or ""),
                "label_source": str(known.get("label_source") or "annotation"),
                "plan_origin": "observed",
                "bad": bad,
                "targets": {},
            },
        )
