"""Models that others quantized, by their own scales: the integers of ONNX Runtime, which also makes some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.model import Model

CHANNELS = 8
IMAGE = (1, CHANNELS, 6, 6)
DIFFER = 0.001
"""At most so many integers may differ, by one: products of scales are rounded elsewhere than in ONNX Runtime."""

Arrays = dict[str, NDArray[Any]]


def normal(*shape: int, seed: int = 1, scale: float = 0.3) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def images(count: int = 12, shape: Sequence[int] = IMAGE) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=(count, *shape[1:])).astype(np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    arrays: Arrays,
    *,
    inputs: dict[str, tuple[int, Sequence[int]]] | None = None,
    outputs: Sequence[str] = ("y",),
    output_type: int = TensorProto.FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [
            helper.make_tensor_value_info(name, *given)
            for name, given in (inputs or {"x": (TensorProto.FLOAT, IMAGE)}).items()
        ],
        [helper.make_tensor_value_info(name, output_type, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def residual() -> onnx.ModelProto:
    """Convolutions, one of them depthwise, clamps, a sum, pools, a concatenation, a function, a matrix product."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["conv1"], "conv1", pads=[1, 1, 1, 1]),
        node("Relu", ["conv1"], ["relu1"], "relu1"),
        node("Conv", ["relu1", "w2"], ["conv2"], "conv2", pads=[1, 1, 1, 1], group=CHANNELS),
        node("Clip", ["conv2", "zero", "two"], ["clip2"], "clip2"),
        node("Add", ["clip2", "relu1"], ["sum"], "sum"),
        node("MaxPool", ["sum"], ["pool"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["pool", "w3"], ["conv3"], "conv3"),
        node("Concat", ["conv3", "pool"], ["joined"], "joined", axis=1),
        node("Sigmoid", ["joined"], ["gate"], "gate"),
        node("Mul", ["joined", "gate"], ["swish"], "swish"),
        node("GlobalAveragePool", ["swish"], ["means"], "means"),
        node("Flatten", ["means"], ["flat"], "flat"),
        node("Gemm", ["flat", "w4", "b4"], ["y"], "y", transB=1),
    ]
    arrays: Arrays = {
        "w1": normal(CHANNELS, CHANNELS, 3, 3),
        "b1": normal(CHANNELS),
        "w2": normal(CHANNELS, 1, 3, 3),
        "zero": np.array(0, np.float32),
        "two": np.array(2, np.float32),
        "w3": normal(CHANNELS, CHANNELS, 1, 1),
        "w4": normal(5, 2 * CHANNELS),
        "b4": normal(5),
    }
    return model_of(nodes, arrays)


class Reader(CalibrationDataReader):
    def __init__(self) -> None:
        self._feeds = ({"x": x[None]} for x in images())

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # type: ignore[override]
        return next(self._feeds, None)


def quantized_by_onnx_runtime(folder: Path, **options: Any) -> onnx.ModelProto:
    """What quantize_static makes of `residual`, with all integers among its outputs."""
    source, result = folder / "fp32.onnx", folder / "int8.onnx"
    onnx.save(residual(), source)
    quantize_static(source, result, Reader(), weight_type=QuantType.QInt8, **options)
    model = onnx.load(result)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in stored:
            kind = stored[node.input[2]].data_type
            model.graph.output.append(helper.make_tensor_value_info(node.output[0], kind, None))
    return onnx.shape_inference.infer_shapes(model)


def ours(folder: Path, model: onnx.ModelProto) -> Model:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return Model.load(path, keep_quantized=True)


def session_of(model: onnx.ModelProto, *, optimized: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def require_equal(
    folder: Path, model: onnx.ModelProto, feeds: Sequence[dict[str, NDArray[Any]]], *, optimized: bool = True
) -> Model:
    """Whatever is an integer is ONNX Runtime's, but for few that are one beside; whatever is not is near."""
    imported, session = ours(folder, model), session_of(model, optimized=optimized)
    program = Program(compile_program(imported.module, load_target("host")))
    names = [each.name for each in session.get_inputs()]
    for feed in feeds:
        wanted = session.run(None, feed)
        made = program(*(feed[name] for name in names))
        for one, other in zip(made, wanted, strict=True):
            if other.dtype.kind == "f":
                np.testing.assert_allclose(one, other, atol=0.02 * np.abs(other).max())
                continue
            difference = np.abs(np.asarray(one).view(other.dtype).astype(int) - other)
            assert difference.max() <= 1
            assert np.count_nonzero(difference) <= max(1, DIFFER * difference.size)
    return imported


def computing(model: Model, name: str) -> Counter[str]:
    """The element types of the results of an op."""
    ops = (view.operation for view in entry_block(model.function))
    return Counter(str(ir.RankedTensorType(op.results[0].type).element_type) for op in ops if op.name == f"tosa.{name}")


@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("per_channel", [True, False])
def test_onnx_runtimes_models(tmp_path: Path, activations: QuantType, per_channel: bool) -> None:
    model = quantized_by_onnx_runtime(
        tmp_path, quant_format=QuantFormat.QDQ, per_channel=per_channel, activation_type=activations
    )
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)])
    assert computing(imported, "conv2d") == {"i32": 3}  # the matrix product is one
    assert computing(imported, "depthwise_conv2d") == {"i32": 1}


