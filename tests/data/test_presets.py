"""What presets promise: the rows that were said, sources that there are, something for what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatling.data.builder import TRAINING
from gatling.data.presets import Part, presets
from gatling.data.sources import source


def test_the_rows_are_those_that_were_promised() -> None:
    sizes = {name: preset.size for name, preset in presets().items()}
    assert sizes == {"offline": 10_000, "foundation": 1_803, "seed": 35_400, "full": sizes["full"]}
    assert sizes["full"] >= 100_000
    parts = {part.name: part.size for part in presets()["seed"].parts}
    assert parts == {
        "foundation": 1_803,
        "safety": 5_597,
        "tool use": 3_000,
        "conversation": 10_000,
        "reasoning": 15_000,
    }


@pytest.mark.parametrize("name", presets())
def test_sources_exist_have_as_many_rows_and_the_role_that_their_place_wants(name: str) -> None:
    preset = presets()[name]
    for part in preset.parts:
        for named, rows in part.rows.items():
            assert source(named).role in TRAINING
            size = source(named).size
            assert size is None or rows <= size
    assert all(source(named).role == "evaluation" for named in preset.evaluation)


rows = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 500))


@given(
    rows,
    st.sets(st.sampled_from("abcdef")),
    st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(0, 900)),
)
def test_what_is_missing_is_filled_and_nothing_else_changes(
    wanted: dict[str, int], missing: set[str], sizes: dict[str, int | None]
) -> None:
    part = Part("p", wanted, 3)
    filled = part.without(missing, sizes)
    assert filled.size == part.size
    assert filled.rows.keys() == wanted.keys() - missing
    for name, count in filled.rows.items():
        size = sizes.get(name)
        assert count >= wanted[name]
        assert size is None or count <= max(size, wanted[name])
