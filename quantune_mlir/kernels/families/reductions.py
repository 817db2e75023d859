"""What is computed over a window: the largest element, the average, or the sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place, widened
from quantune_mlir.kernels.emit.lanes import larger
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.mlir.bindings import arith, ir, math
from quantune_mlir.mlir.constants import constant_value

Combine = Callable[[Index, Index, Sequence[ir.Value]], list[ir.Value]]


@dataclass(frozen=True)
class PixelWindow:
    """The pixels that an output pixel sees: `rows` x `columns` from (row, column) on, inside the image."""

    row: Index
    column: Index
    rows: Index
    columns: Index
    last: tuple[int, int] | None = None
    """Where set, rows and columns stop here: a pixel beyond the border stands for the nearest one of the image."""

    @staticmethod
    def at(shape: ConvolutionShape, y: Index, x: Index, *, clamps: bool) -> PixelWindow:
        """The window of output pixel (y, x)."""
        (sh, sw), (top, left), (kh, kw) = shape.stride, shape.pad, shape.kernel
        row, column = code.add(code.mul(y, sh), -top), code.add(code.mul(x, sw), -left)
        if not shape.pads:
            return PixelWindow(row, column, kh, kw)
        if clamps:
            return PixelWindow(row, column, kh, kw, (shape.height - 1, shape.width - 1))
        first_row, first_column = code.maximum(row, 0), code.maximum(column, 0)
        rows = code.sub(code.minimum(code.add(row, kh), shape.height), first_row)
        columns = code.sub(code.minimum(code.add(column, kw), shape.width), first_column)
        return PixelWindow(first_row, first_column, rows, columns)

    def reduce(self, combine: Combine, initial: Sequence[ir.Value], unrolled: int) -> list[ir.Value]:
        """Combine all pixels; windows of at most so many known pixels without loops."""
        if isinstance(self.rows, int) and isinstance(self.columns, int) and self.rows * self.columns <= unrolled:
            values = list(initial)
            for r in range(self.rows):
                for c in range(self.columns):
                    values = combine(*self._pixel(r, c), values)
            return values

        def over_row(r: Index, *carried: ir.Value) -> list[ir.Value]:
            return code.loop(0, self.columns, 1, lambda c, *sums: combine(*self._pixel(r, c), sums), carried)

        return code.loop(0, self.rows, 1, over_row, initial)

    def _pixel(self, r: Index, c: Index) -> tuple[Index, Index]:
        row, column = code.add(self.row, r), code.add(self.column, c)
        if self.last is None:
            return row, column
        height, width = self.last
        return code.maximum(code.minimum(row, height), 0), code.maximum(code.minimum(column, width), 0)


class Reduction(ABC):
    """A way to make one value of many."""

    clamps: bool = False
    """Whether a pixel may count more than once."""
    wider: int = 1
    """How many times the lanes of an f32 vector an accumulator has at most."""

    @abstractmethod
    def initial(self, lanes: int) -> ir.Value:
        """The accumulator of no pixels."""

    @abstractmethod
    def combine(self, total: ir.Value, loaded: ir.Value, place: Place, lanes: int, bound: Bound) -> ir.Value:
        """The accumulator after one more pixel."""

    @abstractmethod
    def finish(self, total: ir.Value, window: PixelWindow, lanes: int) -> ir.Value:
        """What the epilogue gets: i32 or f32."""


@dataclass(frozen=True)
class Largest(Reduction):
    """The largest element, in its stored type."""

    element: str
    clamps = True

    @property
    def wider(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """i8 elements are as many as a vector has bytes."""
        return 4 if self.element == "i8" else 1

    def initial(self, lanes: int) -> ir.Value:
        """The least number."""
        return code.splat(-128 if self.element == "i8" else float("-inf"), lanes, self.element)

    def combine(self, total: ir.Value, loaded: ir.Value, place: Place, lanes: int, bound: Bound) -> ir.Value:
        """max; NaN is passed over."""
        return arith.MaxSIOp(total, loaded).result if self.element == "i8" else larger(loaded, total)

    def finish(self, total: ir.Value, window: PixelWindow, lanes: int) -> ir.Value:
        """i8 as i32."""
        return widened(total, lanes).value


@dataclass(frozen=True)
class Sum(Reduction):
    """The sum of what the prologue makes of the elements."""

    element: str
    epilogue: Epilogue

    def initial(self, lanes: int) -> ir.Value:
        """0."""
        return code.splat(0, lanes, self.element)

    def combine(self, total: ir.Value, loaded: ir.Value, place: Place, lanes: int, bound: Bound) -> ir.Value:
        """+."""
        return _plus(total, self.epilogue.prepare(loaded, place, lanes, bound), self.element)

    def finish(self, total: ir.Value, window: PixelWindow, lanes: int) -> ir.Value:
        """The sum itself."""
        return total


@dataclass(frozen=True)
class Average(Reduction):
    """The average of the pixels inside the image; of i8 in integers, rounded as TOSA's avg_pool2d says."""

    element: str
    input_zp: int = 0
    output_zp: int = 0

    @staticmethod
    def of(root: ir.Operation, stored: str) -> Average | None:
        """The average that a tosa.avg_pool2d computes."""
        if stored == "f32":
            return Average("f32")
        zero_points = [constant_value(root.operands[position]) for position in (1, 2)]
        input_zp, output_zp = (0 if array is None else int(array.reshape(-1)[0]) for array in zero_points)
        return Average("i32", input_zp, output_zp)

    def initial(self, lanes: int) -> ir.Value:
        """0."""
        return code.splat(0, lanes, self.element)

    def combine(self, total: ir.Value, loaded: ir.Value, place: Place, lanes: int, bound: Bound) -> ir.Value:
        """+."""
        return _plus(total, widened(loaded, lanes).value, self.element)

    def finish(self, total: ir.Value, window: PixelWindow, lanes: int) -> ir.Value:
        """The quotient."""
        i32 = ir.IntegerType.get_signless(32)
        rows, columns = (arith.IndexCastOp(i32, code.index(x)).result for x in (window.rows, window.columns))
        count = arith.MulIOp(rows, columns).result
        if self.element == "f32":
            number = arith.SIToFPOp(code.element("f32"), count).result
            return arith.DivFOp(total, code.broadcast(number, lanes)).result
        return self._divided(total, count, lanes)

    def _divided(self, total: ir.Value, count: ir.Value, lanes: int) -> ir.Value:
        """TOSA's reciprocal_scale and apply_scale_32: k = 32 - clz(count - 1), ((2^30 + 1) << k) / count >> 30 + k."""
        i64 = code.element("i64")

        def number(value: int) -> ir.Value:
            return code.constant(value, "i64")

        ones = arith.SubIOp(count, code.constant(1, "i32")).result
        leading = math.CountLeadingZerosOp(ones).result
        k = arith.ExtSIOp(i64, arith.SubIOp(code.constant(32, "i32"), leading).result).result
        numerator = arith.ShLIOp(number((1 << 30) + 1), k).result
        multiplier = arith.DivUIOp(numerator, arith.ExtSIOp(i64, count).result).result
        shift = arith.AddIOp(k, number(30)).result
        half = arith.ShLIOp(number(1), arith.SubIOp(shift, number(1)).result).result
        offset = arith.MulIOp(count, code.constant(self.input_zp, "i32")).result
        sums = arith.SubIOp(total, code.broadcast(offset, lanes)).result
        wide = arith.ExtSIOp(code.vector_type(lanes, "i64"), sums).result
        product = arith.MulIOp(wide, code.broadcast(multiplier, lanes)).result
        rounded = arith.AddIOp(product, code.broadcast(half, lanes)).result
        shifted = arith.ShRSIOp(rounded, code.broadcast(shift, lanes)).result
        result = arith.TruncIOp(code.vector_type(lanes, "i32"), shifted).result
        result = arith.AddIOp(result, code.splat(self.output_zp, lanes, "i32")).result
        result = arith.MaxSIOp(result, code.splat(-128, lanes, "i32")).result
        return arith.MinSIOp(result, code.splat(127, lanes, "i32")).result


def _plus(a: ir.Value, b: ir.Value, element: str) -> ir.Value:
    return arith.AddFOp(a, b).result if element == "f32" else arith.AddIOp(a, b).result
