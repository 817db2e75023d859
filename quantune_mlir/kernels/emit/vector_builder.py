"""A small vocabulary to write kernels in: indices that fold, loops, vectors. Everything is built at the current point.

An Index is a Python int as long as it is known; it becomes a constant of the kernel only where an op needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import arith, ir, memref, scf, vector

Index = int | ir.Value

I8, I16, I32, I64, F32 = "i8", "i16", "i32", "i64", "f32"

_BYTES: Final = {I8: 1, I16: 2, I32: 4, I64: 8, F32: 4}


_NSW: Final = "#arith.overflow<nsw>"


class _Writing:
    """What is built once for a kernel."""

    def __init__(self, begin: ir.InsertionPoint) -> None:
        self.begin = begin
        self.index = ir.IndexType.get()
        self.no_overflow = {"overflowFlags": ir.Attribute.parse(_NSW)}
        self.constants: dict[Hashable, ir.Value] = {}


_writing: _Writing | None = None


@contextmanager
def sharing_constants(begin: ir.InsertionPoint) -> Generator[None]:
    """Builds each constant of a kernel once meanwhile, where it begins: half of what is built is constants."""
    global _writing
    before, _writing = _writing, _Writing(begin)
    try:
        yield
    finally:
        _writing = before


def _shared(key: Hashable, build: Callable[[ir.InsertionPoint | None], ir.Value]) -> ir.Value:
    if _writing is None:
        return build(None)
    if key not in _writing.constants:
        _writing.constants[key] = build(_writing.begin)
    return _writing.constants[key]


def element(name: str) -> ir.Type:
    """The element type called `name`, such as "i8"."""
    return ir.F32Type.get() if name == F32 else ir.IntegerType.get_signless(int(name[1:]))


def bytes_of(name: str) -> int:
    """The size of one element."""
    return _BYTES[name]


def vector_type(lanes: int, name: str) -> ir.VectorType:
    """A vector of so many elements."""
    return ir.VectorType.get([lanes], element(name))


def memref_type(size: int, name: str) -> ir.MemRefType:
    """A flat buffer of so many elements."""
    return ir.MemRefType.get([size], element(name))


def built(
    name: str,
    kind: ir.Type,
    operands: Sequence[ir.Value],
    attributes: Mapping[str, ir.Attribute] | None = None,
    ip: ir.InsertionPoint | None = None,
) -> ir.Value:
    """The result of an op, built in half the time that its own class takes: a kernel has thousands of some."""
    return ir.Operation.create(name, [kind], operands, attributes, ip=ip).result


def index(value: Index) -> ir.Value:
    """An index as an SSA value."""
    if not isinstance(value, int):
        return value
    return _shared(value, lambda ip: arith.ConstantOp(ir.IndexType.get(), value, ip=ip).result)


def size_of(scalar: ir.Value) -> Index:
    """A size that the kernel is called with, an i32, as an index."""
    return arith.IndexCastUIOp(ir.IndexType.get(), scalar).result


def add(*terms: Index) -> Index:
    """The sum; what is known is added up front and applied last, where it becomes a displacement."""
    known, total = 0, None
    for term in terms:
        if isinstance(term, int):
            known += term
        else:
            total = term if total is None else _nsw("arith.addi", total, term)
    if total is None or known == 0:
        return known if total is None else total
    return _nsw("arith.addi", total, index(known))


def mul(value: Index, factor: Index) -> Index:
    """The product."""
    if isinstance(value, int) and isinstance(factor, int):
        return value * factor
    if isinstance(value, int):
        value, factor = factor, value
    assert isinstance(value, ir.Value)
    if isinstance(factor, int) and factor in (0, 1):
        return value if factor else 0
    return _nsw("arith.muli", value, index(factor))


def sub(a: Index, b: Index) -> Index:
    """a - b."""
    if isinstance(b, int):
        return add(a, -b)
    return _nsw("arith.subi", index(a), b)


def minimum(a: Index, b: Index) -> Index:
    """The smaller of two signed indices."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return arith.MinSIOp(index(a), index(b)).result


