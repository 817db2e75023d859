"""Run 2: fp32 beside int8 in one program, over the same samples or some. Its result is the sensitivity list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from quantune_mlir.execution.compiler import Source
from quantune_mlir.execution.program import Array
from quantune_mlir.execution.targets import Target
from quantune_mlir.integer.dot import weights_of
from quantune_mlir.integer.options import IntegerOptions
from quantune_mlir.ir.followers import all_int8
from quantune_mlir.ir.function import function_name, functions
from quantune_mlir.ir.fusion import foldable_clamps
from quantune_mlir.ir.layers import Layer
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.quantune import ACCUMULATED, LOCAL, Noise
from quantune_mlir.ir.units import Kind
from quantune_mlir.numerics.metrics import ErrorEnergy, Signal, sqnr_delta, weight_energy
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import RangeMethod
from quantune_mlir.passes.assign_qparams import AssignQParams
from quantune_mlir.passes.lower_adjoints import LowerAdjoints
from quantune_mlir.passes.lower_observers import EVERY_RUN, MEASURED, LowerObservers
from quantune_mlir.passes.shadow_int8 import PROBE, ShadowInt8
from quantune_mlir.planning.sensitivity import LayerSensitivity
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.analysed_runs import AnalysedRuns
from quantune_mlir.workflow.compilation import program_source
from quantune_mlir.workflow.model import Model
from quantune_mlir.workflow.noise import Energies, NoiseBudget, group_end, noise_at_output

_ALL: Final = slice(None)
_NONE: Final = slice(0)

OnRun = Callable[[tuple[Array, ...], list[Array]], None]
"""Who is told of each run: its inputs, and fp32's outputs."""


@dataclass(frozen=True)
class Analysis:
    """What run 2 found.

    Attributes:
        layers: in graph order.
        samples: how many were run.
        rounding: the noise at the output that tensors bring by being rounded.
        signal, signal_share: see NoiseBudget.
    """

    layers: list[LayerSensitivity]
    samples: int
    rounding: float
    signal: Signal
    signal_share: float


@dataclass(frozen=True)
class _Row:
    """What one row of the program's energies is of, and whether it is measured in every run or only where probed."""

    tensor: str
    noise: Noise
    every_run: bool

    @classmethod
    def of(cls, attribute: ir.DictAttr) -> _Row:
        tensor, noise = (ir.StringAttr(attribute[key]).value for key in ("tensor_name", "noise"))
        return cls(tensor, cast(Noise, noise), ir.BoolAttr(attribute[EVERY_RUN]).value)


