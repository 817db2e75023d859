"""Runs of elements that are neighbours in memory, copied or filled some vectors at a time."""

from __future__ import annotations

from collections.abc import Callable

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.mlir.bindings import ir


def pieces(size: int, width: int, visit: Callable[[Index, int], object]) -> None:
    """`visit` (first, count) for all of `size` elements, `width` at once and then the rest."""

    def whole(first: Index) -> list[ir.Value]:
        visit(first, width)
        return []

    code.loop(0, size // width * width, width, whole)
    if size % width:
        visit(size // width * width, size % width)


def copy(source: ir.Value, here: Index, output: ir.Value, there: Index, size: int, width: int) -> None:
    """`size` elements of `source` from `here` on go to `output` from `there` on, at most `width` in a vector."""

    def move(first: Index, count: int) -> None:
        code.store(code.load(source, code.add(here, first), count), output, code.add(there, first))

    pieces(size, width, lambda first, count: _in_powers(first, count, width, move))


def fill(output: ir.Value, there: Index, size: int, value: float, width: int) -> None:
    """`size` elements of `output` from `there` on become `value`, at most `width` in a vector."""
    name = str(ir.MemRefType(output.type).element_type)

    def put(first: Index, count: int) -> None:
        code.store(code.splat(value, count, name), output, code.add(there, first))

    pieces(size, width, lambda first, count: _in_powers(first, count, width, put))


def _in_powers(first: Index, count: int, width: int, visit: Callable[[Index, int], None]) -> None:
    for i, size in code.powers(count, width):
        visit(code.add(first, i), size)
