"""What a run has done so far, in the file `state.json` of its folder.

A stage's folder is removed only where this file says that the run made it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gatling.data.shards import write_file

STATE = "state.json"


class PipelineError(RuntimeError):
    """The run cannot go on; each line of the message says why and what to do."""


class Entry(BaseModel):
    """A stage, as far as it is."""

    model_config = ConfigDict(extra="forbid")

    key: str
    """Of what it is made from; empty while what there was is removed."""
    sha256: str = ""
    """Of its output; empty until it is done."""
    seconds: float = 0.0
    """The last start took so long."""
    starts: int = 0
    """How often it was begun with this key: more than once where it was stopped."""
    found: dict[str, Any] = {}
    """What is to be told of it."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    stages: dict[str, Entry] = {}


class State:
    """The state of a folder; every change is on disk, whole, before the next thing is done.

    Raises:
        PipelineError: the folder holds something else, or its state cannot be read.
        OSError: the folder cannot be made or read.
    """

    def __init__(self, home: Path) -> None:
        self.home, self._path = home, home / STATE
        if home.exists() and not home.is_dir():
            raise PipelineError(f"{home}: not a folder; name one that is new or empty")
        if self._path.is_file():
            self._file = _read(self._path)
        elif home.is_dir() and any(not path.name.startswith(".") for path in home.iterdir()):
            raise PipelineError(f"{home}: holds files and no run; name a folder that is new or empty")
        else:
            home.mkdir(parents=True, exist_ok=True)
            self._file = _File()
            self._write()

    @property
    def stages(self) -> Mapping[str, Entry]:
        """The stages that were begun, by name."""
        return self._file.stages

    def stands(self, stage: str, key: str, outputs: Iterable[str]) -> bool:
        """Whether the stage is done with this key, and its output is as it was left."""
        entry = self.stages.get(stage)
        if entry is None or entry.key != key or not entry.sha256:
            return False
        return digest(self.home / stage, outputs) == entry.sha256

    def begin(self, stage: str, key: str) -> Path:
        """The stage's folder, to go on in: what was begun with the same key and not done, or nothing.

        Raises:
            PipelineError: there is a folder of this name that the run did not make.
            OSError: the folder cannot be removed or made.
        """
        folder, entry = self.home / stage, self.stages.get(stage)
        if entry is None and folder.exists():
            raise PipelineError(f"{folder}: not made by this run; move it away, or name another folder")
        if entry is None or entry.key != key or entry.sha256:
            # killed in the midst of this, the next run finds a key that is none, and removes the rest
            self._set(stage, entry := Entry(key=""))
            if folder.exists():
                shutil.rmtree(folder)
        self._set(stage, Entry(key=key, starts=entry.starts + 1))
        folder.mkdir(exist_ok=True)
        return folder

    def finish(self, stage: str, outputs: Iterable[str], seconds: float, found: Mapping[str, Any]) -> None:
        """Write down that the stage is done."""
        sha256 = digest(self.home / stage, outputs)
        told = {"sha256": sha256, "seconds": round(seconds, 1), "found": dict(found)}
        self._set(stage, self.stages[stage].model_copy(update=told))

    def _set(self, stage: str, entry: Entry) -> None:
        self._file.stages[stage] = entry
        self._write()

    def _write(self) -> None:
        write_file(self._path, (self._file.model_dump_json(indent=1) + "\n").encode())


def digest(folder: Path, outputs: Iterable[str]) -> str:
    """SHA-256 over names and contents of the files in a folder that match these patterns."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in outputs for path in folder.glob(pattern)}):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        found.update(f"{content} {path.relative_to(folder).as_posix()}\n".encode())
    return found.hexdigest()


def key_of(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, in whatever order their names stand."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> _File:
    try:
        return _File.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "JSON"
        raise PipelineError(
            f"{path}: {field}: {first['msg']}; name another folder, or remove this one"
        ) from None
