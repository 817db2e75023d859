"""Networks that stand for kinds of which there is no public one: made here, with weights and inputs at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class Builder:
    """A graph that grows op by op; each method gives the name of its result."""

    seed: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node of one result, called after its kind and number."""
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        """A constant; fp32 if it is floating point."""
        array = np.asarray(value)
        name = f"c{len(self.constants)}"
        self.constants[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
        return name

    def conv(self, x: str, inputs: int, outputs: int, size: int = 3, stride: int = 1, group: int = 1) -> str:
        """A convolution in two dimensions, its border padded."""
        weights = self._weights((outputs, inputs // group, size, size), inputs // group * size * size)
        bias = self.constant(0.1 * self.random.standard_normal(outputs))
        pads, strides = [size // 2] * 4, [stride, stride]
        return self.op("Conv", x, weights, bias, pads=pads, strides=strides, group=group)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        """A product with weights along the last axis, and a bias."""
        bias = self.constant(0.1 * self.random.standard_normal(outputs))
        return self.op("Add", self.op("MatMul", x, self._weights((inputs, outputs), inputs)), bias)

    def pooled(self, x: str) -> str:
        """The mean over places, flat."""
        return self.op("Flatten", self.op("GlobalAveragePool", x))

    def reshape(self, x: str, *shape: int) -> str:
        """In another shape."""
        return self.op("Reshape", x, self.constant(np.array(shape, np.int64)))

    def scaled(self, x: str, by: Any) -> str:
        """Times a constant."""
        return self.op("Mul", x, self.constant(np.asarray(by, np.float32)))

    def model(self, shape: tuple[int, ...], *outputs: str) -> onnx.ModelProto:
        """With one input `x`."""
        x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
        stored = [onnx.numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        results = [onnx.ValueInfoProto(name=output) for output in outputs]
        graph = onnx.helper.make_graph(self.nodes, "made", [x], results, stored)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)

    def _weights(self, shape: tuple[int, ...], fan_in: int) -> str:
        return self.constant(self.random.standard_normal(shape) * np.sqrt(2 / fan_in))


@dataclass(frozen=True)
class Made:
    """A network that was made, with the shape of its input.

    Attributes:
        model: the network.
        shape: of one input.
        draw: makes inputs from normal noise that is smooth over places.
    """

    model: onnx.ModelProto
    shape: tuple[int, ...]
    draw: Callable[[Array], Array] = lambda noise: noise

    def samples(self, count: int, seed: int) -> Array:
        """So many inputs."""
        noise = np.random.default_rng(seed).standard_normal((count, *self.shape[1:]))
        for axis in range(2, noise.ndim):
            noise = noise + np.roll(noise, 1, axis) + np.roll(noise, 2, axis)
        loudness = np.random.default_rng(seed + 1).uniform(0.3, 1.0, (count, *[1] * (noise.ndim - 1)))
        return self.draw(loudness * noise / 3).astype(np.float32)


def log_mel() -> Made:
    """Frames of sound through a Fourier transform, power, mel bands and a logarithm, then a small CNN."""
    b, frame, bands, frames = Builder(1), 128, 24, 16
    angles = 2 * np.pi * np.outer(np.arange(frame), np.arange(frame // 2)) / frame
    window = np.hanning(frame)[:, None]
    real, imaginary = (b.op("MatMul", "x", b.constant(window * wave(angles))) for wave in (np.cos, np.sin))
    power = b.op("Add", b.op("Mul", real, real), b.op("Mul", imaginary, imaginary))
    edges = np.geomspace(1, frame // 2 - 1, bands + 2)
    places = np.arange(frame // 2)[:, None]
    up, down = (places - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - places) / np.diff(edges)[1:]
    mel = b.op("MatMul", power, b.constant(np.maximum(0, np.minimum(up, down)) + 1e-3))
    logs = b.op("Log", b.op("Add", mel, b.constant(np.float32(1e-4))))
    h = b.op("Relu", b.conv(b.reshape(logs, 1, 1, frames, bands), 1, 16, stride=2))
    h = b.op("Relu", b.conv(h, 16, 32, stride=2))
    return Made(b.model((1, frames, frame), b.dense(b.pooled(h), 32, 10)), (1, frames, frame))


def attention() -> Made:
    """Two blocks of a transformer with logits of some tens."""
    b, length, width, heads = Builder(2), 32, 64, 4
    h = b.dense("x", width, width)
    for _ in range(2):
        normal = b.op("LayerNormalization", h, b.constant(np.ones(width)), b.constant(np.zeros(width)), axis=-1)
        q, k, v = (
            b.op("Transpose", b.reshape(b.dense(normal, width, width), 1, length, heads, -1), perm=perm)
            for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        weights = b.op("Softmax", b.scaled(b.op("MatMul", q, k), np.float32(0.7)), axis=-1)
        mixed = b.reshape(b.op("Transpose", b.op("MatMul", weights, v), perm=[0, 2, 1, 3]), 1, length, width)
        h = b.op("Add", h, b.dense(mixed, width, width))
        normal = b.op("LayerNormalization", h, b.constant(np.ones(width)), b.constant(np.zeros(width)), axis=-1)
        inner = b.dense(normal, width, 2 * width)
        gelu = b.op("Mul", inner, b.op("Sigmoid", b.scaled(inner, np.float32(1.702))))
        h = b.op("Add", h, b.dense(gelu, 2 * width, width))
    return Made(b.model((1, length, width), b.dense(h, width, 16)), (1, length, width))


def two_outputs() -> Made:
    """A detection head: boxes of hundreds from one output, probabilities of a few thousandths from the other."""
    b = Builder(3)
    h = b.op("Relu", b.conv("x", 3, 16, stride=2))
    for _ in range(2):
        h = b.op("Add", h, b.op("Relu", b.conv(b.op("Relu", b.conv(h, 16, 16)), 16, 16)))
    grid = 10 * np.stack(np.meshgrid(*[np.arange(16)] * 2))[None].repeat(2, 1)
    boxes = b.op("Add", b.scaled(b.conv(h, 16, 4, 1), np.float32(8)), b.constant(np.asarray(grid, np.float32)))
    scores = b.op("Sigmoid", b.op("Sub", b.conv(h, 16, 6, 1), b.constant(np.float32(5))))
    return Made(b.model((1, 3, 32, 32), boxes, scores), (1, 3, 32, 32))


def dense_blocks() -> Made:
    """Concatenations of branches whose ranges differ a hundredfold, each convolution reading all before it."""
    b = Builder(4)
    h, channels = b.op("Relu", b.conv("x", 3, 16, stride=2)), 16
    for scale in (0.1, 1.0, 10.0, 3.0):
        branch = b.op("Relu", b.scaled(b.conv(h, channels, 12), np.float32(scale)))
        h, channels = b.op("Concat", h, branch, axis=1), channels + 12
    per_channel = np.repeat([1, 10, 1, 0.1, 0.3], [16, 12, 12, 12, 12]).reshape(1, -1, 1, 1)
    h = b.op("Relu", b.conv(b.scaled(h, per_channel), channels, 32, 1))
    return Made(b.model((1, 3, 32, 32), b.dense(b.pooled(h), 32, 10)), (1, 3, 32, 32))


def squeeze_excite() -> Made:
    """Depthwise blocks with squeeze and excitation, hard sigmoids and hard swishes."""
    b, width = Builder(5), 24
    h = b.op("HardSwish", b.conv("x", 3, width, stride=2))
    for _ in range(3):
        wide = b.op("HardSwish", b.conv(h, width, 2 * width, 1))
        wide = b.op("HardSwish", b.conv(wide, 2 * width, 2 * width, group=2 * width))
        gate = b.op("Relu", b.conv(b.op("GlobalAveragePool", wide), 2 * width, 8, 1))
        gate = b.op("HardSigmoid", b.conv(gate, 8, 2 * width, 1), alpha=1 / 6)
        h = b.op("Add", h, b.conv(b.op("Mul", wide, gate), 2 * width, width, 1))
    return Made(b.model((1, 3, 32, 32), b.dense(b.pooled(h), width, 10)), (1, 3, 32, 32))


MADE: Final[Mapping[str, Callable[[], Made]]] = {
    "log-mel": log_mel,
    "attention": attention,
    "two-outputs": two_outputs,
    "dense-blocks": dense_blocks,
    "squeeze-excite": squeeze_excite,
}
"""By name."""
