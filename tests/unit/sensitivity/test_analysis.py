"""Run 2 measures what the all-int8 program computes: the metrics equal those recomputed from raw tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.graph.layers import Layer
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import RangeMethod
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import LayerSensitivity
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysed_runs import AnalysedRuns
from quantune_mlir.sensitivity.analysis import Analyzer
from quantune_mlir.sensitivity.calibration import Calibrator
from tests.onnx_models import build_model
from tests.unit.integer.int8_epilogues import epilogues_of
from tests.unit.integer.reference import Int8, Reference, evaluate_unit

RNG = np.random.default_rng(7)
SAMPLES = 45
RUNS = AnalysedRuns.of(SAMPLES, probes=True)
RANGE = RangeMethod.MINMAX


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def small_network() -> onnx.ModelProto:
    """A folded clamp, a sum, a table, a mean, a classifier that ends in fp32, a softmax."""
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        make("Relu", ["c1"], ["r1"], name="relu1"),
        make("Conv", ["r1", "w2"], ["c2"], name="conv2"),
        make("Add", ["c2", "r1"], ["a"], name="sum"),
        make("HardSwish", ["a"], ["h"], name="swish"),
        make("MaxPool", ["h"], ["m"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        make("GlobalAveragePool", ["m"], ["g"], name="mean"),
        make("Flatten", ["g"], ["f"], name="flat"),
        make("Gemm", ["f", "w3", "b3"], ["l"], name="classifier"),
        make("Softmax", ["l"], ["s"], name="softmax"),
    ]
    constants = {
        "w1": draw(8, 3, 3, 3),
        "b1": draw(8),
        "w2": 0.3 * draw(8, 8, 1, 1),
        "w3": 0.02 * draw(8, 5),
        "b3": draw(5),
    }
    return build_model(nodes, {"x": np.zeros((1, 3, 8, 8), np.float32)}, constants, ["l", "s"])


class Analyzed:
    """The network after both runs over the samples."""

    def __init__(self, path: Path, options: IntegerOptions) -> None:
        self.onnx = small_network()
        onnx.save(self.onnx, path)
        self.options = options
        self.model = Model.load(path)
        self.data = draw(SAMPLES, 3, 8, 8)
        target = load_target("host")
        samples = SampleSet.open({"x": self.data}, self.model.inputs)
        self.profile: Profile = Calibrator(self.model, target).run(samples)
        self.repaired = self.model.after("repair", profile=self.profile, range=RANGE, correct_bias=False)
        analyzer = Analyzer(self.repaired, options, target)
        self.layers: dict[str, LayerSensitivity] = {layer.name: layer for layer in analyzer.run(samples).layers}


@pytest.fixture(scope="module", params=["integer", "float"])
def analyzed(request, tmp_path_factory) -> Analyzed:
    path = tmp_path_factory.mktemp("analysis") / "model.onnx"
    return Analyzed(path, IntegerOptions(requantize=request.param))


def test_the_noise_of_the_outputs_is_that_of_the_all_int8_program(analyzed: Analyzed) -> None:
    options = analyzed.options
    everything = PrecisionPlan(format=1, default=INT8)
    int8 = analyzed.repaired.after("rewrite", plan=everything, **vars(options)).module
    programs = [Program(compile_program(m, load_target("host"))) for m in (analyzed.model.module, int8)]
    energies = {"classifier": ErrorEnergy(), "softmax": ErrorEnergy()}
    for index in (*RUNS.probed, *RUNS.compared):
        sample = analyzed.data[index]
        fp32, quantized = (program(sample[None]) for program in programs)
        for name, reference, result in zip(energies, fp32, quantized, strict=True):
            energies[name] += ErrorEnergy.of(reference, result)
    for name, energy in energies.items():
        layer = analyzed.layers[name]
        assert layer.activation_sqnr_db == pytest.approx(energy.sqnr_db, abs=2e-3)
        assert layer.mse == pytest.approx(energy.mse, rel=2e-4)
        assert layer.normalized_mse == pytest.approx(energy.normalized_mse, rel=2e-4)


def test_every_layer_is_measured_as_it_ships(analyzed: Analyzed) -> None:
    """Against the NumPy form of each layer, whose fp32 sums differ in the last bits; alone by probed samples."""
    function, network = analyzed.repaired.function, analyzed.repaired.network
    units, layers = network.units, network.layers
    in_int8 = {value for value, format_ in network.everywhere(INT8).items() if format_ is INT8}
    epilogues = epilogues_of(units, in_int8, float_epilogues=analyzed.options.requantize == "float")
    heads = {epilogues.clamps[unit.output].output: unit for unit in units if unit.output in epilogues.clamps}
    (argument,) = entry_block(function).arguments

    def new_reference(int8: Mapping[ir.Value, Int8], fp32: Mapping[ir.Value, np.ndarray]) -> Reference:
        reference = Reference(units, in_int8, read_qparams(function), analyzed.options)
        reference.int8, reference.fp32 = dict(int8), dict(fp32)
        return reference

    def compute(reference: Reference, layer: Layer) -> np.ndarray:
        for unit in layer.units:
            if unit.output in heads:
                reference.compute(heads[unit.output], unit, in_float=unit.output in epilogues.in_float)
            elif unit.output in in_int8 or not layer.computes:
                reference.compute(
                    unit, None, in_float=unit.output in epilogues.clamps or unit.output in epilogues.in_float
                )
            else:
                inputs = {value: reference.as_fp32(value) for value in unit.inputs}
                reference.fp32[unit.output] = evaluate_unit(unit, inputs)
        return reference.as_fp32(layer.output)

    accumulated = {layer.name: ErrorEnergy() for layer in layers}
    local = {layer.name: ErrorEnergy() for layer in layers}
    for index in (*RUNS.probed, *RUNS.compared):
        sample = analyzed.data[index]
        exact = {argument: sample[None]}
        for unit in units:
            exact[unit.output] = evaluate_unit(unit, exact)
        shipped = new_reference({}, {})
        shipped.run({argument: sample[None]})
        for layer in layers:
            head_alone = new_reference(shipped.int8, shipped.fp32)
            made = compute(head_alone, layer) if layer.output in epilogues.clamps else shipped.as_fp32(layer.output)
            is_probed = index in RUNS.probed
            if is_probed or layer.output not in epilogues.clamps:
                accumulated[layer.name] += ErrorEnergy.of(exact[layer.output], made)
            if is_probed and layer.quantizable and layer.output not in epilogues.clamps:
                local[layer.name] += ErrorEnergy.of(exact[layer.output], compute(new_reference({}, exact), layer))
    for layer in layers:
        if layer.output in epilogues.clamps:
            local[layer.name] = local[epilogues.clamps[layer.output].layer or ""]
    assert [layer.name for layer in layers] == list(analyzed.layers)
    for name, layer in analyzed.layers.items():
        assert layer.activation_sqnr_db == pytest.approx(accumulated[name].sqnr_db, abs=0.01), name
        if layer.quantizable:
            assert layer.local_sqnr_db == pytest.approx(local[name].sqnr_db, abs=0.01), name
            assert layer.local_normalized_mse == pytest.approx(local[name].normalized_mse, rel=2e-3), name


def test_a_graph_input_is_exact_for_layers_that_read_it_in_fp32(tmp_path: Path) -> None:
    """Its int8 form is of those only that read it in int8: here, of the convolution."""
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "w"], ["c"], name="conv"),
        make("Softmax", ["x"], ["s"], name="softmax"),
        make("Flatten", ["x"], ["f"], name="flat"),
        make("Softmax", ["f"], ["t"], name="softmax of flat"),
    ]
    network = build_model(nodes, {"x": np.zeros((1, 3, 8, 8), np.float32)}, {"w": draw(4, 3, 1, 1)}, ["c", "s", "t"])
    onnx.save(network, tmp_path / "model.onnx")
    model = Model.load(tmp_path / "model.onnx")
    target = load_target("host")
    samples = SampleSet.open({"x": draw(2, 3, 8, 8)}, model.inputs)
    profile = Calibrator(model, target).run(samples)
    analyzer = Analyzer(model.after("repair", profile=profile, range=RANGE), IntegerOptions(), target)
    layers = {layer.name: layer for layer in analyzer.run(samples).layers}
    rounded = analyzer.measure(samples).energies["%x", ACCUMULATED].sqnr_db
    assert rounded is not None and rounded < 60
    assert layers["conv"].sqnr_delta_db == pytest.approx(rounded - layers["conv"].activation_sqnr_db, abs=1e-3)
    for name in ("softmax", "flat", "softmax of flat"):
        assert (layers[name].activation_sqnr_db, layers[name].sqnr_delta_db) == (math.inf, 0.0), name


def test_sqnr_delta_is_the_worst_input_less_the_output(analyzed: Analyzed) -> None:
    inputs = {"conv2": ["relu1"], "sum": ["conv2", "relu1"], "swish": ["sum"], "softmax": ["classifier"]}
    for name, sources in inputs.items():
        before = min(analyzed.layers[source].activation_sqnr_db for source in sources)
        after = analyzed.layers[name].activation_sqnr_db
        assert analyzed.layers[name].sqnr_delta_db == pytest.approx(before - after, abs=1e-3)
