"""The ops of a block as plain objects, which hold what is asked of each many times while groups grow.

Nothing may change in the block meanwhile. To ask MLIR's bindings takes ten times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Final

from quantune_mlir.kernels.emit.casts import CODES
from quantune_mlir.kernels.emit.vector_ops import EMITTERS, is_supported, tensor_operands
from quantune_mlir.kernels.fusion.fusion_rules import joins_rows
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS, is_constant, is_splat
from quantune_mlir.mlir.edit import is_static_tensor, shape_of, users

_STORED: Final = frozenset({"f32", *CODES})


@dataclass(eq=False, slots=True)
class Tensor:
    """A value that ops of the block read or make.

    Attributes:
        value: what it is in IR.
        source: the op of the block that computes it.
        is_stored: whether it is of a type that is stored.
        is_code: whether it is of one of the integer types among these.
        is_flags: whether it is of booleans, which are in registers only.
        is_number: whether it is a constant of one element, which takes no buffer.
    """

    value: ir.Value
    source: Node | None
    is_stored: bool
    is_code: bool
    is_flags: bool
    is_number: bool

    @classmethod
    def of(cls, value: ir.Value, source: Node | None) -> Tensor:
        element = str(value.type.element_type) if isinstance(value.type, ir.RankedTensorType) else ""
        is_number = is_constant(value) and is_static_tensor(value) and prod(shape_of(value)) == 1
        return cls(value, source, element in _STORED, element in CODES, element == "i1", is_number)


@dataclass(eq=False, slots=True)
class Node:
    """An op.

    Attributes:
        op: what it is in IR.
        position: in the block; -1 of one that stands elsewhere, of which nothing but the name is known.
        name: the op's.
        reads: its operands.
        tensors: those of them that have lanes.
        makes: its first result, if it has any.
        readers: the ops that read that, each once.
    """

    op: ir.Operation
    position: int
    name: str
    reads: list[Tensor] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    makes: Tensor | None = None
    readers: list[Node] = field(default_factory=list)


class Graph:
    """The ops of a block, in its order.

    They refer to each other in rings, which Python finds late: left as a context, they let go of the IR at once.
    """

    def __init__(self, block: ir.Block) -> None:
        ops = [view.operation for view in block.operations]
        self.nodes = [Node(op, position, op.name) for position, op in enumerate(ops)]
        self._by_op = dict(zip(ops, self.nodes, strict=True))
        self._of_rows: dict[tuple[int, ...], set[Node]] = {}
        tensors: dict[ir.Value, Tensor] = {}

        def tensor(value: ir.Value, source: Node | None = None) -> Tensor:
            if value not in tensors:
                tensors[value] = Tensor.of(value, source)
            return tensors[value]

        for node in self.nodes:
            operands = node.op.operands
            if len(operands):
                node.reads = [tensor(value) for value in operands]
                node.tensors = [tensors[value] for value in tensor_operands(node.op)]
            results = [tensor(value, node) for value in node.op.results]
            if results and node.name not in CONSTANTS:
                node.makes = results[0]
                readers = users(results[0].value)
                node.readers = [self.node(op) or Node(op, position=-1, name=op.name) for op in readers]

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.reads, node.tensors, node.makes, node.readers = [], [], None, []

    def node(self, op: ir.Operation) -> Node | None:
        """That of an op; None if it stands elsewhere, or inside of another."""
        return self._by_op.get(op)

    @cached_property
    def elementwise(self) -> set[Node]:
        """The ops that can join a group."""
        return {node for node in self.nodes if _joins(node)}

    @cached_property
    def by_channel(self) -> set[Node]:
        """The ops that can join a group without a root besides: they read computed numbers, one for each channel."""
        return {node for node in self.nodes if node not in self.elementwise and _joins(node, by_channel=True)}

    @cached_property
    def without_root(self) -> set[Node]:
        """The ops that can join a group without a root."""
        return self.elementwise | self.by_channel

    def of_rows(self, shape: tuple[int, ...]) -> set[Node]:
        """The ops that can join a group of rows of tensors of this shape."""
        if shape not in self._of_rows:
            self._of_rows[shape] = {node for node in self.nodes if joins_rows(node.op, shape)}
        return self._of_rows[shape]


def _joins(node: Node, *, by_channel: bool = False) -> bool:
    """Whether an op is element-wise as kernels know it: its operands are of its shape, or numbers, or one a channel.

    Numbers must be constants, unless `by_channel`: then a number for each channel need not.
    """
    op = node.op
    if node.name not in EMITTERS or len(op.results) != 1 or not is_static_tensor(op.results[0]):
        return False
    if not is_supported(op):
        return False
    shape = shape_of(op.results[0])
    for tensor in node.tensors:
        read = shape_of(tensor.value)
        size = prod(read)
        is_channels = bool(shape) and size == shape[-1] == read[-1]
        if not is_constant(tensor.value):
            if read != shape and not (by_channel and is_channels):
                return False
        elif not is_channels and not is_splat(tensor.value):
            return False
    return bool(shape)
