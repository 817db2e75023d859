"""In: transposed convolutions with constant weights. Out: convolutions with outputs for each phase, and moves.

Of stride s, with y + p = s q + r (p rows cut off at the top; columns likewise), a kernel of K rows and T = ceil(K / s):

    out[y] = sum over i s + k = y + p of x[i] w[k]  =  sum over t < T of x[q - t] w[r + s t]        w[k] = 0 from K on

so the s phases r of row q are outputs of one convolution of T rows, which are then put one below the other. A clamp
that alone reads the result is computed before they move, in the convolution's epilogue; they are of its layer then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import rebuild, replace, shape_of, users
from quantune_mlir.mlir.function import main_function, ops_named
from quantune_mlir.mlir.tosa import build
from quantune_mlir.pipeline.base import Pass

_PHASED = (0, 1, 3, 2, 4, 5)
"""[N, H, W, rows, columns, C] to [N, H, rows, W, columns, C]."""


@dataclass(frozen=True)
class ExpandTransposedConvolutions(Pass):
    """Compute transposed convolutions as convolutions."""

    name: ClassVar[str] = "quantune-expand-transposed-convolutions"

    def apply(self, module: ir.Module) -> None:
        for op in ops_named(main_function(module), "tosa.transpose_conv2d"):
            weights, bias = constant_value(op.operands[1]), constant_value(op.operands[2])
            axes = [_Axis.of(op, axis) for axis in range(2)]
            if weights is not None and bias is not None and all(axis.is_possible for axis in axes):
                _expand(op, weights, bias, *axes)


@dataclass(frozen=True)
class _Axis:
    """Rows or columns of a transposed convolution."""

    stride: int
    kernel: int
    size: int
    """Elements of the input along it."""
    out_size: int
    cut: int
    """Outputs left out before the first one; there is nothing to leave out where it is negative."""

    @staticmethod
    def of(op: ir.Operation, axis: int) -> _Axis:
        stride, out_pad = (list(ir.DenseI64ArrayAttr(op.attributes[name])) for name in ("stride", "out_pad"))
        source, weights, result = (shape_of(value)[1 + axis] for value in (*list(op.operands)[:2], op.results[0]))
        return _Axis(stride[axis], weights, source, result, -out_pad[2 * axis])

    @property
    def is_possible(self) -> bool:
        """Whether every output is one that some input or the padding beside it reaches."""
        return self.cut >= 0 and self.cut + self.out_size <= (self.size + self.taps - 1) * self.stride

    @property
    def taps(self) -> int:
        """The kernel of the convolution."""
        return -(-self.kernel // self.stride)

    @property
    def first(self) -> int:
        """Outputs of the convolution before the first one that is computed."""
        return min(self.cut // self.stride, self.taps - 1)

    @property
    def skipped(self) -> int:
        """Outputs that are computed, and cut off before the first one that is needed."""
        return self.cut - self.first * self.stride

    @property
    def pads(self) -> tuple[int, int]:
        """Padding of the convolution, before and after."""
        needed = -(-(self.skipped + self.out_size) // self.stride)
        before = self.taps - 1 - self.first
        return before, max(0, needed + self.taps - 1 - self.size - before)

    @property
    def made(self) -> int:
        """Outputs of the convolution."""
        return self.size + sum(self.pads) - self.taps + 1


def _by_phase(weights: NDArray[np.generic], rows: _Axis, columns: _Axis) -> NDArray[np.generic]:
    """Weights [O, KH, KW, I] as [phases x O, TH, TW, I]."""
    outputs, height, width, inputs = weights.shape
    padded = np.zeros((outputs, rows.taps * rows.stride, columns.taps * columns.stride, inputs), weights.dtype)
    padded[:, :height, :width] = weights
    split = padded.reshape(outputs, rows.taps, rows.stride, columns.taps, columns.stride, inputs)[:, ::-1, :, ::-1]
    return split.transpose(2, 4, 0, 1, 3, 5).reshape(-1, rows.taps, columns.taps, inputs)


def _expand(
    op: ir.Operation, weights: NDArray[np.generic], bias: NDArray[np.generic], rows: _Axis, columns: _Axis
) -> None:
    batch, channels = shape_of(op.results[0])[0], len(weights)
    readers = users(op.results[0])
    clamp = readers[0] if len(readers) == 1 and readers[0].name == "tosa.clamp" else None
    last = clamp or op

    def stamped(value: ir.Value, of: ir.Operation) -> ir.Value:
        for name in (LAYER, OP):
            value.owner.attributes[name] = of.attributes[name]
        return value

    input_zp, weight_zp = list(op.operands)[3:5]
    phases = rows.stride * columns.stride
    window = build.integers(pad=[*rows.pads, *columns.pads], stride=(1, 1), dilation=(1, 1))
    with ir.InsertionPoint(last), op.location:
        kernel = constant(_by_phase(weights, rows, columns))
        biases = constant(np.tile(np.broadcast_to(bias, channels), phases))
        operands, shape = [op.operands[0], kernel, biases], (batch, rows.made, columns.made, phases * channels)
        types = op.results[0].type.element_type, ir.TypeAttr(op.attributes["acc_type"]).value
        value = stamped(build.convolution("conv2d", operands, (input_zp, weight_zp), shape, *types, window), op)
        if clamp is not None:
            value = rebuild(clamp, [value], shape=shape_of(value)).results[0]
        if phases > 1:
            split = (batch, rows.made, columns.made, rows.stride, columns.stride, channels)
            value = stamped(build.reshape(value, split), last)
            value = stamped(build.transpose(value, _PHASED), last)
            whole = (batch, rows.made * rows.stride, columns.made * columns.stride, channels)
            value = stamped(build.reshape(value, whole), last)
        size = shape_of(op.results[0])
        if shape_of(value) != size:
            value = stamped(build.cut(value, (0, rows.skipped, columns.skipped, 0), size), last)
    replace(last, value)
    if clamp is not None:
        op.erase()
