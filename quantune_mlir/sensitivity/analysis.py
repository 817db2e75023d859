"""Run 2: fp32 beside int8 in one program, over the same samples or some. Its result is the sensitivity list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.compilation import program_source
from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.program import Array
from quantune_mlir.backend.workers import MeasuringProgram, Workers
from quantune_mlir.errors import expect
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.hardware.targets import Target
from quantune_mlir.integer.dot import weights_of
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL, Noise
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8, INT8_WEIGHTS
from quantune_mlir.numerics.metrics import ErrorEnergy, sqnr_delta, weight_energy
from quantune_mlir.passes.calibrate.lower_observers import EVERY_RUN, MEASURED
from quantune_mlir.passes.calibrate.shadow_int8 import OUTPUTS, PROBE
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.planning.plan import ALL_INT8, PrecisionPlan
from quantune_mlir.planning.sensitivity import LayerSensitivity
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysed_runs import AnalysedRuns
from quantune_mlir.sensitivity.measured_runs import compare
from quantune_mlir.sensitivity.measurement import Energies, Measurement
from quantune_mlir.sensitivity.noise import grown_noise, noise_at_output
from quantune_mlir.sensitivity.noise_budget import NoiseBudget
from quantune_mlir.sensitivity.run_sums import RunSums

OnRun = Callable[[tuple[Array, ...], list[Array]], None]
"""Who is told of each run: its inputs, and fp32's outputs."""


