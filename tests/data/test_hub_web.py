"""What the loader promises on bad days: what passes is waited out, and what stays says what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import huggingface_hub.constants
import pytest

from gatling.data.hub import Damaged, Gated, HFDatasetLoader, NotFound, Progress, Unreachable
from gatling.data.hub.web import ATTEMPTS, PATIENCE
from tests.data.hub import Hub, serving
from tests.data.test_hub import REPO, Mails, jsonl, mails, texts

ROWS = mails(2_000, 400)
DATA = "/resolve/"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with one dataset of about 900 KB, and no token on this machine."""
    monkeypatch.setattr("gatling.data.hub.loader.get_token", lambda: None)
    with serving() as hub:
        hub.add(REPO, "data/a.jsonl", jsonl(ROWS))
        yield hub


class Waited:
    """What a loader told, and how long it would have slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.told: list[Progress] = []

    @property
    def notes(self) -> list[str]:
        return [progress.note for progress in self.told if progress.state == "waiting"]


@pytest.fixture
def waited() -> Waited:
    return Waited()


@pytest.fixture
def load(hub: Hub, tmp_path: Path, waited: Waited) -> Callable[..., list[str]]:
    """Load all rows, or so many; gives their texts."""

    def load(count: int | None = None, token: str | None = None, source: type[Mails] = Mails) -> list[str]:
        loader = HFDatasetLoader(
            tmp_path,
            endpoint=hub.endpoint,
            token=token,
            told=waited.told.append,
            sleep=waited.slept.append,
        )
        return texts(loader.load(source(), count, 1))

    return load


ALL = [row["text"] for row in ROWS]


@pytest.mark.parametrize("after", [1, 70_000, 300_001])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    after: int, hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.cut(DATA, after, times=3)
    assert load() == ALL
    size = hub.repos[REPO]["data/a.jsonl"].size
    assert hub.sent(DATA) == size
    at = 0
    for asked in hub.asked(DATA):
        assert (asked.range or "").startswith(f"bytes={at}-")
        at += asked.sent
    assert waited.slept == []


def test_a_connection_that_brings_nothing_is_tried_again_later_and_later(
    hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.cut(DATA, 0, times=4)
    assert load() == ALL
    assert len(waited.slept) == 4
    assert all(2**tried <= seconds <= 2**tried + 1 for tried, seconds in enumerate(waited.slept))
    assert waited.notes[0].startswith("the connection broke; next try in ")


def test_a_server_that_knows_no_ranges_gives_the_same_rows(hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.ranges = False
    hub.cut(DATA, 300_000)
    assert load() == ALL


@pytest.mark.parametrize("path", ["/revision/", "/tree/", DATA])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_refusals_that_pass_are_waited_out(
    path: str, status: int, hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.refuse(path, status, times=2)
    assert load() == ALL
    assert len(waited.slept) == 2
    assert waited.notes[0].startswith(f"HTTP {status}; next try in")


def test_a_server_that_says_how_long_to_wait_is_obeyed(
    hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.refuse("/revision/", 429, Retry_After="37")
    hub.refuse(
        "/tree/", 503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    )
    hub.refuse(DATA, 429, RateLimit='"resolvers";r=0;t=55')
    assert load() == ALL
    first, second, third = waited.slept
    assert (first, third) == (37, 55)
    assert 90 <= second <= 100
    assert waited.notes[0] == "HTTP 429; next try in 37 s"


@pytest.mark.parametrize("said", ["soon", "-3", "", "Wed, 40 Oct 2026 99:00:00 GMT"])
def test_what_a_server_says_without_sense_is_not_obeyed(
    said: str, hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.refuse(DATA, 429, Retry_After=said)
    assert load() == ALL
    assert 1 <= waited.slept[0] <= 2


def test_a_wait_that_nobody_has_the_patience_for_ends_the_load(
    hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.refuse(DATA, 429, Retry_After=str(int(PATIENCE) + 1))
    with pytest.raises(Unreachable, match=r"office/mails: .*HTTP 429, it asks to wait 601 s.*run again"):
        load()
    assert waited.slept == []


@pytest.mark.parametrize("path", ["/revision/", "/tree/", DATA])
def test_a_server_that_keeps_failing_is_given_up_and_what_came_is_kept(
    path: str, hub: Hub, load: Callable[..., list[str]], waited: Waited
) -> None:
    hub.refuse(path, 500, times=ATTEMPTS)
    with pytest.raises(
        Unreachable, match=r"office/mails: .*\(HTTP 500\); check the network and HF_ENDPOINT.*mirror"
    ):
        load()
    assert len(waited.slept) == ATTEMPTS - 1
    assert load() == ALL


def test_rows_after_an_interruption_are_the_rows_without_one(
    hub: Hub, load: Callable[..., list[str]], tmp_path: Path
) -> None:
    hub.cut(DATA, 200_000)
    hub.refuse(DATA, 500, times=ATTEMPTS)
    with pytest.raises(Unreachable):
        load(50)
    resumed = load(50)
    size = hub.repos[REPO]["data/a.jsonl"].size
    # What was whole of the first 200,000 bytes is not fetched again.
    assert hub.sent(DATA) < size + 70_000
    fresh = HFDatasetLoader(tmp_path / "fresh", endpoint=hub.endpoint)
    assert texts(fresh.load(Mails(), 50, 1)) == resumed


def test_nobody_there(tmp_path: Path) -> None:
    with serving() as gone:
        endpoint = gone.endpoint
    slept: list[float] = []
    with pytest.raises(Unreachable, match=rf"no answer that helps from {endpoint}.*ConnectError"):
        HFDatasetLoader(tmp_path, endpoint=endpoint, sleep=slept.append).resolve(Mails())
    assert len(slept) == ATTEMPTS - 1


def test_an_offline_machine_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, load: Callable[..., list[str]], waited: Waited
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Unreachable, match="HF_HUB_OFFLINE"):
        load()
    assert waited.slept == []


def test_a_gated_dataset_names_the_page_to_accept_and_the_variable_to_set(
    hub: Hub, load: Callable[..., list[str]]
) -> None:
    hub.gated[REPO] = "hf_right"
    for token, status in ((None, 401), ("hf_wrong", 403)):
        page = f"{hub.endpoint}/datasets/office/mails"
        with pytest.raises(Gated, match=rf"office/mails: refused \(HTTP {status} \(GatedRepo\)\)") as caught:
            load(token=token)
        assert f"accept its terms at {page}, then set HF_TOKEN" in str(caught.value)
        assert "hf_wrong" not in str(caught.value)
    assert load(token="hf_right") == ALL


def test_a_token_that_is_no_token_is_told_as_a_gate(hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.refuse("/revision/", 401, X_Error_Message="Invalid credentials in Authorization header")
    with pytest.raises(Gated, match="set HF_TOKEN"):
        load(token="hf_old")


def test_token_and_endpoint_come_from_the_environment(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the token of this machine, which the fixture hides
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.endpoint}/")
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    hub.gated[REPO] = "hf_right"
    assert texts(HFDatasetLoader(tmp_path).load(Mails(), None, 1)) == ALL
    monkeypatch.setenv("HF_ENDPOINT", "huggingface.co")
    with pytest.raises(ValueError, match="set HF_ENDPOINT to an http:// or https:// address"):
        HFDatasetLoader(tmp_path)


def test_the_token_stays_with_the_hub(hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.elsewhere = True
    hub.gated[REPO] = "hf_right"
    assert load(token="hf_right") == ALL
    assert {asked.authorization for asked in hub.asked("/elsewhere/")} == {None}
    assert {asked.authorization for asked in hub.asked(DATA)} == {"Bearer hf_right"}


def test_a_next_page_on_another_server_is_not_followed(hub: Hub, load: Callable[..., list[str]]) -> None:
    with serving() as other:
        hub.refuse("/tree/", 200, Link=f'<{other.endpoint}/api/x>; rel="next"')
        with pytest.raises(NotFound):
            load(token="hf_right")
        assert other.log == []


class Unknown(Mails):
    """A dataset that is not there."""

    repo = "office/nothing"


class Gone(Mails):
    """A revision that is not there."""

    revision = "v9"


class Pinned(Mails):
    """A commit that is not there."""

    revision = "f" * 40


class Elsewhere(Mails):
    """A folder that is not there."""

    files = ("train/*.jsonl",)


class Renamed(Mails):
    """A file that is not there."""

    files = ("data/b*.jsonl",)


MISSING = {
    Unknown: r"office/nothing: the Hub does not know it, or it is private .*/office/nothing.*HF_TOKEN",
    Gone: r"office/mails: no revision 'v9'; see .*/datasets/office/mails/tree/main",
    Pinned: r"office/mails: no revision 'ffff",
    Elsewhere: r"office/mails: no train/\*\.jsonl at revision",
    Renamed: r"office/mails: no file matches 'data/b\*\.jsonl'; see http",
}


@pytest.mark.parametrize("source", MISSING, ids=lambda source: source.__name__.lower())
def test_what_is_not_there_is_named(
    source: type[Mails], load: Callable[..., list[str]], waited: Waited
) -> None:
    with pytest.raises(NotFound, match=MISSING[source]):
        load(source=source)
    assert waited.slept == []


def test_a_file_that_is_listed_and_not_there(hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.refuse(DATA, 404, X_Error_Code="EntryNotFound")
    with pytest.raises(NotFound, match=r"office/mails: no data/a\.jsonl at revision"):
        load()


def test_a_file_that_is_shorter_than_listed(hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.refuse(DATA, 416)
    with pytest.raises(Damaged, match=r"data/a\.jsonl: ends after 0 of the [0-9,]+ bytes that the Hub lists"):
        load()


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"sha": "../../x"}'])
def test_an_answer_that_is_not_the_hubs(answer: bytes, hub: Hub, load: Callable[..., list[str]]) -> None:
    hub.plain[f"api/datasets/{REPO}/revision/main"] = answer
    with pytest.raises(Unreachable, match=r"the answer on revision 'main' (is no JSON|names no commit)"):
        load()


def test_progress_is_told_in_the_thread_that_loads(hub: Hub, tmp_path: Path) -> None:
    threads: set[int] = set()
    hub.refuse(DATA, 503)
    loader = HFDatasetLoader(
        tmp_path,
        endpoint=hub.endpoint,
        told=lambda progress: threads.add(threading.get_ident()),
        sleep=lambda seconds: None,
    )
    assert len(list(loader.load(Mails(), 5, 1))) == 5
    assert threads == {threading.get_ident()}
