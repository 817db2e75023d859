"""Convolutions and matrix products of any shape, in every precision, with what may follow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from quantune_mlir.mlir.tosa.channel_groups import spread_groups
from tests.unit.kernels.tosa import Graph, Tensor

Mode = Literal["integer", "float", "fp32"]


@dataclass(frozen=True)
class Convolution:
    """Rows and columns are what the kernel computes; the input has as many as that needs."""

    channels: int
    out_channels: int
    size: tuple[int, int] = (5, 6)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    batch: int = 1
    cut: int = 0
    """Rows and columns of the input before those that the convolution reads."""
    residual: bool = False
    matmul: bool = False
    groups: int = 1
    """Groups of channels that do not meet."""
    zero_point: int = 3
    mode: Mode = "integer"

    @property
    def is_possible(self) -> bool:
        """Whether the input has a row and a column."""
        return min(self._input_size()) > 0

    def _input_size(self) -> tuple[int, int]:
        pads = (self.pad[0] + self.pad[1], self.pad[2] + self.pad[3])
        spans = zip(self.size, self.stride, self.kernel, self.dilation, pads, strict=True)
        height, width = ((n - 1) * s + (k - 1) * d + 1 - p for n, s, k, d, p in spans)
        return height, width

    def write(self, graph: Graph, rng: np.random.Generator) -> None:
        """Add it to a graph, with random numbers."""
        if self.mode == "fp32":
            graph.results.append(self._in_fp32(graph, rng))
        else:
            graph.results.append(self._in_int8(graph, rng))

    def _in_fp32(self, graph: Graph, rng: np.random.Generator) -> Tensor:
        sums = self._sums(graph, rng, np.float32)
        if self.residual:
            sums = graph.add(sums, graph.input(rng.standard_normal(sums.value.shape, np.float32)))
        return graph.clamp(sums, 0.0, 6.0)

    def _in_int8(self, graph: Graph, rng: np.random.Generator) -> Tensor:
        sums = self._sums(graph, rng, np.int8)
        scale = rng.uniform(20, 90, self.out_channels) / max(1.0, float(np.abs(sums.value).mean()))
        output = self._requantized(graph, sums, scale, 0, -5)
        if not self.residual:
            return output
        other = graph.input(rng.integers(-128, 128, output.value.shape, np.int8))
        if self.mode == "integer":
            wide = [
                graph.rescale(x, np.array([factor]), zp, 0, np.int32)
                for x, factor, zp in ((output, 700.3, -5), (other, 911.7, 4))
            ]
            return graph.rescale(graph.add(*wide), np.array([0.00091]), 0, 7, np.int8)
        floats = []
        for x, factor, zp in ((output, 0.61, -5), (other, 0.47, 4)):
            centred = graph.sub(graph.cast(x, np.float32), self._number(graph, zp))
            floats.append(graph.mul(centred, self._number(graph, factor)))
        total = graph.add(graph.add(*floats), self._number(graph, 7))
        return graph.cast(total, np.int8)

    def _requantized(self, graph: Graph, sums: Tensor, scale: np.ndarray, input_zp: int, output_zp: int) -> Tensor:
        if self.mode == "integer":
            return graph.rescale(sums, scale, input_zp, output_zp, np.int8)
        factors = scale.astype(np.float32).reshape((1,) * (sums.value.ndim - 1) + (-1,))
        scaled = graph.mul(graph.cast(sums, np.float32), graph.constant(factors))
        return graph.cast(graph.clamp(graph.add(scaled, self._number(graph, output_zp)), -100.0, 110.0), np.int8)

    def _number(self, graph: Graph, value: float) -> Tensor:
        return graph.constant(np.full((1,) * (3 if self.matmul else 4), value, np.float32))

    def _sums(self, graph: Graph, rng: np.random.Generator, dtype: type[np.generic]) -> Tensor:
        def numbers(*shape: int) -> np.ndarray:
            if dtype is np.float32:
                return rng.standard_normal(shape, np.float32)
            return rng.integers(-128, 128, shape, np.int8)

        zero_point = 0 if dtype is np.float32 else self.zero_point
        zero_points = [graph.constant(np.array([z], dtype)) for z in (zero_point, 0)]
        if self.matmul:
            x = graph.input(numbers(1, self.size[0], self.channels))
            w = graph.constant(numbers(1, self.channels, self.out_channels))
            wide = np.float64 if dtype is np.float32 else np.int64
            sums = (x.value.astype(wide) - zero_point) @ w.value.astype(wide)
            return graph.op("matmul", [x, w, *zero_points], sums.astype(_accumulator(dtype)))
        height, width = self._input_size()
        x = graph.input(numbers(self.batch, height + self.cut, width + 2 * self.cut, self.channels))
        if self.cut:
            x = graph.slice(x, (0, self.cut, self.cut, 0), (self.batch, height, width, self.channels))
        own = numbers(self.out_channels, *self.kernel, self.channels // self.groups)
        w = graph.constant(spread_groups(own, self.groups) if self.groups > 1 else own)
        bias = (
            numbers(self.out_channels) if dtype is np.float32 else rng.integers(-999, 999, self.out_channels, np.int32)
        )
        value = self._convolved(x.value, w.value, zero_point) + bias
        pairs = [("pad", self.pad), ("stride", self.stride), ("dilation", self.dilation)]
        listed = [f"{name} = array<i64: {', '.join(str(n) for n in values)}>" for name, values in pairs]
        accumulator = _accumulator(dtype)
        kind = "f32" if dtype is np.float32 else "i32"
        attributes = ", ".join([*listed, f"acc_type = {kind}"])
        return graph.op("conv2d", [x, w, graph.constant(bias), *zero_points], value.astype(accumulator), attributes)

    def _convolved(self, x: np.ndarray, w: np.ndarray, zero_point: int) -> np.ndarray:
        top, bottom, left, right = self.pad
        wide = np.float64 if x.dtype == np.float32 else np.int64
        padded = np.pad(x.astype(wide) - zero_point, ((0, 0), (top, bottom), (left, right), (0, 0)))
        (oh, ow), (sh, sw), (dh, dw) = self.size, self.stride, self.dilation
        sums = np.zeros((self.batch, oh, ow, self.out_channels), wide)
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i * dh, i * dh + (oh - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (ow - 1) * sw + 1, sw)
                sums += padded[:, rows, columns] @ w[:, i, j].astype(wide).T
        return sums


def _accumulator(dtype: type[np.generic]) -> type[np.generic]:
    return np.float32 if dtype is np.float32 else np.int32


NAMED: dict[str, Convolution] = {
    "one pixel": Convolution(16, 24, size=(1, 1), kernel=(1, 1)),
    "one pixel, padded 3 x 3": Convolution(4, 8, size=(1, 1), pad=(1, 1, 1, 1)),
    "pointwise": Convolution(24, 40, size=(7, 5), kernel=(1, 1), residual=True),
    "pointwise, stride 2": Convolution(8, 16, kernel=(1, 1), stride=(2, 2)),
    "pointwise, odd channels": Convolution(13, 5, kernel=(1, 1), mode="float"),
    "padded 3 x 3": Convolution(16, 32, size=(9, 9), pad=(1, 1, 1, 1), mode="float", residual=True),
    "three channels, stride 2": Convolution(3, 16, stride=(2, 2), pad=(0, 1, 0, 1)),
    "one channel, 5 x 5": Convolution(1, 6, kernel=(5, 5), pad=(2, 2, 2, 2), zero_point=-128),
    "7 x 7, stride 3": Convolution(3, 10, size=(4, 3), kernel=(7, 7), stride=(3, 3), pad=(3, 2, 3, 1)),
    "1 x 7": Convolution(6, 9, kernel=(1, 7), pad=(0, 0, 3, 3), mode="float"),
    "3 x 1, padded beside, stride 2": Convolution(9, 12, size=(5, 7), kernel=(3, 1), stride=(1, 2), pad=(1, 0, 3, 3)),
    "dilation 2": Convolution(5, 7, dilation=(2, 2), pad=(2, 1, 0, 3)),
    "dilation 2, large": Convolution(20, 33, size=(3, 11), dilation=(2, 2), pad=(2, 2, 2, 2)),
    "dilation past the scratch": Convolution(
        64, 20, size=(2, 40), kernel=(1, 3), dilation=(1, 512), pad=(0, 0, 512, 512)
    ),
    "dilation past the scratch, both ways": Convolution(
        130, 17, size=(9, 9), dilation=(12, 12), pad=(12, 12, 12, 12), mode="float"
    ),
    "dilation past the scratch, stride 2": Convolution(
        130, 17, size=(3, 5), stride=(2, 2), dilation=(11, 20), pad=(11, 11, 9, 20)
    ),
    "narrower than a tile": Convolution(8, 48, size=(13, 2), pad=(1, 1, 1, 1)),
    "batch 3": Convolution(6, 20, size=(3, 4), pad=(1, 0, 0, 1), batch=3, residual=True),
    "after a slice": Convolution(4, 12, cut=2),
    "after a slice, padded": Convolution(4, 12, pad=(1, 0, 0, 1), cut=1),
    "many channels": Convolution(515, 130, size=(2, 3), kernel=(1, 1)),
    "many channels, 3 x 3": Convolution(160, 18, size=(4, 4), pad=(1, 1, 1, 1)),
    "groups of 4, stride 2": Convolution(128, 128, stride=(2, 2), pad=(1, 1, 1, 1), groups=32, mode="float"),
    "wide groups": Convolution(80, 120, pad=(1, 0, 0, 1), groups=5, batch=2, residual=True),
    "groups of 3, pointwise": Convolution(24, 40, kernel=(1, 1), groups=8),
    "fp32, groups": Convolution(48, 72, pad=(1, 1, 1, 1), groups=3, residual=True, mode="fp32"),
    "fp32, narrow groups, dilated": Convolution(20, 40, dilation=(2, 1), pad=(2, 0, 0, 1), groups=10, mode="fp32"),
    "matrix product": Convolution(37, 21, size=(6, 1), matmul=True, residual=True),
    "fully connected": Convolution(128, 10, size=(1, 1), matmul=True, mode="float"),
    "fp32, padded": Convolution(7, 19, pad=(1, 1, 1, 1), residual=True, mode="fp32"),
    "fp32, three channels": Convolution(3, 32, size=(6, 7), stride=(2, 2), pad=(0, 1, 0, 1), mode="fp32"),
    "fp32, pointwise": Convolution(96, 20, kernel=(1, 1), mode="fp32"),
    "fp32, dilated": Convolution(4, 5, dilation=(2, 1), pad=(2, 2, 0, 1), batch=2, mode="fp32"),
    "fp32, wide window over a border": Convolution(
        2, 5, size=(2, 70), kernel=(1, 40), stride=(1, 2), pad=(0, 0, 39, 39), mode="fp32"
    ),
    "fp32, matrix product": Convolution(33, 17, size=(3, 1), matmul=True, mode="fp32"),
}


@st.composite
def random_convolutions(draw: st.DrawFn) -> Convolution:
    """Any of them."""
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (7, 7), (1, 7), (3, 1)]))
    small = st.integers(0, 3)
    strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
    channels = st.one_of(st.integers(1, 20), st.sampled_from([32, 64, 130]))
    return Convolution(
        draw(channels),
        draw(channels),
        size=draw(st.tuples(st.integers(1, 12), st.integers(1, 14))),
        kernel=kernel,
        stride=draw(strides),
        dilation=draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2)])),
        pad=draw(st.tuples(small, small, small, small)),
        batch=draw(st.sampled_from([1, 1, 2])),
        cut=draw(st.sampled_from([0, 0, 1])),
        residual=draw(st.booleans()),
        zero_point=draw(st.integers(-128, 127)),
        mode=draw(st.sampled_from(["integer", "float", "fp32"])),
    )