def pair(name: str, scale: str = "s", zero: str = "z", **given: Any) -> list[onnx.NodeProto]:
    """The nodes that round `name` to `name_r`."""
    return [
        helper.make_node("QuantizeLinear", [name, scale, zero], [f"{name}_q"], f"{name}_q", **given),
        helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [f"{name}_r"], f"{name}_dq", **given),
    ]


def weights(name: str = "w", **given: Any) -> onnx.NodeProto:
    return helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_s"], [name], f"{name}_dq", **given)


U8 = np.uint8
SCALES: Arrays = {
    "s": np.array(0.0213, np.float32),
    "z": np.array(120, U8),
    "t": np.array(0.0517, np.float32),
    "v": np.array(7, U8),
}


def stored_weights(outputs: int = CHANNELS, *, seed: int = 5, inputs: int = CHANNELS) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "w_q": rng.integers(-127, 128, (outputs, inputs, 1, 1)).astype(np.int8),
        "w_s": rng.uniform(0.001, 0.01, outputs).astype(np.float32),
    }


def test_a_bias_that_is_not_int32_is_not_rounded(tmp_path: Path) -> None:
    nodes = [
        *pair("x"),
        weights(axis=0),
        helper.make_node("Conv", ["x_r", "w", "b"], ["c"], "conv"),
        *pair("c", "t", "v"),
    ]
    arrays = {**SCALES, **stored_weights(), "b": normal(CHANNELS, scale=1e-4)}
    arrays["w_s"] *= 100
    model = model_of(nodes, arrays, outputs=["c_q"], output_type=TensorProto.UINT8)
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)])
    assert computing(imported, "conv2d") == {"i32": 1}


def test_products_are_rounded_as_in_onnx_runtime(tmp_path: Path) -> None:
    """To the last integer: neither the zero point nor what fp32 has not of an int32 bias may move a number."""
    shape = (1, CHANNELS, 96, 96)
    nodes = [
        *pair("x"),
        weights(axis=0),
        helper.make_node("DequantizeLinear", ["b_q", "b_s"], ["b"], "b_dq", axis=0),
        helper.make_node("Conv", ["x_r", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        *pair("c", "t", "low"),
    ]
    arrays = {**SCALES, **stored_weights(), "low": np.array(0, U8)}
    arrays["w_s"] = np.broadcast_to(arrays["w_s"], CHANNELS).copy()
    arrays["b_s"] = arrays["w_s"] * SCALES["s"]
    arrays["b_q"] = np.random.default_rng(4).integers(-200_001, 400_001, CHANNELS).astype(np.int32)
    arrays["t"] = np.float32(arrays["b_s"].mean() * 2500)
    given = {"x": (TensorProto.FLOAT, shape)}
    model = model_of(nodes, arrays, inputs=given, outputs=["c_q"], output_type=TensorProto.UINT8)
    program = Program(compile_program(ours(tmp_path, model).module, load_target("host")))
    session = session_of(model)
    for x in images(4, shape):
        ((wanted,), (made,)) = session.run(None, {"x": x[None]}), program(x[None])
        assert np.ptp(wanted.astype(int)) > 100
        np.testing.assert_array_equal(np.asarray(made).view(np.uint8), wanted)


def test_batch_norm_behind_a_product_scales_what_its_weights_were_stored_with(tmp_path: Path) -> None:
    nodes = [
        *pair("x"),
        weights(axis=0),
        helper.make_node("Conv", ["x_r", "w"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", "gain", "offset", "mean", "variance"], ["n"], "norm"),
        helper.make_node("Relu", ["n"], ["r"], "relu"),
        *pair("r", "t", "v"),
    ]
    rng = np.random.default_rng(7)
    arrays = {
        **SCALES,
        **stored_weights(),
        "gain": normal(CHANNELS) * 4,
        "offset": normal(CHANNELS),
        "mean": normal(CHANNELS),
        "variance": rng.uniform(0.5, 2, CHANNELS).astype(np.float32),
    }
    model = model_of(nodes, arrays, outputs=["r_q"], output_type=TensorProto.UINT8)
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)])
    assert computing(imported, "conv2d") == {"i32": 1}


def test_a_scale_for_each_channel_of_an_activation(tmp_path: Path) -> None:
    """ONNX Runtime, when it optimizes, fails at these, which NNCF makes before depthwise convolutions."""
    nodes = [
        *pair("x", "cs", "cz", axis=1),
        weights(axis=0),
        helper.make_node("Conv", ["x_r", "w"], ["c"], "conv", group=CHANNELS),
        *pair("c", "t", "v"),
    ]
    arrays = {
        **SCALES,
        **stored_weights(inputs=1),
        "cs": np.geomspace(0.01, 0.03, CHANNELS).astype(np.float32),
        "cz": np.full(CHANNELS, 128, U8),
    }
    model = model_of(nodes, arrays, outputs=["c_q"], output_type=TensorProto.UINT8)
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)], optimized=False)
    assert computing(imported, "depthwise_conv2d") == {"i32": 1}


