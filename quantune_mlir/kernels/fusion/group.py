"""A fused op as kernels see it: one root, and the element-wise TOSA around it, lane by lane.

    %r = "quantune.fused"() ({
      %x = ...                         a view, or the prologue: element-wise ops of what the root reads
      %acc = tosa.conv2d %x, ...       the root; a group of element-wise ops alone has none
      %y = tosa.cast %acc ...          the epilogue
      ...
      tosa.yield %z
    }) {kernel = "convolution"}

A group of rows has no root either: reductions of rows stand among its element-wise ops. A slice that is
alone has none.

The body is ordinary TOSA, reads values from outside, and defines what the op computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.mlir.dialects.quantune import FUSED, KERNEL, YIELD
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.permutation import permutation_of
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant
from quantune_mlir.mlir.tosa.traits import traits_of

CONVOLUTION, DEPTHWISE, ELEMENTWISE = "convolution", "depthwise", "elementwise"
POOLING, INTERLEAVE, TRANSPOSE, ROWS, PRODUCT = "pooling", "interleave", "transpose", "rows", "product"
PADDING, SLICE, RESIZE, ARGMAX = "padding", "slice", "resize", "argmax"
MAX_INTERLEAVED: Final = 4
"""Channels that are interleaved in registers."""
FAMILIES: Final = {
    "tosa.conv2d": CONVOLUTION,
    "tosa.matmul": CONVOLUTION,
    "tosa.depthwise_conv2d": DEPTHWISE,
    "tosa.max_pool2d": POOLING,
    "tosa.avg_pool2d": POOLING,
    "tosa.reduce_sum": POOLING,
    "tosa.transpose": TRANSPOSE,
    "tosa.pad": PADDING,
    "tosa.resize": RESIZE,
    "tosa.argmax": ARGMAX,
}
"""Kernel families by root, but see `family_of`. Of several sums in a row the last one is the root."""


def family_of(root: ir.Operation) -> str:
    """The kernel family of a root: others of a product of two activations or of batches, and of a transpose to NHWC."""
    if root.name == "tosa.transpose" and interleaves(root):
        return INTERLEAVE
    if root.name == "tosa.matmul" and not multiplies_by_constant(root):
        return PRODUCT
    return FAMILIES.get(root.name, ELEMENTWISE)


def interleaves(transpose: ir.Operation) -> bool:
    """Whether it makes NHWC of NCHW, of few channels, or the same with other pixels."""
    shape, permutation = shape_of(transpose.operands[0]), permutation_of(transpose)
    return list(permutation) == [0, *range(2, len(shape)), 1] and 1 < shape[1] <= MAX_INTERLEAVED


def multiplies_by_constant(matmul: ir.Operation) -> bool:
    """Whether a matmul is one of a single matrix by constant weights."""
    return rearranged_constant(matmul.operands[1]) is not None and shape_of(matmul.operands[0])[0] == 1


class Group:
    """The parts of a `quantune.fused` op."""

    def __init__(self, op: ir.Operation) -> None:
        self.op = op
        block = op.regions[0].blocks[0]
        *body, last = (view.operation for view in block.operations)
        roots = [inner for inner in body if inner.name in FAMILIES and self.family != ROWS]
        self.roots: list[ir.Operation] = roots
        """The root and, where it is a sum, the sums before it."""
        self.root: ir.Operation | None = roots[-1] if roots else None
        before = _before(self.root, body)
        self.views: list[ir.Operation] = [inner for inner in before if inner.name in VIEWS]
        self.prologue: list[ir.Operation] = [inner for inner in before if inner not in self.views + roots]
        started = [*before, *roots]
        self.epilogue: list[ir.Operation] = [inner for inner in body if inner not in started]
        self._computed = {inner.results[0] for inner in body}
        read = dict.fromkeys(operand for inner in self.epilogue for operand in inner.operands)
        self.read_by_epilogue = [value for value in read if value not in self._computed and not is_constant(value)]
        self.result: ir.Value = last.operands[0]

    @property
    def source(self) -> ir.Value:
        """What the root reads, through views, prologue and earlier sums."""
        assert self.root is not None
        value = self.root.operands[0]
        while value in self._computed:
            value = value.owner.operation.operands[0]
        return value

    @property
    def family(self) -> str:
        """The kernel family that it names."""
        return ir.StringAttr(self.op.attributes[KERNEL]).value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, and of the tensors of the epilogue that are no numbers.

        A group of rows may result in a number for each: it is the shape of what it reduces.
        """
        reduced = (inner.operands[0] for inner in self.epilogue if traits_of(inner).reduces)
        return shape_of(next(reduced, self.op.results[0]) if self.family == ROWS else self.op.results[0])

    def inline(self) -> None:
        """Put the body in the op's place."""
        *body, last = (view.operation for view in self.op.regions[0].blocks[0].operations)
        for inner in body:
            inner.move_before(self.op)
        self.op.results[0].replace_all_uses_with(last.operands[0])
        self.op.erase()


def _before(root: ir.Operation | None, body: Sequence[ir.Operation]) -> list[ir.Operation]:
    """What the root reads, directly or not, of `body`, in its order."""
    needed: set[ir.Value] = set() if root is None else set(root.operands)
    before: list[ir.Operation] = []
    for inner in reversed(body):
        if inner.results[0] in needed:
            before.insert(0, inner)
            needed.update(inner.operands)
    return before


VIEWS: Final = frozenset({"tosa.slice"})
"""Ops before a root that only say which part of a tensor it reads."""


def fuse(ops: Sequence[ir.Operation], family: str) -> ir.Operation:
    """Put `ops`, in program order, into a `quantune.fused` op in place of the last one.

    Only the last op's result may be used outside.
    """
    *_, last = ops
    fused = ir.Operation.create(
        FUSED,
        results=[last.results[0].type],
        attributes={KERNEL: ir.StringAttr.get(family, last.context), **_stamps(ops)},
        regions=1,
        loc=ops[0].location,
        ip=ir.InsertionPoint(last),
    )
    last.results[0].replace_all_uses_with(fused.results[0])
    block = fused.regions[0].blocks.append()
    with ir.InsertionPoint(block), ops[0].location:
        end = ir.Operation.create(YIELD, operands=[last.results[0]])
    for op in ops:
        op.move_before(end)
    return fused


def _stamps(ops: Sequence[ir.Operation]) -> dict[str, ir.Attribute]:
    """The layer and op type of the root."""
    source = next((op for op in ops if op.name in FAMILIES), ops[0])
    return {name: source.attributes[name] for name in ("quantune.layer", "quantune.op") if name in source.attributes}
