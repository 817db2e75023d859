"""Random ONNX networks in NCHW with what a simplifier meets: batch norm, residuals, gates, concats, flattening."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass
class RandomNetwork:
    """Grows a network of `steps` random layers; the same seed gives the same network."""

    seed: int
    steps: int = 9
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def model(self) -> onnx.ModelProto:
        """The network; its one input is x [1, 3, 8, 8]."""
        self.shapes["x"] = (1, 3, 8, 8)
        value = self._affine("x") if self.random.random() < 0.4 else "x"
        for _ in range(self.steps):
            value = self.random.choice(
                np.array([self._convolution, self._depthwise, self._normalized, self._activation, self._residual,
                          self._gate, self._concat, self._pool, self._affine, self._crop, self._softmax], object)
            )(value)  # fmt: skip
        result = self.random.choice(np.array([self._head, self._flat_head, self._tokens, lambda v: v], object))(value)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shapes["x"])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, self.shapes[result])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _emit(self, op: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.shapes[name] = shape
        return name

    def _constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def _weights(self, *shape: int) -> str:
        return self._constant(self.random.normal(size=shape) / np.sqrt(np.prod(shape[1:])))

    def _channels(self, count: int) -> np.ndarray:
        return self.random.uniform(0.5, 1.5, (count, 1, 1))

    def _convolution(self, x: str, outputs: int | None = None) -> str:
        n, c, h, w = self.shapes[x]
        outputs = outputs or int(self.random.integers(2, 6))
        kernel = int(self.random.choice([1, 3]))
        pad = kernel // 2 if min(h, w) < 4 else int(self.random.integers(0, kernel // 2 + 1))
        size = tuple(s + 2 * pad - kernel + 1 for s in (h, w))
        inputs = [x, self._weights(outputs, c, kernel, kernel)]
        if self.random.random() < 0.5:
            inputs.append(self._weights(outputs))
        return self._emit("Conv", inputs, (n, outputs, *size), pads=[pad] * 4, kernel_shape=[kernel] * 2)

    def _depthwise(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if c == 1:
            return x
        return self._emit("Conv", [x, self._weights(c, 1, 3, 3)], (n, c, h, w), pads=[1] * 4, group=c)

    def _normalized(self, x: str) -> str:
        x = self._convolution(x) if self.random.random() < 0.7 else x
        c = self.shapes[x][1]
        values = [self.random.normal(size=c) for _ in range(3)] + [self.random.uniform(0.5, 2, c)]
        return self._emit("BatchNormalization", [x, *map(self._constant, values)], self.shapes[x])

    def _affine(self, x: str) -> str:
        op = self.random.choice(["Mul", "Add", "Sub"])
        operands = [x, self._constant(self._channels(self.shapes[x][1]))]
        return self._emit(op, operands[:: self.random.choice([1, -1])], self.shapes[x])

    def _activation(self, x: str) -> str:
        return self._emit(self.random.choice(["Relu", "LeakyRelu", "Sigmoid", "HardSwish"]), [x], self.shapes[x])

    def _residual(self, x: str) -> str:
        branch = self._depthwise(self._activation(x))
        return self._emit("Add", [x, branch], self.shapes[x])

    def _gate(self, x: str) -> str:
        n, c, _, _ = self.shapes[x]
        pooled = self._emit("GlobalAveragePool", [x], (n, c, 1, 1))
        gate = self._emit("Sigmoid", [self._convolution_1x1(pooled, c)], (n, c, 1, 1))
        return self._emit("Mul", [x, gate], self.shapes[x])

    def _convolution_1x1(self, x: str, outputs: int) -> str:
        n, c, h, w = self.shapes[x]
        return self._emit("Conv", [x, self._weights(outputs, c, 1, 1)], (n, outputs, h, w))

    def _concat(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        return self._emit("Concat", [self._convolution_1x1(x, 2), self._activation(x)], (n, c + 2, h, w), axis=1)

    def _pool(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if min(h, w) < 4:
            return x
        shape = (n, c, h // 2, w // 2)
        return self._emit(
            self.random.choice(["MaxPool", "AveragePool"]), [x], shape, kernel_shape=[2, 2], strides=[2, 2]
        )

    def _crop(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if min(h, w) < 4:
            return x
        pads = numpy_helper.from_array(np.array([0, 0, 1, 0, 0, 0, -1, -1]), f"p{len(self.constants)}")
        self.constants.append(pads)
        return self._emit("Pad", [x, pads.name], (n, c, h, w - 1))

    def _softmax(self, x: str) -> str:
        return self._emit("Softmax", [x], self.shapes[x], axis=1)

    def _fully_connected(self, x: str) -> str:
        n, features = self.shapes[x]
        return self._emit("Gemm", [x, self._weights(features, 5), self._weights(5)], (n, 5))

    def _head(self, x: str) -> str:
        n, c, _, _ = self.shapes[x]
        pooled = self._emit("GlobalAveragePool", [x], (n, c, 1, 1))
        return self._fully_connected(self._emit("Flatten", [pooled], (n, c)))

    def _flat_head(self, x: str) -> str:
        n, *rest = self.shapes[x]
        flat = self._emit("Flatten", [self._activation(x)], (n, int(np.prod(rest))))
        return self._fully_connected(self._emit("Relu", [flat], self.shapes[flat]))

    def _tokens(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        shape = numpy_helper.from_array(np.array([n, c, h * w]), f"s{len(self.constants)}")
        self.constants.append(shape)
        rows = self._emit("Reshape", [x, shape.name], (n, c, h * w))
        return self._emit("Transpose", [rows], (n, h * w, c), perm=[0, 2, 1])
