"""Pushing: a finished build to a dataset repository on the Hub, all of it in one commit.

    send(pack(Path("plans")), "NAMESPACE/NAME")

What goes: the shards that the manifest names, the manifest, the card and its plots. What stays:
`dropped.jsonl` and `rejects.jsonl`, which tell of what is not in the dataset and may quote it, and any other
file. Readers of the repository see the dataset as it was before or as it is after, never half of it. What an
earlier push brought there is not sent again, be it whole or interrupted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

# The package computes its `__all__`, which mypy cannot follow.
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    httpx,
    validate_repo_id,
)

from gatling import __version__
from gatling.data.columns import values
from gatling.data.run import Place
from gatling.data.shards import MANIFEST, Manifest, ShardError, tables, verify
from gatling.data.sources import SOURCES
from gatling.terminal import safe

CARD = "README.md"

_BEGUN = frozenset({".gitattributes", ".gitignore", "LICENSE", CARD})
"""What a repository may hold in which nobody has put data yet."""

_PLOT = re.compile(r"!\[[^\]]*\]\(([\w-]+\.png)\)")

_SOURCES = {source.name: source for source in SOURCES}


class PushError(RuntimeError):
    """What cannot be pushed and why; each line of the message ends in a remedy."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A build that may go to the Hub."""

    folder: Path
    manifest: Manifest
    files: tuple[str, ...]
    """Names in the folder, and in the repository."""
    private: bool
    notes: tuple[str, ...]
    """What is to know of the licences of its rows, one source a line."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum((self.folder / name).stat().st_size for name in self.files)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a push is. What the Hub has already counts as sent."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push ended in."""

    url: str
    """The dataset's page."""
    commit: str
    changed: bool
    """False where the repository held exactly this already."""
    removed: tuple[str, ...]
    """Shards of an earlier build that were there, and that readers would have taken for this one's."""


def pack(folder: Path, *, private: bool = False) -> Parcel:
    """Check that a build is finished and undamaged, and that its rows may be published.

    Openly, no rows go out whose source asks for consent, has terms of its own, is for evaluation alone, or is
    somebody's own logs. To a private repository they may; the notes name them. A source without a known
    licence is noted in either case: whether its rows may be published is between its author and whoever
    publishes.

    Raises:
        gatling.data.shards.ShardError: the build is not finished, or a file is missing or damaged.
        PushError: rows that may not be published openly; one source a line.
    """
    manifest = verify(folder)
    card = folder / CARD
    if (folder / ".build").exists() or not card.is_file():
        raise ShardError(f"{folder}: the build did not finish; give its gatling build command again")
    plots = dict.fromkeys(_PLOT.findall(card.read_text("utf-8")))
    for plot in plots:
        if not (folder / plot).is_file():
            raise ShardError(f"{folder / plot}: missing, and {CARD} shows it; fetch it again, or build again")
    notes = []
    barred = []
    for place in sorted(_sources(folder, manifest)):
        why, bars = _terms(*place)
        if bars and not private:
            barred.append(f"{safe(place[0])}: {why}; push with --private, or build without it")
        elif why:
            notes.append(f"{safe(place[0])}: {why}")
    if barred:
        raise PushError("\n".join(barred))
    shards = (shard.file for shard in manifest.shards)
    return Parcel(folder, manifest, (*shards, CARD, *plots, MANIFEST), private, tuple(notes))


def _sources(folder: Path, manifest: Manifest) -> set[tuple[str, str]]:
    """(source, licence) of everything that went into the rows."""
    found: set[tuple[str, str]] = set()
    for shard in manifest.shards:
        for table in tables(folder / shard.file, ["source", "licence", "rows"]):
            found.update(zip(table["source"].to_pylist(), table["licence"].to_pylist(), strict=True))
            places: list[tuple[Place, ...]] = values(table, "rows")
            found.update((place.source, place.licence) for row in places for place in row)
    return found


def _terms(name: str, licence: str) -> tuple[str, bool]:
    """What stands against publishing a source's rows, if anything, and whether that bars it."""
    source = _SOURCES.get(name)
    page = (
        f"{constants.ENDPOINT}/datasets/{source.repo}" if source is not None and source.repo else "its source"
    )
    if licence == "LicenseRef-own":
        return "your own logs, which may hold what is nobody else's business", True
    if source is not None and source.role == "evaluation":
        return f"for evaluation alone: published, its rows end up in training data ({page})", True
    if source is not None and source.gate == "gated":
        return f"its owner wants every reader's consent first; read the terms at {page}", True
    if licence.startswith("LicenseRef-"):
        return f"under terms of its own ({safe(licence)}); read them at {page}", True
    if licence in ("", "unknown"):
        return f"no licence is known, which allows nothing; ask its author ({page})", False
    return "", False


