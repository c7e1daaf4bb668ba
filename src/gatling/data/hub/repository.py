"""Which files a dataset has: as the Hub lists them at a commit, or as they lie in a mirror."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from hashlib import file_digest, sha1, sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from fsspec.utils import glob_translate  # type: ignore[import-untyped]
from huggingface_hub import hf_hub_url

from gatling.data.hub.blobs import Blob, HubBlob, LocalBlob
from gatling.data.hub.cache import Blocks
from gatling.data.hub.errors import Damaged, LoadError, NotFound, Refused, refusal, unreachable
from gatling.data.hub.web import FAILED, Web

_COMMIT = r"[0-9a-f]{40}([0-9a-f]{24})?"

_ABOUT = frozenset({"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"})
"""Files that `datasets` writes beside the data, about it."""

_POINTER = b"version https://git-lfs"
_MOST_POINTER = 1024
"""What a clone without LFS holds in a file's place, and the most bytes that it has."""


class Repository(ABC):
    """The data files of one dataset."""

    def __init__(self, repo: str) -> None:
        self.repo = repo

    @abstractmethod
    def resolve(self, revision: str) -> str:
        """The commit that a branch or tag names now. Raises `LoadError`."""

    @abstractmethod
    def listed(self, pattern: str, commit: str | None) -> list[Blob]:
        """The files that match a pattern, by name. Raises `LoadError`."""

    def files(self, patterns: Sequence[str], commit: str | None) -> list[Blob]:
        """Files in the order of the patterns, then by name, each once.

        Raises:
            NotFound: a pattern that no file matches.
        """
        found: dict[str, Blob] = {}
        for pattern in patterns:
            listed = self.listed(pattern, commit)
            matching = [blob for blob in listed if blob.name.rpartition("/")[2] not in _ABOUT]
            if not matching:
                raise NotFound(f"{self.repo}: no file matches {pattern!a}; {self._there()}")
            for blob in matching:
                found.setdefault(blob.name, blob)
        return list(found.values())

    @abstractmethod
    def _there(self) -> str:
        """Where to look for what there is."""


class HubRepository(Repository):
    """A dataset on the Hub, or on a server that speaks as the Hub does."""

    def __init__(self, repo: str, endpoint: str, web: Web, cache: Path) -> None:
        super().__init__(repo)
        self._endpoint, self._web = endpoint, web
        self._cache = cache / repo.replace("/", "--")

    def resolve(self, revision: str) -> str:
        """See `Repository`."""
        if re.fullmatch(_COMMIT, revision):
            return revision
        answer, _ = self._asked(f"revision/{quote(revision, safe='')}", revision)
        commit = answer.get("sha") if isinstance(answer, dict) else None
        if not (isinstance(commit, str) and re.fullmatch(_COMMIT, commit)):
            raise self._strange("names no commit", revision)
        return commit

    def listed(self, pattern: str, commit: str | None) -> list[Blob]:
        """See `Repository`."""
        assert commit is not None
        folder, rest = _fixed(pattern)
        recursive = "/" in rest or "**" in rest
        at = f"tree/{commit}" + (f"/{quote(folder)}" if folder else "")
        page: str | None = f"{at}?recursive={str(recursive).lower()}&expand=false"
        matches = re.compile(glob_translate(pattern))
        found: dict[str, Blob] = {}
        while page:
            entries, page = self._asked(page, commit, pattern)
            for path, size, content in _entries(entries):
                if matches.match(path):
                    found[path] = self._blob(path, size, content, commit)
        return [found[path] for path in sorted(found)]

    def _blob(self, path: str, size: int, content: str, commit: str) -> Blob:
        # By its content, so that a commit that leaves it alone costs nothing; hashed, since paths and ids
        # are the server's words.
        key = sha256(f"{content or commit}\n{path}\n{size}".encode()).hexdigest()[:32]
        url = hf_hub_url(self.repo, path, repo_type="dataset", revision=commit, endpoint=self._endpoint)
        return HubBlob(
            path, Blocks(self._cache / key, size), self._web, url, lambda e: self._meaning(e, commit, path)
        )

    def _asked(self, path: str, revision: str, file: str = "") -> tuple[Any, str | None]:
        # A next page's address is whole, and is followed to the same server alone: the token goes with it.
        base = f"{self._endpoint}/api/datasets/{self.repo}/"
        url = path if path.startswith(f"{self._endpoint}/") else base + path
        try:
            return self._web.json(url)
        except FAILED as error:
            raise self._meaning(error, revision, file) from None
        except ValueError:
            raise self._strange("is no JSON", revision) from None

    def _meaning(self, error: Exception, revision: str, file: str = "") -> LoadError:
        if isinstance(error, Refused):
            return refusal(error, self._endpoint, self.repo, revision, file)
        return unreachable(error, self._endpoint, self.repo)

    def _strange(self, what: str, revision: str) -> LoadError:
        found = f"the answer on revision {revision!a} {what}"
        return unreachable(ValueError(found), self._endpoint, self.repo)

    def _there(self) -> str:
        return f"see {self._endpoint}/datasets/{self.repo}/tree/main for what there is"


