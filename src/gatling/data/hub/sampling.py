"""Seeded samples that are spread over the data: from many places, and from each of them not the first rows.

The same files, count and seed give the same rows in the same order, with whatever numpy or pyarrow:
`random.Random` is Python's own, seeded by a text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random

from gatling.data.hub.rows import Fetched, Part, Rows

MOST_PLACES = 256
"""Parts that a sample comes from, as far as they hold enough rows. Each is a request or two."""

ENOUGH = 16 << 20
"""Bytes that are fetched without a thought; more only for the spread's sake up to `SHARE` of the data."""

SHARE = 0.04


def sampled(parts: Sequence[Part], count: int, whole: int, rng: Random) -> Iterator[Fetched]:
    """`count` rows, or all if there are fewer, from parts of files that hold `whole` bytes.

    Parts stand in the order of the data. Some of them, one at a random place in each of equal stretches of
    it, give equal shares; where those hold too little, others are read, in random order. Rows that stand
    in short parts, or among long ones, are a little likelier than others.
    """
    order, places = _ordered(parts, min(_affordable(parts, count, whole), count), rng)
    taken: dict[int, list[int]] = {}
    left = count
    for turn, number in enumerate(order):
        share = -(-left // max(1, places - turn))
        there = parts[number].count()
        chosen = taken[number] = sorted(rng.sample(range(there), min(share, there)))
        if chosen:
            yield from parts[number].rows(chosen)
            left -= len(chosen)
        if not left:
            return
    # Every part gave its share and some gave less: the others have more.
    for number in order:
        had = set(taken[number])
        rest = [row for row in range(parts[number].count()) if row not in had]
        chosen = sorted(rng.sample(rest, min(left, len(rest))))
        if chosen:
            yield from parts[number].rows(chosen)
            left -= len(chosen)
        if not left:
            return


def uniform(files: Sequence[Rows], count: int, rng: Random) -> Iterator[Fetched]:
    """`count` rows, or all if there are fewer, each as likely as any other; files are read from their start.

    They are read twice: to count the rows, and to give those that were drawn.
    """
    ends = list(accumulate(file.count() for file in files))
    total = ends[-1] if ends else 0
    drawn = sorted(rng.sample(range(total), min(count, total)))
    first, start = 0, 0
    for file, end in zip(files, ends, strict=True):
        last = bisect_right(drawn, end - 1)
        if first < last:
            yield from file.rows([row - start for row in drawn[first:last]])
        first, start = last, end


def _affordable(parts: Sequence[Part], count: int, whole: int) -> int:
    """From how many parts to take rows: as many as cost little, and enough for the rows."""
    cost = max(1, sum(part.cost for part in parts) // max(1, len(parts)))
    held = max(1, sum(part.expected for part in parts) // max(1, len(parts)))
    cheap = min(MOST_PLACES, int(max(ENOUGH, SHARE * whole)) // cost)
    return max(1, cheap, -(-count // held))


def _ordered(parts: Sequence[Part], places: int, rng: Random) -> tuple[list[int], int]:
    """All parts' numbers, those first that the sample is spread over; and how many these are."""
    ends = list(accumulate(part.weight for part in parts))
    stretch = (ends[-1] if ends else 0) / max(1, places)
    hits = (bisect_right(ends, int((place + rng.random()) * stretch)) for place in range(places))
    chosen = list(dict.fromkeys(min(hit, len(parts) - 1) for hit in hits)) if parts else []
    others = sorted(set(range(len(parts))).difference(chosen))
    rng.shuffle(others)
    return chosen + others, len(chosen)
