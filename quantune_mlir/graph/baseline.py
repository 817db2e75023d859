"""What of a network's outputs tells nothing, so that noise has to be compared with the rest.

An autoencoder's output is its input, but for a small difference; that is what is looked at. And a softmax makes the
same of scores that are all higher by as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_float
from quantune_mlir.mlir.edit import shape_of, users
from quantune_mlir.mlir.tosa.traits import axis_of, traits_of
from quantune_mlir.numerics.metrics import Signal

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network


@dataclass(frozen=True)
class Baseline:
    """What may be taken off `output`, the result of a last layer that decides, its elements perhaps in another order.

    It is the function's argument, of as many elements; or the mean along `axis`, where all that reads `output` first
    takes off the maximum, as a softmax does.
    """

    output: ir.Value
    argument: ir.Value | None = None
    axis: int | None = None

    @property
    def signal(self) -> Signal:
        """What is left."""
        return "output - input" if self.axis is None else "output - mean"


def find_baselines(network: Network) -> dict[ir.Value, Baseline]:
    """The baselines of those closing values that have one.

    Whether a function's one result, of as many elements as its one fp32 argument, resembles that, the samples tell.
    """
    found = {value: _of_scores(value) for value in network.closing_values}
    if (argued := _of_argument(network)) is not None:
        found.update(dict.fromkeys(network.closing_values, argued))
    return {value: baseline for value, baseline in found.items() if baseline is not None}


def _of_argument(network: Network) -> Baseline | None:
    block, closing = network.block, network.closing_values
    *_, terminator = block
    if not len(block.arguments) == len(terminator.operands) == len(closing) == 1 or not is_float(block.arguments[0]):
        return None
    (argument,), (value,), (result,) = block.arguments, closing, terminator.operands
    is_returned = [op for op, _ in _readers(value)] == [terminator.operation]
    of_one_size = prod(shape_of(result)) == prod(shape_of(argument))
    return Baseline(result, argument=argument) if is_returned and of_one_size else None


def _of_scores(value: ir.Value) -> Baseline | None:
    readers = _readers(value)
    largest = [(op, scores) for op, scores in readers if op.name == "tosa.reduce_max"]
    differences = [op for op, _ in readers if op.name == "tosa.sub"]
    if not len(largest) == len(differences) == 1 or len(readers) != 2:
        return None
    ((op, scores),) = largest
    if [reader for reader, _ in _readers(op.results[0])] != differences:
        return None
    return Baseline(scores, axis=axis_of(op))


def _readers(value: ir.Value) -> list[tuple[ir.Operation, ir.Value]]:
    """The ops that read a value, each with what it reads: the value itself, or its elements in another order."""
    found: list[tuple[ir.Operation, ir.Value]] = []
    for op in users(value):
        found += _readers(op.results[0]) if traits_of(op).reorders else [(op, value)]
    return found
