"""Softmaxes: six ops, which have an integer form together, though each alone has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantune_mlir.graph.units import SHARING, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa.traits import axis_of
from quantune_mlir.numerics.formats import FP32, NumberFormat

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network

_OPS = ("tosa.reduce_max", "tosa.sub", "tosa.exp", "tosa.reduce_sum", "tosa.reciprocal", "tosa.mul")


@dataclass(frozen=True)
class Softmax:
    """exp(x - max x) / sum of it along an axis.

    Attributes:
        units: its six, in order.
        axis: of the tensor.
    """

    units: tuple[Unit, ...]
    axis: int

    @property
    def source(self) -> ir.Value:
        """What it reads."""
        return self.units[0].op.operands[0]

    @property
    def output(self) -> ir.Value:
        """What it makes."""
        return self.units[-1].output


def find_softmaxes(network: Network) -> Iterator[Softmax]:
    """The softmaxes of a network, in order."""
    for unit in network.units:
        if unit.op.name == _OPS[0] and (found := _from(unit, network.readers)) is not None:
            yield found


def _from(largest: Unit, readers: Mapping[ir.Value, list[Unit]]) -> Softmax | None:
    units, axis = [largest], axis_of(largest.op)
    for name in _OPS[1:]:
        following = [unit for unit in readers.get(units[-1].output, ()) if unit.op.name == name and len(unit.ops) == 1]
        if len(following) != 1:
            return None
        units.append(following[0])
    _, difference, power, total, inverse, product = units
    reads = [list(unit.op.operands)[:2] for unit in units]
    is_one = (
        reads[1] == [largest.op.operands[0], largest.output]
        and axis_of(total.op) == axis
        and set(reads[5]) == {power.output, inverse.output}
        and [len(readers[unit.output]) for unit in units[:5]] == [1, 1, 2, 1, 1]
        and difference.output == reads[2][0]
        and product.inputs
    )
    return Softmax(tuple(units), axis) if is_one else None


def with_softmaxes(
    network: Network, formats: Mapping[ir.Value, NumberFormat], softmaxes: list[Softmax]
) -> dict[ir.Value, NumberFormat]:
    """The formats of all units where softmaxes, and moves before them, have that of what they read."""
    found = dict(formats)
    for softmax in softmaxes:
        moves: list[Unit] = []
        value = softmax.source
        while (unit := network.makers.get(value)) is not None and unit.kind in SHARING and len(unit.inputs) == 1:
            if found[value].is_integer or len(network.readers[value]) > (2 if value == softmax.source else 1):
                break
            moves.append(unit)
            value = unit.inputs[0]
        format_ = found.get(value, FP32)
        if format_.is_integer:
            found.update(dict.fromkeys((unit.output for unit in (*moves, *softmax.units)), format_))
    return found
