"""What a training run writes down as it goes: `metrics.jsonl`, and the same as TensorBoard scalars.

A resumed run forgets what came after its checkpoint and writes it anew, so that the lines are those of a run
that never stopped. They hold no times.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from torch.utils.tensorboard import SummaryWriter

from gatling.data.shards import write_file

METRICS = "metrics.jsonl"

Entry: TypeAlias = Mapping[str, float | Mapping[str, float]]


class Journal:
    """Writes one line a step and one an evaluation; a context manager."""

    def __init__(self, out: Path, step: int) -> None:
        """Go on after `step`."""
        kept = [json.dumps(entry) + "\n" for entry in entries(out) if entry["step"] <= step]
        write_file(out / METRICS, "".join(kept).encode())
        self._lines = open(out / METRICS, "a", encoding="utf-8")  # noqa: SIM115
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._board.close()

    def write(self, step: int, entry: Entry) -> None:
        """Write down what holds after `step` steps: numbers, or a table of them."""
        self._lines.write(json.dumps({"step": step, **entry}) + "\n")
        for name, value in entry.items():
            values = value if isinstance(value, Mapping) else {"": value}
            for part, number in values.items():
                self._board.add_scalar(f"{name}/{part}".rstrip("/"), number, step)

    def settle(self) -> None:
        """Bring everything to the disk, before a checkpoint that counts on it."""
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._board.flush()


def entries(out: Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`, as far as they are whole; none where there is no such file."""
    if not (out / METRICS).exists():
        return
    with open(out / METRICS, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # a killed run may leave part of a line
                yield json.loads(line)