def test_what_moves_tensors_may_change_their_scale(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        *pair("x"),
        node("MaxPool", ["x_r"], ["m"], "pool", kernel_shape=[3, 3]),
        *pair("m", "t", "v"),
        node("AveragePool", ["x_r"], ["a"], "average", kernel_shape=[3, 3]),
        *pair("a"),
        node("Concat", ["m_r", "a_r"], ["j"], "join", axis=1),
        *pair("j", "u", "v"),
        node("Reshape", ["j_r", "shape"], ["y"], "flat"),
    ]
    arrays: Arrays = {**SCALES, "u": np.array(0.0391, np.float32), "shape": np.array([1, -1], np.int64)}
    model = model_of(nodes, arrays, outputs=["j_q"], output_type=TensorProto.UINT8)
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)])
    assert computing(imported, "max_pool2d") == {"i8": 1}
    assert computing(imported, "concat") == {"i8": 1}


def test_a_product_that_nobody_rounds_ends_in_fp32(tmp_path: Path) -> None:
    nodes = [*pair("x"), weights(axis=0), helper.make_node("Conv", ["x_r", "w"], ["y"], "conv")]
    imported = require_equal(
        tmp_path, model_of(nodes, {**SCALES, **stored_weights()}), [{"x": x[None]} for x in images(4)]
    )
    assert computing(imported, "conv2d") == {"i32": 1}


def test_weights_that_int8_cannot_hold_are_fp32(tmp_path: Path) -> None:
    """uint8 weights around 10 reach 245."""
    nodes = [
        *pair("x"),
        helper.make_node("DequantizeLinear", ["w_q", "t", "wz"], ["w"], "w_dq"),
        helper.make_node("Conv", ["x_r", "w"], ["c"], "conv"),
        *pair("c", "t", "v"),
    ]
    arrays = {**SCALES, "w_q": stored_weights()["w_q"].view(U8), "wz": np.array(10, U8)}
    model = model_of(nodes, arrays, outputs=["c_q"], output_type=TensorProto.UINT8)
    imported = require_equal(tmp_path, model, [{"x": x[None]} for x in images(4)])
    assert computing(imported, "conv2d") == {"f32": 1}


def test_qlinear_nodes_and_integer_inputs(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("QLinearConv", ["x", "s", "z", "w_q", "w_s", "wz", "t", "v", "b"], ["c"], "conv"),
        node("Reshape", ["c", "shape"], ["rows"], "rows"),
        node("QLinearMatMul", ["rows", "t", "v", "m_q", "m_s", "mz", "s", "z"], ["y"], "product"),
    ]
    rng = np.random.default_rng(9)
    arrays = {
        **SCALES,
        **stored_weights(),
        "wz": np.zeros(CHANNELS, np.int8),
        "b": rng.integers(-1000, 1000, CHANNELS).astype(np.int32),
        "shape": np.array([CHANNELS, 36], np.int64),
        "m_q": rng.integers(-127, 128, (36, 4)).astype(np.int8),
        "m_s": np.array(0.001, np.float32),
        "mz": np.array(0, np.int8),
    }
    model = model_of(nodes, arrays, inputs={"x": (TensorProto.UINT8, IMAGE)}, output_type=TensorProto.UINT8)
    feeds = [{"x": rng.integers(0, 256, IMAGE).astype(U8)} for _ in range(3)]
    imported = require_equal(tmp_path, model, feeds)
    assert computing(imported, "conv2d")["i32"] >= 1


def test_quantized_models_are_refused_where_they_cannot_be_quantized(tmp_path: Path) -> None:
    nodes = [*pair("x"), helper.make_node("Relu", ["x_r"], ["y"], "relu")]
    path = tmp_path / "model.onnx"
    onnx.save(model_of(nodes, SCALES), path)
    with pytest.raises(ModelError, match="quantized already") as refusal:
        Model.load(path)
    assert "quantune compile" in str(refusal.value) and "quantune analyze" in str(refusal.value)
    assert {layer.op_type for layer in Model.rounded(path).layers} == {"QuantizeLinear", "Relu"}


