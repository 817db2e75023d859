"""Models with inputs, weights and casts of other types than fp32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.graph.units import Kind, find_units
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.signature import argument_specs
from tests.onnx_models import build_model, reference
from tests.support import run_module

RNG = np.random.default_rng(3)
HALF = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


def half_model(kind: int) -> onnx.ModelProto:
    """Conv, a Constant, a Cast to fp32 and back: all that a converter to half precision leaves."""

    def stored(name: str, values: Sequence[float] | np.ndarray, *dims: int) -> onnx.TensorProto:
        return helper.make_tensor(name, kind, dims, np.asarray(values, np.float32).reshape(-1))

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Constant", [], ["two"], value=stored("v", [2])),
        helper.make_node("Mul", ["c", "two"], ["m"]),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT, name="to_float"),
        helper.make_node("Softmax", ["f"], ["s"], axis=1),
        helper.make_node("Cast", ["s"], ["y"], to=kind, name="to_half"),
    ]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("x", kind, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("y", kind, [1, 5, 4, 4])],
        [stored("w", RNG.standard_normal((5, 3, 1, 1)), 5, 3, 1, 1)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("kind", HALF)
def test_half_precision_is_computed_in_fp32(kind: str) -> None:
    module = import_onnx(half_model(HALF[kind]))
    units = find_units(entry_block(main_function(module)))
    assert [u.layer for u in units if u.kind == Kind.DOT] == ["conv"]
    assert all("f16" not in str(v.type) for u in units[1:-1] for op in u.ops for v in op.operands)


def test_tables_of_f64_that_are_cast_become_fp32() -> None:
    nodes = [
        helper.make_node("Cast", ["table"], ["narrow"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "narrow"], ["y"]),
    ]
    x, table = np.ones((1, 4), np.float32), np.linspace(0, 1, 4)
    (got,) = run_module(import_onnx(build_model(nodes, {"x": x}, {"table": table}, ["y"])), x)
    np.testing.assert_array_equal(got, table.astype(np.float32)[None])


def test_fp16_inputs_and_outputs_keep_their_type() -> None:
    model = half_model(TensorProto.FLOAT16)
    x = RNG.standard_normal((1, 3, 4, 4)).astype(np.float16)
    (got,) = run_module(import_onnx(model), x)
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, reference(model, {"x": x})[0], atol=2e-3)


def test_bf16_inputs_and_outputs_become_fp32() -> None:
    module = import_onnx(half_model(TensorProto.BFLOAT16))
    assert [dtype for _, _, dtype in argument_specs(main_function(module))] == [np.float32]
    (got,) = run_module(module, RNG.standard_normal((1, 3, 4, 4)).astype(np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-5)


def test_doubles_are_computed_in_fp32_and_sizes_made_of_them_folded_as_doubles() -> None:
    double = TensorProto.DOUBLE
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=double),
        helper.make_node("Mul", ["d", "third"], ["m"]),
        helper.make_node("Where", ["allowed", "m", "lowest"], ["w"]),
        helper.make_node("Softmax", ["w"], ["s"], axis=-1),
        helper.make_node("Mul", ["hundred", "share"], ["length"]),  # 28.999..., and 29 in fp32
        helper.make_node("Cast", ["length"], ["size"], to=TensorProto.INT64),
        helper.make_node("Expand", ["s", "size"], ["y"]),
    ]
    numbers = {"third": 1 / 3, "lowest": -1.7e308, "hundred": np.array([100.0, 1]), "share": np.array([0.29, 1])}
    stored = {"allowed": np.array([True, False, True]), **{k: np.asarray(v) for k, v in numbers.items()}}
    x = RNG.standard_normal((1, 3))
    model = build_model(nodes, {"x": x}, stored, ["y"])
    module = import_onnx(model)
    assert [dtype for _, _, dtype in argument_specs(main_function(module))] == [np.float32]
    (got,) = run_module(module, x.astype(np.float32))
    assert got.shape == (28, 3)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(model, {"x": x})[0], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.uint32, np.int32, np.int64, np.bool_])
def test_inputs_are_called_what_they_are(dtype: type) -> None:
    x = np.array([[0, 1, 1, 0]], dtype)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    module = import_onnx(build_model(nodes, {"x": x}, {}, ["y"]))
    assert argument_specs(main_function(module)) == [("x", (1, 4), np.dtype(dtype))]


def test_an_output_of_uint8_without_a_shape_has_its_sign_and_shape() -> None:
    x = np.array([[0, 1, 200, 255]], np.uint8)
    model = build_model([helper.make_node("Concat", ["x", "x"], ["y"], axis=0)], {"x": x}, {}, ["y"])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.output[0].type.tensor_type.ClearField("shape")
    (got,) = Program(compile_program(import_onnx(model), load_target("host")))(x)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.concatenate([x, x]))
