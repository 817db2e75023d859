"""In: functions of one tensor, and softmaxes, written as several layers. Out: each as one layer, named after its last.

    x * clamp(x + 3, 0, 6) / 6       x * sigmoid(x)       x * (1 + erf(x / sqrt 2)) / 2       x * tanh(log(1 + exp x))

Whatever the order and the constants: element-wise ops that part from one tensor and meet again are a function of it, if
nothing else reads what is between; a factor or a term that follows belongs to it. So an activation that an exporter
wrote out gets the one table, or the one epilogue, that its node would get; and a softmax stays fp32 as a whole, as its
node would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.graph.network import Network
from quantune_mlir.graph.softmax import find_softmaxes
from quantune_mlir.graph.units import as_function
from quantune_mlir.mlir.attributes import LAYER, OP, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import defining_op, users
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass

_MOST_OPS: Final = 40


@dataclass(frozen=True)
class JoinFunctions(Pass):
    """Make one layer of the ops of an activation, or of a softmax."""

    name: ClassVar[str] = "quantune-join-functions"

    def apply(self, module: ir.Module) -> None:
        block = entry_block(main_function(module))
        order = {view.operation: position for position, view in enumerate(block.operations)}
        layers = _Layers(order)
        for op in order:
            meets = len(op.results) == 1 and len(_tensors(op)) > 1
            found = _function_that_ends_in(op, order) if meets else None
            if found is not None:
                layers.join(found)
        layers.label()
        if not _layers_of("tosa.exp", order) - _layers_of("tosa.reciprocal", order):
            return
        layers = _Layers(order)
        for softmax in find_softmaxes(Network.of(module)):
            layers.join([op for unit in softmax.units for op in unit.ops], "Softmax")
        layers.label()


def _layers_of(name: str, ops: Iterable[ir.Operation]) -> set[str | None]:
    """The layers that have an op of this name; of a softmax that is a layer, an exponential and a reciprocal are."""
    return {string_attribute(op, LAYER) for op in ops if op.name == name}


class _Layers:
    """The layers as they are joined. Ops are labelled at the end: their hashes change with their attributes."""

    def __init__(self, ops: Iterable[ir.Operation]) -> None:
        self._layer = {op: string_attribute(op, LAYER) for op in ops}
        self._ops: dict[str | None, set[ir.Operation]] = {}
        for op, layer in self._layer.items():
            self._ops.setdefault(layer, set()).add(op)
        self._labels: dict[ir.Operation, tuple[ir.Attribute, ir.Attribute]] = {}

    def join(self, ops: Sequence[ir.Operation], name_of_op: str | None = None) -> None:
        """Let all ops be of the last one's layer, if their layers have no others; None: it keeps the last one's op."""
        joined = {self._layer[op] for op in ops}
        if len(joined) == 1 or None in joined or any(not self._ops[name].issubset(ops) for name in joined):
            return
        last = ops[-1]
        for name in joined:
            del self._ops[name]
        self._ops[self._layer[last]] = set(ops)
        kept = last.attributes[OP]
        labels = last.attributes[LAYER], kept if name_of_op is None else ir.StringAttr.get(name_of_op, last.context)
        for op in ops:
            self._layer[op], self._labels[op] = self._layer[last], labels

    def label(self) -> None:
        """Write down what was joined."""
        for op, (layer, name) in self._labels.items():
            op.attributes[LAYER], op.attributes[OP] = layer, name


def _function_that_ends_in(meeting: ir.Operation, order: dict[ir.Operation, int]) -> list[ir.Operation] | None:
    """The ops of a function of one tensor whose branches meet in an op, and what follows; None if there is none."""
    members = {meeting}
    while len(inputs := _inputs(members)) > 1:
        makers = [op for value in inputs if (op := defining_op(value)) is not None and op in order]
        if not makers or len(members) >= _MOST_OPS:
            return None
        latest = max(makers, key=order.__getitem__)
        if not members.issuperset(users(latest.results[0])):
            return None
        members.add(latest)
    last = meeting
    while (following := _linear_reader(last)) is not None:
        members.add(following)
        last = following
    ops = sorted(members, key=order.__getitem__)
    return ops if as_function(ops) is not None else None


def _tensors(op: ir.Operation) -> list[ir.Value]:
    """The operands that are no constants."""
    return [value for value in op.operands if not is_constant(value)]


def _inputs(members: set[ir.Operation]) -> list[ir.Value]:
    """What they read from outside."""
    made = {result for op in members for result in op.results}
    return list(dict.fromkeys(value for op in members for value in _tensors(op) if value not in made))


def _linear_reader(op: ir.Operation) -> ir.Operation | None:
    """The op that alone reads a result, if it adds a number to it or multiplies it by one."""
    readers = users(op.results[0])
    if len(readers) != 1 or not traits_of(readers[0]).affine or len(_tensors(readers[0])) != 1:
        return None
    numbers = (constant_value(value) for value in readers[0].operands if is_constant(value))
    return readers[0] if all(number is not None and number.size == 1 for number in numbers) else None
