"""Why a dataset could not be loaded: what happened, to which file, and what a person can do."""

from __future__ import annotations

from gatling.terminal import safe


class LoadError(RuntimeError):
    """A dataset that cannot be loaded; the message names it and a remedy."""


class Gated(LoadError):
    """Its owners, or the Hub, refuse it to this account: terms not accepted, or no token that is good."""


class NotFound(LoadError):
    """No such dataset, revision or file."""


class SchemaDrift(LoadError):
    """A file without the columns that its source states; the message lists both."""


class Damaged(LoadError):
    """A file that is cut short, is not what its name says, or cannot be read at some row."""


class Unreachable(LoadError):
    """The server could not be reached, or kept failing, for as long as was worth waiting."""


class Refused(Exception):
    """An answer that is no success; becomes one of the errors above where it is known what was asked for."""

    def __init__(self, status: int, code: str, wait: float | None) -> None:
        super().__init__(status, code)
        self.status, self.code = status, code
        self.wait = wait
        """Seconds that the server asks to wait before the next try."""

    def __str__(self) -> str:
        return f"HTTP {self.status}" + (f" ({safe(self.code, 60)})" if self.code else "")


def refusal(error: Refused, endpoint: str, repo: str, revision: str, file: str = "") -> LoadError:
    """What a refusal by the Hub means for a dataset."""
    page = f"{endpoint}/datasets/{repo}"
    if error.code == "RevisionNotFound":
        return NotFound(f"{repo}: no revision {revision!a}; see {page}/tree/main for what there is")
    if error.code == "EntryNotFound":
        what = f"no {safe(file)}" if file else "no such file"
        return NotFound(f"{repo}: {what} at revision {revision!a}; see {page}/tree/main for what there is")
    if error.code == "RepoNotFound" or error.status == 404:
        return NotFound(
            f"{repo}: the Hub does not know it, or it is private ({error}); look at {page}, and set HF_TOKEN "
            "to a token that may read it"
        )
    if error.status in (401, 403):
        return Gated(
            f"{repo}: refused ({error}); sign in and accept its terms at {page}, then set HF_TOKEN to a "
            "token of that account (https://huggingface.co/settings/tokens)"
        )
    return unreachable(error, endpoint, repo)


def unreachable(error: Exception, endpoint: str, what: str) -> Unreachable:
    """What is said once the tries are used up."""
    if isinstance(error, Refused):
        found = f"{error}, it asks to wait {error.wait:.0f} s" if error.wait else str(error)
    else:
        found = f"{type(error).__name__}: {safe(str(error), 200)}"
    return Unreachable(
        f"{what}: no answer that helps from {endpoint} ({found}); check the network and HF_ENDPOINT and run "
        "again, what was fetched is kept; or bring the files yourself and name their folder as the mirror"
    )
