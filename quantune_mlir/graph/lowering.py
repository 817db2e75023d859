"""How a network is lowered to the formats of a plan: the one walk over its units.

Each step emits one unit, and the clamp that folds into its epilogue. How an integer accumulator ends, in fp32 or in the
codes of which format, depends on who reads it. Whoever lowers a network (to the mixed program, to the program of run 2,
to pieces that any plan is put together from) follows these steps; they differ in what they emit, not in what is emitted
how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from quantune_mlir.graph.epilogues import ACCUMULATING, is_piecewise_linear
from quantune_mlir.graph.layers import is_result
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.formats import IntegerRange, NumberFormat

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network


class Form(str, Enum):
    """What a step computes in, and what its result is."""

    FP32 = "fp32"
    """fp32 throughout."""
    INTEGER = "integer"
    """Integers, and so is the result."""
    TO_FP32 = "to_fp32"
    """Integers; only fp32 ops read the accumulator, which becomes fp32 without being rounded."""
    ROUNDED = "rounded"
    """fp32, on what is fp32 or an accumulator that became so; the result is rounded to integers."""


@dataclass(frozen=True)
class LoweringStep:
    """One unit as it is emitted.

    Attributes:
        unit: what is computed.
        clamp: the clamp in its epilogue, if there is one.
        format: the unit's.
        form: how it is computed.
        codes: of the result, where it is integers of another width than the format's.
    """

    unit: Unit
    clamp: Unit | None
    format: NumberFormat
    form: Form
    codes: IntegerRange | None = None

    @property
    def result_codes(self) -> IntegerRange:
        """Of an integer result."""
        codes = self.codes or self.format.activations
        assert codes is not None
        return codes

    @property
    def end(self) -> ir.Value:
        """The activation that the step makes."""
        return (self.clamp or self.unit).output


def lowering_steps(
    network: Network,
    formats: Mapping[ir.Value, NumberFormat],
    *,
    float_epilogues: bool,
    integer_results: bool = False,
) -> Iterator[LoweringStep]:
    """The steps in topological order of their units.

    Args:
        network: what is lowered.
        formats: of each unit, by its output.
        float_epilogues: whether an epilogue may compute in fp32, so that piecewise linear functions (leaky relu, hard
            swish) join it instead of becoming tables.
        integer_results: whether the network returns integers; else it reads what it returns in fp32.
    """

    def reads_fp32(reader: Unit) -> bool:
        in_fp32 = not formats[reader.output].is_integer or reader.kind is Kind.LOOP
        return in_fp32 or (float_epilogues and is_piecewise_linear(reader))

    def made_in_fp32(value: ir.Value) -> bool:
        return value in formats and not formats[value].is_integer

    folded: set[ir.Value] = set()
    rounded: set[ir.Value] = set()
    for unit in network.units:
        value, format_ = unit.output, formats[unit.output]
        if value in folded:
            continue
        if not format_.is_integer:
            yield LoweringStep(unit, None, format_, Form.FP32)
            continue
        epilogue = float_epilogues and is_piecewise_linear(unit)
        if value in rounded or (epilogue and all(map(made_in_fp32, unit.inputs))):
            yield LoweringStep(unit, None, format_, Form.ROUNDED)
            continue
        if unit.kind is Kind.LOOP:
            yield LoweringStep(unit, None, format_, Form.TO_FP32)
            continue
        clamp = network.clamps.get(value)
        if clamp is not None and formats[clamp.output] == format_:
            folded.add(clamp.output)
        else:
            clamp = None
        end = (clamp or unit).output
        readers = network.readers.get(end, ())
        to_fp32 = unit.kind in ACCUMULATING and all(reads_fp32(reader) for reader in readers)
        to_fp32 = to_fp32 and not (integer_results and is_result(end))
        if to_fp32:
            rounded.update(reader.output for reader in readers if formats[reader.output].is_integer)
        codes = None
        if unit.kind in ACCUMULATING and not is_result(end):
            asked = {None if reads_fp32(reader) else formats[reader.output].activations for reader in readers}
            codes = asked.pop() if len(asked) == 1 and format_.activations not in asked else None
        yield LoweringStep(unit, clamp, format_, Form.TO_FP32 if to_fp32 else Form.INTEGER, codes)
