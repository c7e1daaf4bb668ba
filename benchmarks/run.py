"""Run every benchmark and write what they print to RESULTS.md.

`python benchmarks/run.py [DATA]`. If one fails, or the package changes meanwhile, RESULTS.md stays as it was.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("RESULTS.md")
ON_DATA = ("accuracy", "speed", "risk", "diversity", "extraction", "adapting", "hosted", "seeding")
BENCHMARKS = (
    *("accuracy", "tool_knowledge", "risk", "speed", "weight"),
    *("worlds", "diversity", "extraction", "fetching", "adapting", "staging", "hosted", "seeding"),
)
BY_HAND = ("ablations", "training", "adversary", "mining", "expansion", "pipeline")
"""Run by hand, on other machines, for they take long or want a GPU: their sections stay as they are."""
HEAD = """\
# Results

Written by `make bench` (`benchmarks/run.py`), every figure by the script named above it; README.md says what
each measures. Those from ablations on were run by hand, the first two of them on another machine: each
is of the code as it was when the section last changed (`git log -p` of this file).
"""


def package() -> str:
    """A digest of the package's files: all sections must measure the same code and weights."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "src").rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(file.read_bytes())
    return digest.hexdigest()


def kept(name: str) -> str:
    """A benchmark's section in RESULTS.md as it stands."""
    mark = f"<!-- python -m benchmarks.{name} -->"
    section = RESULTS.read_text("utf-8").partition(mark)[2].partition("<!-- python -m")[0]
    return f"{mark}{section.rstrip()}\n"


def main() -> None:
    before = package()
    data = [str(Path(argument).resolve()) for argument in sys.argv[1:2]]
    sections = [HEAD]
    for name in BENCHMARKS:
        command = [sys.executable, "-m", f"benchmarks.{name}", *(data if name in ON_DATA else [])]
        print(f"{name} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        if done.returncode:
            sys.exit(f"{name} failed; {RESULTS.name} is unchanged")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        sections.append(f"<!-- python -m benchmarks.{name} -->\n{done.stdout}")
    sections += map(kept, BY_HAND)
    if package() != before:
        sys.exit(f"src changed while the benchmarks ran; {RESULTS.name} is unchanged")
    RESULTS.write_text("\n".join(sections), encoding="utf-8")
    print(f"wrote {RESULTS.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