def maximum(a: Index, b: Index) -> Index:
    """The larger of two signed indices."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return arith.MaxSIOp(index(a), index(b)).result


def divide(value: Index, divisor: int) -> Index:
    """The quotient of a non-negative index, rounded down."""
    if isinstance(value, int):
        return value // divisor
    return value if divisor == 1 else arith.DivUIOp(value, index(divisor)).result


def remainder(value: Index, divisor: int) -> Index:
    """The remainder of a non-negative index."""
    if isinstance(value, int):
        return value % divisor
    return 0 if divisor == 1 else arith.RemUIOp(value, index(divisor)).result


def fitted(first: Index, size: int, limit: Index) -> Index:
    """The start of a tile of `size` that ends within `limit`: `first`, a multiple of `size`, or moved back."""
    if isinstance(limit, int) and limit % size == 0 and not isinstance(first, int):
        return first
    return minimum(first, sub(limit, size))


def loop(
    low: Index, high: Index, step: int, body: Callable[..., Sequence[ir.Value]], carried: Sequence[ir.Value] = ()
) -> list[ir.Value]:
    """for i in low..high step: carried = body(i, *carried); a loop of at most one known trip is not built as one."""
    if isinstance(low, int) and isinstance(high, int):
        if low >= high:
            return list(carried)
        if low + step >= high:
            return list(body(low, *carried))
    op = scf.ForOp(index(low), index(high), index(step), list(carried))
    with ir.InsertionPoint(op.body):
        scf.YieldOp(list(body(op.induction_variable, *op.inner_iter_args)))
    return list(op.results)


def when(condition: ir.Value, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
    """if condition: then() else: otherwise()."""
    op = scf.IfOp(condition, has_else=True)
    for block, emit in ((op.then_block, then), (op.else_block, otherwise)):
        with ir.InsertionPoint(block):
            emit()
            scf.YieldOp([])


def constant(value: float, name: str) -> ir.Value:
    """A scalar constant."""
    kind = element(name)
    return arith.ConstantOp(kind, _number(kind, value)).result


def splat(value: float, lanes: int, name: str) -> ir.Value:
    """A vector constant of equal lanes."""

    def build(ip: ir.InsertionPoint | None) -> ir.Value:
        kind = vector_type(lanes, name)
        is_float = name == F32
        scalar = (
            ir.FloatAttr.get(kind.element_type, value)
            if is_float
            else ir.IntegerAttr.get(kind.element_type, int(value))
        )
        return arith.ConstantOp(kind, ir.DenseElementsAttr.get_splat(kind, scalar), ip=ip).result

    return _shared((np.float64(value).tobytes(), lanes, name), build)


def broadcast(scalar: ir.Value, lanes: int) -> ir.Value:
    """A vector of equal lanes."""
    return vector.BroadcastOp(ir.VectorType.get([lanes], scalar.type), scalar).result


def broadcast_lane(value: ir.Value, lanes: int) -> ir.Value:
    """The first lane of a vector in all lanes of another."""
    return broadcast(vector.ExtractOp(value, [], [0]).result, lanes)


def shuffle(a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """Some lanes of two vectors, counted through both."""
    return vector.ShuffleOp(a, b, list(lanes)).result


def narrowed(value: ir.Value, name: str) -> ir.Value:
    """A vector as it is stored: i32 as i8 or i16 where `name` says so."""
    if name not in (I8, I16):
        return value
    return arith.TruncIOp(vector_type(ir.VectorType(value.type).shape[0], name), value).result


def bitcast(value: ir.Value, lanes: int, name: str) -> ir.Value:
    """The bits of a vector as another vector."""
    return vector.BitCastOp(vector_type(lanes, name), value).result


def load(buffer: ir.Value, at: Index, lanes: int) -> ir.Value:
    """Contiguous elements as a vector."""
    kind = ir.VectorType.get([lanes], ir.MemRefType(buffer.type).element_type)
    return built("vector.load", kind, [buffer, index(at)])


def gather(buffer: ir.Value, places: ir.Value, lanes: int) -> ir.Value:
    """An element for each lane of `places`."""
    kind = ir.VectorType.get([lanes], ir.MemRefType(buffer.type).element_type)
    every = splat(1, lanes, "i1")
    nothing = arith.ConstantOp(kind, ir.DenseElementsAttr.get_splat(kind, zero_of(kind.element_type))).result
    return vector.GatherOp(kind, buffer, [index(0)], places, every, nothing).result


def zero_of(kind: ir.Type) -> ir.Attribute:
    """0 of an element type."""
    return _number(kind, 0)


def prefetch(buffer: ir.Value, at: Index) -> None:
    """Bring the line of an element, which may lie beyond the buffer, to the first-level cache."""
    nearest = 3
    memref.PrefetchOp(buffer, [index(at)], False, nearest, True)


def load_scalar(buffer: ir.Value, at: Index) -> ir.Value:
    """One element."""
    return memref.LoadOp(buffer, [index(at)]).result


def store(value: ir.Value, buffer: ir.Value, at: Index) -> None:
    """A vector to contiguous elements."""
    ir.Operation.create("vector.store", [], [value, buffer, index(at)])


def part(value: ir.Value, first: int, lanes: int) -> ir.Value:
    """Some neighbouring lanes of a vector."""
    kind = ir.VectorType(value.type)
    if first == 0 and lanes == kind.shape[0]:
        return value
    offsets, sizes, strides = ([ir.IntegerAttr.get(ir.IntegerType.get_signless(64), x)] for x in (first, lanes, 1))
    result = ir.VectorType.get([lanes], kind.element_type)
    return vector.ExtractStridedSliceOp(
        result, value, ir.ArrayAttr.get(offsets), ir.ArrayAttr.get(sizes), ir.ArrayAttr.get(strides)
    ).result


def select(condition: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """The vector a or b as a whole."""
    return arith.SelectOp(condition, a, b).result


def first_lanes(value: ir.Value, count: int, others: ir.Value) -> ir.Value:
    """The first `count` lanes of a vector, and the others of another."""
    lanes = ir.VectorType(value.type).shape[0]
    return shuffle(value, others, [lane if lane < count else lanes + lane for lane in range(lanes)])


def is_within(value: Index, limit: int) -> ir.Value:
    """Whether 0 <= value < limit."""
    return arith.CmpIOp(arith.CmpIPredicate.ult, index(value), index(limit)).result


def insert(piece: ir.Value, into: ir.Value, first: int) -> ir.Value:
    """A vector with some neighbouring lanes replaced."""
    i64 = ir.IntegerType.get_signless(64)
    offsets, strides = (ir.ArrayAttr.get([ir.IntegerAttr.get(i64, x)]) for x in (first, 1))
    return vector.InsertStridedSliceOp(piece, into, offsets, strides).result


def powers(count: int, largest: int) -> list[tuple[int, int]]:
    """`count` as (offset, length) pieces whose lengths are powers of two, the largest first."""
    pieces: list[tuple[int, int]] = []
    at = 0
    while at < count:
        size = largest
        while size > count - at:
            size //= 2
        pieces.append((at, size))
        at += size
    return pieces


def load_lanes(buffer: ir.Value, at: Index, count: int, lanes: int) -> ir.Value:
    """The first `count` lanes from memory, which is not read beyond; the others are 0."""
    if count == lanes:
        return load(buffer, at, lanes)
    kind = ir.VectorType.get([lanes], ir.MemRefType(buffer.type).element_type)
    value = arith.ConstantOp(kind, ir.DenseElementsAttr.get_splat(kind, zero_of(kind.element_type))).result
    for first, size in powers(count, lanes):
        value = insert(load(buffer, add(at, first), size), value, first)
    return value


def store_lanes(value: ir.Value, buffer: ir.Value, at: Index, count: int) -> None:
    """The first `count` lanes to memory."""
    for first, size in powers(count, ir.VectorType(value.type).shape[0]):
        store(part(value, first, size), buffer, add(at, first))


def scratch(size: int, name: str) -> ir.Value:
    """A buffer on the stack, made where the kernel begins: there is one, however often a loop around it goes round."""
    alignment = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), 64)
    begin = None if _writing is None else _writing.begin
    return memref.AllocaOp(memref_type(size, name), [], [], alignment=alignment, ip=begin).result


def intrinsic(name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """A call of an LLVM intrinsic."""
    attributes = {
        "intrin": ir.StringAttr.get(name),
        "op_bundle_sizes": ir.DenseI32ArrayAttr.get([]),
        "operandSegmentSizes": ir.DenseI32ArrayAttr.get([len(arguments), 0]),
    }
    return ir.Operation.create(
        "llvm.call_intrinsic", results=[result], operands=list(arguments), attributes=attributes
    ).results[0]


def rounded(value: ir.Value) -> ir.Value:
    """An f32 result as it is when it is stored: IREE lets a product and the sum after it become one instruction."""
    return intrinsic("llvm.arithmetic.fence", value.type, value)


def _number(kind: ir.Type, value: float) -> ir.Attribute:
    return ir.FloatAttr.get(kind, value) if isinstance(kind, ir.F32Type) else ir.IntegerAttr.get(kind, int(value))


def _nsw(name: str, a: ir.Value, b: ir.Value) -> ir.Value:
    if _writing is None:
        return built(name, a.type, [a, b], {"overflowFlags": ir.Attribute.parse(_NSW)})
    return built(name, _writing.index, [a, b], _writing.no_overflow)
