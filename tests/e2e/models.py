"""Tiny ONNX models and samples for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT_SHAPE = (1, 2, 4, 4)


def weights(name: str, *shape: int, scale: float = 1.0) -> onnx.TensorProto:
    """Reproducible normal weights."""
    rng = np.random.default_rng(len(name))
    return numpy_helper.from_array((scale * rng.normal(size=shape)).astype(np.float32), name)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[onnx.TensorProto] = (),
    *,
    output: str,
    input_shape: Sequence[int | str] = INPUT_SHAPE,
    input_type: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of one input `x` and one output, whose shape is inferred."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("x", input_type, list(input_shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def conv_relu(*, weight: onnx.TensorProto | None = None, input_shape: Sequence[int] = INPUT_SHAPE) -> onnx.ModelProto:
    """x -> conv -> relu."""
    return make_model(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"], name="relu"),
        ],
        [weight or weights("w", 3, 2, 3, 3)],
        output="y",
        input_shape=input_shape,
    )


def dense_layers(depth: int, size: int) -> onnx.ModelProto:
    """x -> so many square matmuls, each with a relu."""
    nodes: list[onnx.NodeProto] = []
    for i in range(depth):
        nodes.append(helper.make_node("MatMul", [f"r{i - 1}" if i else "x", f"w{i}"], [f"d{i}"], name=f"dense{i}"))
        nodes.append(helper.make_node("Relu", [f"d{i}"], [f"r{i}"], name=f"relu{i}"))
    rng = np.random.default_rng(0)
    arrays = (rng.normal(scale=size**-0.5, size=(size, size)).astype(np.float32) for _ in range(depth))
    matrices = [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(arrays)]
    return make_model(nodes, matrices, output=f"r{depth - 1}", input_shape=(1, size))


def save_model(model: onnx.ModelProto, path: Path) -> Path:
    """Writes a model, valid or not."""
    path.write_bytes(model.SerializeToString())
    return path


def images(count: int = 3, shape: Sequence[int] = INPUT_SHAPE[1:]) -> np.ndarray:
    """Samples in [0, 1)."""
    return np.random.default_rng(count).random((count, *shape)).astype(np.float32)


def save_samples(path: Path, **arrays: np.ndarray) -> Path:
    """Writes an .npz."""
    np.savez(path, allow_pickle=False, **arrays)
    return path
