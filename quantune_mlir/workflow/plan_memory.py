"""What a plan takes of a device's memory, estimated before anything is compiled, and plans that fit.

Flash is the weights in their formats, and CODE_BYTES. RAM is inputs, outputs, and the largest set of tensors that are
alive at the same time, each made by a unit, in the order of the graph; a clamp that is folded into the unit before it
and a reshape make none. Biases, multipliers, tables and what IREE loses between tensors are not counted: the bundle
itself is measured once it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from math import prod
from typing import Final

from quantune_mlir.errors import BudgetError, PlanError
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.precision_propagation import up_to_results
from quantune_mlir.graph.units import Kind
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, NumberFormat
from quantune_mlir.passes.quantize.assign_precision import planned_formats
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.decisions import Decisions, decided
from quantune_mlir.planning.front import Point, Problem, walk
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner

CODE_BYTES: Final = 16 * 1024
"""Of the kernels of a network: those of digits, AD, DS-CNN and ResNet-8 take 4 to 15 KiB on Cortex-M4 and M55."""
LEAST_CODE_BYTES: Final = 4 * 1024
_RAM_OFF: Final = 1.25
"""By this factor RAM may be less than estimated, where ops are fused that are tensors of their own here."""
_NAMED: Final = 3


@dataclass(frozen=True)
class MemoryLimits:
    """Bytes that there are: of RAM besides the stack, and of flash. None: not limited."""

    ram: int | None = None
    flash: int | None = None

    def excess(self, memory: PlanMemory) -> float:
        """By what factor a plan is above the limits; at most 1 within them."""
        pairs = ((self.ram, memory.ram), (self.flash, memory.flash))
        return max((used / limit for limit, used in pairs if limit is not None), default=0.0)

    def excludes(self, memory: PlanMemory) -> bool:
        """Whether a plan is certain to be above the limits, as far as the estimate may be off."""
        least = replace(memory, ram=int(memory.ram / _RAM_OFF), flash=memory.flash - CODE_BYTES + LEAST_CODE_BYTES)
        return self.excess(least) > 1


@dataclass(frozen=True)
class PlanMemory:
    """Estimated bytes of a plan.

    Attributes:
        ram: inputs, outputs, and the largest set of tensors alive at the same time.
        flash: weights and code.
        alive: what makes most of that set, in words.
        weights: what has most weights, in words.
    """

    ram: int
    flash: int
    alive: str
    weights: str

    @staticmethod
    def of(model: Model, plan: PrecisionPlan, *, integer_only: bool = False) -> PlanMemory:
        """The estimate. With `integer_only` inputs and outputs are integers, else fp32."""
        network = model.network
        formats = planned_formats(plan, network)
        if integer_only:
            formats = up_to_results(network, formats)
        sizes = {
            layer.name: layer.weight_elements * formats[unit.output].weight_bytes
            for layer in model.layers
            for unit in layer.units
            if unit.kind in (Kind.DOT, Kind.LOOP)
        }
        tensors = _tensors(network, formats, integer_only=integer_only)
        outside = _outside(network, formats, integer_only=integer_only)
        changes = [0] * (len(network.units) + 1)
        for _, size, first, last in tensors:
            changes[first] += size
            changes[last + 1] -= size
        alive = list(accumulate(changes))
        busiest = alive.index(max(alive))
        largest = {name: size for name, size, first, last in tensors if first <= busiest <= last}
        return PlanMemory(
            outside + alive[busiest],
            CODE_BYTES + int(sum(sizes.values())),
            _most(largest),
            _most(sizes),
        )


def _tensors(
    network: Network, formats: Mapping[ir.Value, NumberFormat], *, integer_only: bool
) -> list[tuple[str, int, int, int]]:
    """Of each tensor in the arena: who makes it, bytes, the place of its maker in the graph, and of its last reader.

    Inputs that are not integers are there as codes.
    """
    root: dict[ir.Value, ir.Value] = {}
    first: dict[ir.Value, int] = {}
    last: dict[ir.Value, int] = {}
    names: dict[ir.Value, str] = {}
    folded = {clamp.output for clamp in network.clamps.values()}
    for place, unit in enumerate(network.units):
        for value in unit.inputs:
            last[root.get(value, value)] = place
        if unit.output in folded or unit.op.name == "tosa.reshape":
            root[unit.output] = root.get(unit.inputs[0], unit.inputs[0])
        else:
            first[unit.output] = place
            names[unit.output] = unit.layer or unit.op.name
    quantized = () if integer_only else network.block.arguments
    codes = [
        (repr(network.tensors.names.get(value, "input")), _bytes(value, formats[reader.output]), 0, last[value])
        for value in quantized
        for reader in network.readers.get(value, ())[:1]
        if formats[reader.output].is_integer
    ]
    returned = {root.get(value, value) for value in _results(network)}
    return codes + [
        (f"{names[value]!r}", _bytes(value, formats.get(value, FP32)), place, last.get(value, place))
        for value, place in first.items()
        if value not in returned
    ]


def _outside(network: Network, formats: Mapping[ir.Value, NumberFormat], *, integer_only: bool) -> int:
    """Bytes of inputs and outputs."""
    total = 0
    for argument in network.block.arguments:
        readers = [formats[reader.output] for reader in network.readers.get(argument, ())] if integer_only else []
        total += _bytes(argument, max(readers, key=_element, default=FP32))
    for value in _results(network):
        total += _bytes(value, formats.get(value, FP32) if integer_only else FP32)
    return total


def _results(network: Network) -> list[ir.Value]:
    *_, end = network.block
    return list(end.operands)


def _element(format_: NumberFormat) -> int:
    return 4 if format_.activations is None else format_.activations.bits // 8


def _bytes(value: ir.Value, format_: NumberFormat) -> int:
    return prod(shape_of(value)) * _element(format_)


def _most(sizes: Mapping[str, float]) -> str:
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:_NAMED]
    return ", ".join(f"{name} ({size / 1024:.1f} KiB)" for name, size in largest if size)


def _decided(point: Point, problem: Problem) -> Decisions:
    return decided(problem, point)


def within_memory(
    decide: Callable[[Planner], Planned], budget: Budget, model: Model, limits: MemoryLimits, *, integer_only: bool
) -> Callable[[Planner], Planned]:
    """A policy that takes, where its plan does not fit, the least noisy one of the front that does, or the nearest.

    Where none of the front does, because fp32 costs no time, say, there is still the coarsest format throughout. It
    keeps to the budget, too. It raises BudgetError, naming the layers that take most, if none can fit.
    """

    def estimate(planned: Planned) -> PlanMemory:
        return PlanMemory.of(model, planned.plan, integer_only=integer_only)

    def search(planner: Planner) -> Planned:
        planned = decide(planner)
        nearest, best = estimate(planned), planned
        if limits.excess(nearest) <= 1:
            return planned
        candidates = [*planner.problem.front, Point(walk(planner.problem, ()), 0)]
        for point in sorted(candidates, key=lambda point: (point.noise, point.cost.time)):
            try:
                budget.choose([point], planner.problem)
            except PlanError:
                continue
            other = planner.plan(partial(_decided, point), f"{planned.plan.policy}, in memory")
            memory = estimate(other)
            if limits.excess(memory) <= 1:
                return other
            if limits.excess(memory) < limits.excess(nearest):
                nearest, best = memory, other
        if not limits.excludes(nearest):
            return best
        kept = f" and keeps to {budget.asked}" if budget != Budget() else ""
        raise BudgetError(
            f"no plan fits{kept}: the nearest is estimated to take {nearest.ram / 1024:.1f} KiB of RAM, most of it "
            f"made by {nearest.alive}, and {nearest.flash / 1024:.1f} KiB of flash, most of it weights of "
            f"{nearest.weights}",
            where="memory",
            remedy="give a smaller network or input, more formats, or more with --max-ram and --max-flash",
        )

    return search
