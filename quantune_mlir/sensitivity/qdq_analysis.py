"""A model that is quantized already: what its roundings do, beside the same model without them.

The reference has the numbers that the stored integers of the weights stand for: what these lost against a network of
before cannot be told. One run over the samples; its result is a sensitivity list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from quantune_mlir.backend.compilation import program_source
from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.workers import MeasuringProgram, Workers
from quantune_mlir.hardware.targets import Target
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.mlir.attributes import SHADOWED
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy, sqnr_delta
from quantune_mlir.passes.calibrate.lower_observers import MEASURED
from quantune_mlir.planning.propagation import SATURATED, NoiseNode, linear_gain, noise_to_signal, output_gains
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysed_runs import AnalysedRuns
from quantune_mlir.sensitivity.measured_runs import compare
from quantune_mlir.sensitivity.run_sums import RunSums


@dataclass(frozen=True)
class _Layer:
    """What the pass says of a layer, see passes/calibrate/shadow_qdq.py."""

    name: str
    op: str
    inputs: tuple[str, ...]
    int8: bool
    elements: int
    macs: int
    weights: int
    result: bool

    @staticmethod
    def of(row: ir.DictAttr) -> _Layer:
        elements, macs, weights = (ir.IntegerAttr(row[key]).value for key in ("elements", "macs", "weights"))
        return _Layer(
            ir.StringAttr(row["name"]).value,
            ir.StringAttr(row["op"]).value,
            tuple(ir.StringAttr(name).value for name in ir.ArrayAttr(row["inputs"])),
            ir.BoolAttr(row["int8"]).value,
            elements,
            macs,
            weights,
            ir.BoolAttr(row["result"]).value,
        )


class QdqAnalyzer:
    """The compiled measuring program of a model whose roundings are marked (`Model.rounded`)."""

    def __init__(
        self,
        model: Model,
        target: Target,
        requantize: RequantizeMode = "float",
        workers: Workers | None = None,
        compiling: Compiling = untold,
    ) -> None:
        self._model = model.hash
        self._program = MeasuringProgram(self._prepare(model, target, requantize), workers, compiling)

    def _prepare(self, model: Model, target: Target, requantize: RequantizeMode) -> Source | KnownProgram:
        module = model.apart("compare-qdq", requantize=requantize)
        attributes = module.operation.attributes
        self._layers = [_Layer.of(ir.DictAttr(row)) for row in ir.ArrayAttr(attributes[SHADOWED])]
        rows = (ir.DictAttr(row) for row in ir.ArrayAttr(attributes[MEASURED]))
        self._rows = [tuple(ir.StringAttr(row[key]).value for key in ("tensor_name", "noise")) for row in rows]
        return program_source(module, target)

    def runs(self, samples: SampleSet) -> Sequence[int]:
        """The positions of the runs over the samples that are made."""
        return AnalysedRuns.of(len(samples), probes=False).compared

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> SensitivityList:
        """One run over the samples; of many, over some."""
        runs = self.runs(samples)
        asked = partial(compare, function="main", shares=(), outputs=False, rows=len(self._rows))
        results = self._program.apart(asked, samples.only(runs), on_sample)
        sums = RunSums(len(self._rows), dict(zip(runs, (sums for _, sums in results), strict=True)))
        elements = {layer.name: float(layer.elements * len(runs)) for layer in self._layers}
        energies = {
            (name, noise): ErrorEnergy(float(signal), float(lost), elements[name])
            for (name, noise), (signal, lost) in zip(self._rows, sums.total(runs), strict=True)
        }
        noise = self._at_results(energies)
        layers = [self._described(index, layer, energies, noise) for index, layer in enumerate(self._layers)]
        return SensitivityList.of(layers, model=self._model, samples=len(runs) * samples.batch)

    def _at_results(self, energies: Mapping[tuple[str, str], ErrorEnergy]) -> dict[str, float]:
        """What each layer's own rounding brings to the network's result, to the worst of several."""
        nodes: list[NoiseNode] = []
        noise: dict[str, float] = {}
        for layer in self._layers:
            found, local = energies[layer.name, ACCUMULATED], energies.get((layer.name, LOCAL), ErrorEnergy())
            gain = linear_gain(found.noise, local.noise, sum(noise[name] for name in layer.inputs))
            nodes.append(NoiseNode(layer.name, layer.inputs, found.signal, local.noise, gain))
            noise[layer.name] = found.noise
        worst = dict.fromkeys(noise, 0.0)
        for result in (layer.name for layer in self._layers if layer.result):
            gains = output_gains(nodes, result)
            saturated = sum(node.local * gains.get(node.name, 0.0) for node in nodes) >= SATURATED
            for node in nodes:
                share = noise_to_signal(node, node.local, gains, saturated=saturated)
                worst[node.name] = max(worst[node.name], share)
        return worst

    def _described(
        self,
        index: int,
        layer: _Layer,
        energies: Mapping[tuple[str, str], ErrorEnergy],
        noise: Mapping[str, float],
    ) -> LayerSensitivity:
        accumulated, local = energies[layer.name, ACCUMULATED], energies.get((layer.name, LOCAL))
        before = [energies[name, ACCUMULATED].sqnr_db for name in layer.inputs]
        return LayerSensitivity(
            name=layer.name,
            op=layer.op,
            index=index,
            quantizable=layer.int8,
            macs=layer.macs,
            weight_bytes=4 * layer.weights,
            elements=int(accumulated.count),
            activation_sqnr_db=accumulated.sqnr_db,
            sqnr_delta_db=sqnr_delta(before, accumulated.sqnr_db),
            local_sqnr_db=local.sqnr_db if local else None,
            mse=accumulated.mse,
            normalized_mse=accumulated.normalized_mse,
            local_normalized_mse=local.normalized_mse if local else None,
            output_normalized_mse=noise[layer.name] if local else None,
            alone_normalized_mse=noise[layer.name] if local else None,
        )
