"""Small ONNX models, at least one for each kind of unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx

from quantune_mlir.graph.units import Kind
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.numerics.schemes import Scheme
from tests.onnx_models import build_model

RNG = np.random.default_rng(0)
DEFAULT_OPTIONS = IntegerOptions()


def draw(*shape: int, shift: float = 0.0) -> np.ndarray:
    return (RNG.standard_normal(shape) + shift).astype(np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


IMAGE = draw(1, 5, 9, 8)


@dataclass(frozen=True)
class Case:
    """An ONNX node, and perhaps an operator of one input that follows it.

    `kind` is that of the unit under test. `sqnr_db` is a floor that only gross errors break: it is lower where the
    quantization of the inputs alone costs much.
    """

    kind: Kind
    op_type: str
    inputs: Mapping[str, np.ndarray]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] | None = None
    then: str | None = None
    opset: int = 17
    options: IntegerOptions = DEFAULT_OPTIONS
    sqnr_db: float = 25.0

    def model(self, *, read_in_int8: bool) -> onnx.ModelProto:
        order = self.order or (*self.inputs, *self.constants)
        nodes = [onnx.helper.make_node(self.op_type, order, ["made"], name="node", **self.attributes)]
        if self.then:
            nodes.append(onnx.helper.make_node(self.then, ["made"], ["then"], name="then"))
        if read_in_int8:
            nodes.append(onnx.helper.make_node("Flatten", [nodes[-1].output[0]], ["flat"], name="flat"))
        return build_model(nodes, self.inputs, self.constants, [nodes[-1].output[0]], self.opset)


def conv(image: np.ndarray, weights: tuple[int, ...], *, then: str | None = None, **attributes: Any) -> Case:
    constants = {"w": draw(*weights), "b": draw(weights[0])}
    return Case(Kind.DOT, "Conv", {"x": image}, constants, attributes, then=then)


def transposed(weights: tuple[int, ...], **attributes: Any) -> Case:
    return Case(Kind.DOT, "ConvTranspose", {"x": IMAGE}, {"w": draw(*weights), "b": draw(weights[1])}, attributes)


def binary(op_type: str, x: np.ndarray, y: np.ndarray, **options: Any) -> Case:
    return Case(Kind.BINARY, op_type, {"x": x, "y": y}, **options)


def function(op_type: str, *, scale: float = 3.0, shift: float = 0.0, **options: Any) -> Case:
    return Case(Kind.UNARY, op_type, {"x": scale * draw(2, 3, 40) + np.float32(shift)}, **options)


CASES = {
    "conv 3x3": conv(IMAGE, (7, 5, 3, 3), pads=[1, 1, 1, 1]),
    "conv 1x1": conv(IMAGE, (16, 5, 1, 1)),
    "conv strided": conv(IMAGE, (6, 5, 3, 3), strides=[2, 2], pads=[1, 0, 1, 1]),
    "conv dilated": conv(IMAGE, (6, 5, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]),
    "conv unevenly padded": conv(IMAGE, (6, 5, 2, 4), pads=[0, 1, 2, 3]),
    "conv of a batch": conv(draw(3, 4, 5, 5), (6, 4, 3, 3), pads=[1, 1, 1, 1]),
    "conv of one output channel": conv(IMAGE, (1, 5, 3, 3)),
    "conv of positive values": conv(np.abs(IMAGE), (7, 5, 3, 3), pads=[1, 1, 1, 1]),
    "conv 1-D": conv(draw(1, 4, 20), (6, 4, 5), strides=[2], pads=[2, 2]),
    "conv, per tensor": replace(conv(IMAGE, (7, 5, 3, 3)), options=IntegerOptions("per-tensor")),
    "conv grouped": conv(draw(1, 6, 6, 6), (8, 3, 3, 3), group=2, pads=[1, 1, 1, 1]),
    "conv, relu": conv(IMAGE, (7, 5, 3, 3), pads=[1, 1, 1, 1], then="Relu"),
    "depthwise": conv(IMAGE, (5, 1, 3, 3), group=5, pads=[1, 1, 1, 1]),
    "depthwise, multiplier 2": conv(IMAGE, (10, 1, 3, 3), group=5, strides=[2, 1], pads=[1, 0, 0, 1]),
    "depthwise, 1 x 1 padded": conv(IMAGE, (10, 1, 1, 1), group=5, pads=[1, 2, 0, 1]),
    "depthwise, per tensor": replace(conv(IMAGE, (5, 1, 3, 3), group=5), options=IntegerOptions("per-tensor")),
    "depthwise, relu": conv(IMAGE, (5, 1, 3, 3), group=5, pads=[1, 1, 1, 1], then="Relu"),
    "transposed conv": transposed((5, 4, 3, 3)),
    "transposed conv strided": transposed((5, 4, 3, 2), strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0]),
    "gemm": Case(Kind.DOT, "Gemm", {"x": draw(3, 20)}, {"w": draw(20, 12), "b": draw(12)}),
    "matmul by a constant": Case(Kind.DOT, "MatMul", {"x": draw(2, 3, 20)}, {"w": draw(20, 12)}),
    "matmul by a batch of constants": Case(Kind.DOT, "MatMul", {"x": draw(2, 3, 20)}, {"w": draw(2, 20, 12)}),
    "matmul of a constant": Case(Kind.DOT, "MatMul", {"x": draw(2, 7, 4)}, {"w": draw(5, 7)}, order=("w", "x")),
    "matmul of a square constant": Case(Kind.DOT, "MatMul", {"x": draw(7, 7)}, {"w": draw(7, 7)}, order=("w", "x")),
    "matmul": Case(Kind.DOT, "MatMul", {"x": draw(2, 3, 20), "y": draw(2, 20, 12, shift=1.0)}),
    "matmul of a tensor and itself": Case(Kind.DOT, "MatMul", {"x": draw(2, 9, 9)}, order=("x", "x")),
    "matmul, relu": Case(Kind.DOT, "MatMul", {"x": draw(2, 3, 20), "y": draw(2, 20, 12)}, then="Relu"),
    "add": binary("Add", draw(1, 3, 9), 3 * draw(1, 3, 9)),
    "add of very different scales": binary("Add", draw(1, 3, 9), 1e-4 * draw(1, 3, 9)),
    "add, broadcast": binary("Add", IMAGE, draw(1, 5, 1, 1)),
    "add of a tensor and itself": Case(Kind.UNARY, "Add", {"x": draw(4, 9)}, order=("x", "x")),
    "add of constants": Case(Kind.BINARY, "Add", {"x": IMAGE}, {"c": draw(1, 5, 1, 1)}),
    "add, relu": replace(binary("Add", IMAGE, IMAGE[::-1, :, ::-1].copy()), then="Relu"),
    "sub": binary("Sub", draw(1, 3, 9), draw(1, 3, 9, shift=2.0)),
    "sub from constants": Case(Kind.BINARY, "Sub", {"x": IMAGE}, {"c": draw(1, 5, 1, 1)}, order=("c", "x")),
    "mul": binary("Mul", draw(1, 3, 9), draw(1, 3, 9)),
    "mul, broadcast": binary("Mul", draw(1, 5, 1, 1), IMAGE),
    "mul by constants": Case(Kind.BINARY, "Mul", {"x": draw(2, 3, 9)}, {"c": draw(9)}),
    "mul, relu": replace(binary("Mul", draw(2, 3, 9), draw(2, 3, 9)), then="Relu"),
    "mul by one number": Case(Kind.UNARY, "Mul", {"x": draw(2, 3, 9)}, {"c": np.array([-1.7], np.float32)}),
    "global average": Case(Kind.MEAN, "GlobalAveragePool", {"x": draw(2, 5, 7, 6, shift=1.0)}),
    "global average, relu": Case(Kind.MEAN, "GlobalAveragePool", {"x": 9 * draw(2, 50, 3, 3)}, then="Relu"),
    "mean over two axes": Case(Kind.MEAN, "ReduceMean", {"x": draw(4, 6, 5)}, attributes={"axes": [0, 2]}),
    "mean that drops an axis": Case(
        Kind.MEAN, "ReduceMean", {"x": draw(2, 6, 5)}, attributes={"axes": [1], "keepdims": 0}
    ),
    "sum": Case(Kind.MEAN, "ReduceSum", {"x": draw(2, 6, 5)}, {"axes": np.array([1])}),
    "average pool": Case(
        Kind.AVERAGE, "AveragePool", {"x": IMAGE}, attributes={"kernel_shape": [2, 3], "strides": [2, 1]}
    ),
    "average pool, padded": Case(
        Kind.AVERAGE, "AveragePool", {"x": IMAGE}, attributes={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    ),
    "average pool that counts its padding": Case(
        Kind.AVERAGE,
        "AveragePool",
        {"x": IMAGE},
        attributes={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "max pool": Case(
        Kind.MOVEMENT,
        "MaxPool",
        {"x": IMAGE},
        attributes={"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    ),
    "global max pool": Case(Kind.MOVEMENT, "GlobalMaxPool", {"x": IMAGE - 5}),
    "maximum over an axis": Case(Kind.MOVEMENT, "ReduceMax", {"x": draw(2, 6, 5)}, attributes={"axes": [1]}),
    "minimum over an axis": Case(Kind.MOVEMENT, "ReduceMin", {"x": draw(2, 6, 5)}, attributes={"axes": [2]}),
    # What a concatenation joins is int8 only where something computes with it.
    "concat": Case(
        Kind.CONCAT, "Concat", {"x": draw(1, 3, 9), "y": 2 * draw(1, 2, 9)}, attributes={"axis": 1}, then="Sigmoid"
    ),
    "concat of a tensor and itself": Case(
        Kind.CONCAT, "Concat", {"x": IMAGE}, attributes={"axis": 2}, order=("x", "x"), then="Sigmoid"
    ),
    "concat with constants": Case(
        Kind.CONCAT, "Concat", {"x": IMAGE}, {"c": 4 * draw(1, 2, 9, 8)}, {"axis": 1}, then="Sigmoid"
    ),
    "pad": Case(Kind.MOVEMENT, "Pad", {"x": IMAGE + 2}, {"pads": np.array([0, 1, 0, 2, 0, 0, 3, 1])}),
    "pad with a number beyond the input's": Case(
        Kind.MOVEMENT, "Pad", {"x": IMAGE}, {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "value": number(-7.5)}
    ),
    "pad with the border": Case(
        Kind.CONCAT,
        "Pad",
        {"x": draw(1, 4, 5)},
        {"pads": np.array([0, 1, 0, 0, 0, 2])},
        {"mode": "edge"},
        then="Sigmoid",
    ),
    "slice": Case(
        Kind.MOVEMENT,
        "Slice",
        {"x": IMAGE},
        {"from": np.array([1, 2]), "to": np.array([4, 7]), "axes": np.array([1, 3])},
    ),
    "slice backwards": Case(
        Kind.MOVEMENT,
        "Slice",
        {"x": draw(3, 9)},
        {"from": np.array([8]), "to": np.array([-10]), "axes": np.array([1]), "steps": np.array([-2])},
    ),
    "transpose": Case(Kind.MOVEMENT, "Transpose", {"x": draw(3, 4, 5)}, attributes={"perm": [2, 0, 1]}),
    "reshape": Case(Kind.MOVEMENT, "Reshape", {"x": draw(3, 4, 5)}, {"shape": np.array([6, 10])}),
    "tile": Case(Kind.MOVEMENT, "Tile", {"x": draw(3, 4)}, {"repeats": np.array([2, 3])}),
    "gather by constant indices": Case(Kind.MOVEMENT, "Gather", {"x": draw(6, 4)}, {"i": np.array([5, 0, 0, 3])}),
    "resize": Case(
        Kind.MOVEMENT,
        "Resize",
        {"x": IMAGE},
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 3], np.float32)},
        {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
    ),
    "resize, linear": Case(
        Kind.AVERAGE,
        "Resize",
        {"x": IMAGE},
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 3], np.float32)},
        {"mode": "linear"},
    ),
    "resize, corners": Case(
        Kind.AVERAGE,
        "Resize",
        {"x": IMAGE},
        {
            "roi": np.zeros(0, np.float32),
            "scales": np.zeros(0, np.float32),
            "sizes": np.array([*IMAGE.shape[:2], 12, 4]),
        },
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    "depth to space": Case(Kind.MOVEMENT, "DepthToSpace", {"x": draw(1, 8, 3, 4)}, attributes={"blocksize": 2}),
    "sigmoid": function("Sigmoid"),
    "tanh": function("Tanh"),
    "hard sigmoid": function("HardSigmoid"),
    "hard swish": function("HardSwish"),
    "gelu": function("Gelu", opset=20),
    "gelu, tanh": function("Gelu", opset=20, attributes={"approximate": "tanh"}),
    "leaky relu": function("LeakyRelu", attributes={"alpha": 0.2}),
    "elu": function("Elu"),
    "exp": function("Exp", scale=1.0),
    "absolute": function("Abs"),
    "square root": function("Sqrt", scale=0.4, shift=3.0),
    "logarithm of numbers near 0": function("Log", scale=0.3, shift=3.0),
    "square root, symmetric": function("Sqrt", scale=0.4, shift=3.0, options=IntegerOptions(scheme=Scheme.SYMMETRIC)),
    "logarithm, symmetric": function("Log", scale=0.3, shift=3.0, options=IntegerOptions(scheme=Scheme.SYMMETRIC)),
    "clamp alone": Case(Kind.CLAMP, "Clip", {"x": draw(3, 40)}, {"low": number(-0.4), "high": number(1.1)}),
    "relu6 alone": Case(Kind.CLAMP, "Clip", {"x": 4 * draw(3, 40)}, {"low": number(0), "high": number(6)}),
    "relu alone": Case(Kind.CLAMP, "Relu", {"x": draw(3, 40)}),
    "maximum": Case(Kind.EXTREME, "Max", {"x": IMAGE, "y": draw(1, 5, 9, 8)}),
    "minimum of channels": Case(Kind.EXTREME, "Min", {"x": IMAGE}, {"y": draw(5, 1, 1)}),
    "dilated max pool": Case(
        Kind.EXTREME,
        "MaxPool",
        {"x": IMAGE},
        attributes={"kernel_shape": [2, 3], "dilations": [2, 2], "pads": [1, 2, 0, 1], "strides": [1, 2]},
    ),
    "norm over an axis": Case(
        Kind.UNARY, "ReduceL2", {"x": IMAGE}, attributes={"axes": [1], "keepdims": 0}, sqnr_db=20.0
    ),
    "Lp pool": Case(Kind.UNARY, "LpPool", {"x": IMAGE}, attributes={"kernel_shape": [2, 2]}, sqnr_db=20.0),
    "prelu": Case(Kind.SLOPES, "PRelu", {"x": IMAGE}, {"slope": draw(5, 1, 1)}),
}

SCHEMES = {
    f"{name}, {scheme}": replace(case, options=IntegerOptions(scheme=scheme), sqnr_db=20.0)
    for scheme in Scheme
    if scheme is not Scheme.ASYMMETRIC
    for name, case in {
        "conv, relu": conv(IMAGE, (7, 5, 3, 3), pads=[1, 1, 1, 1], then="Relu"),
        "add, relu": replace(binary("Add", np.abs(IMAGE), IMAGE), then="Relu"),
        "clamp from below": Case(Kind.CLAMP, "Clip", {"x": draw(3, 40)}, {"low": number(0.2), "high": number(1.1)}),
        "global average": Case(Kind.MEAN, "GlobalAveragePool", {"x": np.abs(draw(2, 50, 3, 3))}),
        "sigmoid": function("Sigmoid"),
    }.items()
}


def random_conv(seed: int) -> Case:
    """A convolution of random geometry."""
    rng = np.random.default_rng(seed)
    kernel, strides, dilations = rng.integers(1, 4, 2), rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    pads = rng.integers(0, 3, 4)
    extents = (kernel - 1) * dilations + 1
    size = np.maximum(extents - pads[:2] - pads[2:], 1) + rng.integers(0, 7, 2)
    images, group, inputs, outputs = (int(rng.integers(1, limit)) for limit in (3, 4, 20, 20))
    image = draw(images, group * inputs, *size.tolist())
    geometry = {"strides": strides, "dilations": dilations, "pads": pads}
    attributes = {name: value.tolist() for name, value in geometry.items()}
    return conv(image, (group * outputs, inputs, *kernel.tolist()), group=group, **attributes)


RANDOM = {f"random conv {seed}": random_conv(seed) for seed in range(8)}

ALL = CASES | SCHEMES | RANDOM
