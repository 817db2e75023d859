"""Depthwise convolutions as TOSA, and what they compute, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Ending = Literal["i8", "f32", "residual"]
"""What follows an int8 convolution: requantize; scale to f32; requantize, add another tensor, requantize."""


@dataclass(frozen=True)
class Layer:
    """A depthwise convolution and what follows it; of f32, a clamp."""

    batch: int
    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, bottom, left, right."""
    element: Literal["i8", "f32"]
    ending: Ending = "i8"
    zero_point: int = 0
    seed: int = 0

    @property
    def output(self) -> tuple[int, int, int, int]:
        """The shape of the result."""
        sizes = [
            (size + sum(self.pads[2 * axis : 2 * axis + 2]) - (self.kernel[axis] - 1) * self.dilation[axis] - 1)
            // self.stride[axis]
            + 1
            for axis, size in enumerate((self.height, self.width))
        ]
        return self.batch, sizes[0], sizes[1], self.channels

    @property
    def result_type(self) -> str:
        """The element type of the result."""
        return "i8" if self.element == "i8" and self.ending != "f32" else "f32"

    def arrays(self) -> dict[str, np.ndarray]:
        """Inputs and constants."""
        rng = np.random.default_rng(self.seed)
        shape = (self.batch, self.height, self.width, self.channels)
        kernel = (*self.kernel, self.channels, 1)
        if self.element == "f32":
            return {
                "x": rng.standard_normal(shape, dtype=np.float32),
                "r": np.zeros(self.output, np.float32),
                "w": rng.standard_normal(kernel, dtype=np.float32),
                "b": rng.standard_normal(self.channels, dtype=np.float32),
                "s": np.ones(self.channels, np.float32),
            }
        return {
            "x": rng.integers(-128, 128, shape).astype(np.int8),
            "r": rng.integers(-128, 128, self.output).astype(np.int8),
            "w": rng.integers(-127, 128, kernel).astype(np.int8),
            "b": rng.integers(-2000, 2000, self.channels).astype(np.int32),
            "s": rng.uniform(0.001, 0.01, self.channels).astype(np.float32),
        }

    def expected(self) -> np.ndarray:
        """The result: exact for int8, in f64 for f32."""
        arrays = self.arrays()
        kind = np.int64 if self.element == "i8" else np.float64
        padded = np.pad(arrays["x"].astype(kind) - self.zero_point, ((0, 0), self.pads[:2], self.pads[2:], (0, 0)))
        sums = np.zeros(self.output, kind) + arrays["b"].astype(kind)
        (sh, sw), (dh, dw) = self.stride, self.dilation
        _, height, width, _ = self.output
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i * dh, i * dh + (height - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (width - 1) * sw + 1, sw)
                sums += padded[:, rows, columns] * arrays["w"][i, j, :, 0].astype(kind)
        if self.element == "f32":
            return np.clip(sums, -1, 6)
        scaled = sums.astype(np.float32) * arrays["s"]
        if self.ending == "f32":
            return scaled
        rounded = np.clip(np.rint(scaled), -128, 127)
        if self.ending == "residual":
            rounded = np.clip(np.rint(rounded + arrays["r"].astype(np.float32)), -128, 127)
        return rounded.astype(np.int8)


def module_of(layers: Sequence[Layer]) -> str:
    """A module whose @main computes all layers, each from an input and a residual of its own."""
    texts = [_Text(layer, f"l{i}_") for i, layer in enumerate(layers)]
    arguments = ", ".join(argument for text in texts for argument in text.arguments())
    types = ", ".join(text.tensor(text.layer.output, text.layer.result_type) for text in texts)
    body = "\n".join(line for text in texts for line in text.body())
    results = ", ".join(text.result for text in texts)
    return f"func.func @main({arguments}) -> ({types}) {{\n{body}\nreturn {results} : {types}\n}}"


class _Text:
    def __init__(self, layer: Layer, prefix: str) -> None:
        self.layer = layer
        self.result = f"%{prefix}out"
        self._prefix = prefix

    @staticmethod
    def tensor(shape: Sequence[int], element: str) -> str:
        return f"tensor<{'x'.join(map(str, shape))}x{element}>"

    def arguments(self) -> list[str]:
        shape = (self.layer.batch, self.layer.height, self.layer.width, self.layer.channels)
        inputs = {"x": self.tensor(shape, self.layer.element), "r": self.tensor(self.layer.output, self.layer.element)}
        return [f"%{self._prefix}{name}: {kind}" for name, kind in inputs.items()]

    def body(self) -> list[str]:
        layer = self.layer
        arrays = layer.arrays()
        kind = layer.element
        accumulator = "i32" if kind == "i8" else "f32"
        shape = (layer.batch, layer.height, layer.width, layer.channels)
        wide, floats, narrow = (self.tensor(layer.output, name) for name in (accumulator, "f32", "i8"))
        vector = self.tensor((1, 1, 1, layer.channels), "f32")
        zero = "0" if kind == "i8" else "0.0"
        one = f"tensor<1x{kind}>"
        attributes = (
            f"acc_type = {accumulator}, pad = array<i64: {_numbers(layer.pads)}>, "
            f"stride = array<i64: {_numbers(layer.stride)}>, dilation = array<i64: {_numbers(layer.dilation)}>"
        )
        operands = [
            self.tensor(shape, kind),
            self.tensor(arrays["w"].shape, kind),
            self.tensor(arrays["b"].shape, accumulator),
            one,
            one,
        ]
        lines = [
            self._constant("w", arrays["w"].tolist(), operands[1]),
            self._constant("b", arrays["b"].tolist(), operands[2]),
            self._constant("s", arrays["s"].reshape(1, 1, 1, -1).tolist(), vector),
            self._constant("zx", layer.zero_point if kind == "i8" else zero, one),
            self._constant("zw", zero, one),
            self._constant("no", 0, "tensor<1xi8>"),
            f'%acc = "tosa.depthwise_conv2d"(%x, %w, %b, %zx, %zw) {{{attributes}}} '
            f": ({', '.join(operands)}) -> {wide}",
        ]
        if kind == "f32":
            lines.append(
                f'%out = "tosa.clamp"(%acc) {{min_val = -1.0 : f32, max_val = 6.0 : f32}} : ({wide}) -> {wide}'
            )
            return self._named(lines)
        scaled = "%out" if layer.ending == "f32" else "%scaled"
        quantized = "%out" if layer.ending == "i8" else "%q"
        lines.append(f'%f = "tosa.cast"(%acc) : ({wide}) -> {floats}')
        lines.append(f'{scaled} = "tosa.mul"(%f, %s, %no) : ({floats}, {vector}, tensor<1xi8>) -> {floats}')
        if layer.ending != "f32":
            lines.append(f'{quantized} = "tosa.cast"(%scaled) : ({floats}) -> {narrow}')
        if layer.ending == "residual":
            lines.append(f'%qf = "tosa.cast"(%q) : ({narrow}) -> {floats}')
            lines.append(f'%rf = "tosa.cast"(%r) : ({narrow}) -> {floats}')
            lines.append(f'%sum = "tosa.add"(%qf, %rf) : ({floats}, {floats}) -> {floats}')
            lines.append(f'%out = "tosa.cast"(%sum) : ({floats}) -> {narrow}')
        return self._named(lines)

    def _constant(self, name: str, values: object, kind: str) -> str:
        return f'%{name} = "tosa.const"() {{values = dense<{values}> : {kind}}} : () -> {kind}'

    def _named(self, lines: list[str]) -> list[str]:
        return [line.replace("%", f"%{self._prefix}") for line in lines]


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