class Analyzer:
    """The compiled measuring program of one model under given options."""

    def __init__(
        self,
        model: Model,
        profile: Profile,
        options: IntegerOptions,
        range_: RangeMethod,
        target: Target,
        on_run: OnRun | None = None,
    ) -> None:
        self._model = model
        self._on_run = on_run
        self._options = options
        self._clamps = foldable_clamps(model.units)
        self._makers = {unit.output: unit for unit in model.units}
        self._in_int8 = all_int8(model.units, model.layers, model.tensors)
        self._weight_energies = {layer.name: self._weight_energy(layer) for layer in model.layers}
        self._program = self._prepare(model, AssignQParams(profile, options.scheme, range_), target).load()

    def _prepare(self, model: Model, assign: AssignQParams, target: Target) -> Source:
        """What the program is compiled from; its module, much larger than the model, is gone before it is."""
        shadow = ShadowInt8(self._options.weights, self._options.scheme, self._options.requantize)
        module = model.apart(assign, shadow, LowerAdjoints(), LowerObservers())
        rows = (ir.DictAttr(row) for row in ir.ArrayAttr(module.operation.attributes[MEASURED]))
        self._rows = [_Row.of(row) for row in rows]
        self._probes = PROBE in map(function_name, functions(module))
        return program_source(module, target)

    def runs(self, samples: SampleSet) -> AnalysedRuns:
        """Which runs over the samples are made."""
        return AnalysedRuns.of(len(samples), probes=self._probes)

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Analysis:
        """One run over the samples; of many, over some."""
        energies = self.measure(samples, on_sample)
        budget = noise_at_output(self._model, energies)
        layers = [self._describe(layer, index, energies, budget) for index, layer in enumerate(self._model.layers)]
        run = len(self.runs(samples)) * samples.batch
        return Analysis(layers, run, budget.rounding, budget.signal, budget.signal_share)

    def measure(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Energies:
        """The signal and noise energies that one run over the samples sums up.

        What is measured only where a sample is probed counts as often as probes are rarer. These come first: they need
        several times the memory of others.
        """
        runs = self.runs(samples)
        self._call(PROBE, samples.only(runs.probed), on_sample)
        self._program.give_back()
        self._call("main", samples.only(runs.compared), on_sample)
        sums = self._program.call("energies")[0] if self._rows else ()
        elements = {layer.name: layer.output_elements for layer in self._model.layers}
        energies: dict[tuple[str, Noise], ErrorEnergy] = {}
        for row, (signal, noise) in zip(self._rows, sums, strict=True):
            weight = 1.0 if row.every_run else runs.rarity
            count = float(elements.get(row.tensor, 0) * len(runs))
            energies[row.tensor, row.noise] = ErrorEnergy(weight * float(signal), weight * float(noise), count)
        return energies

    def _call(self, function: str, samples: SampleSet, on_sample: Callable[[], None]) -> None:
        for run in samples:
            outputs = self._program.call(function, *run, keep=_NONE if self._on_run is None else _ALL)
            if self._on_run is not None:
                self._on_run(run, outputs)
            on_sample()

    def _describe(self, layer: Layer, index: int, energies: Energies, budget: NoiseBudget) -> LayerSensitivity:
        accumulated = energies.get((layer.name, ACCUMULATED))
        local = energies.get((group_end(layer, self._clamps), LOCAL))
        weights = self._weight_energies[layer.name]
        before = [energies[key].sqnr_db for key in self._noisy_inputs(layer) if key in energies]
        return LayerSensitivity(
            name=layer.name,
            op=layer.op_type,
            index=index,
            quantizable=layer.quantizable,
            macs=layer.macs,
            weight_bytes=4 * layer.weight_elements,
            elements=int(accumulated.count) if accumulated else 0,
            activation_sqnr_db=accumulated.sqnr_db if accumulated else None,
            sqnr_delta_db=sqnr_delta(before, accumulated.sqnr_db) if accumulated else None,
            local_sqnr_db=local.sqnr_db if local else None,
            mse=accumulated.mse if accumulated else None,
            normalized_mse=accumulated.normalized_mse if accumulated else None,
            local_normalized_mse=local.normalized_mse if local else None,
            weight_sqnr_db=weights.sqnr_db if weights.count else None,
            output_normalized_mse=budget.layers.get(layer.name),
            alone_normalized_mse=budget.alone.get(layer.name),
        )

    def _noisy_inputs(self, layer: Layer) -> list[tuple[str, Noise]]:
        """The measurements of what a layer reads. A graph input is exact where it is read in fp32, and left out."""
        found: list[tuple[str, Noise]] = []
        for value in layer.inputs:
            source = self._source(value)
            in_int8 = any(self._in_int8[unit.output] for unit in layer.units if value in unit.inputs)
            if in_int8 or not isinstance(source, ir.BlockArgument):
                made_by = self._makers[source].layer if source in self._makers else None
                found.append((made_by or self._model.tensors.names.get(source, ""), ACCUMULATED))
        return found

    def _source(self, value: ir.Value) -> ir.Value:
        """The result of a layer, or the graph input, that a value comes from, through layout transposes."""
        while value in self._makers and self._makers[value].layer is None:
            value = self._makers[value].inputs[0]
        return value

    def _weight_energy(self, layer: Layer) -> ErrorEnergy:
        """What rounding does to a layer's weights: known before any sample is seen."""
        total = ErrorEnergy()
        for unit in layer.units:
            found = weights_of(unit) if unit.kind is Kind.DOT else None
            if found is not None:
                weights, axis = found
                by_channel = axis if self._options.weights == "per-channel" else None
                total += weight_energy(weights, self._options.scheme, by_channel)
        return total
