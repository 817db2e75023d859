"""The kernels of the sweep back give what NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.passes.calibrate.lower_adjoints import LowerAdjoints
from quantune_mlir.pipeline.driver import run_pipeline

RNG = np.random.default_rng(5)
Pair = tuple[int, int]


def program(x: np.ndarray, y: np.ndarray, kernel: Pair, stride: Pair, pad: Pair) -> Program:
    image, pooled = (f"tensor<{'x'.join(map(str, array.shape))}xf32>" for array in (x, y))
    text = f"""
    func.func @main(%x: {image}, %y: {pooled}, %c: {pooled}) -> {image} {{
      %r = "quantune.max_pool_adjoint"(%x, %y, %c) {{kernel = array<i64: {kernel[0]}, {kernel[1]}>,
        stride = array<i64: {stride[0]}, {stride[1]}>, pad = array<i64: {pad[0]}, {pad[0]}, {pad[1]}, {pad[1]}>}}
        : ({image}, {pooled}, {pooled}) -> {image}
      return %r : {image}
    }}"""
    with make_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run_pipeline(module, [LowerAdjoints()])
        return Program(compile_module(module, load_target("host")))


def shared(x: np.ndarray, y: np.ndarray, c: np.ndarray, kernel: Pair, stride: Pair, pad: Pair) -> np.ndarray:
    """Window by window: the cotangent of a maximum in equal parts to all that equal it."""
    result = np.zeros_like(x)
    for image, i, j, channel in np.ndindex(y.shape):
        rows, columns = (
            slice(max(at * step - before, 0), at * step - before + taps)
            for at, step, before, taps in zip((i, j), stride, pad, kernel, strict=True)
        )
        window = x[image, rows, columns, channel]
        equal = window == y[image, i, j, channel]
        result[image, rows, columns, channel] += equal * c[image, i, j, channel] / equal.sum()
    return result


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "pad"),
    [
        ((1, 7, 9, 20), (3, 3), (2, 2), (0, 0)),
        ((2, 6, 5, 33), (2, 3), (2, 1), (0, 1)),
        ((1, 8, 8, 16), (3, 3), (1, 1), (1, 1)),
        ((1, 4, 4, 1), (2, 2), (2, 2), (0, 0)),
    ],
)
def test_maxima_hand_their_cotangent_to_all_that_equal_them(
    shape: tuple[int, int, int, int], kernel: Pair, stride: Pair, pad: Pair
) -> None:
    x = RNG.integers(0, 4, shape).astype(np.float32)  # So that many are equal.
    height, width = (
        (size + 2 * before - taps) // step + 1
        for size, before, taps, step in zip(shape[1:3], pad, kernel, stride, strict=True)
    )
    y = np.empty((shape[0], height, width, shape[3]), np.float32)
    for i, j in np.ndindex(height, width):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        y[:, i, j] = x[:, max(top, 0) : top + kernel[0], max(left, 0) : left + kernel[1]].max(axis=(1, 2))
    c = RNG.standard_normal(y.shape).astype(np.float32)
    (found,) = program(x, y, kernel, stride, pad)(x, y, c)
    np.testing.assert_allclose(found, shared(x, y, c, kernel, stride, pad), rtol=1e-5, atol=1e-6)