def send(
    parcel: Parcel,
    repo: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    told: Callable[[Progress], None] = lambda progress: None,
) -> Pushed:
    """Bring a build to the dataset `repo`, which is made if it is not there.

    Args:
        parcel: what `pack` gave.
        repo: NAMESPACE/NAME.
        endpoint: the Hub's address; by default HF_ENDPOINT, else huggingface.co.
        token: by default HF_TOKEN, else what `hf auth login` stored.
        told: hears of each file that is there.

    Raises:
        PushError: there is no token or the Hub does not take it, nothing may be written there, the repository
            holds something else or is public though it should be private, or the Hub cannot be reached.
        OSError: a file cannot be read.
    """
    _check_name(repo)
    address = (endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    token = token or get_token()
    if not token:
        raise PushError(f"no token: {_remedy(address)}")
    api = HfApi(endpoint=address, token=token, library_name="gatling", library_version=__version__)
    with _meaning(address, repo), _silent():
        # None leaves it to the namespace's own settings.
        api.create_repo(repo, repo_type="dataset", private=parcel.private or None, exist_ok=True)
        there = api.dataset_info(repo)
        held = {sibling.rfilename for sibling in there.siblings or ()}
        page = f"{address}/datasets/{repo}"
        if parcel.private and not there.private:
            raise PushError(
                f"{repo}: is there and public; make it private at {page}/settings, or name another repository"
            )
        if MANIFEST not in held and (other := sorted(held - _BEGUN)):
            raise PushError(
                f"{repo}: holds files ({safe(other[0])}) and no build; name a repository that is new or empty"
            )
        removed = sorted(
            name for name in held - {*parcel.files} if name.endswith(".parquet") and "/" not in name
        )
        added = _uploaded(api, parcel, repo, told)
        manifest = parcel.manifest
        commit = api.create_commit(
            repo,
            [*added, *(CommitOperationDelete(name, is_folder=False) for name in removed)],
            repo_type="dataset",
            commit_message=f"{manifest.rows} plans: preset {manifest.preset}, seed {manifest.seed}",
            parent_commit=there.sha,
        )
    return Pushed(page, commit.oid, commit.oid != there.sha, tuple(removed))


def _uploaded(
    api: HfApi, parcel: Parcel, repo: str, told: Callable[[Progress], None]
) -> list[CommitOperationAdd]:
    """The files as parts of a commit; large ones are sent already, one after the other."""
    added: list[CommitOperationAdd] = []
    sent = 0
    for name in parcel.files:
        addition = CommitOperationAdd(name, parcel.folder / name)
        api.preupload_lfs_files(repo, [addition], repo_type="dataset", free_memory=False)
        added.append(addition)
        sent += addition.upload_info.size
        told(Progress(len(added), sent))
    return added


def _check_name(repo: str) -> None:
    try:
        validate_repo_id(repo)
        valid = "/" in repo
    except HFValidationError:
        valid = False
    if not valid:
        raise PushError(
            f"{repo!a}: no name of a repository; give NAMESPACE/NAME, of letters, digits, '-', '_' and '.'"
        )


def _remedy(address: str) -> str:
    return f"set HF_TOKEN to a token that may write; {address}/settings/tokens makes one"


@contextmanager
def _meaning(address: str, repo: str) -> Iterator[None]:
    """Turn what the Hub's client raises into a word on what to do."""
    try:
        yield
    except PushError:
        raise
    except ValueError as error:
        reason = safe(str(error), 300)
        raise PushError(f"{repo}: the Hub refuses a file ({reason}); see {address}/datasets/{repo}") from None
    except (OSError, RuntimeError, httpx.HTTPError) as error:
        # The client wraps what goes wrong with a large file, and passes on what the file system says.
        cause = error.__cause__ or error if isinstance(error, RuntimeError) else error
        if isinstance(cause, HfHubHTTPError):
            raise PushError(_refusal(cause, address, repo)) from None
        if isinstance(cause, OSError) and cause.filename is not None:
            raise cause from None
        what = f"{type(cause).__name__}: {safe(str(cause), 200)}"
        raise PushError(f"{repo}: {_again(address, what)}") from None


def _refusal(error: HfHubHTTPError, address: str, repo: str) -> str:
    status = error.response.status_code
    what = f"HTTP {status}" + (f", {safe(error.server_message, 200)}" if error.server_message else "")
    if status == 401:
        return f"{repo}: the Hub does not take the token ({what}); {_remedy(address)}"
    if status in (403, 404):
        namespace = repo.partition("/")[0]
        return (
            f"{repo}: there is no namespace {namespace!a}, or the token may not write there ({what}); name "
            f"your own or an organisation of yours, and {_remedy(address)}"
        )
    if status in (409, 412):
        return f"{repo}: somebody else changed it meanwhile ({what}); run the same command again"
    if status == 429 or status >= 500:
        return f"{repo}: {_again(address, what)}"
    return f"{repo}: the Hub refuses the files ({what}); see {address}/datasets/{repo}"


def _again(address: str, what: str) -> str:
    return (
        f"no answer that helps from {address} ({what}); check the network and HF_ENDPOINT and run the same "
        "command again, what was sent is kept"
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Without the client's own bars, one set a file."""
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
