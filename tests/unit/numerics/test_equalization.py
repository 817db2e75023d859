"""Equalizing scales make ranges alike, and leave dead channels without a say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.numerics.equalization import Link, Magnitudes, equalizing_scales


def dense(rng: np.random.Generator, outputs: int, inputs: int, spread: float = 1.5) -> Magnitudes:
    return Magnitudes(np.exp(rng.normal(0, spread, (outputs, 1, 1, inputs))), (0,), 3)


def depthwise(rng: np.random.Generator, channels: int) -> Magnitudes:
    return Magnitudes(np.exp(rng.normal(0, 1.5, (1, 1, channels, 1))), (2, 3), 2)


def spread(ranges: np.ndarray) -> float:
    """The largest over the smallest."""
    return float(ranges.max() / ranges.min())


@given(st.integers(0, 10**6), st.integers(2, 12))
def test_two_layers_meet_the_formula_in_one_step(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = dense(rng, channels, 3, spread=0.2), dense(rng, 4, channels, spread=0.2)
    activation = rng.uniform(0.5, 1.0, channels)
    (scales,) = equalizing_scales([first, second], [Link(0, (1,), activation)])
    assert np.exp(np.log(scales).mean()) == pytest.approx(1)
    balance = np.sqrt(first.of_outputs() * activation) / scales / (second.of_inputs() * scales)
    assert spread(balance) < 1.01


@given(st.integers(0, 10**6))
def test_spread_of_a_depthwise_layer_between_two_others_shrinks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [dense(rng, 16, 8), depthwise(rng, 16), dense(rng, 8, 16)]
    ones = np.ones(16)
    before, after = equalizing_scales(layers, [Link(0, (1,), ones), Link(1, (2,), ones)])
    scaled = layers[1].scaled_inputs(before).scaled_outputs(1 / after)
    assert spread(scaled.of_outputs()) < spread(layers[1].of_outputs())


def test_dead_channels_have_no_say() -> None:
    """One channel is never made, so that its huge weights in the second layer multiply nothing."""
    made = np.array([1.0, 1.0, 0.0]).reshape(3, 1, 1, 1)
    read = np.array([1.0, 1.0, 50.0]).reshape(1, 1, 1, 3)
    layers = [Magnitudes(made, (0,), 3), Magnitudes(read, (0,), 3)]
    (scales,) = equalizing_scales(layers, [Link(0, (1,), np.array([1.0, 1.0, 0.0]))])
    second = layers[1].scaled_inputs(scales).of_inputs()
    assert np.isfinite(scales).all() and (scales > 0).all()
    assert second[2] <= second[0]


def test_channels_that_are_dead_throughout_move_nothing() -> None:
    """Most channels of a chain are dead; the others go where they would go without them."""
    alive = np.arange(16) < 4

    def chain(mask: np.ndarray) -> list[np.ndarray]:
        first, middle, last = dense(rng_of(1), 16, 8), depthwise(rng_of(2), 16), dense(rng_of(3), 8, 16)
        parts = (first.largest[mask], middle.largest[:, :, mask], last.largest[..., mask])
        dimmed = [part.copy() for part in parts]
        if mask.all():
            dimmed[0][~alive], dimmed[1][:, :, ~alive], dimmed[2][..., ~alive] = 1e-9, 1e-9, 1e-9
        layers = [Magnitudes(dimmed[0], (0,), 3), Magnitudes(dimmed[1], (2, 3), 2), Magnitudes(dimmed[2], (0,), 3)]
        held = np.where(alive, 1.0, 0.0)[mask]
        return equalizing_scales(layers, [Link(0, (1,), held), Link(1, (2,), held)])

    for whole, part in zip(chain(np.ones(16, bool)), chain(alive), strict=True):
        assert whole[alive] == pytest.approx(part)
        assert (whole[~alive] == 1).all()


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_nothing_but_zeros_stays_as_it_is() -> None:
    layers = [Magnitudes(np.zeros((2, 1, 1, 1)), (0,), 3), Magnitudes(np.zeros((1, 1, 1, 2)), (0,), 3)]
    (scales,) = equalizing_scales(layers, [Link(0, (1,), np.zeros(2))])
    np.testing.assert_array_equal(scales, [1, 1])
