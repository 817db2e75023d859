"""Scan, and Loops of many rounds, against ONNX Runtime: written out, or a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quantune_mlir.backend.compilation import with_kernels
from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.model import Model
from tests.onnx_models import build_model, recurrence, reference
from tests.support import run_module

RNG = np.random.default_rng(5)
WIDTH = 6


def values(*shape: int) -> np.ndarray:
    return RNG.uniform(-0.8, 0.8, shape).astype(np.float32)


def loops(module: ir.Module) -> list[ir.Operation]:
    return [op for function in functions(module) for op in ops_named(function, LOOP)]


def _float(name: str, shape: Sequence[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def scan(rounds: int, *, turned: bool = False, captures: bool = False) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """h = tanh(h w + a[t]), and two of each round: h + b[t], and the square of h."""
    nodes = [
        helper.make_node("MatMul", ["h", "w"], ["p"], name="product"),
        helper.make_node("Add", ["p", "twice" if captures else "a_t"], ["s"]),
        helper.make_node("Tanh", ["s"], ["next"]),
        helper.make_node("Add", ["next", "b_t"], ["both"]),
        helper.make_node("Mul", ["next", "next"], ["square"]),
    ]
    inputs = [_float("h", [1, WIDTH]), _float("a_t", [1, WIDTH]), _float("b_t", [WIDTH])]
    body = helper.make_graph(nodes, "body", inputs, [_float("next"), _float("both"), _float("square")])
    attributes: dict[str, Any] = {
        "scan_input_axes": [1, -1],
        "scan_input_directions": [1, 0],
        "scan_output_axes": [1, -1],
        "scan_output_directions": [0, 1],
    }
    outside = [helper.make_node("Add", ["start", "start"], ["twice"])]
    node = helper.make_node(
        "Scan",
        ["start", "a", "b"],
        ["last", "all", "squares"],
        name="scan",
        num_scan_inputs=2,
        body=body,
        **(attributes if turned else {}),
    )
    a, b = ((1, rounds, WIDTH), (WIDTH, rounds)) if turned else ((rounds, 1, WIDTH), (rounds, WIDTH))
    given = {"start": values(1, WIDTH), "a": values(*a), "b": values(*b)}
    return build_model([*outside, node], given, {"w": values(WIDTH, WIDTH)}, ["last", "all", "squares"]), given


def assert_equal(model: onnx.ModelProto, given: dict[str, np.ndarray], module: ir.Module) -> None:
    for mine, wanted in zip(run_module(module, *given.values()), reference(model, given), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("rounds", [3, 20])
def test_scan_gives_what_onnxruntime_does(rounds: int, turned: bool) -> None:
    model, given = scan(rounds, turned=turned)
    module = import_onnx(model)
    assert len(loops(module)) == (rounds == 20)
    assert_equal(model, given, module)


def test_scan_is_one_kernel() -> None:
    model, given = scan(20)
    module = with_kernels(Model(import_onnx(model)).module, load_target("host"))
    assert not loops(module)
    assert_equal(model, given, module)


def test_a_loop_reads_what_is_computed_outside() -> None:
    model, given = scan(20, captures=True)
    module = import_onnx(model)
    assert loops(module)
    assert_equal(model, given, module)


def long_loop(rounds: int, *, end: str = "on") -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """h = tanh(h w + x[i])."""
    kinds = {"i": (TensorProto.INT64, []), "on": (TensorProto.BOOL, []), "h": (TensorProto.FLOAT, [1, WIDTH])}
    inputs = [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()]
    nodes = [
        *recurrence(),
        helper.make_node("Less", ["i", "bound"], ["before"]),
        helper.make_node("Identity", [end], ["again"]),
        helper.make_node("Identity", ["next"], ["each"]),
    ]
    outputs = [helper.make_tensor_value_info("again", TensorProto.BOOL, []), _float("next"), _float("each")]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    node = helper.make_node("Loop", ["count", "go", "start"], ["y", "rows"], name="loop", body=body)
    numbers = {"count": np.array(rounds, np.int64), "go": np.array(True), "bound": np.array(rounds - 2, np.int64)}
    given = {"x": values(rounds, WIDTH), "start": values(1, WIDTH)}
    return build_model([node], given, {**numbers, "w": values(WIDTH, WIDTH)}, ["y", "rows"]), given


def test_loop_of_many_rounds() -> None:
    model, given = long_loop(300)
    module = import_onnx(model)
    assert len(loops(module)) == 1
    assert_equal(model, given, module)


@pytest.mark.parametrize("rounds", [20, 300])
def test_loop_that_ends_early_is_as_long_as_it_goes_on(rounds: int) -> None:
    model, given = long_loop(rounds, end="before")
    module = import_onnx(model)
    assert len(loops(module)) == 1
    assert_equal(model, given, module)


def test_loop_that_counts_by_itself_and_carries_its_weights() -> None:
    """As exporters of Keras write a recurrence."""
    kinds = {
        "i": (TensorProto.INT64, []),
        "on": (TensorProto.BOOL, []),
        "time": (TensorProto.INT32, []),
        "h": (TensorProto.FLOAT, [1, WIDTH]),
        "weights": (TensorProto.FLOAT, [WIDTH, WIDTH]),
        "bias": (TensorProto.FLOAT, [1, WIDTH]),
    }
    inputs = [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()]
    nodes = [
        helper.make_node("Add", ["time", "two"], ["later"]),
        helper.make_node("Gather", ["x", "time"], ["row"]),
        helper.make_node("MatMul", ["h", "weights"], ["p"], name="product"),
        helper.make_node("Add", ["p", "bias"], ["q"]),
        helper.make_node("Add", ["q", "row"], ["s"]),
        helper.make_node("Tanh", ["s"], ["next"]),
        helper.make_node("Identity", ["weights"], ["same"]),
        helper.make_node("Less", ["later", "bound"], ["again"]),
    ]
    outputs = [
        helper.make_tensor_value_info("again", TensorProto.BOOL, []),
        helper.make_tensor_value_info("later", TensorProto.INT32, []),
        *map(_float, ("next", "same", "bias")),
    ]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    carried = ["y_time", "y", "y_weights", "y_bias"]
    node = helper.make_node("Loop", ["", "go", "start", "h0", "w", "b"], carried, name="loop", body=body)
    numbers = {"go": np.array(True), "bound": np.array(60, np.int32), "two": np.array(2, np.int32)}
    given = {"x": values(60, WIDTH), "h0": values(1, WIDTH), "b": values(1, WIDTH)}
    constants = {**numbers, "start": np.array(1, np.int32), "w": values(WIDTH, WIDTH)}
    model = build_model([node], given, constants, ["y", "y_time", "y_bias"])
    module = import_onnx(model)
    assert len(loops(module)) == 1
    assert_equal(model, given, module)


def test_too_many_rounds_are_refused() -> None:
    model, _ = long_loop(300)
    (count,) = (tensor for tensor in model.graph.initializer if tensor.name == "count")
    count.CopyFrom(onnx.numpy_helper.from_array(np.array(10**9, np.int64), "count"))
    with pytest.raises(UnsupportedOperatorsError, match="a loop of 1000000000 rounds"):
        import_onnx(model)
