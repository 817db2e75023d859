"""Where channels can be scaled: products whose every reader, through positively homogeneous ops, is a product.

    f(s * x) = s * f(x)    for s > 0

holds of relu, leaky relu, max and average pooling, means and reshapes, channel by channel. Of a clamp to [0, h] it
holds if the bound is scaled along: clamp(s * x, 0, s * h) = s * clamp(x, 0, h). So a product may compute s times what
it did if all its readers expect that: their results stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.graph.linear_ops import Product, match_product
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.tosa.traits import axis_of, data_operands, traits_of

_UNBOUNDED: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ScalableRange:
    """The output channels of `producer`: scaled down there and up in `consumers`, they leave the function as it is.

    `caps` are the clamps between them whose upper bound is scaled along; `values` all that change: the producer's
    result and what is made of it, up to what the consumers read.
    """

    producer: Product
    consumers: tuple[Product, ...]
    caps: tuple[Unit, ...]
    values: tuple[ir.Value, ...]


def find_scalable_ranges(units: Sequence[Unit], readers: Mapping[ir.Value, Sequence[Unit]]) -> list[ScalableRange]:
    """All of a function's, in topological order of their producers."""
    found: list[ScalableRange] = []
    for unit in units:
        producer = match_product(unit.op) if unit.kind is Kind.DOT else None
        if producer is None:
            continue
        reached = _Reached([], [], [])
        if _reach(unit.output, producer.output_channels, readers, reached) and reached.consumers:
            parts = (tuple(reached.consumers), tuple(reached.caps), tuple(reached.values))
            found.append(ScalableRange(producer, *parts))
    return found


@dataclass(frozen=True)
class _Reached:
    consumers: list[Product]
    caps: list[Unit]
    values: list[ir.Value]


def _reach(value: ir.Value, channels: int, readers: Mapping[ir.Value, Sequence[Unit]], end: _Reached) -> bool:
    """Whether only products read `value` in the end; collects them, and what is on the way."""
    end.values.append(value)
    mine = readers.get(value, [])
    known = {op for unit in mine for op in unit.ops}
    if any(use.owner.operation not in known for use in value.uses):
        return False
    for unit in mine:
        product = match_product(unit.op) if unit.kind is Kind.DOT else None
        if product is not None and product.op.operands[0] == value and product.input_channels == channels:
            end.consumers.append(product)
            continue
        if not _is_homogeneous(unit, channels):
            return False
        if unit.kind is Kind.CLAMP and _is_capped(unit):
            end.caps.append(unit)
        if not _reach(unit.output, channels, readers, end):
            return False
    return True


def _is_homogeneous(unit: Unit, channels: int) -> bool:
    if len(unit.inputs) != 1 or _channels(unit.inputs[0]) != channels or _channels(unit.output) != channels:
        return False
    match unit.kind:
        case Kind.CLAMP:
            low = ir.FloatAttr(unit.ops[0].attributes["min_val"]).value
            return low == 0 or (low <= -_UNBOUNDED and not _is_capped(unit))
        case Kind.UNARY:
            return all(traits_of(op).homogeneous and _scales(op) for op in unit.ops)
        case Kind.MEAN:
            return all(_keeps_last_axis(op) for op in unit.ops if traits_of(op).reduces)
        case Kind.AVERAGE | Kind.MOVEMENT:
            return _keeps_last_axis(unit.op) and _adds_zeros(unit.op)
        case _:
            return False


def _is_capped(clamp: Unit) -> bool:
    return len(clamp.ops) > 1 or ir.FloatAttr(clamp.op.attributes["max_val"]).value < _UNBOUNDED


def _scales(op: ir.Operation) -> bool:
    """Whether an op is homogeneous in its variable operands: a factor is positive or not, another constant is 0."""
    constants = [constant_value(v) for v in data_operands(op) if is_constant(v)]
    if op.name == "tosa.mul":
        return len(constants) == 1
    return all(array is not None and not array.any() for array in constants)


def _keeps_last_axis(op: ir.Operation) -> bool:
    """Whether the last axis of an op's result, if as long as that of its operand, counts the same channels."""
    last = len(op.operands[0].type.shape) - 1
    if "perms" in op.attributes:
        return list(op.attributes["perms"])[last] == last
    return "axis" not in op.attributes or axis_of(op) != last


def _adds_zeros(op: ir.Operation) -> bool:
    if op.name != "tosa.pad":
        return True
    constant = constant_value(op.operands[2])
    return constant is not None and not constant.any()


def _channels(value: ir.Value) -> int:
    shape = ir.RankedTensorType(value.type).shape
    return shape[-1] if shape else 0
