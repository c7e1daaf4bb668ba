"""What a build from public rows costs, and whether a row's source, host or label gives our label away.

`python -m benchmarks.hosted [DATA] [--size 6000]` lays public texts and calls out as a mirror of the Hub
would, in the forms of the sources, and builds from it into a temporary folder with two workers.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.adapting import single_turn
from benchmarks.common import footer, need, parser, progress, table
from gatling.data.builder import GatlingDatasetBuilder
from gatling.data.hub import HFDatasetLoader
from gatling.data.leakage import LIMIT, audit
from gatling.data.presets import Part, Preset
from gatling.data.shards import Manifest, read_rows
from gatling.data.sources import source

SEED = 7
WORKERS = 2
TEXTS = ("deepset", "llmail", "geekyrakshit", "wildchat", "lmsys")

INTRO = """\
## Hosted rows

Real texts and calls in the forms of seven sources (the texts are not those datasets' own), seed {seed},
{workers} workers: {size} samples of {rows} rows in {seconds:.0f} s, of which staging {staging:.1f} s.
"""

LEAKAGE = """
### Leakage

The bar is {limit:.2f}. A row's dataset label is tried as a shortcut as well: does a sample hold a text that
its dataset calls an attack, and is the sample an attack?
"""


def texts(path: Path) -> tuple[list[str], list[str]]:
    """Attacks and others, shuffled."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    random.Random(SEED).shuffle(rows)
    parts: tuple[list[str], list[str]] = [], []
    for row in rows:
        parts[not row["label"]].append(row["text"])
    return parts


def mirror(folder: Path, attacks: list[str], others: list[str], calls: Iterable[dict[str, Any]]) -> None:
    """Datasets in their sources' forms."""

    def place(name: str, file: str) -> Path:
        path = folder / source(name).repo / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def labelled(count: int, share: float) -> Iterator[tuple[str, int]]:
        for n in range(count):
            attack = n < share * count
            yield (attacks if attack else others).pop(), int(attack)

    for name, column, count in (("deepset", "text", 546), ("geekyrakshit", "prompt", 1_000)):
        found = [*labelled(count, 0.4)]
        columns = {column: [text for text, _ in found], "label": [label for _, label in found]}
        pq.write_table(pa.table(columns), place(name, "data/train-00000.parquet"))
    missed = json.dumps(dict.fromkeys(("email.retrieved", "defense.undetected"), False))
    missed = missed[:-1] + ', "exfil.sent": false, "exfil.destination": false, "exfil.content": false}'
    for phase in (1, 2):
        mails = ({"subject": "", "body": attacks.pop(), "objectives": missed} for _ in range(700))
        _write(place("llmail", f"data/raw_submissions_phase{phase}.jsonl"), mails)
    for name in ("wildchat", "lmsys"):
        said = [[{"role": "user", "content": others.pop()}] for _ in range(3_000)]
        chats = pa.table({"conversation": said, "openai_moderation": [[0.0]] * len(said)})
        pq.write_table(chats, place(name, "data/train-00000.parquet"))
    place("xlam", "xlam.json").write_text(json.dumps([*calls]), "utf-8")


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def called(out: Path, manifest: Manifest, folder: Path) -> tuple[float, int]:
    """How well "it holds a text that a dataset calls an attack" tells attacks from benign runs: AUC, n."""
    attacks = set()
    for path in folder.glob("*.jsonl"):
        if "rejects" not in path.name:
            for line in path.read_text("utf-8").splitlines():
                row = json.loads(line)
                if row["label"] == "attack":
                    attacks.add((path.stem, row["file"], row["row"]))
    seen: Counter[tuple[bool, bool]] = Counter()
    for row in read_rows(out):
        if row.rows:
            holds = any((place.source, place.file, place.row) in attacks for place in row.rows)
            seen[row.category != "benign", holds] += 1
    bad, good = seen[True, True] + seen[True, False], seen[False, True] + seen[False, False]
    higher, lower = seen[True, True] / bad, seen[False, True] / good
    return 0.5 + (higher - lower) / 2, bad + good


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--size", type=int, default=6_000)
    given = arguments.parse_args()
    at, bfcl = need(given.data, "data/texts/injection_texts.jsonl.gz", "data/calls/bfcl_single_turn.jsonl.gz")
    attacks, others = texts(at)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mirror(folder / "mirror", attacks, others, (row for row, _ in single_turn(bfcl)))
        rows = {text: given.size // 6 for text in TEXTS} | {"xlam": given.size // 6}
        rows["deepset"] = min(rows["deepset"], 546)
        preset = Preset("hosted", "", (Part("all", rows),))
        loader = HFDatasetLoader(mirror=folder / "mirror")
        builder = GatlingDatasetBuilder(preset, loader=loader, seed=SEED, workers=WORKERS)
        progress("staging …")
        start = time.perf_counter()
        builder.stock(folder / "rows")
        staging = time.perf_counter() - start
        progress("building …")
        start = time.perf_counter()
        manifest, _ = builder.build(folder / "plans")
        seconds = time.perf_counter() - start
        size, read = manifest.rows, sum(source.read for source in manifest.sources)
        print(
            INTRO.format(seed=SEED, workers=WORKERS, size=size, rows=read, seconds=seconds, staging=staging)
        )
        head = ("source", "rows", "rejected", "hosted")
        print(table(head, [(s.name, f"{s.read}", f"{s.rejected}", f"{s.used}") for s in manifest.sources]))
        print(LEAKAGE.format(limit=LIMIT))
        auc, n = called(folder / "plans", manifest, folder / "rows")
        found = [
            (s.name, s.pair, f"{s.auc:.2f} [{s.low:.2f}, {s.high:.2f}]", f"{s.n}")
            for s in audit(folder / "plans")
        ]
        found.append(("a dataset's label", "attacks against benign runs", f"{auc:.2f}", f"{n}"))
        print(table(("shortcut", "pair", "AUC", "n"), found))
        print(f"\n{footer()}")


if __name__ == "__main__":
    main()