@dataclass(frozen=True)
class Analysis:
    """What run 2 found.

    Attributes:
        layers: in graph order.
        samples: how many were run.
        noise: what it brings to the output.
    """

    layers: list[LayerSensitivity]
    samples: int
    noise: NoiseBudget


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
    """The compiled measuring program of one repaired model, which has its integer parameters.

    Parts of the runs can be made by analyzers anywhere: `sums` of each, `RunSums.merge`, `analysis`. With workers one
    analyzer does that by itself.
    """

    def __init__(
        self,
        model: Model,
        options: IntegerOptions,
        target: Target,
        on_run: OnRun | None = None,
        plan: PrecisionPlan = ALL_INT8,
        workers: Workers | None = None,
        compiling: Compiling = untold,
    ) -> None:
        expect(model, Model, "Model.load(FILE)")
        self._model = model
        self._on_run = on_run
        self._plan = plan
        self._options = options
        self._network = model.network
        self._formats = model.network.everywhere(INT8)
        self._weight_energies = {layer.name: self._weight_energy(layer) for layer in model.layers}
        self._program = MeasuringProgram(self._prepare(model, target), workers, compiling)

    def _prepare(self, model: Model, target: Target) -> Source | KnownProgram:
        """What the program is compiled from; its module, much larger than the model, is gone before it is."""
        module = model.apart("compare", **vars(self._options), plan=self._plan)
        rows = (ir.DictAttr(row) for row in ir.ArrayAttr(module.operation.attributes[MEASURED]))
        self._rows = [_Row.of(row) for row in rows]
        attributes = module.operation.attributes
        self._outputs = (
            [ir.StringAttr(name).value for name in ir.ArrayAttr(attributes[OUTPUTS])] if OUTPUTS in attributes else []
        )
        return program_source(module, target)

    def runs(self, samples: SampleSet) -> AnalysedRuns:
        """Which runs over the samples are made."""
        return AnalysedRuns.of(len(samples), probes=bool(self._outputs), parts=max(1, len(self._outputs)))

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Analysis:
        """One run over the samples; of many, over some."""
        return self.analysis(samples, self.sums(samples, on_sample))

    def measure(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Measurement:
        """The signal and noise energies that one run over the samples sums up."""
        return self.measurement(self.runs(samples), self.sums(samples, on_sample))

    def analysis(self, samples: SampleSet, sums: RunSums) -> Analysis:
        """What the sums of all runs over the samples tell."""
        measurement = self.measurement(self.runs(samples), sums)
        float_epilogues = self._options.requantize == "float"
        energies = measurement.energies
        budget = noise_at_output(self._model, measurement, float_epilogues=float_epilogues)
        layers = [self._describe(layer, index, energies, budget) for index, layer in enumerate(self._model.layers)]
        return Analysis(layers, len(self.runs(samples)) * samples.batch, budget)

    def grown(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> dict[str, Powers]:
        """What each layer that the plan has in int8 brings to the parts of the output, as energies grow under it."""
        return grown_noise(self._model, self.measure(samples, on_sample))

    def sums(
        self,
        samples: SampleSet,
        on_sample: Callable[[], None] = lambda: None,
        *,
        only: Collection[int] | None = None,
    ) -> RunSums:
        """The signal and noise that the runs over the samples sum up, each run by itself.

        Args:
            samples: all of them, whatever is run: what is run of them, and how, follows from their number.
            on_sample: called after each run.
            only: the positions of the runs to make, of those that `runs` names; None: all.
        """
        runs, parts = self.runs(samples), len(self._outputs)
        by_run: dict[int, NDArray[np.float64]] = {}
        for part in range(parts):
            shares = (np.eye(parts, dtype=np.float32)[part],) if parts > 1 else ()
            wanted = _chosen(runs.probed_for(part, parts), only)
            by_run.update(self._run(PROBE, samples, wanted, shares, on_sample))
        self._program.give_back()
        by_run.update(self._run("main", samples, _chosen(runs.compared, only), (), on_sample))
        return RunSums(len(self._rows), by_run)

    def _run(
        self,
        function: str,
        samples: SampleSet,
        positions: Sequence[int],
        shares: tuple[Array, ...],
        on_sample: Callable[[], None],
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        wanted = self._on_run is not None
        asked = partial(compare, function=function, shares=shares, outputs=wanted, rows=len(self._rows))
        chosen = samples.only(positions)
        inputs = iter(chosen)
        results = self._program.apart(asked, chosen, on_sample)
        for position, (outputs, sums) in zip(positions, results, strict=True):
            if self._on_run is not None:
                self._on_run(next(inputs), outputs)
            yield position, sums

    def measurement(self, runs: AnalysedRuns, sums: RunSums) -> Measurement:
        """The signal and noise energies of all runs.

        What is measured only where a sample is probed counts as often as probes are rarer. These come first: they need
        several times the memory of others. Each looks at one part of the output.
        """
        parts = len(self._outputs)
        found = [sums.total(runs.probed_for(part, parts)) for part in range(parts)]
        total = np.sum([*found, sums.total(runs.compared)], axis=0)
        energies = self._energies(total, len(runs), runs.rarity)
        weights = [len(runs) / max(1, len(runs.probed_for(part, parts))) for part in range(parts)]
        projections = (
            self._energies(weight * each, len(runs), 1.0) for each, weight in zip(found, weights, strict=True)
        )
        return Measurement(energies, tuple(projections) if len(runs.probed) >= parts else ())

    def _energies(self, sums: NDArray[np.float64], runs: int, rarity: float) -> Energies:
        elements = {layer.name: layer.output_elements for layer in self._model.layers}
        energies: dict[tuple[str, Noise], ErrorEnergy] = {}
        for row, (signal, noise) in zip(self._rows, sums, strict=True):
            weight = 1.0 if row.every_run else rarity
            count = float(elements.get(row.tensor, 0) * runs)
            energies[row.tensor, row.noise] = ErrorEnergy(weight * float(signal), weight * float(noise), count)
        return energies

    def _describe(self, layer: Layer, index: int, energies: Energies, budget: NoiseBudget) -> LayerSensitivity:
        accumulated = energies.get((layer.name, ACCUMULATED))
        local = energies.get((_group_end(layer, self._network.clamps), LOCAL))
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
            output_normalized_mse=_worst(budget.own.get(layer.name)),
            alone_normalized_mse=_worst(budget.alone.get(layer.name)),
            own_noise=_at_parts(budget.own.get(layer.name)),
        )

    def _noisy_inputs(self, layer: Layer) -> list[tuple[str, Noise]]:
        """The measurements of what a layer reads. A graph input is exact where it is read in fp32, and left out."""
        found: list[tuple[str, Noise]] = []
        for value in layer.inputs:
            source = self._source(value)
            in_int8 = any(self._formats[unit.output].is_integer for unit in layer.units if value in unit.inputs)
            if in_int8 or not isinstance(source, ir.BlockArgument):
                made_by = self._network.makers[source].layer if source in self._network.makers else None
                found.append((made_by or self._network.tensors.names.get(source, ""), ACCUMULATED))
        return found

    def _source(self, value: ir.Value) -> ir.Value:
        """The result of a layer, or the graph input, that a value comes from, through layout transposes."""
        while value in self._network.makers and self._network.makers[value].layer is None:
            value = self._network.makers[value].inputs[0]
        return value

    def _weight_energy(self, layer: Layer) -> ErrorEnergy:
        """What rounding does to a layer's weights: known before any sample is seen."""
        total = ErrorEnergy()
        for unit in layer.units:
            found = weights_of(unit) if unit.kind is Kind.DOT else None
            if found is not None:
                weights, axis = found
                by_channel = axis if self._options.weights == "per-channel" else None
                total += weight_energy(weights, self._options.scheme, by_channel, INT8_WEIGHTS)
        return total


def _at_parts(noise: NDArray[np.float64] | None) -> tuple[float, ...]:
    return () if noise is None else tuple(noise.tolist())


def _worst(noise: NDArray[np.float64] | None) -> float | None:
    """At the worst part of the output; None where it is not known."""
    return None if noise is None or not noise.size else float(noise.max())


def _chosen(runs: Sequence[int], only: Collection[int] | None) -> Sequence[int]:
    return runs if only is None else [run for run in runs if run in only]


def _group_end(layer: Layer, clamps: Mapping[ir.Value, Unit]) -> str:
    """The name of the clamp that folds into a layer's epilogue, or of the layer itself."""
    clamp = clamps.get(layer.output)
    return layer.name if clamp is None or clamp.layer is None else clamp.layer
