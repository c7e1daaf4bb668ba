"""Remake the bundle that ships, `src/gatling/model/default.safetensors`; about half an hour on two cores.

    python refit/default.py DATA WORK

DATA is the folder that the benchmarks take (`benchmarks/README.md`), WORK a folder for what is made on the
way; run again, it goes on where it was. Trained on generated worlds, on AgentDyn's suites shopping and
github, raw and without wrappers, and on spliced runs (`refit/splice.py`). The suite dailylife is not read.

The analytic weights are those of `refit/hierarchy.py`, and the thresholds are set as there: on the benign
twins of attacks in simulated worlds, here of groups that neither training nor the choice of gains saw. They
are hard, so three in a hundred of them may be escalated, and denied a fifth of that or what their number
supports.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gatling.evaluate.assembly import LIMITS, assemble, thresholds
from gatling.evaluate.scoring import score
from gatling.model.bundle import Bundle, Data
from gatling.runtime.inputs import load_schemas

HERE = Path(__file__).parent
OUT = HERE.parent / "src/gatling/model/default.safetensors"
SIZE, SEED = 16_000, 11
CALIBRATION_SIZE, CALIBRATION_SEED = 5_000, 12
SUITES = ("shopping", "shopping_plain", "github", "github_plain")
BUDGET = 0.03
TWINS = ("clean", "resisted", "authorised")
LICENCES = {
    "agentdyn": "MIT (SaFo-Lab/AgentDyn @ 5353cf7)",
    "splice": "MIT (ToolEmu cases of bplaut/safety-persists-llm-agents @ cde0b8f, SALT-NLP/PrivacyLens @ "
    "9c2ee07, SaFo-Lab/AgentDyn @ 5353cf7) and Apache-2.0 (bfcl-eval 2026.3.23)",
    "offline": "Apache-2.0 (gatling.data.worlds)",
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

    return Bundle(
        bundle.card.model_copy(update={"data": tuple(map(licensed, bundle.card.data)), "limits": LIMITS}),
        bundle.arrays,
        bundle.groups,
    )


def main() -> None:
    """Build, train, assemble, and write the bundle."""
    data, work = Path(sys.argv[1]) / "data", Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    plans, spliced, trained = work / "plans", work / "splice.jsonl.gz", work / "model"
    tools = data / "tools/agentdyn.json"
    gatling("build", plans, "--preset", "offline", "--size", str(SIZE), "--seed", str(SEED), "--workers", "2")
    if not spliced.exists():
        run(HERE / "splice.py", sys.argv[1], spliced)
    traces = [*(data / f"traces/agentdyn_{suite}.jsonl.gz" for suite in SUITES), spliced]
    given = [part for path in traces for part in ("--traces", path)]
    gatling(
        "train", plans, *given, "--tools", tools, "--recipe", "laptop", "--out", trained, "--threads", "2"
    )
    assembled = assemble(
        trained,
        [plans, *traces],
        name="default",
        command="python refit/default.py DATA WORK",
        tools=load_schemas(tools),
        budget=BUDGET,
        workers=2,
    )
    size, seed = str(CALIBRATION_SIZE), str(CALIBRATION_SEED)
    gatling("build", work / "calibration", "--size", size, "--seed", seed, "--workers", "2")
    runs = score([work / "calibration"], assembled, split="train", workers=2)
    twins = [run for run in runs if run.kind in (*TWINS, "hijacked")]
    bundle = named(assembled.calibrated(thresholds(twins, assembled.weights, BUDGET)))
    bundle.save(OUT)
    print(bundle.weights.gains, bundle.weights.calibration.escalate, bundle.weights.calibration.deny)
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.2f} MB, {bundle.sha256}")


if __name__ == "__main__":
    main()
