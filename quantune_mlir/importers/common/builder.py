"""TOSA ops on tensors, one method each. What front ends build with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.importers.common.emitter import refuse_empty
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.movement import Movement
from quantune_mlir.importers.common.resize_scale import TosaScale
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.mlir.bindings import ir, tosa
from quantune_mlir.mlir.constants import tensor_type


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

    def unary(self, op_class: type, x: Tensor) -> Tensor:
        """One of TOSA's ops with one operand and a result of the same type, e.g. tosa.ExpOp."""
        op = op_class(tensor_type(x.shape, x.dtype), self.value(x), loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def binary(self, op_class: type, x: Tensor, y: Tensor) -> Tensor:
        """One of TOSA's broadcasting ops with two operands of the result's type, e.g. tosa.AddOp."""
        (x, y), shape = self.aligned(x, y)
        op = op_class(tensor_type(shape, x.dtype), self.value(x), self.value(y), loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def compare(self, op_class: type, x: Tensor, y: Tensor) -> Tensor:
        """tosa.EqualOp, tosa.GreaterOp or tosa.GreaterEqualOp: a bool tensor."""
        (x, y), shape = self.aligned(x, y)
        result, operands = tensor_type(shape, np.bool_), (self.value(x), self.value(y))
        if op_class is tosa.EqualOp:  # the only one whose builder wants the type by keyword
            op = tosa.EqualOp(*operands, results=[result], loc=self._loc, ip=self._ip)
        else:
            op = op_class(result, *operands, loc=self._loc, ip=self._ip)
        return self._done(op, np.bool_)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary(tosa.AddOp, x, y)

    def sub(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary(tosa.SubOp, x, y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        (x, y), shape = self.aligned(x, y)
        op = tosa.MulOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            self.value(y),
            self._zero_point(np.int8),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        """`x` times a number."""
        return x if factor == 1 else self.mul(x, self.splat(factor, x.dtype, x.rank))

    def shifted(self, x: Tensor, summand: float) -> Tensor:
        """`x` plus a number."""
        return x if summand == 0 else self.add(x, self.splat(summand, x.dtype, x.rank))

    def negate(self, x: Tensor) -> Tensor:
        zero = self._zero_point(x.dtype)
        op = tosa.NegateOp(tensor_type(x.shape, x.dtype), self.value(x), zero, zero, loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def logical_not(self, x: Tensor) -> Tensor:
        return self.unary(tosa.LogicalNotOp, x)

    def clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        """Clamp a float tensor to [low, high]; either may be infinite."""
        element = tensor_type((), x.dtype).element_type
        op = tosa.ClampOp(
            tensor_type(x.shape, x.dtype),
            self.value(x),
            *(ir.FloatAttr.get(element, float(v)) for v in (low, high)),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def shift_right(self, x: Tensor, amount: Tensor) -> Tensor:
        """Integers shifted to the right, the sign kept."""
        (x, amount), shape = self.aligned(x, amount)
        op = tosa.ArithmeticRightShiftOp(
            tensor_type(shape, x.dtype), self.value(x), self.value(amount), False, loc=self._loc, ip=self._ip
        )
        return self._done(op, x.dtype)

    def select(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Elements of `x` where `condition`, of `y` elsewhere."""
        (condition, x, y), shape = self.aligned(condition, x, y)
        op = tosa.SelectOp(
            tensor_type(shape, x.dtype),
            self.value(condition),
            self.value(x),
            self.value(y),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def cast(self, x: Tensor, dtype: np.dtype | type) -> Tensor:
        """A bare tosa.cast, which rounds floats half to even and saturates; see dtypes.py for ONNX's Cast."""
        if x.dtype == dtype:
            return x
        op = tosa.CastOp(tensor_type(x.shape, dtype), self.value(x), loc=self._loc, ip=self._ip)
        return self._done(op, dtype)

    def reduce(self, op_class: type, x: Tensor, axis: int) -> Tensor:
        """tosa.ReduceSumOp and its kin over one axis, which stays with size one."""
        shape = [1 if i == axis else s for i, s in enumerate(x.shape)]
        op = op_class(self.value(x), axis, results=[tensor_type(shape, x.dtype)], loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        """The int32 index of the first maximum along `axis`, which is dropped."""
        shape = [s for i, s in enumerate(x.shape) if i != axis]
        op = tosa.ArgMaxOp(tensor_type(shape, np.int32), self.value(x), axis, loc=self._loc, ip=self._ip)
        return self._done(op, np.int32)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """[B, M, K] x [B, K, N] -> [B, M, N]."""
        zero = self._zero_point(a.dtype)
        result = tensor_type((a.shape[0], a.shape[1], b.shape[2]), a.dtype)
        return self._done(
            tosa.MatMulOp(result, self.value(a), self.value(b), zero, zero, loc=self._loc, ip=self._ip), a.dtype
        )

    def convolution(
        self,
        op_class: type,
        x: Tensor,
        weights: Tensor,
        bias: Tensor,
        shape: Sequence[int],
        *window: Sequence[int],
    ) -> Tensor:
        """tosa.Conv2DOp, DepthwiseConv2DOp or TransposeConv2DOp with result `shape`, NHWC.

        `window` is pad, stride, dilation; for the transposed convolution out_pad, stride.
        """
        zero = self._zero_point(x.dtype)
        accumulator = ir.TypeAttr.get(tensor_type((), np.float32).element_type)
        op = op_class(
            tensor_type(shape, x.dtype),
            self.value(x),
            self.value(weights),
            self.value(bias),
            zero,
            zero,
            *(_integers(w) for w in window),
            accumulator,
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def max_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.max_pool2d on NHWC; pad is [top, bottom, left, right]."""
        op = tosa.MaxPool2dOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            _integers(kernel),
            _integers(stride),
            _integers(pad),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def avg_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.avg_pool2d on NHWC, which leaves padding out of the mean; pad is [top, bottom, left, right]."""
        zero = self._zero_point(x.dtype)
        op = tosa.AvgPool2dOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            zero,
            zero,
            _integers(kernel),
            _integers(stride),
            _integers(pad),
            ir.TypeAttr.get(tensor_type((), np.float32).element_type),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def resize(self, x: Tensor, size: Sequence[int], rows: TosaScale, columns: TosaScale, *, nearest: bool) -> Tensor:
        """tosa.resize of [N, H, W, C] to `size` (height, width)."""
        mode = "NEAREST_NEIGHBOR" if nearest else "BILINEAR"
        op = tosa.ResizeOp(
            tensor_type((x.shape[0], *size, x.shape[3]), x.dtype),
            self.value(x),
            self._shape([rows.numerator, rows.denominator, columns.numerator, columns.denominator]),
            self._shape([rows.offset, columns.offset]),
            self._shape([rows.border, columns.border]),
            ir.Attribute.parse(f"#tosa.resize_mode<{mode}>"),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)


def _integers(values: Sequence[int]) -> ir.DenseI64ArrayAttr:
    return ir.DenseI64ArrayAttr.get([int(v) for v in values])
