"""Remake the bundle that ships, `src/gatling/model/default.safetensors`; a quarter of an hour on two cores.

    python refit/default.py DATA WORK

DATA is the folder that the benchmarks take (`benchmarks/README.md`), WORK a folder for what is made on the
way; run again, it goes on where it was. Trained on runs of many agents: AgentDyn's suites shopping and
github, raw and without wrappers, spliced runs (`refit/splice.py`) and invented agents (`refit/suites.py`).
The suite dailylife is not read, nor are the agents held out, nor generated worlds.

The analytic weights are those of `refit/hierarchy.py`. The thresholds rest on the benign runs of nine
invented agents (`suites.CALIBRATION`), which neither training nor the search for gains reads: BUDGET of them
may be escalated, and denied a fifth of that or what their number supports.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from suites import CALIBRATION

from gatling.evaluate.assembly import LIMITS, assemble, thresholds
from gatling.evaluate.scoring import score
from gatling.model.bundle import Bundle, Data
from gatling.runtime.inputs import load_schemas

HERE = Path(__file__).parent
OUT = HERE.parent / "src/gatling/model/default.safetensors"
RECIPE = HERE / "default.toml"
SUITES = ("shopping", "shopping_plain", "github", "github_plain")
BUDGET = 0.04
MOST = 1.0
"""The highest gain the network may get. It has learnt from many agents, and on those held out it does better
than the analytic terms."""
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
}


def run(*arguments: str | Path) -> None:
    """Run a command of this environment, and stop where it fails."""
    subprocess.run([sys.executable, *map(str, arguments)], check=True)


def gatling(*arguments: str | Path) -> None:
    """Run the command line."""
    run("-c", "from gatling.cli import main; main()", *arguments)


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
    """Build, train, assemble, and write the bundle."""
    data, work = Path(sys.argv[1]) / "data", Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    trained, spliced = work / "model", work / "splice.jsonl.gz"
    invented, unseen = work / "invented.jsonl.gz", work / "unseen.jsonl.gz"
    tools = data / "tools/agentdyn.json"
    if not spliced.exists():
        run(HERE / "splice.py", sys.argv[1], spliced)
    if not invented.exists():
        run(HERE / "suites.py", invented)
    traces = [*(data / f"traces/agentdyn_{suite}.jsonl.gz" for suite in SUITES), spliced, invented]
    given = [part for path in traces for part in ("--traces", path)]
    gatling("train", *given, "--tools", tools, "--recipe", RECIPE, "--out", trained, "--threads", "2")
    assembled = assemble(
        trained,
        traces,
        name="default",
        command="python refit/default.py DATA WORK",
        tools=load_schemas(tools),
        budget=BUDGET,
        most=MOST,
        workers=2,
    )
    run(HERE / "suites.py", unseen, *CALIBRATION)
    runs = score([unseen], assembled, workers=2)
    bundle = named(assembled.calibrated(thresholds(runs, assembled.weights, BUDGET)))
    bundle.save(OUT)
    print(bundle.weights.gains, bundle.weights.calibration.escalate, bundle.weights.calibration.deny)
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.2f} MB, {bundle.sha256}")


if __name__ == "__main__":
    main()
