"""Rows of public datasets, from the Hub or a folder: the same seed gives the same rows from either."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from huggingface_hub import constants, get_token

# The package computes its `__all__`, which mypy cannot follow.
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from gatling.data.hub.blobs import Blob, LocalBlob
from gatling.data.hub.documents import Csv, Documents
from gatling.data.hub.errors import LoadError, NotFound
from gatling.data.hub.lines import Lines
from gatling.data.hub.packed import PACKED
from gatling.data.hub.progress import Progress, Tally
from gatling.data.hub.repository import HubRepository, MirrorRepository, Repository
from gatling.data.hub.rows import DataFile, Fetched, Part, Whole
from gatling.data.hub.sampling import ENOUGH, MOST_PLACES, sampled, uniform
from gatling.data.hub.schema import EVERYTHING, Wanted
from gatling.data.hub.table import Table
from gatling.data.hub.web import Web
from gatling.data.sources.source import Source
from gatling.terminal import safe

ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv")
"""Data files that are read; all but Parquet may end in `.gz` or `.zst` as well."""

MOST_WHOLE = 4 << 20
"""Bytes up to which a file that can only be read from its start is a part of its dataset as any other."""

_TOLD_EVERY = 1_000
"""Rows between two words on the progress."""


class HFDatasetLoader:
    """Loads rows of a `Source`, by seed or all of them, from the Hub or a mirror.

    Nothing of a dataset is run, and no more of it fetched than the rows need: of Parquet, the footer and the
    wanted columns of some row groups; of plain JSONL, ranges. Compressed files, JSON and CSV have to be read
    from their start, which `told` is told. What was fetched stays in the cache, and an interrupted load
    that is begun again fetches the rest.

    Args:
        cache: folder for what is fetched; by default `gatling/hub` in the user's cache folder.
        endpoint: the Hub's address; by default HF_ENDPOINT, else huggingface.co.
        token: sent to the endpoint alone; by default HF_TOKEN, else what `hf auth login` stored.
        mirror: a folder that holds datasets as `datasets/NAMESPACE/NAME` or `NAMESPACE/NAME`. With it,
            nothing is asked over the network.
        told: called in the thread that loads whenever there is something new.
        sleep: waits between tries, in seconds.
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        mirror: Path | None = None,
        told: Callable[[Progress], None] = lambda progress: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cache = cache or _user_cache()
        self._endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
        if not self._endpoint.startswith(("http://", "https://")):
            raise ValueError(
                f"endpoint {self._endpoint!a}: set HF_ENDPOINT to an http:// or https:// address"
            )
        self._token, self._mirror, self._told, self._sleep = token, mirror, told, sleep

    def resolve(self, source: Source) -> str:
        """The commit that the source's revision names now.

        Of a mirror that notes no commit, a digest of its files stands in its place.

        Raises:
            LoadError: `NotFound`, `Gated` or `Unreachable`.
        """
        return self._repository(source, Tally(source.name, None, self._told)).resolve(source.revision)

    def load(
        self, source: Source, count: int | None, seed: int, *, commit: str | None = None
    ) -> Iterator[Fetched]:
        """Rows of a source: `count` of them, or all if there are fewer or `count` is None.

        A sample is spread over the data, and depends on the files, `count` and `seed` alone. All rows stream
        in the files' order. Memory holds one line, document or batch, and a window of JSONL.

        Args:
            source: its files and columns.
            count: rows to draw.
            seed: draws them.
            commit: what `resolve` gave; by default the revision is resolved now.

        Raises:
            LoadError: what is wrong and what to do, when the first row is asked for or any later one.
        """
        tally = Tally(source.name, count, self._told)
        tally.tell("listing")
        repository = self._repository(source, tally)
        if commit is None and self._mirror is None:
            commit = repository.resolve(source.revision)
        wanted = Wanted.by(source)
        files = [opened(blob, wanted) for blob in repository.files(source.files, commit)]
        for file in files:
            file.check()
        for row in _drawn(files, count, Random(f"{seed}/{source.repo}"), tally):
            tally.rows += 1
            yield row
            if tally.rows % _TOLD_EVERY == 0:
                tally.tell("reading")
        tally.tell("done")

    def _repository(self, source: Source, tally: Tally) -> Repository:
        if self._mirror is not None:
            return MirrorRepository(source.repo, self._mirror)

        def came(count: int) -> None:
            before = tally.bytes
            tally.bytes += count
            if tally.bytes >> 20 != before >> 20:
                tally.tell("fetching")

        token = self._token or get_token() or False
        headers = build_hf_headers(token=token, library_name="gatling")
        web = Web(headers, waiting=lambda why: tally.tell("waiting", why), came=came, sleep=self._sleep)
        return HubRepository(source.repo, self._endpoint, web, self._cache)


def _drawn(files: Sequence[DataFile], count: int | None, rng: Random, tally: Tally) -> Iterator[Fetched]:
    tally.tell("fetching")
    if count is None:
        for file in files:
            yield from file.rows()
        return
    # What is small is cheaper to have whole than to pick from.
    if sum(file.cost for file in files) > ENOUGH:
        parts: list[Part] = []
        for file in files:
            found = file.parts(MOST_PLACES, count)
            if found is None and file.cost > MOST_WHOLE:
                note = f"{safe(file.blob.name)} can only be read from its start: all is fetched"
                tally.tell("fetching", note)
                break
            parts += [Whole(file)] if found is None else found
        else:
            yield from sampled(parts, count, sum(file.blob.size for file in files), rng)
            return
    yield from uniform(files, count, rng)


def read_local(path: Path) -> Iterator[Fetched]:
    """All rows of a local JSONL, JSON, CSV or Parquet file, with all their columns, in order.

    Raises:
        LoadError: there is no such file, it is of another kind, or it is damaged.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file; name a file that ends in one of {', '.join(ENDINGS)}")
    return opened(LocalBlob(str(path), path), EVERYTHING).rows()


def opened(blob: Blob, wanted: Wanted) -> DataFile:
    """A data file by its name's ending. Raises `LoadError`."""
    name = blob.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    if name.endswith(".parquet"):
        return Table(blob, wanted)
    if name.endswith((".jsonl", ".ndjson")):
        return Documents(blob, wanted) if wanted.nested else Lines(blob, wanted)
    if name.endswith(".json"):
        return Documents(blob, wanted)
    if name.endswith(".csv"):
        return Csv(blob, wanted)
    raise LoadError(
        f"{safe(blob.name)}: files of this kind are not read; they end in one of {', '.join(ENDINGS)}, and "
        f"all but the first perhaps in {' or '.join(PACKED)} after that"
    )


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatling" / "hub"
