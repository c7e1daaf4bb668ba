"""How varied the worlds' requests and poisons are, beside requests that people wrote.

`python -m benchmarks.diversity [DATA]` makes the first runs of some thousand groups; nothing is audited.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.common import footer, need, parser, progress, rows, table
from gatling.data.groups import GOLD_EACH, group
from gatling.data.mutations.worded import worded
from gatling.data.run import Goal, Run
from gatling.data.wording import Worded
from gatling.data.worlds.conversation import converse, pick_domains
from gatling.data.worlds.domain import LANGUAGES, domains
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.world import World

BFCL = "data/calls/bfcl_single_turn.jsonl.gz"
AGENTDYN = tuple(f"data/traces/agentdyn_{suite}.jsonl.gz" for suite in ("dailylife", "shopping", "github"))

SEED = 7
REQUESTS, POISONS = 6_000, 2_000
"""Requests of all languages, and poisons of each."""
GRAM, AGAINST, ASKED = 4, 200, 400
"""Length of the n-grams that overlap, requests that each is compared with, and requests that are."""
REQUEST_BAR, TEMPLATE_BAR = 0.001, 0.01

REQUEST = """\
## Diversity

### Requests

The first user messages of {requests:,} gold runs of the worlds (seed {seed}), beside BFCL's requests
and those of AgentDyn's runs, each of theirs once. distinct-n: different n-grams as a share of all, in the
first {words:,} words in random order; as many for every source, because the share falls with the number.
Overlap: the share of a request's {gram}-grams that stand in any of {against} others drawn at random, mean
of {asked} requests. The most repeated request may make up {bar:.1%}.
"""

POISON = """
### Poisons

{poisons:,} texts of strangers per language, worded as the groups word them, over as many worlds. A text's
template is its derivation with every slot open; of a whole task's request, the text without the values that
its calls take and without digits. The most frequent one may make up {bar:.0%}.
"""


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def grams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]


def said(run: Run) -> str:
    """The run's first user message."""
    return next(str(message.content) for message in run.messages if message.role == "user")


def requests() -> dict[str, list[str]]:
    """The worlds' requests by language."""
    known, found = tuple(domains().values()), dict[str, list[str]]()
    progress(f"making {REQUESTS:,} runs")
    gold = (index for index in range(2 * REQUESTS) if index % (GOLD_EACH + 1))
    for index, _ in zip(gold, range(REQUESTS), strict=False):
        run = group(index, SEED, known)[0].run
        found.setdefault(run.setting.language, []).append(said(run))
    return found


def theirs(folder: Path) -> dict[str, list[str]]:
    """Requests of others, each once."""
    bfcl, *agentdyn = need(folder, BFCL, *AGENTDYN)
    single = (row["turns"][0] for row in rows(bfcl))
    runs = (row["messages"] for path in agentdyn for row in rows(path))
    return {name: first(talks) for name, talks in (("BFCL", single), ("AgentDyn's runs", runs))}


def first(talks: Iterable[Iterable[dict[str, Any]]]) -> list[str]:
    """The first user message of each talk, each once."""
    found: dict[str, None] = {}
    for messages in talks:
        found.setdefault(next(str(m["content"]) for m in messages if m["role"] == "user"))
    return list(found)


def distinct(texts: Sequence[str], most: int) -> list[float]:
    """distinct-1, -2 and -3 of the first `most` words."""
    shares = []
    for n in (1, 2, 3):
        found = [gram for text in texts for gram in grams(words(text), n)][:most]
        shares.append(len(set(found)) / len(found))
    return shares


def overlap(texts: Sequence[str], rng: Random) -> float:
    shares = []
    for text in rng.sample(texts, min(ASKED, len(texts))):
        mine = set(grams(words(text), GRAM))
        others = rng.sample([other for other in texts if other is not text], min(AGAINST, len(texts) - 1))
        if mine:
            known = {gram for other in others for gram in grams(words(other), GRAM)}
            shares.append(len(mine & known) / len(mine))
    return sum(shares) / len(shares)


def poisons(language: str) -> list[str]:
    """Templates of strangers' texts in one language."""
    progress(f"wording {POISONS:,} poisons in {language}")
    known, found = tuple(domains().values()), list[str]()
    for index in range(POISONS):
        rng = Random(f"{SEED}/{language}/{index}")
        world = World(pick_domains(rng, known), language, rng)
        run = converse(world, "").run()
        goal = WorldGoals(world).goal()
        if goal is not None:
            found.append(template(worded(run, [goal], rng), goal))
    return found


def template(made: Worded, goal: Goal) -> str:
    if not goal.whole:
        return made.template
    text = made.text
    leaves = {str(value) for deed in goal.deeds for value in deed.arguments.values()} - {""}
    for value in sorted(leaves, key=lambda one: (-len(one), one)):
        text = text.replace(value, "_")
    return re.sub(r"\d+", "0", text)


def most(found: Sequence[str]) -> tuple[float, str]:
    """The share of the most frequent one, and its text."""
    (text, number), *_ = Counter(found).most_common(1)
    return number / len(found), text


def main() -> None:
    folder: Path = parser(__doc__).parse_args().data
    rng = Random(SEED)
    others, made = theirs(folder), requests()
    sources = {f"worlds, {code}": made[code] for code in LANGUAGES if code in made}
    sources = {"worlds": [text for texts in made.values() for text in texts], **sources, **others}
    for texts in sources.values():
        rng.shuffle(texts)
    least = min(sum(len(words(text)) for text in texts) for texts in sources.values())
    given = {"requests": REQUESTS, "seed": SEED, "words": least, "gram": GRAM, "against": AGAINST}
    print(REQUEST.format(**given, asked=ASKED, bar=REQUEST_BAR))
    body = []
    for name, texts in sources.items():
        shares = [f"{share:.3f}" for share in distinct(texts, least)]
        again = f"{most(texts)[0]:.2%}" if name.startswith("worlds") else "–"
        body.append([name, f"{len(texts):,}", *shares, f"{overlap(texts, rng):.3f}", again])
    print(table(["source", "n", "distinct-1", "distinct-2", "distinct-3", "overlap", "most repeated"], body))
    print(POISON.format(poisons=POISONS, bar=TEMPLATE_BAR))
    body = []
    for code in LANGUAGES:
        found = poisons(code)
        body.append([code, f"{len(found):,}", f"{most(found)[0]:.2%}", f"{len(set(found)):,}"])
    print(table(["language", "n", "most frequent template", "different templates"], body))
    print(f"\n{footer()}")


if __name__ == "__main__":
    main()
