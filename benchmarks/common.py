"""What the benchmarks share: where the data is, how a section ends, how a rate is shown.

Run a benchmark from the repository's root as a module: `python -m benchmarks.accuracy [DATA]`.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import os
import platform
import resource
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared"

SOURCES = """\
The folder is not part of this repository. It holds public data, converted to one JSON row a line:
  data/traces/agentdyn_dailylife.jsonl.gz, agentdyn_dailylife_plain.jsonl.gz, data/tools/agentdyn.json:
    recorded agent runs and tool schemas of SaFo-Lab/AgentDyn @ 5353cf7 (MIT); in `plain`, the bare goal
    sentence stands in place of each attack's wrapper
  data/traces/toolemu.jsonl.gz: bplaut/safety-persists-llm-agents @ cde0b8f (MIT), emulated runs of ToolEmu
  data/traces/privacylens.jsonl.gz: SALT-NLP/PrivacyLens @ 9c2ee07 (MIT)
  data/texts/injection_texts.jsonl.gz: S-Labs/prompt-injection-dataset (MIT), neuralchemy
    Prompt-injection-dataset core and yanismiraoui/prompt_injections (Apache-2.0), PurpleLlama and
    microsoft/BIPIA attack strings (MIT)
  data/traces/agentdyn_shopping.jsonl.gz: AgentDyn as above; tau_airline.jsonl.gz: sierra-research/tau-bench
    @ 59a200c (MIT)
  data/calls/bfcl_single_turn.jsonl.gz, bfcl_multi_turn.jsonl.gz, bfcl_multi_turn_tools.jsonl.gz: bfcl-eval
    2026.3.23 (Apache-2.0); tau2_tasks.jsonl.gz: tau2 (MIT)
  data/hf/reason_tool_use_demo_50.jsonl, glaive_toolcall_en_demo.jsonl.gz: demonstration rows in the forms of
    two datasets (Apache-2.0 repositories)
  tools/score.py: the scorer
Give its place as the argument."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the one argument that all benchmarks on data have."""
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("data", nargs="?", type=Path, default=DATA, help="the data folder (default ../shared)")
    return made


def need(folder: Path, *names: str) -> list[Path]:
    """Paths of files in the data folder; exits, and says what the folder is, where one is absent."""
    paths = [folder / name for name in names]
    absent = [path.relative_to(folder) for path in paths if not path.is_file()]
    if absent:
        sys.exit(f"absent from the data folder: {', '.join(map(str, absent))}\n{SOURCES}")
    return paths


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        for line in handle:
            yield json.loads(line)


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()


def footer() -> str:
    """The line that ends a section: machine, versions and date."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    machine = f"{processor()}, {os.cpu_count()} cores"
    return f"Machine: {machine}, Python {platform.python_version()}, NumPy {version('numpy')}. Date: {today}."


def peak() -> float:
    """This process's peak resident memory in MB.

    Linux passes the parent's peak on to `ru_maxrss`, so the kernel's own line is read where there is one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    found = next((line for line in lines if line.startswith("VmHWM:")), None)
    if found:
        return int(found.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
