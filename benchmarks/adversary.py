"""How often the adversary gets through the bundle that ships, by queries.

`python -m benchmarks.adversary [--hosts 160] [--queries 32] [--seed 101]`: at the bundle's own threshold, and
at that which flags one in a hundred of the hosts' own benign runs.
"""

from __future__ import annotations

import argparse
import os

from benchmarks.common import footer, table
from gatling.mining.adversary import ESCALATE
from gatling.mining.campaign import arena, attack_suite, threshold_at
from gatling.model.bundle import default

RATE = 0.01
AFTER = (1, 2, 4, 8, 16, 32)

HEAD = """\
## Adversary

Share of {hosts} fresh benign runs (domains and operators that training shows, seed {seed}) on which the
adversary finds an attack that the default bundle lets through, after so many queries. A query is one run
audited. The second row's threshold flags {rate:.0%} of these runs and of an attack's benign twins on them.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--hosts", type=int, default=160)
    arguments.add_argument("--queries", type=int, default=32)
    arguments.add_argument("--seed", type=int, default=101)
    given = arguments.parse_args()
    bundle, where, workers = default(), arena(given.seed), os.cpu_count() or 1
    threshold = threshold_at(bundle, where, given.hosts, RATE, workers=workers)
    lowest = min(threshold, ESCALATE)
    campaign = attack_suite(bundle, where, given.hosts, given.queries, threshold=lowest, workers=workers)
    named = {
        f"the bundle's own, {ESCALATE:g}": ESCALATE,
        f"{RATE:.0%} false alarms, {threshold:.2f}": threshold,
    }
    body = [
        [name, *(f"{campaign.success(queries, at):.2f}" for queries in AFTER if queries <= given.queries)]
        for name, at in named.items()
    ]
    print(HEAD.format(hosts=given.hosts, seed=given.seed, rate=RATE))
    print(table(["threshold", *(str(queries) for queries in AFTER if queries <= given.queries)], body))
    print(f"\n{footer()}")


if __name__ == "__main__":
    main()
