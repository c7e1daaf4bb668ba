"""What an installation weighs, how long the import takes, and what it must not import.

`python -m benchmarks.weight` installs the working tree into a fresh virtual environment in a temporary
folder, so pip must reach a package index.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import ROOT, footer, progress, table

ROUNDS = 15
BASE, PACKAGE = "import numpy, pydantic", "from gatling import Auditor, read_trace"
LAZY = "import gatling"
"""Loads no more than names: the package imports its parts at first use, so this line alone says little."""

USED = "import numpy; from pydantic import BaseModel, TypeAdapter"
"""What the package needs of both at least."""
UNWANTED = ("torch", "datasets", "requests", "httpx")

INSTALLED = """\
`pip install .` at the versions of constraints.txt adds **{added:.1f} MB** to a fresh virtual environment of
{before:.1f} MB (apparent size, compiled bytecode included; {count} packages, itself included). The largest:
"""

IMPORTS = """
Import, n = {rounds} new processes each, in turns, after one unmeasured each; the interpreter's start is left
out. Pydantic loads most of itself at first use, hence the second line; so does gatling, hence the last:
"""

RATIO = """
The import of what an audit needs takes **{base:.2f}** times as long as the first line, {used:.2f} times as
long as the second. `import gatling` by itself only defers the work.
"""


def size(folder: Path) -> int:
    """Bytes of the files under a folder, links left out."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def import_ms(python: Path, statement: str) -> float:
    """Milliseconds of one import in a new process, the interpreter's own start left out."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    env.pop("PYTHONPATH", None)
    command = [str(python), "-c", code]
    done = subprocess.run(command, env=env, cwd=python.parent, capture_output=True, text=True, check=True)
    return 1e3 * float(done.stdout)


def imported() -> list[str]:
    """Which unwanted modules `import gatling` loads in this interpreter, where they may be installed."""
    code = f"{PACKAGE}; import sys; print(*(m for m in {UNWANTED!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def shown(times: list[float]) -> list[str]:
    return [f"{statistics.median(times):.0f}", f"{min(times):.0f}–{max(times):.0f}"]


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print("## Weight\n")
    with tempfile.TemporaryDirectory() as temporary:
        environment = Path(temporary, "venv")
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        binaries = "Scripts" if sys.platform == "win32" else "bin"
        python = environment / binaries / "python"
        before = size(environment)
        progress("weight: installing")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        constrained = ["-c", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run([*install, *constrained], check=True, stdout=sys.stderr)
        added = size(environment) - before
        (packages,) = environment.rglob("site-packages")
        present = {p.name for p in packages.iterdir()} - {"pip", "setuptools"}
        largest = sorted(((size(packages / name), name) for name in present), reverse=True)[:5]
        count = sum(
            name.endswith(".dist-info") for name in present if not name.startswith(("pip-", "setuptools-"))
        )
        progress("weight: timing imports")
        times: dict[str, list[float]] = {BASE: [], USED: [], LAZY: [], PACKAGE: []}
        for statement in times:
            import_ms(python, statement)
        for _ in range(ROUNDS):
            for statement, found in times.items():
                found.append(import_ms(python, statement))
    print(INSTALLED.format(added=added / 1e6, before=before / 1e6, count=count))
    print(table(["folder", "MB"], [[f"`{name}`", f"{bytes_ / 1e6:.1f}"] for bytes_, name in largest]))
    print(IMPORTS.format(rounds=ROUNDS))
    print(table(["import", "median ms", "range"], [[f"`{m}`", *shown(t)] for m, t in times.items()]))
    medians = {statement: statistics.median(found) for statement, found in times.items()}
    base, used = (medians[PACKAGE] / medians[statement] for statement in (BASE, USED))
    print(RATIO.format(base=base, used=used))
    loaded = imported()
    here = [m for m in UNWANTED if importlib.util.find_spec(m)]
    verdict = f"**loads {', '.join(loaded)}**" if loaded else "loads none of them"
    print(f"Of {', '.join(UNWANTED)} (installed where this ran: {', '.join(here) or 'none'}),", end=" ")
    print(f"that import {verdict}.\n\n{footer()}")


if __name__ == "__main__":
    main()