class MirrorRepository(Repository):
    """A dataset in a folder: `MIRROR/datasets/NAMESPACE/NAME` or `MIRROR/NAMESPACE/NAME`."""

    def __init__(self, repo: str, mirror: Path) -> None:
        super().__init__(repo)
        places = [mirror / "datasets" / repo, mirror / repo]
        folder = next((place for place in places if place.is_dir()), None)
        self._bring = f"bring it with `hf download {repo} --repo-type dataset --local-dir {places[1]}`"
        if folder is None:
            raise NotFound(f"{repo}: not in the mirror {mirror}; {self._bring} where there is a network")
        self._folder = folder

    def resolve(self, revision: str) -> str:
        """The commit that `hf download` noted beside the files; where it noted none, a digest of them all."""
        noted = self._noted()
        if len(noted) == 1:
            return noted.pop()
        digest = sha1()
        for path, place in self._paths():
            with open(place, "rb") as file:
                digest.update(f"{path}\0{file_digest(file, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()

    def files(self, patterns: Sequence[str], commit: str | None) -> list[Blob]:
        """See `Repository`; `commit` must be None or the mirror's own."""
        if commit is not None and commit != (own := self.resolve(commit)):
            raise NotFound(
                f"{self.repo}: the mirror {self._folder} holds {own}, not {commit}; {self._bring} "
                f"--revision {commit}"
            )
        return super().files(patterns, commit)

    def _noted(self) -> set[str]:
        notes = (self._folder / ".cache/huggingface/download").rglob("*.metadata")
        lines = (note.read_text("utf-8", "replace").partition("\n")[0] for note in notes)
        return {line for line in lines if re.fullmatch(_COMMIT, line)}

    def _paths(self) -> list[tuple[str, Path]]:
        found = ((path.relative_to(self._folder), path) for path in self._folder.rglob("*"))
        return sorted(
            (relative.as_posix(), path)
            for relative, path in found
            if not relative.parts[0].startswith(".") and path.is_file()
        )

    def listed(self, pattern: str, commit: str | None) -> list[Blob]:
        """See `Repository`."""
        matches = re.compile(glob_translate(pattern))
        return [self._blob(path, place) for path, place in self._paths() if matches.match(path)]

    def _blob(self, path: str, place: Path) -> Blob:
        blob = LocalBlob(path, place)
        if blob.size <= _MOST_POINTER and blob.read(0, len(_POINTER)) == _POINTER:
            raise Damaged(f"{place}: a pointer of Git LFS in the file's place; run `git lfs pull` there")
        return blob

    def _there(self) -> str:
        return f"it is looked for in {self._folder}; {self._bring}"


def _fixed(pattern: str) -> tuple[str, str]:
    """The folders of a pattern before its first wildcard, and what is left."""
    parts = PurePosixPath(pattern).parts
    wild = (number for number, part in enumerate(parts) if re.search(r"[*?\[]", part))
    cut = next(wild, len(parts) - 1)
    return "/".join(parts[:cut]), "/".join(parts[cut:])


def _entries(answer: Any) -> Iterator[tuple[str, int, str]]:
    """The files of one page of a listing: path, size, and what names the content."""
    for entry in answer if isinstance(answer, list) else ():
        if not (isinstance(entry, dict) and entry.get("type") == "file"):
            continue
        path, size = entry.get("path"), entry.get("size")
        if isinstance(path, str) and isinstance(size, int) and size >= 0:
            large = entry.get("lfs")
            content = large.get("oid") if isinstance(large, dict) else entry.get("oid")
            yield path, size, content if isinstance(content, str) else ""
