"""A fused op as kernels see it: one root, and the element-wise TOSA that follows it, lane by lane.

    %r = "quantune.fused"(%x, %residual) ({
    ^bb0(%a: tensor<1x8x8x16xi8>, %b: tensor<1x8x8x32xi8>):
      %acc = tosa.conv2d %a, ...       the root; a group of element-wise ops alone has none
      %y = tosa.cast %acc ...          the epilogue
      quantune.yield %y
    }) {kernel = "convolution"}

The body is ordinary TOSA and defines what the op computes; its constants stand inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quantune_mlir.ir.edit import shape_of
from quantune_mlir.ir.mlir import ir

FUSED: Final = "quantune.fused"
YIELD: Final = "quantune.yield"
KERNEL: Final = "kernel"

CONVOLUTION, DEPTHWISE, ELEMENTWISE = "convolution", "depthwise", "elementwise"
FAMILIES: Final = {
    "tosa.conv2d": CONVOLUTION,
    "tosa.matmul": CONVOLUTION,
    "tosa.depthwise_conv2d": DEPTHWISE,
}
"""Kernel families by root."""

_CONSTANTS: Final = ("tosa.const", "tosa.const_shape")


class Group:
    """The parts of a `quantune.fused` op."""

    def __init__(self, op: ir.Operation) -> None:
        self.op = op
        block = op.regions[0].blocks[0]
        *body, last = (view.operation for view in block.operations)
        self.arguments: list[ir.Value] = list(block.arguments)
        ops = [inner for inner in body if inner.name not in _CONSTANTS]
        self.root: ir.Operation | None = next((inner for inner in ops if inner.name in FAMILIES), None)
        views = [inner for inner in ops if inner.name in VIEWS]
        self.views: list[ir.Operation] = views
        started = [*views, *([self.root] if self.root else [])]
        self.epilogue: list[ir.Operation] = [inner for inner in ops if inner not in started]
        self.result: ir.Value = last.operands[0]

    @property
    def family(self) -> str:
        """The kernel family that it names."""
        return ir.StringAttr(self.op.attributes[KERNEL]).value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, and of every tensor of the epilogue that is no constant."""
        return shape_of(self.op.results[0])

    def inline(self) -> None:
        """Put the body in the op's place."""
        mapping: dict[ir.Value, ir.Value] = dict(zip(self.arguments, self.op.operands, strict=True))
        block = self.op.regions[0].blocks[0]
        *body, last = (view.operation for view in block.operations)
        for inner in body:
            twin = inner.clone(ip=ir.InsertionPoint(self.op))
            for position, operand in enumerate(inner.operands):
                if operand in mapping:
                    twin.operands[position] = mapping[operand]
            mapping.update(zip(inner.results, twin.results, strict=True))
        self.op.results[0].replace_all_uses_with(mapping[last.operands[0]])
        self.op.erase()


VIEWS: Final = frozenset({"tosa.slice"})
"""Ops before a root that only say which part of a tensor it reads."""


def fuse(ops: Sequence[ir.Operation], family: str) -> ir.Operation:
    """Put `ops`, in program order, into a `quantune.fused` op in place of the last one; what they read becomes operands.

    Only the last op's result may be used outside.
    """
    inside = set(ops)
    *_, last = ops
    outer: list[ir.Value] = []
    constants: list[ir.Operation] = []
    for op in ops:
        for operand in op.operands:
            owner = None if isinstance(operand, ir.BlockArgument) else operand.owner.operation
            if owner in inside or operand in outer or owner in constants:
                continue
            if owner is not None and owner.name in _CONSTANTS:
                constants.append(owner)
            else:
                outer.append(operand)
    fused = ir.Operation.create(
        FUSED,
        results=[last.results[0].type],
        operands=outer,
        attributes={KERNEL: ir.StringAttr.get(family, last.context), **_stamps(ops)},
        regions=1,
        loc=ops[0].location,
        ip=ir.InsertionPoint(last),
    )
    block = fused.regions[0].blocks.append(*(v.type for v in outer), arg_locs=[ops[0].location] * len(outer))
    mapping: dict[ir.Value, ir.Value] = dict(zip(outer, block.arguments, strict=True))
    for op in [*constants, *ops]:
        twin = op.clone(ip=ir.InsertionPoint(block))
        for position, operand in enumerate(op.operands):
            twin.operands[position] = mapping[operand]
        mapping.update(zip(op.results, twin.results, strict=True))
    with ir.InsertionPoint(block), ops[0].location:
        ir.Operation.create(YIELD, operands=[mapping[last.results[0]]])
    last.results[0].replace_all_uses_with(fused.results[0])
    for op in reversed(ops):
        op.erase()
    return fused


def _stamps(ops: Sequence[ir.Operation]) -> dict[str, ir.Attribute]:
    """The layer and op type of the root."""
    source = next((op for op in ops if op.name in FAMILIES), ops[0])
    return {name: source.attributes[name] for name in ("quantune.layer", "quantune.op") if name in source.attributes}
