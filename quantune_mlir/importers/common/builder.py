"""TOSA ops on tensors, one method each. What front ends build with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from quantune_mlir.importers.common.block_emitter import refuse_empty
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.movement import Movement
from quantune_mlir.importers.common.resize_scale import TosaScale
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import element_type
from quantune_mlir.mlir.tosa import build

Step = Callable[["Builder", list[Tensor]], list[Tensor]]
"""Builds what a block of a loop computes of its arguments."""


class Builder(Movement):
    """Arithmetic, reductions, products, pools and convolutions, beside the movements.

    Every method takes and returns tensors; elementwise ones broadcast as NumPy does.
    """

    def aligned(self, *tensors: Tensor) -> tuple[list[Tensor], tuple[int, ...]]:
        """The tensors reshaped to one rank, and the shape they broadcast to."""
        try:
            shape = np.broadcast_shapes(*(t.shape for t in tensors))
        except ValueError:
            raise Unsupported("shapes do not broadcast: " + ", ".join(str(list(t.shape)) for t in tensors)) from None
        refuse_empty(shape)
        return [self.reshape(t, (1,) * (len(shape) - t.rank) + t.shape) for t in tensors], shape

    def unary(self, name: str, x: Tensor) -> Tensor:
        """One of TOSA's ops with one operand and a result of the same type, e.g. "exp"."""
        return self._done(self._build(build.elementwise, name, self.value(x)), x.dtype)

    def binary(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """One of TOSA's broadcasting ops with two operands of the result's type, e.g. "maximum"."""
        (x, y), _ = self.aligned(x, y)
        return self._done(self._build(build.elementwise, name, self.value(x), self.value(y)), x.dtype)

    def compare(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """One of "equal", "greater" and "greater_equal": a bool tensor."""
        (x, y), _ = self.aligned(x, y)
        return self._done(self._build(build.elementwise, name, self.value(x), self.value(y)), np.bool_)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary("add", x, y)

    def sub(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary("sub", x, y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        (x, y), _ = self.aligned(x, y)
        return self._done(self._build(build.mul, self.value(x), self.value(y), self._zero_point(np.int8)), x.dtype)

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        """`x` times a number."""
        return x if factor == 1 else self.mul(x, self.splat(factor, x.dtype, x.rank))

    def shifted(self, x: Tensor, summand: float) -> Tensor:
        """`x` plus a number."""
        return x if summand == 0 else self.add(x, self.splat(summand, x.dtype, x.rank))

    def negate(self, x: Tensor) -> Tensor:
        zero = self._zero_point(x.dtype)
        return self._done(self._build(build.negate, self.value(x), zero), x.dtype)

    def logical_not(self, x: Tensor) -> Tensor:
        return self.unary("logical_not", x)

    def clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        """Clamp a float tensor to [low, high]; either may be infinite."""
        return self._done(self._build(build.clamp, self.value(x), low, high), x.dtype)

    def shift_right(self, x: Tensor, amount: Tensor) -> Tensor:
        """Integers shifted to the right, the sign kept."""
        (x, amount), _ = self.aligned(x, amount)
        return self._done(self._build(build.shift_right, self.value(x), self.value(amount)), x.dtype)

    def select(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Elements of `x` where `condition`, of `y` elsewhere."""
        (condition, x, y), _ = self.aligned(condition, x, y)
        operands = [self.value(tensor) for tensor in (condition, x, y)]
        return self._done(self._build(build.elementwise, "select", *operands), x.dtype)

    def cast(self, x: Tensor, dtype: np.dtype | type) -> Tensor:
        """A bare tosa.cast, which rounds floats half to even and saturates."""
        if x.dtype == dtype:
            return x
        return self._done(self._build(build.cast, self.value(x), element_type(dtype)), dtype)

    def reduce(self, name: str, x: Tensor, axis: int) -> Tensor:
        """tosa.reduce_`name` over one axis, which stays with size one."""
        return self._done(self._build(build.reduce, name, self.value(x), axis), x.dtype)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        """The int32 index of the first maximum along `axis`, which is dropped."""
        return self._done(self._build(build.argmax, self.value(x), axis), np.int32)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """[B, M, K] x [B, K, N] -> [B, M, N]."""
        zero = self._zero_point(a.dtype)
        return self._done(self._build(build.matmul, self.value(a), self.value(b), (zero, zero)), a.dtype)

    def convolution(
        self, name: str, x: Tensor, weights: Tensor, bias: Tensor, shape: Sequence[int], *window: Sequence[int]
    ) -> Tensor:
        """tosa.`name`, one of the convolutions, with result `shape`, NHWC.

        `window` is pad, stride and dilation; of the transposed convolution out_pad and stride.
        """
        zero = self._zero_point(x.dtype)
        operands = [self.value(tensor) for tensor in (x, weights, bias)]
        types = element_type(x.dtype), element_type(np.float32)
        names = ("out_pad", "stride") if name == "transpose_conv2d" else ("pad", "stride", "dilation")
        attributes = build.integers(**dict(zip(names, window, strict=True)))
        value = self._build(build.convolution, name, operands, (zero, zero), shape, *types, attributes)
        return self._done(value, x.dtype)

    def max_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.max_pool2d on NHWC; pad is [top, bottom, left, right]."""
        window = build.integers(kernel=kernel, stride=stride, pad=pad)
        return self._done(self._build(build.max_pool, self.value(x), shape, window), x.dtype)

    def avg_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.avg_pool2d on NHWC, which leaves padding out of the mean; pad is [top, bottom, left, right]."""
        zero, accumulator = self._zero_point(x.dtype), element_type(np.float32)
        window = build.integers(kernel=kernel, stride=stride, pad=pad)
        return self._done(self._build(build.avg_pool, self.value(x), (zero, zero), shape, accumulator, window), x.dtype)

    def resize(self, x: Tensor, size: Sequence[int], rows: TosaScale, columns: TosaScale, *, nearest: bool) -> Tensor:
        """tosa.resize of [N, H, W, C] to `size` (height, width)."""
        mode = "NEAREST_NEIGHBOR" if nearest else "BILINEAR"
        source = self.value(x)
        scale = self._shape([rows.numerator, rows.denominator, columns.numerator, columns.denominator])
        offset, border = self._shape([rows.offset, columns.offset]), self._shape([rows.border, columns.border])
        return self._done(self._build(build.resize, source, size, scale, offset, border, mode), x.dtype)

    def scatter_row(self, x: Tensor, index: Tensor, row: Tensor) -> Tensor:
        """`x` [K, C] with row `index`, int32 of one element, replaced by `row` [1, C]."""
        values, rows = (self.reshape(t, (1, *t.shape)) for t in (x, row))
        picked = self.value(self.reshape(index, (1, 1)))
        found = self._build(build.scatter, self.value(values), picked, self.value(rows))
        return self.reshape(self._done(found, x.dtype), x.shape)

    def while_loop(self, carried: Sequence[Tensor], goes_on: Step, step: Step) -> Tensor:
        """The first of `carried` once `goes_on` gives false; `step` gives all of them anew.

        The blocks of the loop see nothing but what is carried, and constants of their own.
        """
        with self._ip, self._loc:
            op = build.while_loop([self.value(tensor) for tensor in carried])
            for region, make in zip(op.regions, (goes_on, step), strict=True):
                (block,) = region.blocks
                inner = Builder(block, self.growth)
                inner._loc, inner._labels = self._loc, self._labels
                arguments = [Tensor.computed(v, t.dtype) for v, t in zip(block.arguments, carried, strict=True)]
                made = [inner.value(tensor) for tensor in make(inner, arguments)]
                with ir.InsertionPoint(block), self._loc:
                    build.finish_block(made)
        return self._done(op.results[0], carried[0].dtype)
