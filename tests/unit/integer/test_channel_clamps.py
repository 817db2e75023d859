"""A clamp whose upper bound differs between channels, in the epilogue of an int8 convolution."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from quantune_mlir.graph.units import Kind, find_units
from quantune_mlir.integer.epilogue import End
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.mlir.attributes import PRECISION, QPARAMS
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.qparams import to_attribute, write_qparams
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.quantize.quantize import Quantize
from quantune_mlir.passes.simplify.remove_dead_code import RemoveDeadCode
from quantune_mlir.pipeline.driver import run_pipeline
from tests.support import run_module

INPUT = QuantParams(float(np.float32(0.05)), 3)
OUTPUT = QuantParams(float(np.float32(0.04)), -128)
BOUNDS = np.array([1.0, 2.52, 4.0, 100.0], np.float32)
TEXT = """
func.func @main(%x: tensor<1x5x5x2xf32>) -> tensor<1x5x5x4xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %b = "tosa.const"() {values = dense<[0.1, 0.2, -0.3, 0.4]> : tensor<4xf32>} : () -> tensor<4xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0, -2.0]]], [[[0.5, 2.0]]], [[[-1.5, 1.0]]], [[[3.0, 1.0]]]]> : tensor<4x1x1x2xf32>} : () -> tensor<4x1x1x2xf32>
  %h = "tosa.const"() {values = dense<[[[[1.0, 2.52, 4.0, 100.0]]]]> : tensor<1x1x1x4xf32>} : () -> tensor<1x1x1x4xf32>
  %p = "tosa.conv2d"(%x, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "p", quantune.op = "Conv"} : (tensor<1x5x5x2xf32>, tensor<4x1x1x2xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x5x4xf32>
  %c = "tosa.clamp"(%p) {min_val = 0.0 : f32, max_val = 0x7F800000 : f32, quantune.layer = "c", quantune.op = "Clip"} : (tensor<1x5x5x4xf32>) -> tensor<1x5x5x4xf32>
  %m = "tosa.minimum"(%c, %h) {quantune.layer = "c", quantune.op = "Clip"} : (tensor<1x5x5x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x5x5x4xf32>
  %e = "tosa.reverse"(%m) {axis = 1 : i32, quantune.layer = "r", quantune.op = "Slice"} : (tensor<1x5x5x4xf32>) -> tensor<1x5x5x4xf32>
  return %e : tensor<1x5x5x4xf32>
}
"""  # noqa: E501
IMAGE = np.random.default_rng(0).integers(-131, 125, (1, 5, 5, 2)).astype(np.float32) * np.float32(INPUT.scale)
WEIGHTS = np.array([[1.0, -2.0], [0.5, 2.0], [-1.5, 1.0], [3.0, 1.0]])
EXPECTED = np.clip(IMAGE @ WEIGHTS.T + [0.1, 0.2, -0.3, 0.4], 0, np.minimum(BOUNDS, OUTPUT.hi))[:, ::-1]


def quantized(mode: RequantizeMode, *, in_float: bool) -> ir.Module:
    """The int8 form of TEXT: rounded to int8 before the reversal, or not at all."""
    context = make_context()
    with context:
        module = ir.Module.parse(TEXT)
    function = main_function(module)
    units = find_units(entry_block(function))
    assert [unit.kind for unit in units] == [Kind.DOT, Kind.CLAMP, Kind.MOVEMENT]
    for unit in units:
        moved = unit.kind is Kind.MOVEMENT
        for op in unit.ops:
            op.attributes[PRECISION] = ir.StringAttr.get("fp32" if in_float and moved else "int8", context)
        unit.op.attributes[QPARAMS] = to_attribute(OUTPUT, context)
    write_qparams(function, {entry_block(function).arguments[0]: INPUT})
    run_pipeline(module, [Quantize(requantize=mode), RemoveDeadCode()])
    return module


@pytest.mark.parametrize("in_float", [False, True])
@pytest.mark.parametrize("mode", get_args(RequantizeMode))
def test_each_channel_has_its_bound(mode: RequantizeMode, in_float: bool) -> None:
    (result,) = run_module(quantized(mode, in_float=in_float), IMAGE)
    rounding = 0.0 if in_float else OUTPUT.scale / 2
    weights = 3 / 127 / 2 * np.abs(IMAGE).sum(axis=-1).max()
    expected = EXPECTED if not in_float else np.clip(IMAGE @ WEIGHTS.T + [0.1, 0.2, -0.3, 0.4], 0, BOUNDS)[:, ::-1]
    assert np.abs(result - expected).max() <= weights + rounding + 1e-3
    at_bound = np.isclose(expected, np.minimum(BOUNDS, expected.max() + 1)) & (BOUNDS < 10)
    assert at_bound[..., :3].any(axis=(0, 1, 2)).all(), "every bound is met"
    assert (result <= BOUNDS + rounding + 1e-5).all()


def test_bounds_that_saturation_keeps_cost_nothing() -> None:
    beyond = np.array([OUTPUT.hi, 20.0, 30.0], np.float32)
    assert End(OUTPUT, (0.0, beyond), "float").channel_bounds() is None
    assert End(OUTPUT, (0.0, beyond), "float").integer_clamp() == (-128, 127)
    mixed = End(OUTPUT, (0.0, BOUNDS), "float").channel_bounds()
    assert mixed is not None and mixed.tolist() == [-103, -65, -28, 127]
