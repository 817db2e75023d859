"""Emits the mixed integer/fp32 form of a function, unit by unit, next to its fp32 form.

Each fp32 value of the original may have several forms in the rewrite, fp32 and integers of each width. A form that is
missing is made from the one that was computed, once: that is where precision changes. The original ops stay untouched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from quantune_mlir.graph.lowering import Form, LoweringStep, lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.tensors import joined_constants
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer import arithmetic, boundary
from quantune_mlir.integer.epilogue import Bounds, End
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.lowering import lower_unit
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.attributes import CONSTANT_QPARAMS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import has_uses
from quantune_mlir.mlir.qparams import Range, from_attribute
from quantune_mlir.numerics.formats import FP32, INT8, INT8_ACTIVATIONS, IntegerRange
from quantune_mlir.numerics.parameters import QuantParams, activation_params, dequantize, params_of_constant, quantize


@dataclass
class _Forms:
    """Of one value: fp32 and integers by width; what was computed, not converted, is `native`."""

    f32: ir.Value | None = None
    integers: dict[IntegerRange, Quantized] = field(default_factory=dict)
    native: Quantized | None = None

    @staticmethod
    def of(tensor: Quantized) -> _Forms:
        return _Forms(integers={tensor.params.codes: tensor}, native=tensor)


class Rewriter:
    """Emits the steps of a lowering in their order; a value that no step made stands for itself, in fp32."""

    def __init__(
        self,
        params: Mapping[ir.Value, QuantParams],
        options: IntegerOptions,
        ranges: Mapping[ir.Value, Range] = MappingProxyType({}),
        *,
        shift_after_rounding: bool = False,
    ) -> None:
        """`params` are those of int8, `ranges` what wider codes span; `shift_after_rounding`: see End."""
        self._params = params
        self._ranges = ranges
        self._shifts_last = shift_after_rounding
        self._options = options
        self._forms: dict[ir.Value, _Forms] = {}

    def params(self, value: ir.Value, codes: IntegerRange = INT8_ACTIVATIONS) -> QuantParams:
        """What the codes of a value mean."""
        if codes == INT8_ACTIVATIONS:
            return self._params[value]
        return activation_params(*self._ranges[value], self._options.scheme, codes)

    def given(self, argument: ir.BlockArgument, codes: IntegerRange) -> None:
        """An argument is integers from now on."""
        params = self.params(argument, codes)
        element = ir.IntegerType.get_signless(codes.bits, argument.owner.owner.context)
        argument.set_type(ir.RankedTensorType.get(ir.RankedTensorType(argument.type).shape, element))
        self._forms[argument] = _Forms.of(Quantized(argument, params))

    def emit(self, step: LoweringStep, before: ir.Operation) -> None:
        """Emits what a step computes."""
        if step.form is Form.FP32 or step.form is Form.ROUNDED:
            self._emit_fp32(step.unit, before)
            if step.form is Form.ROUNDED:
                self.integer(step.end, UnitEmitter(step.unit, before), step.result_codes)
        else:
            self._emit_integer(step, before)

    def _emit_integer(self, step: LoweringStep, before: ir.Operation) -> None:
        emitter = UnitEmitter(step.unit, before)
        codes = step.format.activations
        assert codes is not None
        if step.unit.kind is Kind.LOOP:
            self._forms[step.end] = _Forms(f32=self._loop(step, emitter))
            return
        inputs = [self._operand(value, step.unit, emitter, codes) for value in self._operands_of(step.unit)]
        params = None if step.form is Form.TO_FP32 else self.params(step.end, step.result_codes)
        clamps = (unit for unit in (step.clamp, step.unit) if unit is not None and unit.kind is Kind.CLAMP)
        clamp = next((clamp_bounds(unit) for unit in clamps), None)
        end = End(params, clamp, self._options.requantize, self._shifts_last)
        result = lower_unit(emitter, step.unit, inputs, end, self._options, step.format)
        self._forms[step.end] = _Forms(f32=result) if params is None else _Forms.of(Quantized(result, params))

    def _loop(self, step: LoweringStep, emitter: UnitEmitter) -> ir.Value:
        """A loop with the products of its body in integers: what they read are states, or less than these.

        So the codes are those of the result, which is all states that there were.
        """
        operands = [v if is_constant(v) else self.fp32(v, emitter) for v in step.unit.op.operands]
        result = emitter.clone(step.unit.op, operands, emitter.f32)
        body = Network(result.owner.operation, region=1)
        products = [unit for unit in body.units if unit.kind is Kind.DOT]
        read = [value for unit in products for value in unit.inputs]
        params = dict.fromkeys(read, self.params(step.end))
        ranges = dict.fromkeys(read, self._ranges[step.end]) if step.end in self._ranges else {}
        formats = {unit.output: step.format if unit in products else FP32 for unit in body.units}
        inner = Rewriter(params, self._options, ranges, shift_after_rounding=self._shifts_last)
        *ops, end = (view.operation for view in body.block)
        for each in lowering_steps(body, formats, float_epilogues=self._options.requantize == "float"):
            inner.emit(each, end)
        for position, value in enumerate(end.operands):
            if value in body.makers:
                end.operands[position] = inner.fp32(value, UnitEmitter(body.makers[value], end))
        for op in reversed(ops):
            if not has_uses(op):
                op.erase()
        return result

    def _emit_fp32(self, unit: Unit, before: ir.Operation) -> None:
        emitter = UnitEmitter(unit, before)
        inside: dict[ir.Value, ir.Value] = {}
        for op in unit.ops:
            operands = [
                v if is_constant(v) else inside[v] if v in inside else self.fp32(v, emitter) for v in op.operands
            ]
            element = ir.RankedTensorType(op.results[0].type).element_type
            inside[op.results[0]] = emitter.clone(op, operands, element)
        self._forms[unit.output] = _Forms(f32=inside[unit.output])

    def made(self, value: ir.Value, tensor: Quantized) -> None:
        """An original value is that tensor from now on."""
        self._forms[value] = _Forms.of(tensor)

    def given_int8(self, value: ir.Value) -> Quantized | None:
        """The i8 form of an original value, if it has one already."""
        return self._forms[value].integers.get(INT8_ACTIVATIONS) if value in self._forms else None

    def alias(self, value: ir.Value, source: ir.Value) -> None:
        """Lets an original value have the forms of another."""
        self._forms[value] = self._forms[source]

    def round(self, source: ir.Value, value: ir.Value, emitter: UnitEmitter) -> None:
        """Lets `value` be `source`, which is fp32, rounded to int8."""
        numbers = self.fp32(source, emitter)
        self._forms[value] = _Forms.of(boundary.quantize_before_shifting(emitter, numbers, self._params[value]))

    def move(self, unit: Unit, before: ir.Operation, params: QuantParams) -> bool:
        """Emits a move or concatenation of i8 tensors, brought to `params` first.

        Returns whether it did: a constant that joins them may be no number of theirs.
        """
        for array in joined_constants(unit).values():
            if not np.allclose(dequantize(quantize(array, params), params), array, rtol=1e-5, atol=0):
                return False
        emitter = UnitEmitter(unit, before)
        end = End(params, None, self._options.requantize, self._shifts_last)
        inputs: list[Quantized] = []
        for value in unit.inputs:
            source = self.int8(value, emitter)
            if source.params != params:
                source = Quantized(arithmetic.emit_requantized(emitter, source, end), params)
            inputs.append(source)
        result = lower_unit(emitter, unit, inputs, end, self._options, INT8)
        self._forms[unit.output] = _Forms.of(Quantized(result, params))
        return True

    def fp32(self, value: ir.Value, emitter: UnitEmitter) -> ir.Value:
        """The fp32 form of an original value."""
        forms = self._forms.setdefault(value, _Forms(f32=value))
        if forms.f32 is None:
            assert forms.native is not None
            forms.f32 = boundary.dequantize(emitter, forms.native)
        return forms.f32

    def int8(self, value: ir.Value, emitter: UnitEmitter) -> Quantized:
        """The i8 form of an original value."""
        return self.integer(value, emitter, INT8_ACTIVATIONS)

    def integer(self, value: ir.Value, emitter: UnitEmitter, codes: IntegerRange) -> Quantized:
        """The form of an original value in these codes."""
        forms = self._forms.setdefault(value, _Forms(f32=value))
        if codes not in forms.integers:
            params = self.params(value, codes)
            if forms.native is None:
                assert forms.f32 is not None
                forms.integers[codes] = boundary.quantize(emitter, forms.f32, params)
            else:
                end = End(params, None, self._options.requantize, self._shifts_last)
                forms.integers[codes] = Quantized(arithmetic.emit_requantized(emitter, forms.native, end), params)
        return forms.integers[codes]

    def form(self, value: ir.Value) -> tuple[ir.Value, QuantParams | None]:
        """An original value as it was rewritten: integers and their parameters, or fp32 and None."""
        forms = self._forms[value]
        found = forms.native or next(iter(forms.integers.values()), None)
        if found is not None:
            return found.value, found.params
        assert forms.f32 is not None
        return forms.f32, None

    def unrounded(self, value: ir.Value) -> tuple[ir.Value, QuantParams | None]:
        """Like `form`, but fp32 where it was computed in fp32 before it was rounded to integers."""
        forms = self._forms[value]
        return (forms.f32, None) if forms.f32 is not None else self.form(value)

    def _operands_of(self, unit: Unit) -> Sequence[ir.Value]:
        """What `lower_unit` takes as inputs: both operands of a binary op or matmul, but not constant weights."""
        left_and_right = list(unit.op.operands)[:2]
        if unit.kind is Kind.BINARY:
            return left_and_right
        if unit.op.name == "tosa.matmul":
            return left_and_right[:1] if is_constant(left_and_right[1]) else left_and_right
        return unit.inputs

    def _operand(self, value: ir.Value, unit: Unit, emitter: UnitEmitter, codes: IntegerRange) -> Quantized:
        if not is_constant(value):
            return self.integer(value, emitter, codes)
        if CONSTANT_QPARAMS in unit.op.attributes and codes == INT8_ACTIVATIONS:
            given = from_attribute(unit.op.attributes[CONSTANT_QPARAMS])
            return arithmetic.quantize_constant(emitter, value, given)
        array = constant_value(value)
        assert array is not None
        return arithmetic.quantize_constant(emitter, value, params_of_constant(array, self._options.scheme, codes))


def clamp_bounds(unit: Unit) -> Bounds:
    """The real bounds of a clamp unit."""
    clamp, *minimum = unit.ops
    low, high = (ir.FloatAttr(clamp.attributes[name]).value for name in ("min_val", "max_val"))
    for op in minimum:
        bounds = constant_value(op.operands[1])
        assert bounds is not None
        return low, np.minimum(bounds.reshape(-1), high)
    return low, high
