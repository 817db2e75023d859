"""Softmaxes: six ops, which have an integer form together, though each alone has none.

Moves of axes, which transposes that were cancelled leave, may stand between the six.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from quantune_mlir.graph.layers import is_result
from quantune_mlir.graph.units import SHARING, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.permutation import permuted
from quantune_mlir.mlir.tosa.traits import axis_of
from quantune_mlir.numerics.formats import FP32, NumberFormat

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network

_MOVES: Final = ("tosa.reshape", "tosa.transpose")


@dataclass(frozen=True)
class Softmax:
    """exp(x - max x) / sum of it along an axis.

    Attributes:
        units: its six, and the moves between them, in order.
        source: what it reads.
        axis: of the source.
        moves: those of its units that take the source's layout to the output's, in order.
    """

    units: tuple[Unit, ...]
    source: ir.Value
    axis: int
    moves: tuple[Unit, ...]

    @property
    def output(self) -> ir.Value:
        """What it makes."""
        return self.units[-1].output


def find_softmaxes(network: Network) -> Iterator[Softmax]:
    """The softmaxes of a network, in order."""
    for unit in network.units:
        if unit.op.name == "tosa.mul" and len(unit.ops) == 1:
            factors = list(unit.op.operands)[:2]
            softmaxes = (_from(network, unit, *pair) for pair in (factors, factors[::-1]))
            if (found := next((each for each in softmaxes if each is not None), None)) is not None:
                yield found


def _from(network: Network, product: Unit, power: ir.Value, inverse: ir.Value) -> Softmax | None:
    makers = network.makers
    main = _back(makers, power, "tosa.exp", "tosa.sub")
    summed = _back(makers, inverse, "tosa.reciprocal", "tosa.reduce_sum", "tosa.exp")
    if main is None or summed is None or summed[-1] not in main:
        return None
    minuend, subtrahend = list(main[-1].op.operands)[:2]
    largest = _back(makers, subtrahend, "tosa.reduce_max")
    if largest is None:
        return None
    read, compared = _moves_before(makers, minuend), _moves_before(makers, largest[-1].inputs[0])
    while read and compared and read[-1] == compared[-1]:
        del read[-1], compared[-1]
    source = read[-1].inputs[0] if read else minuend
    inside = {unit.output for unit in (product, *main, *summed, *largest, *read, *compared)}
    units = tuple(unit for unit in network.units if unit.output in inside)
    for unit in units[:-1]:
        if is_result(unit.output) or any(reader.output not in inside for reader in network.readers[unit.output]):
            return None
    axis = _axis(units, source)
    moves = tuple(unit for unit in reversed((*main, *read)) if unit.op.name in _MOVES)
    return None if axis is None else Softmax(units, source, axis, moves)


def _back(makers: Mapping[ir.Value, Unit], value: ir.Value, *names: str) -> list[Unit] | None:
    """The units that make a value, the last first: ops of these names, and moves before each; None if others do."""
    path: list[Unit] = []
    for name in names:
        moves = _moves_before(makers, value)
        unit = makers.get(moves[-1].inputs[0] if moves else value)
        if unit is None or unit.op.name != name or len(unit.ops) != 1:
            return None
        path += [*moves, unit]
        value = unit.op.operands[0]
    return path


def _moves_before(makers: Mapping[ir.Value, Unit], value: ir.Value) -> list[Unit]:
    """The moves that make a value, the last first."""
    moves: list[Unit] = []
    while (unit := makers.get(value)) is not None and unit.op.name in _MOVES:
        moves.append(unit)
        value = unit.inputs[0]
    return moves


def _axis(units: Sequence[Unit], source: ir.Value) -> int | None:
    """The source's axis that all reductions go along; None if there is none, or if elements meet others."""
    axes: dict[ir.Value, list[int | None]] = {source: list(range(len(shape_of(source))))}
    reduced: set[int | None] = set()
    for op in (unit.op for unit in units):
        operand, result = op.operands[0], op.results[0]
        # Sums and largest elements were read before: a value's axes are known unless it reads what is no part.
        given = axes.get(operand)
        if given is None:
            return None
        if op.name == "tosa.transpose":
            axes[result] = permuted(given, tuple(ir.DenseI32ArrayAttr(op.attributes["perms"])))
        elif op.name == "tosa.reshape":
            sizes = shape_of(operand), shape_of(result)
            before, after = ([size for size in shape if size > 1] for shape in sizes)
            if before != after:
                return None
            long = iter(axis for axis, size in zip(given, sizes[0], strict=True) if size > 1)
            axes[result] = [next(long) if size > 1 else None for size in sizes[1]]
        elif op.name.startswith("tosa.reduce_"):
            reduced.add(given[axis_of(op)])
            axes[result] = [None if number == axis_of(op) else axis for number, axis in enumerate(given)]
        elif op.name in ("tosa.sub", "tosa.mul"):
            other = axes.get(op.operands[1])
            if other is None:
                return None
            sizes = shape_of(operand), shape_of(op.operands[1])
            if any(a != b and 1 not in (m, n) for a, b, m, n in zip(given, other, *sizes, strict=True)):
                return None
            axes[result] = [b if m == 1 else a for a, b, m in zip(given, other, sizes[0], strict=True)]
        else:
            axes[result] = given
    return reduced.pop() if len(reduced) == 1 else None


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
