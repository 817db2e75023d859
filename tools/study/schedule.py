"""From plans to the pieces that compute them, each computed once however many plans share it.

The steps are those of the quantize pass (`graph/lowering.py`); only instead of emitting ops they note which pieces are
called on what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quantune_mlir.graph import lowering
from quantune_mlir.graph.lowering import lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.formats import NumberFormat
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

    network: Network
    numbers: Mapping[ir.Value, int]
    outputs: Sequence[ir.Value]
    float_epilogues: bool

    def schedule(self, plans: Iterable[Mapping[str, NumberFormat]]) -> Schedule:
        """The calls for plans: the format of each layer with one of its own."""
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

    def follow(self, plan: Mapping[str, NumberFormat]) -> None:
        """Notes the calls of every unit."""
        graph = self._graph
        formats = graph.network.formats(plan)
        for step in lowering_steps(graph.network, formats, float_epilogues=graph.float_epilogues):
            match step.form:
                case lowering.Form.FP32 | lowering.Form.ROUNDED:
                    operands = [self.fp32(value) for value in step.unit.inputs]
                    self._fp32[step.end] = self._call(Form.FP32, step.end, operands)
                    if step.form is lowering.Form.ROUNDED:
                        self.int8(step.end)
                case lowering.Form.TO_FP32:
                    operands = [self.int8(value) for value in step.unit.inputs]
                    self._fp32[step.end] = self._call(Form.INT8_TO_FP32, step.end, operands)
                case lowering.Form.INTEGER:
                    operands = [self.int8(value) for value in step.unit.inputs]
                    self._int8[step.end] = self._call(Form.INT8, step.end, operands)

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

    def _call(self, form: Form, value: ir.Value, operands: Sequence[int]) -> int:
        return self._schedule.add(Piece(form, self._graph.numbers[value]), operands)
