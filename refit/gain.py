"""Set the hierarchy's gain and the thresholds of the bundle that ships, without training its network anew.

    python refit/gain.py WORK

WORK is a folder for the runs of the nine invented agents on which the thresholds rest. The gain and the
budget are those of `refit/default.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from default import BUDGET, HERE, OUT, run, weighed
from suites import CALIBRATION

from gatling.evaluate.assembly import thresholds
from gatling.evaluate.scoring import score
from gatling.model.bundle import Bundle, load

COMMAND = "python refit/gain.py WORK"
NETWORK = "python refit/default.py DATA WORK at commit ebfffed"
"""What made the network of the bundle that ships."""


def main() -> None:
    """Score the nine agents' runs, set gain and thresholds, and write the bundle."""
    unseen = Path(sys.argv[1]) / "unseen.jsonl.gz"
    unseen.parent.mkdir(parents=True, exist_ok=True)
    if not unseen.exists():
        run(HERE / "suites.py", unseen, *CALIBRATION)
    bundle = load(OUT)
    weights = weighed(bundle.weights)
    found = thresholds(score([unseen], bundle, split="validation", workers=2), weights, BUDGET)
    source = tuple(dict.fromkeys([*weights.source, COMMAND]))
    weights = weights.model_copy(update={"calibration": found, "source": source})
    card = bundle.card.model_copy(update={"weights": weights, "command": f"{NETWORK}, then {COMMAND}"})
    Bundle(card, bundle.arrays, bundle.groups).save(OUT)
    print(weights.gains, found.escalate.raw, found.deny.raw)


if __name__ == "__main__":
    main()
