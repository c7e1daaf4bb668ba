"""What the network promises at audit time: what training made of it, with NumPy alone."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gatling.data.run import TERMS as TERM_NAMES
from gatling.matching import Words, read
from gatling.model import network as audit
from gatling.model import word_network
from gatling.model.encoded import Encoded
from gatling.model.encoders import Network, NetworkConfig
from gatling.model.examples import Example
from gatling.model.network import NetworkError, NumpyNetwork, State, shapes
from gatling.model.tensors import PlanDataset, collate
from gatling.model.view import (
    ARGUMENT_NUMBERS,
    CALL_NUMBERS,
    EXPLANATION_NUMBERS,
    ROLES,
    Items,
    View,
)
from gatling.text import encoder

Weights = dict[str, NDArray[Any]]
CONFIG = NetworkConfig(dimensions=24, hidden=32, heads=4, compared=16, rounds=2)


def trained(config: NetworkConfig, seed: int = 0) -> Network:
    """A network whose every weight matters, as after training."""
    torch.manual_seed(seed)
    network = Network(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


def weights_of(network: Network) -> Weights:
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def numpy_of(network: Network) -> NumpyNetwork:
    return NumpyNetwork(asdict(network.config), weights_of(network))


def stepped(network: NumpyNetwork, examples: list[Example]) -> NDArray[np.float64]:
    """Latent and regressed energies, (calls, 5)."""
    found = []
    for example in examples:
        state = State()
        for index, view in enumerate(example.views):
            reading = network.step(view, index, index - 1, state)
            found.append((reading.score.value, *reading.energies))
    return np.array(found)


def forward(network: Network, examples: list[Example]) -> NDArray[np.float64]:
    data = PlanDataset(Encoded.of(examples))
    with torch.no_grad():
        output = network(collate([data[run] for run in range(len(data))]))
    both = torch.cat([10 * output.latent.sigmoid()[:, None], output.energies], 1)
    return both.double().numpy()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors as encoded runs store them, in 16 bits."""

    def vector(words: tuple[str, ...]) -> Any:
        return encoder().embed([words])[0].astype(np.float16).astype(np.float32)

    def words(words: Sequence[str]) -> Words:
        found = read(words)
        return found._replace(vectors=found.vectors.astype(np.float16).astype(np.float32))

    monkeypatch.setattr(audit, "_vector", vector)
    monkeypatch.setattr(word_network, "read", words)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        NetworkConfig(),
        NetworkConfig(dimensions=7, hidden=6, heads=1, rounds=0),
        NetworkConfig(dimensions=5, hidden=9, heads=3, rounds=4, compared=7),
        NetworkConfig(dimensions=5, hidden=8, heads=2, rounds=1, compared=0),
    ],
    ids=lambda config: f"{config.hidden} x {config.rounds}",
)
def test_it_says_what_the_trained_network_says(examples: list[Example], config: NetworkConfig) -> None:
    network = trained(config, seed=3)  # with which no energy of any size is near an end of its range
    ours, theirs = stepped(numpy_of(network), examples), forward(network, examples)
    assert theirs.std(0).min() > 0.01
    assert np.abs(ours - theirs).max() < 1e-5


def test_vectors_in_16_bits_change_energies_little(examples: list[Example]) -> None:
    network = trained(CONFIG)
    assert np.abs(stepped(numpy_of(network), examples) - forward(network, examples)).max() < 0.01


def test_equal_runs_give_equal_bytes_in_any_order(examples: list[Example]) -> None:
    network = numpy_of(trained(CONFIG))
    forth = stepped(network, examples)
    audit._vector.cache_clear()
    backwards = [stepped(network, [example]) for example in examples[::-1]]
    assert np.concatenate(backwards[::-1]).tobytes() == forth.tobytes()


def test_sessions_side_by_side_do_not_mix(examples: list[Example]) -> None:
    network = numpy_of(trained(CONFIG))
    one, other = sorted(examples, key=lambda e: -len(e.views))[:2]
    states = (State(), State())
    found: tuple[list[float], list[float]] = ([], [])
    for index, pair in enumerate(zip(one.views, other.views, strict=False)):
        for view, state, said in zip(pair, states, found, strict=True):
            said.append(network.step(view, index, index - 1, state).score.value)
    for example, said in zip((one, other), found, strict=True):
        assert said == stepped(network, [example])[: len(said), 0].tolist()


def test_a_state_holds_little_of_a_call(examples: list[Example]) -> None:
    state = State()
    numpy_of(trained(CONFIG)).step(examples[0].views[0], 3, 2, state)
    assert {index: array.shape for index, array in state.calls.items()} == {3: (CONFIG.rounds, CONFIG.hidden)}


def test_a_call_read_again_is_heard_as_it_was_at_first(examples: list[Example]) -> None:
    network, state = numpy_of(trained(CONFIG)), State()
    first, second = next(e.views for e in examples if len(e.views) > 1)[:2]
    network.step(first, 0, None, state)
    expected = network.step(second, 1, 0, state)
    network.step(second._replace(sources=()), 0, None, state)
    assert network.step(second, 1, 0, state) == expected
    assert [*state.calls] == [0, 1]


