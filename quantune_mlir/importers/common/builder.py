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
from quantune_mlir.mlir.constants import constant, element_type, tensor_type
from quantune_mlir.mlir.tosa import build

Step = Callable[["Builder", Tensor, list[Tensor], list[Tensor]], list[Tensor]]
"""Builds what a round of a loop computes of its number, the states before it, and what is unchanged."""


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
        """The int32 index of the first maximum along `axis`, which is dropped. It is sought along the last axis."""
        x = self.transpose(x, [*(i for i in range(x.rank) if i != axis), axis])
        return self._done(self._build(build.argmax, self.value(x), x.rank - 1), np.int32)

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

    def stacked_rounds(
        self, rounds: int, states: Sequence[Tensor], unchanged: Sequence[Tensor], step: Step, *, backwards: bool = False
    ) -> Tensor:
        """What each round yields, [rounds, C]: one tosa.while_loop, which carries these rows and the round's number.

        Args:
            rounds: how many, at least one.
            states: what a round hands to the next, at first.
            unchanged: what else it reads: a loop sees nothing else, but constants of its own.
            step: (inside, number, states, unchanged): the row, [1, C], and the states after it. The number is an int32
                of one element; backwards the first round has the largest.
            backwards: whether numbers fall.
        """
        first, end, by = (rounds - 1, -1, -1) if backwards else (0, rounds, 1)
        carried = [Tensor.constant(np.array([first], np.int32)), *states, *unchanged]
        with self._ip, self._loc:
            nothing = constant(np.zeros((rounds, 1), np.float32))
            op = build.while_loop([nothing, *map(self.value, carried)])
        (condition,), (body,) = (region.blocks for region in op.regions)
        inner, goes_on = self._inside(body), self._inside(condition)
        number, *given = map(Tensor.computed, list(body.arguments)[1:], [tensor.dtype for tensor in carried])
        try:
            row, *following = step(inner, number, given[: len(states)], given[len(states) :])
            self.growth.take((rounds, row.shape[1]), row.dtype)
        except Unsupported:
            op.erase()
            raise
        rows = np.zeros((rounds, row.shape[1]), row.dtype)
        for value in (op.results[0], condition.arguments[0], body.arguments[0]):
            value.set_type(tensor_type(rows.shape, rows.dtype))
        op.operands[0] = constant(rows, loc=self._loc, ip=ir.InsertionPoint(op))
        nothing.owner.erase()
        made = inner.scatter_row(Tensor.computed(body.arguments[0], row.dtype), number, row)
        following_number = inner.add(number, Tensor.constant(np.array([by], np.int32)))
        inner._finish([made, following_number, *following, *given[len(states) :]])
        ends = Tensor.constant(np.array([end], np.int32)), Tensor.computed(condition.arguments[1], np.int32)
        is_left = goes_on.compare("greater", *(reversed(ends) if backwards else ends))
        goes_on._finish([goes_on.reshape(is_left, ())])
        return self._done(op.results[0], row.dtype)

    def _inside(self, block: ir.Block) -> Builder:
        """A builder of the same layer in a block of a loop."""
        inner = Builder(block, self.growth)
        inner._loc, inner._labels = self._loc, self._labels
        return inner

    def _finish(self, values: Sequence[Tensor]) -> None:
        """End the block of a loop."""
        made = [self.value(tensor) for tensor in values]
        with self._ip, self._loc:
            build.finish_block(made)
