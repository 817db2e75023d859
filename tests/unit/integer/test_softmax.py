"""Softmax in integers: the numbers of Arm's reference model, and close to those of fp32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from quantune_mlir.graph.softmax import find_softmaxes
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.qparams import boundary_params
from quantune_mlir.numerics.parameters import dequantize, quantize
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model, reference
from tests.support import run_module
from tests.tosa_oracle import run_reference
from tests.unit.integer.networks import CalibratedNetwork


def exact_results(network: CalibratedNetwork, module: ir.Module, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a module of integers makes, as the reference model does to the bit; and fp32 of the same codes."""
    run_pipeline(module, [VerifyInteger()])
    (given,), (made,) = (boundary_params(main_function(module), key, 1) for key in ("arg_attrs", "res_attrs"))
    assert given is not None and made is not None
    codes = quantize(0.8 * x, given)
    (actual,) = run_module(module, codes)
    (exact,) = run_reference(str(module), [codes])
    np.testing.assert_array_equal(actual, exact)
    (expected,) = reference(network.model, {"x": dequantize(codes, given)})
    return dequantize(actual, made), expected


@pytest.mark.parametrize("format_", ["int8", "int16"])
@pytest.mark.parametrize(("shape", "axis"), [((4, 10), 1), ((2, 40, 6), 1), ((1, 300), 1)])
def test_it_is_exact_and_close_to_fp32(format_: str, shape: tuple[int, ...], axis: int) -> None:
    x = {"x": (4 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)}
    nodes = [
        onnx.helper.make_node("Mul", ["x", "k"], ["m"], name="mul"),
        onnx.helper.make_node("Softmax", ["m"], ["s"], name="softmax", axis=axis),
        onnx.helper.make_node("Flatten", ["s"], ["y"], name="flat"),
    ]
    model = build_model(nodes, x, {"k": np.full(shape, 1.3, np.float32)}, ["y"])
    network = CalibratedNetwork(model, x, IntegerOptions(requantize="integer"), make_context())
    formats = [format_ if unit.layer == "mul" else "fp32" for unit in network.units]
    module = network.rewritten(formats, boundary="int8")
    actual, expected = exact_results(network, module, x["x"])
    # int8 inputs of several units lie half a step off; their sums and shares are off by as much of themselves.
    assert np.abs(actual - expected).max() < (0.03 if format_ == "int8" else 5e-4)
    assert actual.reshape(shape).sum(axis).max() < 1.02


def test_layouts_that_were_cancelled_leave_moves_inside() -> None:
    shape = (1, 8, 4, 1)
    rng = np.random.default_rng(0)
    x = {"x": rng.standard_normal(shape).astype(np.float32)}
    weights = {"w": rng.standard_normal((20, 8, 4, 1)).astype(np.float32)}
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], name="conv", kernel_shape=[4, 1]),
        onnx.helper.make_node("Softmax", ["c"], ["s"], name="softmax", axis=1),
        onnx.helper.make_node("Flatten", ["s"], ["y"], name="flat"),
    ]
    model = build_model(nodes, x, weights, ["y"])
    network = CalibratedNetwork(model, x, IntegerOptions(requantize="integer"), make_context())
    (softmax,) = find_softmaxes(network.network)
    assert softmax.moves
    module = network.rewritten(
        ["int8" if unit.layer in ("conv", None) else "fp32" for unit in network.units], boundary="int8"
    )
    actual, expected = exact_results(network, module, x["x"])
    assert np.abs(actual - expected).max() < 0.06
