"""How varied the worlds' requests and poisons are, beside requests that people wrote.

`python -m benchmarks.diversity [DATA]` makes 4,000 groups; nothing is built or audited.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from benchmarks.common import footer, need, parser, progress, rows, table
from gatling.data.groups import group
from gatling.data.mutations import MUTATIONS
from gatling.data.wording import word
from gatling.data.worlds.domain import LANGUAGES, domains
from gatling.data.worlds.generators import Maker
from gatling.data.run import Run

BFCL, AGENTDYN = "data/calls/bfcl_single_turn.jsonl.gz", "data/traces/agentdyn_{}.jsonl.gz"
SUITES = ("dailylife", "shopping", "github")
GROUPS, SEED = 4_000, 7
SAMPLE = 1_000
"""Requests of a source that distinct-n is measured on: it falls with the number of words, so all have as many."""
AGAINST, GRAM = 200, 4
WORDED = 20_000
MOST_REQUEST, MOST_TEMPLATE = 0.001, 0.01

INTRO = """\
## Diversity

The first user messages of {groups:,} groups of runs (`gatling.data.groups`, seed {seed}), one run of each group,
beside BFCL's requests and those of AgentDyn's runs, each once. distinct-n: different n-grams as a share of
all, on {sample:,} requests or as many as there are, cut to the shortest source's number of words. Overlap: the share
of a request's {gram}-grams that stand in {against} others drawn at random, on average (a self-BLEU of one
n-gram); 0 is best. Words are lower-cased and split at everything that is no letter or digit.
"""
"""..."""
