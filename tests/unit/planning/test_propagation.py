from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantune_mlir.planning.propagation import SATURATED, NoiseNode, linear_gain, noise_to_signal, output_gains


def shares_at(nodes: list[NoiseNode], output: str) -> dict[str, float]:
    """What each node adds to the noise-to-signal power at an output."""
    gains = output_gains(nodes, output)
    saturated = sum(node.local * gains.get(node.name, 0.0) for node in nodes) >= SATURATED
    return {node.name: noise_to_signal(node, node.local, gains, saturated=saturated) for node in nodes}


def test_a_gain_is_what_came_out_beyond_the_own_noise_for_what_came_in() -> None:
    assert linear_gain(accumulated=7.0, local=1.0, incoming=3.0) == 2.0
    assert linear_gain(accumulated=1.0, local=2.0, incoming=3.0) == 0.0, "a layer that swallows noise"
    assert linear_gain(accumulated=1.0, local=1.0, incoming=0.0) == 0.0, "the first layer"


def test_the_shares_of_a_chain_add_up_to_the_measured_noise() -> None:
    accumulated = {"a": 1.0, "b": 4.0, "c": 3.0}
    local = {"a": 1.0, "b": 2.0, "c": 1.0}
    nodes = [
        NoiseNode("a", (), 50.0, local["a"], linear_gain(accumulated["a"], local["a"], 0.0)),
        NoiseNode("b", ("a",), 80.0, local["b"], linear_gain(accumulated["b"], local["b"], accumulated["a"])),
        NoiseNode("c", ("b",), 100.0, local["c"], linear_gain(accumulated["c"], local["c"], accumulated["b"])),
    ]
    shares = shares_at(nodes, "c")
    assert shares == pytest.approx({"a": 0.01, "b": 0.01, "c": 0.01})
    assert sum(shares.values()) == pytest.approx(accumulated["c"] / 100.0)


def test_noise_reaches_the_output_through_every_reader() -> None:
    nodes = [
        NoiseNode("stem", (), 10.0, 1.0, 0.0),
        NoiseNode("left", ("stem",), 10.0, 0.0, 2.0),
        NoiseNode("right", ("stem",), 10.0, 0.0, 3.0),
        NoiseNode("sum", ("left", "right"), 1000.0, 4.0, 0.5),
    ]
    assert shares_at(nodes, "sum") == pytest.approx({"stem": 0.0025, "left": 0.0, "right": 0.0, "sum": 0.004})


def test_both_inputs_of_a_sum_share_its_gain() -> None:
    nodes = [
        NoiseNode("left", (), 10.0, 1.0, 0.0),
        NoiseNode("right", (), 10.0, 3.0, 0.0),
        NoiseNode("sum", ("left", "right"), 1000.0, 1.0, linear_gain(9.0, 1.0, 1.0 + 3.0)),
    ]
    assert shares_at(nodes, "sum") == pytest.approx({"left": 0.002, "right": 0.006, "sum": 0.001})


def test_each_output_has_noise_of_its_own() -> None:
    nodes = [
        NoiseNode("stem", (), 100.0, 1.0, 0.0),
        NoiseNode("head", ("stem",), 50.0, 0.5, 1.0),
    ]
    assert shares_at(nodes, "stem") == pytest.approx({"stem": 0.01, "head": 0.0})
    assert shares_at(nodes, "head") == pytest.approx({"stem": 0.02, "head": 0.01})


def test_what_the_network_does_not_return_has_no_share() -> None:
    nodes = [NoiseNode("dead", (), 10.0, 1.0, 0.0), NoiseNode("out", (), 100.0, 1.0, 0.0)]
    assert shares_at(nodes, "out") == {"dead": 0.0, "out": 0.01}


def test_where_noise_saturates_a_share_is_at_least_the_local_noise() -> None:
    """The second layer drowns all that comes in, so that its gain says nothing of the first one."""
    nodes = [NoiseNode("a", (), 10.0, 1.0, 0.0), NoiseNode("b", ("a",), 100.0, 30.0, linear_gain(30.0, 30.0, 1.0))]
    assert shares_at(nodes, "b") == pytest.approx({"a": 1.0 / 10.0, "b": 30.0 / 100.0})
    clean = [nodes[0], NoiseNode("b", ("a",), 100.0, 3.0, linear_gain(3.0, 3.0, 1.0))]
    assert shares_at(clean, "b") == pytest.approx({"a": 0.0, "b": 3.0 / 100.0})


def test_a_share_above_the_local_noise_stays_where_noise_saturates() -> None:
    nodes = [NoiseNode("a", (), 10.0, 1.0, 0.0), NoiseNode("b", ("a",), 100.0, 5.0, 40.0)]
    assert shares_at(nodes, "b") == pytest.approx({"a": 0.4, "b": 0.05})


def test_what_has_no_signal_has_no_share() -> None:
    assert shares_at([NoiseNode("zero", (), 0.0, 1.0, 0.0)], "zero") == {"zero": 0.0}
    saturated = [NoiseNode("zero", (), 0.0, 1.0, 0.0), NoiseNode("out", ("zero",), 10.0, 5.0, 0.0)]
    assert shares_at(saturated, "out") == {"zero": 0.0, "out": 0.5}


@st.composite
def measured_networks(draw: st.DrawFn) -> tuple[list[NoiseNode], dict[str, float]]:
    """Nodes of a random DAG with the gains of consistent energies, the last one the output, and the noise at each."""
    energies = st.floats(1e-6, 1e3)
    count = draw(st.integers(1, 12))
    ratio = draw(st.floats(1e-6, 0.9 * SATURATED))
    nodes: list[NoiseNode] = []
    noise: dict[str, float] = {}
    for index in range(count):
        name = f"n{index}"
        inputs = tuple(sorted(draw(st.sets(st.sampled_from(list(noise)), max_size=3)))) if noise else ()
        incoming = math.fsum(noise[source] for source in inputs)
        local = draw(st.just(0.0) | energies)
        noise[name] = draw(st.just(0.0) | st.floats(1e-3, 4)) * incoming + local
        signal = noise[name] / ratio if index == count - 1 else draw(energies)
        nodes.append(NoiseNode(name, inputs, signal, local, linear_gain(noise[name], local, incoming)))
    return nodes, noise


@given(measured_networks())
def test_the_shares_of_any_network_add_up_to_the_measured_noise(network) -> None:
    nodes, noise = network
    output = nodes[-1]
    assume(noise[output.name] > 0)
    shares = shares_at(nodes, output.name)
    assert math.fsum(shares.values()) == pytest.approx(noise[output.name] / output.signal, rel=1e-9)
    assert all(share >= 0 for share in shares.values())


@given(measured_networks(), st.floats(1, 100))
def test_saturated_networks_count_at_least_the_local_noise_of_every_layer_before_the_output(network, factor) -> None:
    nodes, noise = network
    loud = [NoiseNode(n.name, n.inputs, n.signal / factor, n.local, n.gain) for n in nodes]
    output = loud[-1]
    assume(noise[output.name] > 0 and noise[output.name] / output.signal > 1.001 * SATURATED)
    shares, gains = shares_at(loud, output.name), output_gains(loud, output.name)
    for node in loud:
        local = node.local / node.signal if node.signal and node.name in gains else 0.0
        assert shares[node.name] >= local
