"""How a group grows from the op that it starts at.

It grows along element-wise ops as long as only one value leaves it; what else these ops read may come through ops of
their own, which join too. A group ends after the last op at which its value is stored: what an i8 tensor feeds may
still join, so a residual addition is computed in the registers of the convolution before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from quantune_mlir.kernels.fusion.fusion_rules import is_number_of_rows, repeats_in
from quantune_mlir.kernels.fusion.group import FAMILIES
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.passes.kernels.block_graph import Graph, Node, Tensor

_MOST_OPS: Final = 40
_MOST_ALONE: Final = 160
"""Ops of a group without a root: nothing else takes its registers."""
_MOST_BUFFERS: Final = 28
"""What a group may read and write: a dispatch of IREE's has 32 buffers at most, some of which are a kernel's own."""
_position: Final = attrgetter("position")


@dataclass
class GrowingGroup:
    """A group that grows."""

    graph: Graph
    taken: set[Node]
    joinable: set[Node]
    members: set[Node]
    epilogue: set[Node]
    _made: set[Tensor] = field(default_factory=set)
    _arrays: set[Tensor] = field(default_factory=set)
    """What members read, single numbers apart."""
    _leaving: set[Node] = field(default_factory=set)
    """The members that others read."""
    _has_left: bool = False
    """Whether something reads a member that can never be one itself: the group is whole only if it ends there."""
    _following: set[Node] = field(default_factory=set)
    """What reads members and may join."""
    _refused: set[Node] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._count(self.members)

    def largest(self, start: Node, shape: tuple[int, ...] | None = None, *, alone: bool = False) -> set[Node] | None:
        """The most members that only one value leaves; `alone`: nothing follows the start.

        With a `shape`, that value is of it, or one number for each row.
        """
        best: set[Node] | None = None
        most = _MOST_OPS if shape is not None or start.name in FAMILIES else _MOST_ALONE
        last = start
        while len(outside := self._arrays - self._made) < _MOST_BUFFERS:
            is_whole = self._leaving == {last} and not any(tensor.is_flags for tensor in outside)
            if is_whole and _stores(last, shape):
                best = set(self.members)
            if not self._following or self._has_left or len(self.members) >= most or alone:
                return best
            following = min(self._following, key=_position)
            if shape is not None and not self._reads_rows(following, shape):
                self._following.remove(following)
                self._refused.add(following)
                continue
            last = following
            self.add(last)
        return best

    def add(self, op: Node) -> None:
        """`op` joins, and what feeds it and nothing but members."""
        joining = {op, *self._feeders(op)}
        self.epilogue |= joining
        joining -= self.members
        self.members |= joining
        self._count(joining)

    def _count(self, joining: set[Node]) -> None:
        """`joining` are members now."""
        for op in joining:
            if op.makes is not None:
                self._made.add(op.makes)
            self._arrays.update(tensor for tensor in op.reads if not tensor.is_number)
            outside = [reader for reader in op.readers if reader not in self.members]
            if outside:
                self._leaving.add(op)
            for reader in outside:
                if reader not in self.joinable or reader in self.taken:
                    self._has_left = True
                elif reader not in self._refused:
                    self._following.add(reader)
        self._following -= joining
        sources = {tensor.source for op in joining for tensor in op.reads}
        for source in self._leaving & sources:
            if self.members.issuperset(source.readers):
                self._leaving.remove(source)

    def _reads_rows(self, op: Node, shape: tuple[int, ...]) -> bool:
        """Whether what it reads from outside, its feeders included, are whole rows or a number for each."""
        joining = {op, *self._feeders(op)}
        made = joining | self.members
        outside = (tensor.value for each in joining for tensor in each.tensors if tensor.source not in made)
        return all(
            is_constant(value) or is_number_of_rows(value, shape) or repeats_in(shape_of(value), shape)
            for value in outside
        )

    def _feeders(self, op: Node) -> set[Node]:
        """Ops that compute what `op` reads from outside, and no more than it and the epilogue read.

        What makes a stored tensor of another kernel's accumulators is left to that kernel.
        """
        found: set[Node] = set()
        for tensor in op.tensors:
            chain = self._chain(tensor, {op, *self.epilogue, *found})
            if not (tensor.is_stored and self._reads_accumulators(chain)):
                found |= chain
        return found

    def _chain(self, tensor: Tensor, readers: set[Node]) -> set[Node]:
        """The ops that compute `tensor` for `readers` alone."""
        found: set[Node] = set()
        pending = [tensor]
        while pending:
            tensor = pending.pop()
            source = tensor.source
            known = readers | found
            if source is None or source in known or source in self.taken or source not in self.joinable:
                continue
            if not known.issuperset(source.readers):
                continue
            if tensor.is_code and self._follows_kernel(source):
                continue
            found.add(source)
            pending += source.tensors
        return found

    def _follows_kernel(self, op: Node) -> bool:
        """Whether `op` ends what may be the epilogue of another kernel: codes are what it is best to store."""
        pending, seen = [op], {op}
        while pending:
            for source in (tensor.source for tensor in pending.pop().tensors):
                if source is None or source in seen or source in self.members or source in self.taken:
                    continue
                if source.name in FAMILIES or traits_of(source.op).reduces:
                    return True
                seen.add(source)
                pending += [source] if source in self.joinable else []
        return False

    def _reads_accumulators(self, chain: set[Node]) -> bool:
        """Whether one of these ops reads what only the kernel that makes it can: it is not to be stored."""
        sources = (tensor.source for op in chain for tensor in op.tensors if not tensor.is_stored)
        return any(op is not None and op.name in FAMILIES and op not in self.members for op in sources)


def _stores(op: Node, shape: tuple[int, ...] | None) -> bool:
    """Whether what it makes can be stored, and is rows of a shape, or a number for each, if one is given."""
    made = op.makes
    if made is None or not made.is_stored:
        return False
    return shape is None or shape_of(made.value) == shape or is_number_of_rows(made.value, shape)
