"""The layers of a function: what a sensitivity list ranks and a plan decides on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod

from quantune_mlir.graph.tensors import Tensors
from quantune_mlir.graph.units import SHARING, Kind, Unit, products_of
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.tosa.channel_groups import groups_of
from quantune_mlir.mlir.tosa.counted_loop import CountedLoop
from quantune_mlir.mlir.tosa.traits import traits_of


@dataclass(frozen=True)
class Layer:
    """All units that come from one of the model's nodes.

    A layer `decides` if its precision is a choice of its own; the others (reshapes, pools, concatenations, clamps that
    fold into the op before them) follow their neighbours unless a plan pins them.
    """

    name: str
    op_type: str
    units: tuple[Unit, ...]
    quantizable: bool
    decides: bool

    @property
    def fp32_only(self) -> str | None:
        """Why the layer has no int8 form, although others of its kind do."""
        return next((unit.fp32_only for unit in self.units if unit.fp32_only), None)

    @property
    def output(self) -> ir.Value:
        """The last result of the layer."""
        return self.units[-1].output

    @property
    def computing(self) -> list[Unit]:
        """The units whose values are new, and not only moved, selected or averaged."""
        return [unit for unit in self.units if unit.kind not in SHARING]

    @property
    def computes(self) -> bool:
        """Whether any of its values are new."""
        return bool(self.computing)

    @property
    def inputs(self) -> list[ir.Value]:
        """The activations that the layer reads from other layers."""
        inside = {unit.output for unit in self.units}
        return list(dict.fromkeys(v for unit in self.units for v in unit.inputs if v not in inside))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(map(_multiply_accumulates, self.units))

    @property
    def weight_elements(self) -> int:
        """Elements of the layer's constant weights, biases apart; what several layers share is the first one's."""
        return sum(_weight_elements(unit) for unit in self.units)

    @property
    def output_elements(self) -> int:
        """Elements of the layer's output."""
        return prod(_shape(self.output))


def find_layers(units: Sequence[Unit], tensors: Tensors, clamps: Mapping[ir.Value, Unit]) -> list[Layer]:
    """The layers of a function in the order of their last op; `clamps` are those that fold, see epilogues.py."""
    by_name: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.layer is not None:
            by_name.setdefault(unit.layer, []).append(unit)
    folded = {clamp.output for clamp in clamps.values()}
    position = {unit.output: index for index, unit in enumerate(units)}
    layers = (_make_layer(name, members, tensors, folded) for name, members in by_name.items())
    return sorted(layers, key=lambda layer: position[layer.output])


def is_result(value: ir.Value) -> bool:
    """Whether a function returns a value."""
    return any(use.owner.operation.name == "func.return" for use in value.uses)


def _make_layer(name: str, units: Sequence[Unit], tensors: Tensors, folded: Set[ir.Value]) -> Layer:
    quantizable = all(
        unit.kind is not Kind.FLOAT and all(value in tensors.groups for value in (*unit.inputs, unit.output))
        for unit in units
    )
    decides = quantizable and any(unit.kind not in SHARING and unit.output not in folded for unit in units)
    return Layer(name, units[-1].op_type or "", tuple(units), quantizable, decides)


def _multiply_accumulates(unit: Unit) -> int:
    if unit.kind is Kind.LOOP:
        counted = CountedLoop.of(unit.op)
        assert counted is not None
        return counted.rounds * sum(multiply_accumulates(product.op) for product in products_of(unit.op))
    return multiply_accumulates(unit.op) if unit.kind is Kind.DOT else 0


def multiply_accumulates(op: ir.Operation) -> int:
    """Multiply-accumulates of a convolution or matmul, in any precision."""
    weights, kind = _shape(op.operands[1]), traits_of(op).weights
    assert kind is not None, op.name
    if kind.scatters:
        return prod(_shape(op.operands[0])) * prod(size for axis, size in enumerate(weights) if axis != kind.input_axis)
    summed = [kind.input_axis] if op.name == "tosa.matmul" else set(range(len(weights))).difference(kind.output_axes)
    return prod(_shape(op.results[0])) * prod(weights[axis] for axis in summed) // channel_groups(op)


def _weight_elements(unit: Unit) -> int:
    if unit.kind is Kind.LOOP:
        return sum(map(_weight_elements, products_of(unit.op)))
    if unit.kind is not Kind.DOT or not is_constant(unit.op.operands[1]):
        return 0
    weights = constant_value(unit.op.operands[1])
    uses = unit.op.operands[1].uses
    if weights is None or any(use.owner.operation.is_before_in_block(unit.op) for use in uses):
        return 0
    return weights.size // channel_groups(unit.op)


def channel_groups(op: ir.Operation) -> int:
    """How many groups of channels of a convolution do not meet; 1 of another op."""
    weights = constant_value(op.operands[1]) if op.name == "tosa.conv2d" else None
    return 1 if weights is None else groups_of(weights)


def _shape(value: ir.Value) -> list[int]:
    return list(ir.RankedTensorType(value.type).shape)
