"""From plans to the pieces that compute them, each computed once however many plans share it.

The walk over the units is that of the quantize pass: which units are int8 comes from
`graph/precision_propagation.py`, and how an int8 unit ends from `graph/epilogues.py`. Only instead of emitting ops it
notes which pieces are called on what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quantune_mlir.graph.epilogues import find_endings
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.precision_propagation import precisions
from quantune_mlir.graph.tensors import Tensors
from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.bindings import ir
from tools.study.pieces import Form, Piece


@dataclass(frozen=True)
class Call:
    """A piece called on results of earlier calls; those of graph inputs come first."""

    piece: Piece
    operands: tuple[int, ...]


@dataclass
class Schedule:
    """Calls in order. Result i < `inputs` is graph input i; result `inputs` + i that of calls[i].

    Attributes:
        outputs: of each plan, the results that it is judged by.
    """

    inputs: int
    calls: list[Call] = field(default_factory=list)
    outputs: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known: dict[Call, int] = {}

    def add(self, piece: Piece, operands: Sequence[int]) -> int:
        """The number of the call's result."""
        call = Call(piece, tuple(operands))
        if call not in self._known:
            self._known[call] = self.inputs + len(self.calls)
            self.calls.append(call)
        return self._known[call]


@dataclass(frozen=True)
class Graph:
    """What a schedule has to know of a model.

    Attributes:
        numbers: of values, graph inputs first.
        outputs: the values that a plan is judged by, in fp32.
        float_epilogues: whether requantization is in float.
    """

    units: Sequence[Unit]
    layers: Sequence[Layer]
    tensors: Tensors
    numbers: Mapping[ir.Value, int]
    outputs: Sequence[ir.Value]
    float_epilogues: bool

    def schedule(self, plans: Iterable[Mapping[str, bool]]) -> Schedule:
        """The calls for plans: for each layer with a precision of its own whether it is int8."""
        inputs = sum(isinstance(value, ir.BlockArgument) for value in self.numbers)
        schedule = Schedule(inputs)
        for plan in plans:
            walk = _Walk(self, schedule)
            walk.follow(plan)
            schedule.outputs.append(tuple(walk.fp32(value) for value in self.outputs))
        return schedule


class _Walk:
    """One plan's way through the units: which result holds which form of each value."""

    def __init__(self, graph: Graph, schedule: Schedule) -> None:
        self._graph = graph
        self._schedule = schedule
        self._fp32 = {v: i for v, i in graph.numbers.items() if isinstance(v, ir.BlockArgument)}
        self._int8: dict[ir.Value, int] = {}

    def follow(self, plan: Mapping[str, bool]) -> None:
        """Notes the calls of every unit."""
        graph = self._graph
        made_int8 = precisions(graph.units, graph.layers, plan, graph.tensors)
        in_int8 = {value for value, int8 in made_int8.items() if int8}
        endings = find_endings(graph.units, in_int8, float_epilogues=graph.float_epilogues)
        folded = {clamp.output for clamp in endings.clamps.values()}
        for unit in graph.units:
            if unit.output in folded:
                continue
            if unit.output not in in_int8:
                self._compute_fp32(unit)
            elif unit.output in endings.functions:
                self._compute_fp32(unit)
                self.int8(unit.output)
            else:
                end = endings.clamps.get(unit.output, unit).output
                operands = [self.int8(value) for value in unit.inputs]
                if end in endings.in_float:
                    self._fp32[end] = self._call(Form.INT8_TO_FP32, end, operands)
                else:
                    self._int8[end] = self._call(Form.INT8, end, operands)

    def fp32(self, value: ir.Value) -> int:
        """The result that holds the fp32 form of a value."""
        if value not in self._fp32:
            self._fp32[value] = self._call(Form.DEQUANTIZE, value, [self._int8[value]])
        return self._fp32[value]

    def int8(self, value: ir.Value) -> int:
        """The result that holds the i8 form of a value."""
        if value not in self._int8:
            self._int8[value] = self._call(Form.QUANTIZE, value, [self._fp32[value]])
        return self._int8[value]

    def _compute_fp32(self, unit: Unit) -> None:
        operands = [self.fp32(value) for value in unit.inputs]
        self._fp32[unit.output] = self._call(Form.FP32, unit.output, operands)

    def _call(self, form: Form, value: ir.Value, operands: Sequence[int]) -> int:
        return self._schedule.add(Piece(form, self._graph.numbers[value]), operands)
