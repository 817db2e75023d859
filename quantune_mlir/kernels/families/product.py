"""Products of two activations, in a batch: a dense kernel whose weights another kernel packed just before.

The left operand is an image of one row of pixels, for each matrix of the batch; see dense.py and right_operand.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.dense import DenseKernel
from quantune_mlir.kernels.families.dense_tiles import Lines, choose
from quantune_mlir.kernels.families.right_operand import RightOperand
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of

_MOST = 255.0
"""An i8 less its zero point."""


def lower(group: Group, isa: Isa, library: Library) -> ir.Value | None:
    """Dispatch the kernels of a product of two activations at the current point; None if there are none for it."""
    root = group.root
    assert root is not None
    (batch, rows, depth), (_, _, columns) = shape_of(root.operands[0]), shape_of(root.operands[1])
    _, stored = described(root.operands[0])
    step = isa.int8 if stored == "i8" else isa.fp32
    one = (1, 1)
    shape = ConvolutionShape(batch, 1, rows, depth, 1, rows, columns, one, one, one, (0, 0))
    found = choose(group, shape, step, stored, isa.tables)
    if found is None:
        return None
    return ProductKernel(group, step, stored, shape, *found, root.operands[0], isa.narrowing).dispatch(library)


@dataclass(frozen=True)
class ProductKernel(DenseKernel):
    """The kernel of one group."""

    @property
    def _right(self) -> RightOperand:
        return RightOperand(self.shape.batch, self.shape.channels, self.shape.out_channels, self.step, self.stored)

    @property
    def _zero_points(self) -> tuple[int, int]:
        root = self.group.root
        assert root is not None
        left, right = (constant_value(value) for value in list(root.operands)[2:4])
        assert left is not None and right is not None
        return int(left.reshape(-1)[0]), int(right.reshape(-1)[0])

    def dispatch(self, library: Library) -> ir.Value:
        """Pack the right operand, build the kernel, and call it."""
        root = self.group.root
        assert root is not None
        workgroup, buffers = self.workgroup, Buffers(self.epilogue)
        zero_points = (0, 0) if self.stored == code.F32 else self._zero_points
        own = [self.source, self._right.pack(root.operands[1], zero_points, library)]
        signature = Signature(
            (*map(described, own), *buffers.inputs),
            buffers.output(None),
            len(self.epilogue.scalars) + 1,
            (ceil(self.shape.out_width / workgroup.columns), workgroup.splits, self.shape.batch),
        )
        scalars = [zero_points[0] + self.step.offset, *self.epilogue.scalars]
        result = ir.RankedTensorType(self.group.op.results[0].type)
        return library.dispatch("product", signature, self._emit, [*own, *buffers.tensors()], scalars, result)

    @cached_property
    def _limit(self) -> float:
        return inf if self.stored == code.F32 else self.shape.channels * _MOST * _MOST

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, right, *rest = buffers
        super()._emit([source, right, right, *rest], scalars, place)

    def prepared(self, lines: Lines) -> Lines:
        """The terms of the rows, in scratch."""
        if self.stored == code.F32 or self._zero_points[1] == 0:
            return lines
        columns, depth = self.workgroup.columns, self.shape.channels
        terms = code.scratch(columns, code.I32)
        factor = self._right.row_factor(lines.weights, lines.image)
        first = code.add(code.mul(lines.image, self.shape.width), lines.column)

        def row(i: Index) -> list[ir.Value]:
            total = self._sum_of(lines.source, code.mul(code.add(first, i), depth))
            code.store(code.part(arith.MulIOp(total, factor).result, 0, 1), terms, i)
            return []

        code.loop(0, columns, 1, row)
        return replace(lines, row_terms=terms)

    def _sum_of(self, source: ir.Value, at: Index) -> ir.Value:
        """The sum of a row of the left operand, in the first lane."""
        lanes, depth = self.step.lanes, self.shape.channels
        kind = code.vector_type(lanes, code.I32)

        def add(total: ir.Value, i: Index, count: int) -> ir.Value:
            values = code.load_lanes(source, code.add(at, i), count, lanes)
            return arith.AddIOp(total, arith.ExtSIOp(kind, values).result).result

        whole = depth // lanes * lanes
        (total,) = code.loop(0, whole, lanes, lambda i, t: [add(t, i, lanes)], [code.splat(0, lanes, code.I32)])
        if depth % lanes:
            total = add(total, whole, depth % lanes)
        half = lanes
        while half > 1:
            half //= 2
            total = arith.AddIOp(code.part(total, 0, half), code.part(total, half, half)).result
        return code.broadcast_lane(total, lanes)

    def weights_of(self, image: Index) -> Index:
        """Those of a matrix."""
        return code.mul(image, self._right.size)

    def weight_strides(self, vectors: int) -> tuple[int, int]:
        """A vector of columns is packed by itself."""
        return self.step.lanes * self.step.depth, self._right.vector_size

    def bias(self, lines: Lines, channel: Index) -> ir.Value:
        """The terms of the columns."""
        if self.stored == code.F32:
            return code.splat(0.0, self.step.lanes, code.F32)
        return self._right.column_terms(lines.weights, lines.image, channel)

    def corrected(self, sums: list[list[ir.Value]], lines: Lines, column: Index) -> list[list[ir.Value]]:
        """With the terms of the rows."""
        if lines.row_terms is None:
            return sums
        result: list[list[ir.Value]] = []
        for j, row in enumerate(sums):
            scalar = code.load_scalar(lines.row_terms, code.add(column, j))
            term = code.broadcast(scalar, self.step.lanes)
            result.append([arith.AddIOp(value, term).result for value in row])
        return result
