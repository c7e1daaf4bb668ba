"""What a bundle promises: the same bytes, the same verdicts, and no damage that goes unseen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes

import gatling.model.bundle as module
from gatling import Auditor, read_trace
from gatling.energy.weights import analytic
from gatling.model.bundle import GROUPS, Bundle, BundleError, Card, default, group_code, load
from gatling.model.network import LATENT
from tests.model.tiny import arrays, bundle, trace

Metadata = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def saved(folder: Path) -> bytes:
    path = folder / "whole.safetensors"
    bundle(groups=("a", "b")).save(path)
    return path.read_bytes()


def read(folder: Path, content: bytes) -> Bundle:
    path = folder / "odd.safetensors"
    path.write_bytes(content)
    return load(path)


def same(one: Bundle, other: Bundle) -> bool:
    return (
        one.card == other.card
        and one.arrays.keys() == other.arrays.keys()
        and all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
        and np.array_equal(one.groups, other.groups)
    )


# The same bytes, the same verdicts


def test_what_is_loaded_is_what_was_saved(folder: Path, saved: bytes) -> None:
    made, loaded = bundle(groups=("a", "b")), read(folder, saved)
    assert same(loaded, made)
    assert (loaded.sha256, loaded.terms) == (made.sha256, made.terms)
    assert loaded.terms == ("hierarchy", "provenance", "scope", "flow", LATENT)


def test_its_bytes_depend_on_nothing_else(folder: Path, saved: bytes) -> None:
    made = bundle(groups=("b", "a"))
    backwards = replace(made, arrays=dict(reversed([*made.arrays.items()])))
    for number, one in enumerate([made, backwards, read(folder, saved)] * 5):
        path = folder / f"again {number}"
        one.save(path)
        assert path.read_bytes() == saved


def test_its_bytes_are_the_same_in_every_process(folder: Path, saved: bytes) -> None:
    code = "import sys; from gatling.model.bundle import load; load(sys.argv[1]).save(sys.argv[2])"
    for seed in "01":
        again = folder / f"process {seed}"
        command = [sys.executable, "-c", code, str(folder / "whole.safetensors"), str(again)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed})
        assert again.read_bytes() == saved


def test_a_save_leaves_the_file_alone(tmp_path: Path) -> None:
    bundle().save(tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    bundle().save(path)
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        bundle(seed=1).save(path)
    assert path.read_bytes() == before


def test_a_loaded_bundle_gives_the_same_verdicts(folder: Path, saved: bytes) -> None:
    run = read_trace(trace(1, "hijacked"))
    verdicts = Auditor(model=bundle()).audit(run)
    assert Auditor(model=read(folder, saved)).audit(run) == verdicts
    assert Auditor(model=bundle(seed=1)).audit(run) != verdicts


def test_a_bundle_without_a_network_has_the_analytic_terms_alone(folder: Path) -> None:
    plain = replace(bundle(network=None), arrays={})
    plain.save(folder / "plain")
    loaded = load(folder / "plain")
    assert loaded.network is None
    assert loaded.terms == ("hierarchy", "provenance", "scope", "flow")
    assert LATENT not in Auditor(model=loaded).audit(read_trace(trace(1, "clean"))).calls[0].terms


@pytest.mark.parametrize(
    "other",
    [
        bundle(name="another"),
        bundle(gain=0.4),
        bundle(groups=("a",)),
        replace(bundle(), arrays={**arrays(), "offset": np.array(1.5, np.float32)}),
        bundle(limits=()),
    ],
    ids=["name", "gain", "groups", "array", "limits"],
)
def test_its_hash_is_over_all_that_it_holds(other: Bundle) -> None:
    assert other.sha256 != bundle().sha256
    assert re.fullmatch("[0-9a-f]{64}", other.sha256)


def test_other_thresholds_change_the_calibration_and_nothing_else() -> None:
    before = bundle(groups=("a",))
    calibration = before.weights.calibration
    moved = calibration.model_copy(update={"escalate": calibration.escalate.model_copy(update={"raw": 5.0})})
    after = before.calibrated(moved)
    assert after.weights.calibration == moved
    assert same(after.calibrated(calibration), before)
    assert after.sha256 != before.sha256


# Damage


@given(data=st.data())
def test_a_bundle_that_was_cut_is_refused(folder: Path, saved: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 64) | st.integers(0, len(saved) - 1))
    with pytest.raises(BundleError, match=r"odd\.safetensors: .*; .*fetch"):
        read(folder, saved[:length])


@given(more=st.binary(min_size=1, max_size=40))
def test_a_bundle_with_more_behind_it_is_refused(folder: Path, saved: bytes, more: bytes) -> None:
    with pytest.raises(BundleError, match=r"odd\.safetensors: "):
        read(folder, saved + more)


def padding(content: bytes) -> range:
    """Blanks between header and arrays, which say nothing."""
    end = 8 + int.from_bytes(content[:8], "little")
    return range(len(content[:end].rstrip()), end)


@given(data=st.data())
def test_a_flipped_byte_is_never_loaded(folder: Path, saved: bytes, data: st.DataObject) -> None:
    header = 8 + int.from_bytes(saved[:8], "little")
    groups = st.integers(len(saved) - 64, len(saved) - 1)
    place = data.draw(st.integers(0, header - 1) | st.integers(header, len(saved) - 1) | groups)
    flipped = bytearray(saved)
    flipped[place] ^= data.draw(st.sampled_from([1 << bit for bit in range(8)]) | st.integers(1, 255))
    if place in padding(saved) and bytes(flipped[place : place + 1]).isspace():
        return
    with pytest.raises(BundleError, match=r"odd\.safetensors: .*; "):
        read(folder, bytes(flipped))


def test_every_letter_of_the_header_counts(folder: Path, saved: bytes) -> None:
    """Above all the e of 1e-05, for which JSON takes an E."""
    small = bundle(gain=1e-05)
    small.save(folder / "small")
    content = (folder / "small").read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    letters = [place for place in range(8, end) if chr(content[place]).isalpha()]
    unseen = []
    for place in [content.index(b"1e-05") + 1, *letters[::7]]:
        flipped = bytearray(content)
        flipped[place] ^= 0x20
        try:
            read(folder, bytes(flipped))
        except BundleError:
            continue
        unseen.append(content[place - 20 : place + 20])
    assert not unseen


@given(content=st.binary(max_size=200))
def test_what_is_no_bundle_is_refused(folder: Path, content: bytes) -> None:
    with pytest.raises(BundleError, match=r"odd\.safetensors: no safetensors file .*; name a bundle"):
        read(folder, content)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"__metadata__": 3}',
        b'{"__metadata__": ["card"]}',
        b'{"__metadata__": "card"}',
        b'{"__metadata__": {"card": 3}}',
        b'{"__metadata__": null}',
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b"1" * 5000,
        b"\xff\xfe",
        b'{"a": {"dtype": "F8_E4M3", "shape": [0], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F4", "shape": [0], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F32", "shape": [99999999999999999999], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}',
    ],
    ids=lambda header: header[:60].decode("latin-1"),
)
def test_headers_of_all_sorts_are_refused(folder: Path, header: bytes) -> None:
    with pytest.raises(BundleError, match=r"odd\.safetensors: .*; "):
        read(folder, len(header).to_bytes(8, "little") + header)


def changed(saved: bytes, change: Callable[[dict[str, Any], Arrays, Metadata], object]) -> bytes:
    """The file with another card, arrays or metadata, its hash made anew where a card can be read."""
    from safetensors.numpy import load as read_arrays

    header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
    metadata, held = header["__metadata__"], {n: a.copy() for n, a in read_arrays(saved).items()}
    card = json.loads(metadata["card"])
    change(card, held, metadata)
    if "card" in metadata:
        metadata["card"] = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return to_bytes(held, metadata)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, a, m: m.pop("card"), "safetensors without a card; name a bundle"),
        (lambda c, a, m: m.pop("sha256"), "does not match its hash; fetch"),
        (lambda c, a, m: m.update(sha256="0" * 64), "does not match its hash; fetch"),
        (lambda c, a, m: c.update(name="another"), "does not match its hash; fetch"),
        (lambda c, a, m: c.update(format=4), "format 4, this version reads 3; update gatling"),
        (lambda c, a, m: c.update(format="3"), "format '3', this version reads 3; update gatling"),
        (lambda c, a, m: c.pop("format"), "format None, this version reads 3"),
        (lambda c, a, m: c.update(format=3.0), "does not match its hash"),
        (lambda c, a, m: c.clear(), "format None, this version reads 3"),
        (lambda c, a, m: c.update(extra=1), "card.extra: Extra inputs are not permitted; make"),
        (lambda c, a, m: c["data"][0].update(extra=1), r"card.data.0.extra: Extra"),
        (lambda c, a, m: c["data"][0].update(role="test"), r"card.data.0.role: Input should be"),
        (lambda c, a, m: c.update({"\x1b[2J": 1}), r"card.\\x1b\[2J: Extra"),
        (lambda c, a, m: c.pop("limits"), "card.limits: Field required"),
        (lambda c, a, m: c["weights"].pop("calibration"), "card.weights.calibration: Field required"),
        (lambda c, a, m: c["weights"]["hierarchy"].update(tool=-1.0), r"sign of \['tool'\] is fixed"),
        (lambda c, a, m: c["weights"]["hierarchy"].pop("tool"), r"exactly the weights .* \['tool'\]"),
        (lambda c, a, m: c["weights"]["gains"].update(latent=1.5), "card.weights.gains.latent: "),
        (lambda c, a, m: c["network"].update(hidden=16), "network: array .* has shape .* needs .*; make"),
        (lambda c, a, m: c["network"].update(heads=0), "network: heads is 0, needs 1 to 4096"),
        (lambda c, a, m: a.pop("offset"), "network: array 'offset' is missing"),
        (lambda c, a, m: a.update(more=np.zeros(2, np.float32)), "network: array 'more' is unknown"),
        (lambda c, a, m: a.update(offset=np.zeros(2, np.float32)), "array offset has shape .*, needs"),
        (lambda c, a, m: a.update(offset=np.array(np.nan, np.float32)), "'offset'.* no finite float32"),
        (lambda c, a, m: a.update(offset=np.array(np.inf, np.float32)), "'offset'.* no finite float32"),
        (lambda c, a, m: a.update(offset=np.array(1.0)), "'offset'.* no finite float32"),
        (lambda c, a, m: a.update({"\x1b[2J": np.array(1.0)}), r"\\x1b\[2J.* no finite float32"),
        (lambda c, a, m: a.update({GROUPS: np.array([np.nan, -1.0])}), "array groups holds what is no list"),
        (lambda c, a, m: a.update({GROUPS: np.array([1, -1])}), "array groups holds what is no list"),
        (lambda c, a, m: a.update({GROUPS: np.zeros((1, 2), np.uint64)}), "array groups holds what is no"),
        (lambda c, a, m: a.update({GROUPS: np.zeros(2, np.uint64)}), "does not match its hash"),
        (lambda c, a, m: a.pop(GROUPS), "does not match its hash"),
    ],
)
def test_what_a_file_lacks_or_holds_wrongly_is_told(
    folder: Path, saved: bytes, change: Any, words: str
) -> None:
    with pytest.raises(BundleError, match=rf"odd\.safetensors: .*{words}") as told:
        read(folder, changed(saved, change))
    assert str(told.value).isprintable()
    assert "; " in str(told.value)


@pytest.mark.parametrize(
    "card", ["", "{", "3", "[]", "[" * 100_000, '{"format": 3}', '{"format": 3' + "1" * 5000]
)
def test_a_card_that_is_none_is_refused(folder: Path, card: str) -> None:
    with pytest.raises(BundleError, match=r"odd\.safetensors: .*; (make the bundle|fetch the file|update)"):
        read(folder, to_bytes({}, {"card": card}))


def test_nothing_but_the_change_is_what_refuses_it(folder: Path, saved: bytes) -> None:
    assert same(read(folder, changed(saved, lambda c, a, m: None)), bundle(groups=("a", "b")))


def test_what_is_too_large_is_not_even_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "large"
    with path.open("wb") as file:
        file.truncate(module.LARGEST + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(BundleError, match="large: larger than 64 MiB; name a bundle"):
        load(path)


def test_what_cannot_be_opened_is_an_os_error(folder: Path) -> None:
    for path in (folder / "none", folder):
        with pytest.raises(OSError):
            load(path)


# Groups


def test_runs_whose_siblings_it_was_trained_on_are_refused() -> None:
    known = bundle(groups=[f"bank/{n}" for n in range(9)])
    known.refuse(["bank/9", "bank", "bank/11", ""])
    known.refuse([])
    with pytest.raises(BundleError) as told:
        known.refuse(["bank/9", "bank/4", "bank/4", "bank/7", "bank/1", "bank/2"])
    assert str(told.value).startswith("4 of 5 groups are in the model's training data, ['bank/1', 'bank/2'")
    assert "test split" in str(told.value)


def test_groups_are_known_by_their_code_alone(tmp_path: Path) -> None:
    names = ("secret suite/task 1", "ärger\ud800")
    bundle(groups=names).save(tmp_path / "a")
    assert b"secret" not in (tmp_path / "a").read_bytes()
    loaded = load(tmp_path / "a")
    assert loaded.groups.tolist() == sorted(map(group_code, names))
    for name in names:
        with pytest.raises(BundleError, match="1 of 1 groups"):
            loaded.refuse([name])


@given(st.lists(st.text(), unique=True, max_size=20))
def test_codes_are_64_bits_and_differ(names: list[str]) -> None:
    codes = list(map(group_code, names))
    assert all(0 <= code < 2**64 for code in codes)
    assert len(set(codes)) == len({name.encode("utf-8", "replace") for name in names})


# What ships


def test_the_default_loads_and_tells_nothing_of_a_machine() -> None:
    shipped = default()
    assert shipped is default()
    card = shipped.card.model_dump_json()
    assert not re.search(r"(/(home|work|tmp|root|Users|opt|mnt|data|var)/|[A-Z]:\\\\)", card)
    assert shipped.weights.terms
    path = Path(module.__file__).with_name("default.safetensors")
    assert load(path).sha256 == shipped.sha256


def test_a_card_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        bundle().card.name = "another"
    assert Card.model_validate_json(bundle().card.model_dump_json()) == bundle().card
    assert LATENT not in analytic().gains


def test_an_audit_with_a_network_needs_neither_torch_nor_pyarrow(tmp_path: Path) -> None:
    bundle().save(tmp_path / "a")
    code = (
        "import sys, json\n"
        "from gatling import Auditor, read_trace\n"
        "from gatling.model.bundle import load\n"
        "verdict = Auditor(model=load(sys.argv[1])).audit(read_trace(json.loads(sys.argv[2])))\n"
        "print(sorted({'torch', 'pyarrow', 'sklearn', 'faker', 'scipy'} & {*sys.modules}))\n"
        "print(sorted(verdict.calls[-1].terms))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a"), json.dumps(trace(1, "hijacked"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['flow', 'hierarchy', 'latent', 'provenance', 'scope']"]
