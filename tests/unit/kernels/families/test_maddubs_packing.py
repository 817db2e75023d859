"""Weights in words: their sum is what it was, and no sum of 16 bits saturates, whatever the inputs are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.families import maddubs_list as word_list
from quantune_mlir.kernels.families.maddubs_packing import DEPTH, Words, arrange
from tests.unit.kernels.convolutions import NAMED
from tests.unit.kernels.families.test_dense import assert_computes, run_here, runs_here

ADVERSARIAL = {
    "largest": np.full((8, 1, 64), 127),
    "smallest": np.full((8, 2, 23), -128),
    "of both signs": np.where(np.arange(8 * 3 * 37).reshape(8, 3, 37) % 3, 127, -128),
    "pairs of equal sign": np.where(np.arange(8 * 40).reshape(8, 1, 40) // 2 % 2, 127, -127),
    "only the last of a run": np.eye(8, 9, 8)[:, None, :] * 127,
    "one element": np.full((4, 1, 1), -128),
}


def summed(words: Words, x: np.ndarray) -> np.ndarray:
    """What vpmaddubsw and vpaddw, which wraps, make of u8 inputs [runs, elements]."""
    inputs = np.pad(x.astype(np.int64), ((0, 0), (0, 2 * DEPTH)))
    given_to = np.stack([inputs[run, at : at + DEPTH] for run, at in words.places])
    products = (given_to[:, None, :] * words.weights).reshape(*words.weights.shape[:2], 2, 2).sum(axis=3)
    halves = np.clip(products, -(2**15), 2**15 - 1)
    pairs = halves[: words.joined].reshape(-1, 2, *halves.shape[1:]).sum(axis=1).astype(np.int16)
    return pairs.sum(axis=(0, 2), dtype=np.int64) + halves[words.joined :].sum(axis=(0, 2))


def assert_exact(weights: np.ndarray) -> None:
    words = arrange(weights.astype(np.int8))
    assert words.joined % 2 == 0
    rebuilt = np.zeros((weights.shape[0], weights.shape[1], weights.shape[2] + 2 * DEPTH), np.int64)
    for word, (run, at) in zip(words.weights, words.places, strict=True):
        rebuilt[:, run, at : at + DEPTH] += word
    np.testing.assert_array_equal(rebuilt[..., : weights.shape[2]], weights)
    assert not rebuilt[..., weights.shape[2] :].any()
    # The inputs at which a channel's sums are largest and smallest.
    for lane in weights:
        for x in (np.where(lane > 0, 255, 0), np.where(lane < 0, 255, 0), np.full(lane.shape, 255)):
            expected = (weights.astype(np.int64) * x).sum(axis=(1, 2))
            np.testing.assert_array_equal(summed(words, x), expected)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_extreme_weights(name: str) -> None:
    assert_exact(ADVERSARIAL[name])


@settings(max_examples=50)
@given(arrays.arrays(np.int8, st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(1, 30))))
def test_any_weights(weights: np.ndarray) -> None:
    assert_exact(weights)


def test_small_weights_are_joined_and_have_no_overflow() -> None:
    rng = np.random.default_rng(0)
    words = arrange(rng.integers(-32, 33, (8, 3, 64), np.int8))
    assert len(words.weights) == words.joined == 3 * 64 // DEPTH


@pytest.mark.slow
def test_kernels_of_words_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer as a list of words, though its weights, which are any i8, do not suit that."""
    if not runs_here("avx2"):
        pytest.skip("this CPU cannot run avx2")
    monkeypatch.setattr(word_list, "_COST_OF_STEP", 1000)
    monkeypatch.setattr(word_list, "_LEAST_PIXELS", 1)
    layers = {name: layer for name, layer in NAMED.items() if layer.mode != "fp32"}
    assert_computes(layers, load_target("host").model_copy(update={"isa": "avx2"}), run_here)
