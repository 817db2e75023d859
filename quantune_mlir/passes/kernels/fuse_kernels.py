"""quantune-fuse-kernels.

In:  TOSA of any precision.
Out: the same, ops that one kernel computes together inside a `quantune.fused` op (see kernels/fusion/group.py).

A group starts at a convolution or depthwise convolution with constant weights, at a matmul, a pooling, a mean, a pad, a
resize or the transpose of the network's input, at a reduction of rows (softmax, normalisations), or at an element-wise
op (see kernels/fusion/fusion_rules.py and passes/kernels/group_growth.py). Element-wise ops among reductions that no
kernel computes stay as they are: IREE makes one dispatch of them all.
"""

from __future__ import annotations

from collections.abc import Reversible, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.kernels.emit.vector_ops import EMITTERS
from quantune_mlir.kernels.fusion.fusion_rules import before_root, is_root, reduces_rows
from quantune_mlir.kernels.fusion.group import ELEMENTWISE, FAMILIES, ROWS, family_of, fuse
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import defining_op, shape_of
from quantune_mlir.mlir.function import entry_block, functions, ops_named
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.passes.kernels.group_growth import Graph, GrowingGroup
from quantune_mlir.pipeline.base import Pass

_ALONE: Final = ("reorders", "fills")
"""How what is moved comes out of a kernel that computes nothing of what follows."""


@dataclass(frozen=True)
class FuseKernels(Pass):
    """Group the ops that one kernel computes together."""

    name: ClassVar[str] = "quantune-fuse-kernels"

    def apply(self, module: ir.Module) -> None:
        for function in functions(module):
            for loop in ops_named(function, LOOP):
                _fuse(loop.regions[1].blocks[0])
            _fuse(entry_block(function))


def _fuse(block: ir.Block) -> None:
    graph = Graph.of(block)
    order = graph.order
    taken: set[ir.Operation] = set()
    groups: list[tuple[list[ir.Operation], str]] = []
    rows = [op for op in order if reduces_rows(op)]
    others = [op for op in order if op in graph.elementwise or op in graph.by_channel]
    for starts in (_roots(order), rows, others):
        for start in starts:
            if start in taken:
                continue
            members = _grow_rows(start, graph, taken) if starts is rows else _grow(start, graph, taken)
            if members is None:
                continue
            taken.update(members)
            family = ROWS if starts is rows else family_of(start)
            groups.append((sorted(members, key=order.__getitem__), family))
    groups = [group for group in groups if group[1] != ELEMENTWISE or not _meets_reductions(group[0], graph, taken)]
    for members, family in sorted(groups, key=lambda group: order[group[0][-1]]):
        fuse(members, family)


def _meets_reductions(members: Sequence[ir.Operation], graph: Graph, taken: set[ir.Operation]) -> bool:
    """Whether ops beside the group are none of ours but such as IREE fuses with it: softmax is one dispatch there."""
    readers = [user for op in members for user in graph.readers[op]]
    sources = [defining_op(operand) for op in members for operand in op.operands]
    beside = [op for op in (*readers, *sources) if op is not None and op not in taken]
    return any(traits_of(op).reduces or op.name in EMITTERS for op in beside)


def _roots(ops: Reversible[ir.Operation]) -> list[ir.Operation]:
    """Ops that a kernel starts with, the last first: it takes the addition of a residual that is ready before it."""
    return [op for op in reversed(ops) if op.name in FAMILIES and is_root(op)]


def _grow(start: ir.Operation, graph: Graph, taken: set[ir.Operation]) -> set[ir.Operation] | None:
    """The largest group from `start` on that only one value leaves; None if nothing but the start could be stored."""
    joinable = graph.elementwise if start.name in FAMILIES else graph.elementwise | graph.by_channel
    growth = GrowingGroup(graph, taken, joinable, {start, *before_root(start)}, {start} & joinable)
    return growth.largest(start, alone=traits_of(start).moves in _ALONE)


def _grow_rows(start: ir.Operation, graph: Graph, taken: set[ir.Operation]) -> set[ir.Operation] | None:
    """The largest group of ops on the rows that `start` reduces, the result as large as what it reads."""
    shape = shape_of(start.operands[0])
    growth = GrowingGroup(graph, taken, graph.of_rows(shape), set(), set())
    growth.add(start)
    return growth.largest(start, shape)
