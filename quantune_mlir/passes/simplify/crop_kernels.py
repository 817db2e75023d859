"""In: a convolution of whose window the outer rows or columns meet nothing but padding. Out: one without these.

A dilation as wide as the image leaves the middle of the window alone, as in the atrous pyramids of segmentation
networks that get smaller images than they were made for. With tap k of size K at k d, and padding p before and q after:

    conv(x, w, p, q)  ==  conv(x, w[1:], p - d, q)         no window has tap 0 inside
                      ==  conv(x, w[:K - 1], p, q - d)     nor tap K - 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import erase_dead, shape_of
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass

_OF_CONVOLUTIONS: Final = 4
"""Axes of weights: two of them, next to each other, are the window's rows and columns."""


@dataclass(frozen=True)
class CropKernels(Pass):
    """Leave out rows and columns of weights that meet padding only."""

    name: ClassVar[str] = "quantune-crop-kernels"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        for op in [view.operation for view in entry_block(function)]:
            kind = traits_of(op).weights
            weights = None if kind is None or kind.scatters else constant_value(op.operands[1])
            if kind is not None and weights is not None and weights.ndim == _OF_CONVOLUTIONS:
                _crop(op, weights, kind.rows_axis)
        erase_dead(function)


@dataclass(frozen=True)
class _Axis:
    """Rows or columns of a convolution: which taps are left, and how the input is padded."""

    size: int
    out_size: int
    stride: int
    dilation: int
    before: int
    after: int
    first: int
    end: int

    @classmethod
    def of(cls, op: ir.Operation, axis: int, taps: int) -> _Axis:
        pad, stride, dilation = (
            list(ir.DenseI64ArrayAttr(op.attributes[name])) for name in ("pad", "stride", "dilation")
        )
        size, out_size = shape_of(op.operands[0])[1 + axis], shape_of(op.results[0])[1 + axis]
        return cls(size, out_size, stride[axis], dilation[axis], pad[2 * axis], pad[2 * axis + 1], 0, taps)

    def _meets(self, tap: int) -> bool:
        """Whether a tap, counted from the first that is left, meets the input somewhere."""
        places = np.arange(self.out_size) * self.stride + tap * self.dilation - self.before
        return bool(((places >= 0) & (places < self.size)).any())

    def cropped(self) -> _Axis:
        """Without the outer taps that meet padding only; one is left."""
        found = self
        while found.end - found.first > 1 and found.before >= found.dilation and not found._meets(0):
            found = replace(found, before=found.before - found.dilation, first=found.first + 1)
        while found.end - found.first > 1 and found.after >= found.dilation:
            if found._meets(found.end - found.first - 1):
                break
            found = replace(found, after=found.after - found.dilation, end=found.end - 1)
        return found if found.end - found.first > 1 else replace(found, dilation=1)


def _crop(op: ir.Operation, weights: np.ndarray, first: int) -> None:
    axes = [_Axis.of(op, axis, weights.shape[first + axis]) for axis in range(2)]
    cropped = [axis.cropped() for axis in axes]
    if all(new.end - new.first == old.end for new, old in zip(cropped, axes, strict=True)):
        return
    rows, columns = (slice(axis.first, axis.end) for axis in cropped)
    kept = weights[(slice(None),) * first + (rows, columns)]
    op.operands[1] = constant(np.ascontiguousarray(kept), loc=op.location, ip=ir.InsertionPoint(op))
    pad = [amount for axis in cropped for amount in (axis.before, axis.after)]
    op.attributes["pad"] = ir.DenseI64ArrayAttr.get(pad, op.context)
    op.attributes["dilation"] = ir.DenseI64ArrayAttr.get([axis.dilation for axis in cropped], op.context)
