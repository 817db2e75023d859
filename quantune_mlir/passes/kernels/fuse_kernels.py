"""quantune-fuse-kernels.

In:  TOSA of any precision.
Out: the same, ops that one kernel computes together inside a `quantune.fused` op (see kernels/fusion/group.py).

A group starts at a convolution or depthwise convolution with constant weights, at a matmul, a pooling, a mean, a pad, a
resize, an argmax or the transpose of the network's input, at a reduction of rows (softmax, normalisations), at an
element-wise op that reads a computed number for each row, or at any other that is element-wise (see
kernels/fusion/fusion_rules.py and passes/kernels/group_growth.py). A slice that is in none is one of its own.
Element-wise ops among reductions that no kernel computes stay as they are: IREE makes one dispatch of them all.
"""

from __future__ import annotations

from collections.abc import Reversible, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import ClassVar, Final

from quantune_mlir.kernels.emit.vector_ops import EMITTERS
from quantune_mlir.kernels.fusion.fusion_rules import before_root, is_cut, is_root, reads_numbers_of_rows, reduces_rows
from quantune_mlir.kernels.fusion.group import ARGMAX, ELEMENTWISE, FAMILIES, ROWS, SLICE, family_of, fuse
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.function import entry_block, functions, ops_named
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.passes.kernels.block_graph import Graph, Node
from quantune_mlir.passes.kernels.group_growth import GrowingGroup
from quantune_mlir.pipeline.base import Pass

_ALONE: Final = ("reorders", "fills")
"""How what is moved comes out of a kernel that computes nothing of what follows."""
_position: Final = attrgetter("position")


@dataclass(frozen=True)
class FuseKernels(Pass):
    """Group the ops that one kernel computes together."""

    name: ClassVar[str] = "quantune-fuse-kernels"

    def apply(self, module: ir.Module) -> None:
        for function in functions(module):
            for loop in ops_named(function, LOOP):
                _fuse(loop.regions[1].blocks[0], slices=False)
            _fuse(entry_block(function), slices=True)


def _fuse(block: ir.Block, *, slices: bool) -> None:
    """`slices`: whether one has a kernel of its own; a loop computes those within."""
    with Graph(block) as graph:
        groups = [([node.op for node in members], family) for members, family in _groups(graph, slices=slices)]
    for members, family in groups:
        fuse(members, family)


def _groups(graph: Graph, *, slices: bool) -> list[tuple[list[Node], str]]:
    """What kernels compute together, and their families, in the order of the block."""
    taken: set[Node] = set()
    groups: list[tuple[list[Node], str]] = []
    rows = [node for node in graph.nodes if reduces_rows(node.op)]
    rows += [node for node in graph.nodes if reads_numbers_of_rows(node.op) and node not in graph.without_root]
    others = [node for node in graph.nodes if node in graph.without_root]
    for starts in (_roots(graph.nodes), rows, others):
        for start in starts:
            if start in taken:
                continue
            members = _grow_rows(start, graph, taken) if starts is rows else _grow(start, graph, taken)
            if members is None:
                continue
            taken.update(members)
            family = ROWS if starts is rows else family_of(start.op)
            groups.append((sorted(members, key=_position), family))
    groups = [group for group in groups if group[1] != ELEMENTWISE or not _meets_reductions(group[0], taken)]
    if slices:
        groups += [([node], SLICE) for node in graph.nodes if node not in taken and is_cut(node.op)]
    return sorted(groups, key=lambda group: group[0][-1].position)


def _meets_reductions(members: Sequence[Node], taken: set[Node]) -> bool:
    """Whether ops beside the group are none of ours but such as IREE fuses with it: softmax is one dispatch there."""
    sources = (tensor.source for node in members for tensor in node.reads)
    beside = chain((source for source in sources if source is not None), *(node.readers for node in members))
    return any(traits_of(node.op).reduces or node.name in EMITTERS for node in beside if node not in taken)


def _roots(nodes: Reversible[Node]) -> list[Node]:
    """Ops that a kernel starts with, the last first: it takes the addition of a residual that is ready before it."""
    return [node for node in reversed(nodes) if node.name in FAMILIES and is_root(node.op)]


def _grow(start: Node, graph: Graph, taken: set[Node]) -> set[Node] | None:
    """The largest group from `start` on that only one value leaves; None if nothing but the start could be stored."""
    if family_of(start.op) == ARGMAX:
        return {start}
    joinable = graph.elementwise if start.name in FAMILIES else graph.without_root
    before = {node for node in map(graph.node, before_root(start.op)) if node is not None}
    growth = GrowingGroup(graph, taken, joinable, {start, *before}, {start} & joinable)
    return growth.largest(start, alone=traits_of(start.op).moves in _ALONE)


def _grow_rows(start: Node, graph: Graph, taken: set[Node]) -> set[Node] | None:
    """The largest group of ops on the rows that `start` reduces or makes, the result rows or a number for each."""
    shape = shape_of(start.op.operands[0] if traits_of(start.op).reduces else start.op.results[0])
    growth = GrowingGroup(graph, taken, graph.of_rows(shape), set(), set())
    growth.add(start)
    return growth.largest(start, shape)
