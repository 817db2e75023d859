"""How a group grows from the op that it starts at.

It grows along element-wise ops as long as only one value leaves it; what else these ops read may come through ops of
their own, which join too. A group ends after the last op at which its value is stored: what an i8 tensor feeds may
still join, so a residual addition is computed in the registers of the convolution before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Final

from quantune_mlir.kernels.emit.vector_ops import CODES, EMITTERS, is_supported, tensor_operands
from quantune_mlir.kernels.fusion.fusion_rules import joins_rows, repeats_in
from quantune_mlir.kernels.fusion.group import FAMILIES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op, is_static_tensor, shape_of, users
from quantune_mlir.mlir.tosa.traits import traits_of

_MOST_OPS: Final = 40
_MOST_ALONE: Final = 160
"""Ops of a group without a root: nothing else takes its registers."""
_MOST_BUFFERS: Final = 28
"""What a group may read and write: a dispatch of IREE's has 32 buffers at most, some of which are a kernel's own."""


@dataclass(frozen=True)
class Graph:
    """The ops of a block, with what is asked of each many times while groups grow: nothing changes until then."""

    order: dict[ir.Operation, int]
    _of_rows: dict[tuple[int, ...], set[ir.Operation]] = field(default_factory=dict)
    _numbers: dict[ir.Value, bool] = field(default_factory=dict)

    @staticmethod
    def of(block: ir.Block) -> Graph:
        return Graph({view.operation: position for position, view in enumerate(block.operations)})

    @cached_property
    def readers(self) -> dict[ir.Operation, list[ir.Operation]]:
        """What uses the first result of each op."""
        return {op: users(op.results[0]) for op in self.order if len(op.results)}

    @cached_property
    def elementwise(self) -> set[ir.Operation]:
        """The ops that can join a group."""
        return {op for op in self.order if _joins(op)}

    @cached_property
    def by_channel(self) -> set[ir.Operation]:
        """The ops that can join a group without a root besides: they read computed numbers, one for each channel."""
        return {op for op in self.order if op not in self.elementwise and _joins(op, by_channel=True)}

    def of_rows(self, shape: tuple[int, ...]) -> set[ir.Operation]:
        """The ops that can join a group of rows of tensors of this shape."""
        if shape not in self._of_rows:
            self._of_rows[shape] = {op for op in self.order if joins_rows(op, shape)}
        return self._of_rows[shape]

    def is_number(self, value: ir.Value) -> bool:
        """Whether a value is a constant of one element, which takes no buffer."""
        if value not in self._numbers:
            array = constant_value(value)
            self._numbers[value] = array is not None and array.size == 1
        return self._numbers[value]


@dataclass
class GrowingGroup:
    """A group that grows."""

    graph: Graph
    taken: set[ir.Operation]
    joinable: set[ir.Operation]
    members: set[ir.Operation]
    epilogue: set[ir.Operation]
    _made: set[ir.Value] = field(default_factory=set)
    _arrays: set[ir.Value] = field(default_factory=set)
    """What members read, single numbers apart."""
    _unread: dict[ir.Operation, int] = field(default_factory=dict)
    """By member, how many ops read it that are none."""
    _following: set[ir.Operation] = field(default_factory=set)
    """What reads members and may join."""
    _refused: set[ir.Operation] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._count(self.members)

    def largest(
        self, start: ir.Operation, shape: tuple[int, ...] | None = None, *, alone: bool = False
    ) -> set[ir.Operation] | None:
        """The most members that only one value leaves, of the given shape; `alone`: nothing follows the start."""
        best: set[ir.Operation] | None = None
        most = _MOST_OPS if shape is not None or start.name in FAMILIES else _MOST_ALONE
        last = start
        while self._buffers() <= _MOST_BUFFERS:
            if self._leaving() == [last] and _is_stored(last.results[0]) and shape in (None, shape_of(last.results[0])):
                best = set(self.members)
            if not self._following or len(self.members) >= most or alone:
                return best
            following = min(self._following, key=self.graph.order.__getitem__)
            if shape is not None and not self._reads_rows(following, shape):
                self._following.remove(following)
                self._refused.add(following)
                continue
            last = following
            self.add(last)
        return best

    def add(self, op: ir.Operation) -> None:
        """`op` joins, and what feeds it and nothing but members."""
        joining = {op, *self._feeders(op)}
        self.epilogue |= joining
        joining -= self.members
        self.members |= joining
        self._count(joining)

    def _count(self, joining: set[ir.Operation]) -> None:
        """`joining` are members now."""
        for op in joining:
            self._made.add(op.results[0])
            self._arrays.update(value for value in op.operands if not self.graph.is_number(value))
            self._unread[op] = sum(reader not in self.members for reader in self.graph.readers[op])
            self._following.update(self._may_follow(op))
        self._following -= joining
        for source in {source for op in joining for source in map(defining_op, op.operands)}:
            if source in self._unread and source not in joining:
                self._unread[source] = sum(reader not in self.members for reader in self.graph.readers[source])

    def _may_follow(self, op: ir.Operation) -> Iterator[ir.Operation]:
        for reader in self.graph.readers[op]:
            if reader in self.joinable and not any(
                reader in known for known in (self.taken, self.members, self._refused)
            ):
                yield reader

    def _leaving(self) -> list[ir.Operation]:
        """The members that others read."""
        return [op for op, unread in self._unread.items() if unread]

    def _buffers(self) -> int:
        """How many tensors the members read from outside, single numbers apart, and the one that they write."""
        return 1 + len(self._arrays - self._made)

    def _reads_rows(self, op: ir.Operation, shape: tuple[int, ...]) -> bool:
        """Whether what it reads from outside, its feeders included, are whole rows."""
        joining = {op, *self._feeders(op)}
        outside = (value for each in joining for value in tensor_operands(each) if constant_value(value) is None)
        made = {each.results[0] for each in (*joining, *self.members)}
        return all(value in made or repeats_in(shape_of(value), shape) for value in outside)

    def _feeders(self, op: ir.Operation) -> set[ir.Operation]:
        """Ops that compute what `op` reads from outside, and no more than it and the epilogue read.

        What makes a stored tensor of another kernel's accumulators is left to that kernel.
        """
        found: set[ir.Operation] = set()
        for value in tensor_operands(op):
            chain = self._chain(value, {op, *self.epilogue, *found})
            if not (_is_stored(value) and self._reads_accumulators(chain)):
                found |= chain
        return found

    def _chain(self, value: ir.Value, readers: set[ir.Operation]) -> set[ir.Operation]:
        """The ops that compute `value` for `readers` alone."""
        found: set[ir.Operation] = set()
        pending = [value]
        while pending:
            value = pending.pop()
            source = defining_op(value)
            known = readers | found
            if source is None or source in known or source in self.taken or source not in self.joinable:
                continue
            if not known.issuperset(self.graph.readers[source]):
                continue
            if _element(value) in CODES and self._follows_kernel(source):
                continue
            found.add(source)
            pending += tensor_operands(source)
        return found

    def _follows_kernel(self, op: ir.Operation) -> bool:
        """Whether `op` ends what may be the epilogue of another kernel: codes are what it is best to store."""
        pending, seen = [op], {op}
        while pending:
            for source in map(defining_op, tensor_operands(pending.pop())):
                if source is None or source in seen or source in self.members or source in self.taken:
                    continue
                if source.name in FAMILIES or traits_of(source).reduces:
                    return True
                seen.add(source)
                pending += [source] if source in self.joinable else []
        return False

    def _reads_accumulators(self, chain: set[ir.Operation]) -> bool:
        """Whether one of these ops reads what only the kernel that makes it can: it is not to be stored."""
        read = (value for op in chain for value in tensor_operands(op) if not _is_stored(value))
        sources = (defining_op(value) for value in read)
        return any(op is not None and op.name in FAMILIES and op not in self.members for op in sources)


def _joins(op: ir.Operation, *, by_channel: bool = False) -> bool:
    """Whether `op` is element-wise as kernels know it: its operands are of its shape, or numbers, or one a channel.

    Numbers must be constants, unless `by_channel`: then a number for each channel need not.
    """
    if op.name not in EMITTERS or len(op.results) != 1 or not is_static_tensor(op.results[0]):
        return False
    if not is_supported(op):
        return False
    shape = shape_of(op.results[0])
    for operand in tensor_operands(op):
        read, size = shape_of(operand), prod(shape_of(operand))
        is_channels = bool(shape) and size == shape[-1] == read[-1]
        if constant_value(operand) is None:
            if read != shape and not (by_channel and is_channels):
                return False
        elif size != 1 and not is_channels:
            return False
    return bool(shape)


def _is_stored(value: ir.Value) -> bool:
    return _element(value) in ("f32", *CODES)


def _element(value: ir.Value) -> str:
    return str(ir.RankedTensorType(value.type).element_type)
