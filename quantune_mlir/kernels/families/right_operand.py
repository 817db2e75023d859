"""The right operand of a product of two activations, packed as the constant weights of a dense kernel are.

    for each matrix of the batch                                                        grid
      for each vector of columns
        for each step (`depth` rows): interleave them; store
        what is added to all sums of a column: store

[K x N] becomes [vector][step][lane][depth]. In int8 the terms that zero points add follow, as i32: with inputs read as
a + o, and zero points x and y,

    sum (a - x) (b - y)  ==  sum (a + o) b  -  (o + x) sum b  +  K x y  -  y sum a
                             the product       of each column            of each row

those of the columns, and then -y, by which the kernel of the product multiplies the sums of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.mlir.bindings import arith, ir

_I32_BYTES = 4


@dataclass(frozen=True)
class RightOperand:
    """A batch of matrices of `rows` x `columns`, packed for a dot product."""

    batch: int
    rows: int
    columns: int
    step: DotStep
    element: str

    @property
    def _steps(self) -> int:
        return ceil(self.rows / self.step.depth)

    @property
    def _vectors(self) -> int:
        return ceil(self.columns / self.step.lanes)

    @property
    def vector_size(self) -> int:
        """Elements of a packed vector of columns."""
        return self._steps * self.step.depth * self.step.lanes

    @property
    def _terms(self) -> int:
        """Where the terms of the columns begin, in a matrix."""
        return self._vectors * self.vector_size

    @property
    def size(self) -> int:
        """Elements of a packed matrix."""
        if self.element == code.F32:
            return self._terms
        return self._terms + (self._vectors + 1) * self.step.lanes * _I32_BYTES

    def pack(self, value: ir.Value, zero_points: tuple[int, int], library: Library) -> ir.Value:
        """Dispatch the kernel that packs `value` for products with these zero points (left, right)."""
        left, right = zero_points
        factor = self.step.offset + left
        scalars = [] if self.element == code.F32 else [-factor, self.rows * left * right, -right]
        size = self.batch * self.size
        signature = Signature(
            ((self.batch * self.rows * self.columns, self.element),), (size, self.element), len(scalars), (self.batch,)
        )
        result = ir.RankedTensorType.get([size], code.element(self.element))
        return library.dispatch("packing", signature, self._emit, [value], scalars, result)

    # What follows is built inside a kernel.

    def column_terms(self, packed: ir.Value, matrix: Index, column: Index) -> ir.Value:
        """The terms of a vector of columns."""
        at = code.add(code.mul(matrix, self.size), self._terms, code.mul(column, _I32_BYTES))
        return code.bitcast(code.load(packed, at, self.step.lanes * _I32_BYTES), self.step.lanes, code.I32)

    def row_factor(self, packed: ir.Value, matrix: Index) -> ir.Value:
        """What the sum of a row is multiplied by, in every lane."""
        return self.column_terms(packed, matrix, self._vectors * self.step.lanes)

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, packed = buffers
        matrix: Index = place[0] if self.batch > 1 else 0
        lanes = self.step.lanes
        whole = self.columns // lanes

        def vector(i: Index) -> list[ir.Value]:
            self._emit_vector(source, packed, scalars, matrix, i, lanes)
            return []

        code.loop(0, whole, 1, vector)
        if self.columns % lanes:
            self._emit_vector(source, packed, scalars, matrix, whole, self.columns % lanes)
        if scalars:
            self._store_terms(code.broadcast(scalars[2], lanes), packed, matrix, self._vectors)

    def _emit_vector(
        self, source: ir.Value, packed: ir.Value, scalars: Sequence[ir.Value], matrix: Index, vector: Index, count: int
    ) -> None:
        lanes, depth = self.step.lanes, self.step.depth
        first = code.add(code.mul(matrix, self.rows * self.columns), code.mul(vector, lanes))
        into = code.add(code.mul(matrix, self.size), code.mul(vector, self.vector_size))

        def one_step(i: Index, sums: Sequence[ir.Value], rows: int) -> list[ir.Value]:
            start = code.add(first, code.mul(i, depth * self.columns))
            values = [code.load_lanes(source, code.add(start, r * self.columns), count, lanes) for r in range(rows)]
            at = code.add(into, code.mul(i, depth * lanes))
            if self.element == code.F32:
                code.store(values[0], packed, at)
                return []
            code.store(_interleaved(values, lanes, depth), packed, at)
            wide = [arith.ExtSIOp(code.vector_type(lanes, code.I32), value).result for value in values]
            (total,) = sums
            for value in wide:
                total = arith.AddIOp(total, value).result
            return [total]

        whole, rest = divmod(self.rows, depth)
        sums = [code.splat(0, lanes, code.I32)] if scalars else []
        sums = code.loop(0, whole, 1, lambda i, *carried: one_step(i, carried, depth), sums)
        if rest:
            sums = one_step(whole, sums, rest)
        for total in sums:
            factor, term = (code.broadcast(scalar, lanes) for scalar in scalars[:2])
            terms = arith.AddIOp(arith.MulIOp(total, factor).result, term).result
            self._store_terms(terms, packed, matrix, vector)

    def _store_terms(self, terms: ir.Value, packed: ir.Value, matrix: Index, vector: Index) -> None:
        size = self.step.lanes * _I32_BYTES
        at = code.add(code.mul(matrix, self.size), self._terms, code.mul(vector, size))
        code.store(code.bitcast(terms, size, code.I8), packed, at)


def _interleaved(rows: Sequence[ir.Value], lanes: int, depth: int) -> ir.Value:
    """i8 [lane][depth] of up to `depth` rows; what is missing is 0."""
    if depth == 1:
        return rows[0]
    kind = code.vector_type(lanes, f"i{8 * depth}")
    words = [arith.ExtUIOp(kind, row).result for row in rows]
    joined = words[0]
    for position, word in enumerate(words[1:], start=1):
        shifted = arith.ShLIOp(word, code.splat(8 * position, lanes, f"i{8 * depth}")).result
        joined = arith.OrIOp(joined, shifted).result
    return code.bitcast(joined, lanes * depth, code.I8)
