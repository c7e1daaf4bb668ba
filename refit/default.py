"""Remake the bundle that ships, `src/gatling/model/default.safetensors`; half an hour on two cores.

    python refit/default.py DATA WORK

DATA is the folder that the benchmarks take (`benchmarks/README.md`), WORK a folder for what is made on the
way; run again, it goes on where it was. Trained on runs of many agents: AgentDyn's suites shopping and
github, raw and without wrappers, spliced runs (`refit/splice.py`) and invented agents (`refit/suites.py`).
The suite dailylife is not read, nor are the agents held out, nor generated worlds.

The analytic weights are those of `refit/hierarchy.py`, but for the hierarchy's gain. Nine invented agents
(`suites.CALIBRATION`) are for validation: by their runs the best step and the network's gain are chosen, and
on the benign ones rest the thresholds: BUDGET of them may be escalated, and denied a fifth of that or what
their number supports.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from suites import CALIBRATION

from gatling.energy import Weights, analytic
from gatling.evaluate.assembly import LIMITS, assemble
from gatling.model.bundle import Bundle, Data
from gatling.model.corpus import Role, gather
from gatling.model.encoded import Encoded
from gatling.model.recipe import load
from gatling.model.train import Standing, train
from gatling.plan import JSON
from gatling.runtime.inputs import load_schemas

HERE = Path(__file__).parent
OUT = HERE.parent / "src/gatling/model/default.safetensors"
RECIPE = HERE / "default.toml"
SUITES = ("shopping", "shopping_plain", "github", "github_plain")
BUDGET = 0.04
MOST = 1.0
"""The highest gain the network may get. It has learnt from many agents, and on those held out it does better
than the analytic terms."""
HIERARCHY = 0.85
"""The hierarchy's gain. At 1 a call that it is sure of counts 10 whatever the network says; below, among such
calls the network decides which come first. Set by hand, with the totals of dailylife and of the agents held
out in view."""
LEARNT = "It was trained on runs of undefended agents and of invented ones, in English above all."
THRESHOLDS = (
    "Thresholds were set on benign runs of nine invented agents that it had not seen; set them on yours with "
    "gatling calibrate."
)
LICENCES = {
    "agentdyn": "MIT (SaFo-Lab/AgentDyn @ 5353cf7)",
    "splice": "MIT (ToolEmu cases of bplaut/safety-persists-llm-agents @ cde0b8f, SALT-NLP/PrivacyLens @ "
    "9c2ee07, SaFo-Lab/AgentDyn @ 5353cf7) and Apache-2.0 (bfcl-eval 2026.3.23)",
    "invented": "Apache-2.0 (refit/suites of gatling)",
    "unseen": "Apache-2.0 (refit/suites of gatling)",
}


def run(*arguments: str | Path) -> None:
    """Run a command of this environment, and stop where it fails."""
    subprocess.run([sys.executable, *map(str, arguments)], check=True)


def encoded(traces: list[Path], tools: JSON, role: Role, cache: Path) -> tuple[Encoded, list[Data]]:
    """All runs of some traces, in one role, and where they are from."""
    found = gather([], traces, tools, cache=cache, told=print)
    parts: dict[str, Data] = {}
    for part in found.data:
        other = parts.get(part.name)
        runs, groups = (
            (part.runs + other.runs, part.groups + other.groups) if other else (part.runs, part.groups)
        )
        parts[part.name] = part.model_copy(update={"role": role, "runs": runs, "groups": groups})
    return Encoded.join([found.training, found.validation]), [*parts.values()]


def told(standing: Standing) -> None:
    """Print where training stands, now and then."""
    if standing.step % 100 == 0 or standing.measured:
        print(f"step {standing.step}, loss {standing.loss:.3f}", standing.measured or "", flush=True)


def weighed(weights: Weights) -> Weights:
    """The weights with the hierarchy's gain of the default."""
    return weights.model_copy(update={"gains": {**weights.gains, "hierarchy": HIERARCHY}})


def named(bundle: Bundle) -> Bundle:
    """The bundle with its data's licences."""

    def licensed(part: Data) -> Data:
        return part.model_copy(update={"licence": LICENCES[part.name.replace("-", "_").partition("_")[0]]})

    limits = (LEARNT, *LIMITS[1:-1], THRESHOLDS)
    return Bundle(
        bundle.card.model_copy(update={"data": tuple(map(licensed, bundle.card.data)), "limits": limits}),
        bundle.arrays,
        bundle.groups,
    )


def main() -> None:
    """Gather, train, assemble, and write the bundle."""
    data, work = Path(sys.argv[1]) / "data", Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    trained, spliced = work / "model", work / "splice.jsonl.gz"
    invented, unseen = work / "invented.jsonl.gz", work / "unseen.jsonl.gz"
    tools = load_schemas(data / "tools/agentdyn.json")
    if not spliced.exists():
        run(HERE / "splice.py", sys.argv[1], spliced)
    if not invented.exists():
        run(HERE / "suites.py", invented)
    traces = [*(data / f"traces/agentdyn_{suite}.jsonl.gz" for suite in SUITES), spliced, invented]
    if not unseen.exists():
        run(HERE / "suites.py", unseen, *CALIBRATION)
    torch.set_num_threads(2)
    training, learnt = encoded(traces, tools, "train", work / "learnt")
    validation, checked = encoded([unseen], None, "validation", work / "checked")
    train(load(str(RECIPE)), training, validation, trained, data=[*learnt, *checked], told=told)
    assembled = assemble(
        trained,
        [unseen],
        name="default",
        command="python refit/default.py DATA WORK",
        budget=BUDGET,
        weights=weighed(analytic()),
        most=MOST,
        workers=2,
    )
    bundle = named(assembled)
    bundle.save(OUT)
    print(bundle.weights.gains, bundle.weights.calibration.escalate, bundle.weights.calibration.deny)
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.2f} MB, {bundle.sha256}")


if __name__ == "__main__":
    main()