def test_a_call_that_was_never_read_is_not_heard(examples: list[Example]) -> None:
    network = numpy_of(trained(CONFIG))
    view = examples[0].views[0]
    assert network.step(view._replace(sources=(0, 7)), 9, 8, State()) == network.step(view, 0, None, State())


def test_the_largest_view_with_the_largest_weights_gives_energies() -> None:
    """Hostile numbers and weights may saturate an energy, never leave the scale."""
    words = [["w" * 60, "\ud800", "\U0001f600"] * 100] * 12

    def items(numbers: int, rows: int) -> Items:
        return Items(words[:rows], np.full((rows, numbers), 1e6, np.float32))

    intent, call = items(len(ROLES), 12), items(len(CALL_NUMBERS), 2)
    arguments = items(len(ARGUMENT_NUMBERS), 10)
    view = View(intent, call, arguments, items(len(EXPLANATION_NUMBERS), 10), ())
    weights = {name: array * 1e6 for name, array in weights_of(trained(CONFIG)).items()}
    with np.errstate(all="raise", under="ignore"):
        reading = NumpyNetwork(asdict(CONFIG), weights).step(view, 0, None, State())
    assert all(0 <= energy <= 10 for energy in (reading.score.value, *reading.energies))


def test_what_is_no_number_is_the_highest_energy(examples: list[Example]) -> None:
    view = examples[0].views[0]
    numbers = np.full_like(view.call.numbers, np.nan)
    broken = view._replace(call=view.call._replace(numbers=numbers))
    reading = numpy_of(trained(CONFIG)).step(broken, 0, None, State())
    assert reading.score.value == pytest.approx(10)
    assert reading.energies == pytest.approx((10,) * 4)


def test_the_latent_score_says_what_it_rests_on(examples: list[Example]) -> None:
    reading = numpy_of(trained(CONFIG)).step(examples[0].views[0], 0, None, State())
    assert 0 <= reading.distance <= 2
    logit = sum(part.value * part.weight for part in reading.score.parts)
    assert reading.score.value == pytest.approx(10 / (1 + math.exp(-logit)))
    assert reading.score.parts[0].value == reading.distance


@pytest.mark.parametrize("lacking", ["intent", "arguments", "explanations"])
@pytest.mark.usefixtures("stored")
def test_empty_things_are_as_in_training(examples: list[Example], lacking: str) -> None:
    network = trained(CONFIG)
    nothing: Mapping[str, Any] = {lacking: Items([], getattr(examples[0].views[0], lacking).numbers[:0])}
    empty = [replace(e, views=tuple(v._replace(**nothing) for v in e.views)) for e in examples[:6]]
    assert np.abs(stepped(numpy_of(network), empty) - forward(network, empty)).max() < 1e-4


# What makes no network


def test_the_shapes_are_those_of_the_trained_network() -> None:
    for config in (CONFIG, NetworkConfig(), replace(CONFIG, rounds=0), replace(CONFIG, compared=0)):
        sizes = {name: getattr(config, name) for name in audit.LARGEST}
        trained_shapes = {name: tuple(t.shape) for name, t in Network(config).state_dict().items()}
        assert shapes(**sizes) == trained_shapes
    assert len(TERM_NAMES) == audit.TERMS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, w: w.pop("projection.bias"), "array 'projection.bias' is missing"),
        (lambda c, w: w.update({"\x1b[2J": w["offset"]}), r"array '\\x1b\[2J' is unknown"),
        (
            lambda c, w: w.update({"projection.bias": np.zeros(3, np.float32)}),
            r"has shape \(3,\), needs \(24,\)",
        ),
        (lambda c, w: w.update({"offset": np.float32("nan")}), "offset holds what is no finite number"),
        (lambda c, w: w.update({"offset": np.array(1)}), "offset holds what is no finite number"),
        (lambda c, w: c.pop("hidden"), "hidden is None, needs 1 to 4096"),
        (lambda c, w: c.update(hidden=33), r"4 heads do not divide 33"),
        (lambda c, w: c.update(hidden=64), "has shape"),
        (lambda c, w: c.update(heads=True), "heads is True, needs 1"),
        (lambda c, w: c.update(rounds=10**9), "rounds is 1000000000, needs 0 to 64"),
        (lambda c, w: c.update(rounds=3), "array 'plan.rounds.2.first.bias' is missing"),
        (lambda c, w: c.update(dimensions="24"), "dimensions is '24'"),
        (lambda c, w: c.update(compared=0), "array 'plan.words.asked.numbers.bias' is unknown"),
        (lambda c, w: c.update(compared=-1), "compared is -1, needs 0 to 4096"),
    ],
)
def test_what_makes_no_network_is_told(change: Any, words: str) -> None:
    config, weights = asdict(CONFIG), weights_of(trained(CONFIG))
    change(config, weights)
    with pytest.raises(NetworkError, match=words):
        NumpyNetwork(config, weights)


def test_it_needs_numpy_alone() -> None:
    code = (
        "import sys, gatling.model.network\n"
        "sys.exit(', '.join({'torch', 'pyarrow', 'sklearn', 'faker'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
