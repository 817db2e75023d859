"""quantune-fuse-kernels.

In:  TOSA of any precision.
Out: the same, ops that one kernel computes together inside a `quantune.fused` op (see kernels/group.py).

A group starts at a convolution, depthwise convolution or matmul with constant weights, at a pooling, a mean or the
transpose of the network's input, or at an element-wise op (see kernels/roots.py). It grows along element-wise ops as
long as only one value leaves it; what else these ops read may come through element-wise ops of their own, which join
too. A group ends after the last op at which its value is stored: what an i8 tensor feeds may still join, so a residual
addition is computed in the registers of the convolution before it. Element-wise ops among reductions that no kernel
computes stay as they are: IREE makes one dispatch of them all.
"""

from __future__ import annotations

from collections.abc import Reversible, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from quantune_mlir.ir.constants import constant_value
from quantune_mlir.ir.edit import defining_op, is_static_tensor, shape_of, users
from quantune_mlir.ir.function import functions
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import entry_block
from quantune_mlir.kernels.elementwise_ops import EMITTERS, is_supported, tensor_operands
from quantune_mlir.kernels.group import ELEMENTWISE, FAMILIES, INTERLEAVE, fuse
from quantune_mlir.kernels.roots import before_root, is_root
from quantune_mlir.passes.base import Pass

_MOST_OPS: Final = 40
_MOST_BUFFERS: Final = 28
"""What a group may read and write: a dispatch of IREE's has 32 buffers at most, some of which are a kernel's own."""


@dataclass(frozen=True)
class FuseKernels(Pass):
    """Group the ops that one kernel computes together."""

    name: ClassVar[str] = "quantune-fuse-kernels"

    def apply(self, module: ir.Module) -> None:
        for function in functions(module):
            _fuse(entry_block(function))


@dataclass(frozen=True)
class _Graph:
    """The ops of a block, with what is asked of each many times while groups grow: nothing changes until then."""

    order: dict[ir.Operation, int]

    @staticmethod
    def of(block: ir.Block) -> _Graph:
        return _Graph({view.operation: position for position, view in enumerate(block.operations)})

    @cached_property
    def readers(self) -> dict[ir.Operation, list[ir.Operation]]:
        """What uses the first result of each op."""
        return {op: users(op.results[0]) for op in self.order if len(op.results)}

    @cached_property
    def elementwise(self) -> set[ir.Operation]:
        """The ops that can join a group."""
        return {op for op in self.order if _joins(op)}


def _fuse(block: ir.Block) -> None:
    graph = _Graph.of(block)
    order = graph.order
    taken: set[ir.Operation] = set()
    groups: list[tuple[list[ir.Operation], str]] = []
    for starts in (_roots(order), [op for op in order if op in graph.elementwise]):
        for start in starts:
            if start in taken:
                continue
            members = _grow(start, graph, taken)
            if members is None:
                continue
            taken.update(members)
            groups.append((sorted(members, key=order.__getitem__), FAMILIES.get(start.name, ELEMENTWISE)))
    groups = [group for group in groups if group[1] != ELEMENTWISE or not _meets_reductions(group[0], graph, taken)]
    for members, family in sorted(groups, key=lambda group: order[group[0][-1]]):
        fuse(members, family)


def _meets_reductions(members: Sequence[ir.Operation], graph: _Graph, taken: set[ir.Operation]) -> bool:
    """Whether ops beside the group are none of ours but such as IREE fuses with it: softmax is one dispatch there."""
    readers = [user for op in members for user in graph.readers[op]]
    sources = [defining_op(operand) for op in members for operand in op.operands]
    beside = [op for op in (*readers, *sources) if op is not None and op not in taken]
    return any(op.name.startswith("tosa.reduce_") or op.name in EMITTERS for op in beside)


def _roots(ops: Reversible[ir.Operation]) -> list[ir.Operation]:
    """Ops that a kernel starts with, the last first: it takes the addition of a residual that is ready before it."""
    return [op for op in reversed(ops) if op.name in FAMILIES and is_root(op)]


def _joins(op: ir.Operation) -> bool:
    """Whether `op` is element-wise as kernels know it: its operands are of its shape, or numbers, or one a channel."""
    if op.name not in EMITTERS or len(op.results) != 1 or not is_static_tensor(op.results[0]):
        return False
    if not is_supported(op):
        return False
    shape = shape_of(op.results[0])
    for operand in tensor_operands(op):
        if constant_value(operand) is None:
            if shape_of(operand) != shape:
                return False
            continue
        of_constant = shape_of(operand)
        size = 1
        for dimension in of_constant:
            size *= dimension
        if size != 1 and (size != shape[-1] or of_constant[-1] != size):
            return False
    return bool(shape)


def _grow(start: ir.Operation, graph: _Graph, taken: set[ir.Operation]) -> set[ir.Operation] | None:
    """The largest group from `start` on that only one value leaves; None if nothing but the start could be stored."""
    members = {start, *before_root(start)}
    epilogue = {start} & graph.elementwise
    best: set[ir.Operation] | None = None
    last = start
    while True:
        if _buffers(members) > _MOST_BUFFERS:
            return best
        leaving = {op for op in members if not members.issuperset(graph.readers[op])}
        if leaving == {last} and _is_stored(last.results[0]):
            best = set(members)
        candidates = {user for op in members for user in graph.readers[op]} - members - taken
        joining = candidates & graph.elementwise
        if not joining or len(members) >= _MOST_OPS or FAMILIES.get(start.name) == INTERLEAVE:
            return best
        last = min(joining, key=graph.order.__getitem__)
        epilogue |= {last, *_feeders(last, graph, epilogue, taken)}
        members |= epilogue


def _buffers(members: set[ir.Operation]) -> int:
    """How many tensors `members` read from outside, single numbers apart, and the one that they write."""
    made = {op.results[0] for op in members}
    read = {operand for op in members for operand in op.operands} - made
    arrays = [constant_value(value) for value in read]
    return 1 + sum(array is None or array.size > 1 for array in arrays)


def _feeders(
    op: ir.Operation, graph: _Graph, epilogue: set[ir.Operation], taken: set[ir.Operation]
) -> set[ir.Operation]:
    """Element-wise ops that compute what `op` reads from outside, and no more than it and the `epilogue` read.

    Stored tensors end them.
    """
    found: set[ir.Operation] = set()
    readers = {op, *epilogue}
    pending = tensor_operands(op)
    while pending:
        value = pending.pop()
        source = defining_op(value)
        if source is None or source in readers or source in taken or source not in graph.elementwise:
            continue
        if _element(value) == "i8" or not readers.issuperset(graph.readers[source]):
            continue
        readers.add(source)
        found.add(source)
        pending += tensor_operands(source)
    return found


def _is_stored(value: ir.Value) -> bool:
    return _element(value) in ("i8", "f32")


def _element(value: ir.Value) -> str:
    return str(ir.RankedTensorType(value.type).element_type)
