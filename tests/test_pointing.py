"""Which texts the user pointed to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatling.pointing import Pointing
from gatling.text import stem
from gatling.values import value_words

WORDS = ["henderson", "invoice", "quarterly", "plumber", "kitchen", "voicemail"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


def stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, value_words(text)))


def reading(pointing: Pointing, texts: list[str]) -> None:
    for record, text in enumerate(texts):
        pointing.begin(())
        pointing.read(record, stems(text))
    pointing.weigh()


def test_the_record_that_carries_the_requests_words_is_the_one_pointed_to() -> None:
    pointing = Pointing()
    pointing.ask("Deal with the Henderson invoice.", ())
    reading(pointing, ["voicemail of the plumber", "the henderson invoice is due", "invoice of the kitchen"])
    assert pointing.of(0) == 0.0 < pointing.of(2) < pointing.of(1) == 1.0


def test_what_a_call_was_made_with_counts_for_the_record_that_answers_it() -> None:
    pointing = Pointing()
    pointing.ask("Deal with the Henderson invoice.", ())
    pointing.begin(stems("open invoice henderson"))
    pointing.begin(())
    pointing.weigh()
    assert (pointing.of(0), pointing.of(1)) == (1.0, 0.0)


def test_nothing_is_pointed_to_without_a_request() -> None:
    pointing = Pointing()
    reading(pointing, ["the henderson invoice"])
    assert pointing.of(0) == 0.0


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS, TEXTS)
def test_it_is_the_same_whether_the_user_spoke_before_or_after(
    texts: list[str], first: str, second: str
) -> None:
    before, after = Pointing(), Pointing()
    before.ask(first, ())
    before.ask(second, ())
    reading(before, texts)
    after.ask(first, ())
    reading(after, texts)
    after.ask(second, [(record, stems(text)) for record, text in enumerate(texts)])
    found = [before.of(record) for record in range(len(texts))]
    assert found == [after.of(record) for record in range(len(texts))]
    assert all(0.0 <= share <= 1.0 for share in found)
    assert max(found) in (0.0, 1.0)


def test_a_fork_goes_its_own_way() -> None:
    pointing = Pointing()
    pointing.ask("henderson", ())
    reading(pointing, ["henderson"])
    twin = pointing.fork()
    twin.ask("kitchen", [])
    twin.begin(stems("henderson kitchen"))
    twin.weigh()
    assert pointing.of(0) == 1.0
    assert twin.of(0) < twin.of(1) == 1.0
