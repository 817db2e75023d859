"""ONNX models to int8 programs for tests: fp32 module, parameters from synthetic ranges, rewrite, all in few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx

from quantune_mlir.files import resources
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Unit
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.integer.integer_options import Boundary, IntegerOptions
from quantune_mlir.mlir.attributes import PRECISION
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.assign_qparams import AssignQParams
from quantune_mlir.passes.quantize.quantize import Quantize
from quantune_mlir.passes.simplify.remove_dead_code import RemoveDeadCode
from quantune_mlir.pipeline.driver import run_pipeline
from tests.unit.integer.reference import Reference, evaluate_unit

CALIBRATED_SHARE = 0.85
"""Ranges come from inputs that are smaller by this factor, so that some values saturate."""


@dataclass(frozen=True)
class CalibratedNetwork:
    """A model, its inputs in order, and its simplified fp32 module with quantization parameters."""

    model: onnx.ModelProto
    inputs: Mapping[str, np.ndarray]
    options: IntegerOptions
    context: ir.Context

    @cached_property
    def module(self) -> ir.Module:
        module = import_onnx(self.model, context=self.context)
        run_pipeline(module, resources.pipeline_text("simplify"))
        function = main_function(module)
        network = Network(function)
        values = {
            argument: CALIBRATED_SHARE * array if array.dtype == np.float32 else array
            for argument, array in self._arguments(module).items()
        }
        for unit in network.units:
            values[unit.output] = evaluate_unit(unit, values)
        names = network.tensors.names
        profile = Profile(
            "", 1, {name: Histogram.of(values[value].astype(np.float32)) for value, name in names.items()}
        )
        run_pipeline(module, [AssignQParams(profile, self.options.scheme)])
        return module

    @cached_property
    def network(self) -> Network:
        return Network.of(self.module)

    @property
    def units(self) -> list[Unit]:
        return self.network.units

    @cached_property
    def params(self) -> dict[ir.Value, QuantParams]:
        return read_qparams(main_function(self.module))

    @property
    def results(self) -> Sequence[ir.Value]:
        block = entry_block(main_function(self.module))
        return list(block.operations[len(block.operations) - 1].operands)

    def in_int8(self, fp32: Sequence[str] = (), *, moves: bool = False) -> set[ir.Value]:
        """Outputs of the units in int8 if all layers but `fp32` are; with `moves`, of all units with an int8 form."""
        if moves:
            tensors = self.network.tensors.groups.keys()
            return {unit.output for unit in self.units if {*unit.inputs, unit.output} <= tensors}
        layers = [layer for layer in self.network.layers if layer.decides or not layer.quantizable]
        formats = {x.name: INT8 if x.quantizable and x.name not in fp32 else FP32 for x in layers}
        return {value for value, format_ in self.network.formats(formats).items() if format_ is INT8}

    def quantized(self, in_int8: set[ir.Value]) -> ir.Module:
        """The mixed module in which the units with outputs `in_int8` are int8."""
        return self.rewritten(["int8" if unit.output in in_int8 else "fp32" for unit in self.units])

    def rewritten(self, formats: Sequence[str], boundary: Boundary = "fp32") -> ir.Module:
        """The mixed module whose units have these formats."""
        module = copy_module(self.module)
        for unit, name in zip(Network.of(module).units, formats, strict=True):
            for op in unit.ops:
                op.attributes[PRECISION] = ir.StringAttr.get(name, self.context)
        options = self.options
        quantize = Quantize(options.weights, options.scheme, options.requantize, boundary)
        run_pipeline(module, [quantize, RemoveDeadCode()])
        return module

    def reference(self, in_int8: set[ir.Value]) -> Reference:
        """The NumPy form of `quantized`, after a run on the network's inputs."""
        reference = Reference(self.units, in_int8, self.params, self.options)
        reference.run(self._arguments(self.module))
        return reference

    def _arguments(self, module: ir.Module) -> dict[ir.Value, np.ndarray]:
        return dict(zip(entry_block(main_function(module)).arguments, self.inputs.values(), strict=True))