def test_other_forms_are_refused_by_name(tmp_path: Path) -> None:
    integer = helper.make_node("ConvInteger", ["x", "w_q"], ["y"], "integers")
    model = model_of(
        [integer], stored_weights(), inputs={"x": (TensorProto.UINT8, IMAGE)}, output_type=TensorProto.INT32
    )
    with pytest.raises(ModelError, match=r"'integers' \(ConvInteger\)"):
        ours(tmp_path, model)
    with pytest.raises(ModelError, match="quantized already") as refusal:
        Model.load(tmp_path / "model.onnx")
    assert "quantune compile" not in str(refusal.value)
    wide = {"s": SCALES["s"], "z": np.array(0, np.int16)}
    model = model_of([*pair("x"), helper.make_node("Relu", ["x_r"], ["y"], "relu")], wide, opset=21)
    with pytest.raises(UnsupportedOperatorsError, match="int16"):
        ours(tmp_path, model)


def test_scales_for_blocks_and_four_bits_are_refused_by_name(tmp_path: Path) -> None:
    nodes = [
        *pair("x"),
        helper.make_node("DequantizeLinear", ["w_q", "w_s"], ["w"], "w_dq", axis=1, block_size=4),
        helper.make_node("Conv", ["x_r", "w"], ["y"], "conv"),
    ]
    arrays = {**SCALES, **stored_weights()}
    arrays["w_s"] = np.full((CHANNELS, CHANNELS // 4, *arrays["w_q"].shape[2:]), 0.01, np.float32)
    with pytest.raises(UnsupportedOperatorsError, match=r"w_dq \(DequantizeLinear\): constants of other scales"):
        ours(tmp_path, model_of(nodes, arrays, opset=21))
    nodes[2] = helper.make_node("DequantizeLinear", ["w_q", "s"], ["w"], "w_dq")
    del arrays["w_s"], arrays["w_q"]
    model = model_of(nodes, arrays, opset=21)
    shape = (CHANNELS, CHANNELS, 3, 3)
    model.graph.initializer.append(helper.make_tensor("w_q", TensorProto.INT4, shape, [1] * int(np.prod(shape))))
    model.ir_version = 10
    with pytest.raises(ModelError, match=r"(?i)int4"):
        ours(tmp_path, onnx.shape_inference.infer_shapes(model))


def test_weights_alone_in_integers_are_those_of_an_fp32_model(tmp_path: Path) -> None:
    by_channel = helper.make_node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"], "w_dq", axis=0)
    by_block = helper.make_node("DequantizeLinear", ["v_q", "v_s"], ["v"], "v_dq", axis=1, block_size=4)
    nodes = [
        by_channel,
        by_block,
        helper.make_node("Conv", ["x", "w"], ["c"], "first"),
        helper.make_node("Conv", ["c", "v"], ["y"], "second"),
    ]
    rng = np.random.default_rng(5)
    arrays: Arrays = {
        "w_q": rng.integers(0, 65535, (CHANNELS, CHANNELS, 3, 3)).astype(np.uint16),
        "w_s": rng.uniform(1e-6, 1e-5, CHANNELS).astype(np.float32),
        "w_z": np.full(CHANNELS, 32768, np.uint16),
        "v_q": rng.integers(-128, 127, (4, CHANNELS, 1, 1)).astype(np.int8),
        "v_s": rng.uniform(0.001, 0.01, (4, CHANNELS // 4, 1, 1)).astype(np.float32),
    }
    model = model_of(nodes, arrays, opset=21)
    model.ir_version = 10
    onnx.save(model, tmp_path / "model.onnx")
    program = Program(compile_program(Model.load(tmp_path / "model.onnx").module, load_target("host")))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for image in images(2):
        wanted = np.asarray(session.run(None, {"x": image[None]})[0])
        np.testing.assert_allclose(np.asarray(program(image[None])[0], np.float32), wanted, rtol=1e-4, atol=1e-4)


def test_scales_that_fit_no_axis_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w_q", "w_s"], ["w"], "w_dq", axis=4),
        helper.make_node("Conv", ["x", "w"], ["y"], "conv"),
    ]
    arrays = {"w_q": np.ones((CHANNELS, CHANNELS, 3, 3), np.int8), "w_s": np.ones(CHANNELS, np.float32)}
    onnx.save(model_of(nodes, arrays), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedOperatorsError, match=r"w_dq \(DequantizeLinear\): scales \[8\]"):
        Model.load(tmp_path / "model.onnx")
