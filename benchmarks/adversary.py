"""How often the adversary gets through, by queries, at the bundle's threshold and at a rate of false alarms.

    python benchmarks/adversary.py [BUNDLE] [HOSTS] [QUERIES] [SEED]

BUNDLE is a bundle or `default`, HOSTS (default 160) fresh benign runs of domains and operators that training
shows, QUERIES (default 32) runs that the model is asked about on each. The rate of false alarms is that of
the hosts' own runs and their twins, so that two models compare at the same rate and on the same hosts.
"""

from __future__ import annotations

import sys

from gatling.mining.adversary import ESCALATE
from gatling.mining.campaign import arena, attack_suite, threshold_at
from gatling.runtime.inputs import load_model

RATE = 0.01
AFTER = (1, 2, 4, 8, 16, 32)


def main() -> None:
    name, hosts, queries, seed = [*sys.argv[1:], *("default", "160", "32", "101")[len(sys.argv) - 1 :]]
    bundle, where, count = load_model(name), arena(int(seed)), int(hosts)
    threshold = threshold_at(bundle, where, count, RATE, workers=2)
    lowest = min(threshold, ESCALATE)
    campaign = attack_suite(bundle, where, count, int(queries), threshold=lowest, workers=2)
    print(f"{count} hosts, seed {seed}, {name}: share of hosts on which an attack was found")
    print("queries              " + "".join(f"{n:>7}" for n in AFTER))
    for title, at in (("the bundle's own", ESCALATE), (f"{RATE:.0%} false alarms", threshold)):
        shares = "".join(f"{campaign.success(n, at):7.2f}" for n in AFTER)
        print(f"{title:21s}{shares}   energy {at:.3f}")


if __name__ == "__main__":
    main()
