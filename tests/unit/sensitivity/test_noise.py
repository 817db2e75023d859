"""The noise budget: it adds up to what was measured, and foresees what fp32 buys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import Granularity, IntegerOptions
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL, PROJECTED, PROJECTED_LANES, ROUNDING, Noise
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.noise_model import WORST, NoiseModel
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.planning.propagation import SATURATED
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysis import Analyzer
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.sensitivity.measurement import Energies, Measurement
from quantune_mlir.sensitivity.noise import noise_at_output
from quantune_mlir.sensitivity.noise_budget import NoiseBudget
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter
from tests.onnx_models import build_model

DATA = Path(__file__).parents[2] / "data"
LAST = "classifier/gemm"
BAD = "pointwise/conv"


class Digits:
    """The digits network, one run over its calibration samples, and its mixed programs."""

    def __init__(self, path: Path, weights: Granularity = "per-channel") -> None:
        options = QuantizeOptions(weights=weights, correct_bias=False, equalize=False)
        self.model = Model.load(path)
        self.samples = SampleSet.open(DATA / "digits_calibration.npz", self.model.inputs)
        target = load_target("host")
        profile = Calibrator(self.model, target).run(self.samples)
        self.rewriter = PlanRewriter(self.model, profile, options)
        analyzer = Analyzer(
            self.model.after("repair", profile=profile, correct_bias=False), IntegerOptions(weights), target
        )
        self.energies = (measurement := analyzer.measure(self.samples)).energies
        self.analysis = analyzer.run(self.samples)
        self.budget = noise_at_output(self.model, measurement)
        self.fp32 = Program(compile_module(self.model.module, target))

    def predicted(self, fp32: str | None = None) -> float:
        """Noise-to-signal power at the output with all layers int8 but one."""
        model = NoiseModel(self.budget.parts, self.budget.own, self.budget.rounded)
        return float(model.noise({name: INT8 for name in self.budget.own if name != fp32}).max())

    def measured(self, fp32: str) -> float:
        """What the program does of which `predicted` speaks."""
        return self._noise({layer.name for layer in self.model.layers} - {fp32})

    def measured_alone(self, int8: str) -> float:
        """Noise-to-signal power at the output with one layer int8."""
        return self._noise({int8})

    def _noise(self, int8: Set[str]) -> float:
        layers = tuple(
            LayerPlan(name=layer.name, precision=INT8 if layer.name in int8 else FP32)
            for layer in self.model.layers
            if layer.decides
        )
        mixed = self.rewriter.rewrite(PrecisionPlan(format=1, layers=layers))
        program = Program(compile_module(mixed.module, load_target("host")))
        pairs = (ErrorEnergy.of(self.fp32(*run)[0], program(*run)[0]) for run in self.samples)
        noise = sum(pairs, ErrorEnergy()).normalized_mse
        assert noise is not None
        return noise


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits(DATA / "digits.onnx")


def test_the_noise_of_a_layer_alone_is_foreseen(digits: Digits) -> None:
    """Beside the program in which this layer alone is int8; worst where pixels share errors, for biases are left."""
    foreseen = {name: float(noise.max()) for name, noise in digits.budget.alone.items()}
    measured = {name: digits.measured_alone(name) for name in foreseen}
    exact = [name for name, noise in measured.items() if noise < 1e-9]
    assert exact == [name for name, noise in foreseen.items() if noise == 0], "piecewise linear functions of fp32"
    errors = [abs(decibels(foreseen[name]) - decibels(measured[name])) for name in foreseen if name not in exact]
    assert median(errors) < 1.5 and max(errors) < 4


@pytest.fixture(scope="module")
def outlier(tmp_path_factory) -> Digits:
    """The same with one weight, of a channel that is always zero, so large that one scale for all loses the others."""
    network = onnx.load(DATA / "digits.onnx")
    tensors = {tensor.name: tensor for tensor in network.graph.initializer}

    def edit(name: str, index: tuple[int, ...], value: float) -> None:
        array = numpy_helper.to_array(tensors[name]).copy()
        array[index] = value
        tensors[name].CopyFrom(numpy_helper.from_array(array, name))

    edit("depthwise/norm.scale", (0,), 0.0)
    edit("depthwise/norm.bias", (0,), 0.0)
    edit(f"{BAD}.weight", (0, 0, 0, 0), 12.0)
    path = tmp_path_factory.mktemp("outlier") / "model.onnx"
    onnx.save(network, path)
    return Digits(path, "per-tensor")


def test_layers_and_rounding_add_up_to_the_measured_noise(digits: Digits) -> None:
    measured = digits.energies[LAST, ACCUMULATED].normalized_mse
    assert measured is not None and measured < SATURATED
    assert digits.predicted() == pytest.approx(measured, rel=1e-6)


def test_every_deciding_layer_has_its_part(digits: Digits) -> None:
    deciding = {layer.name for layer in digits.model.layers if layer.decides}
    assert set(digits.budget.own) == deciding
    assert all(noise >= 0 for noise in digits.budget.own.values())
    assert digits.budget.rounding > 0
    for tensor in digits.budget.rounded:
        assert tensor.maker in deciding | {None} and set(tensor.readers) <= deciding
        assert sum(tensor.readers.values()) == pytest.approx(1.0)


def test_the_analysis_reports_the_budget(digits: Digits) -> None:
    assert digits.analysis.noise.rounding == pytest.approx(digits.budget.rounding, rel=1e-9)
    for layer in digits.analysis.layers:
        own = digits.budget.own.get(layer.name)
        assert layer.own_noise == (() if own is None else pytest.approx(tuple(own), rel=1e-5))
        assert layer.output_normalized_mse == (None if own is None else pytest.approx(own.max(), rel=1e-5))


def test_what_fp32_buys_is_foreseen(outlier: Digits) -> None:
    """Cautiously: of the 10 dB that the bad layer takes, much of that is promised, and hardly more than comes."""
    assert max(outlier.budget.own, key=lambda name: outlier.budget.own[name].max()) == BAD
    before, after, measured = (
        decibels(n) for n in (outlier.predicted(), outlier.predicted(BAD), outlier.measured(BAD))
    )
    assert before == pytest.approx(outlier.energies[LAST, ACCUMULATED].sqnr_db, abs=1e-4)
    assert after > before + 4
    assert after - 0.5 <= measured < after + 7


def decibels(noise: float) -> float:
    return -10 * math.log10(noise)


def chain(path: Path, *, relu: bool) -> Model:
    """conv1, perhaps a relu, conv2."""
    make = onnx.helper.make_node
    nodes = [make("Conv", ["x", "w1"], ["c"], name="conv1")]
    if relu:
        nodes.append(make("Relu", ["c"], ["r"], name="relu"))
    nodes.append(make("Conv", ["r" if relu else "c", "w2"], ["y"], name="conv2"))
    weights = {name: np.ones((4, 4, 1, 1), np.float32) for name in ("w1", "w2")}
    onnx.save(build_model(nodes, {"x": np.zeros((1, 4, 3, 3), np.float32)}, weights, ["y"]), path)
    return Model.load(path)


def energies(noises: Mapping[tuple[str, Noise], float], signal: float = 100.0) -> dict[tuple[str, Noise], ErrorEnergy]:
    return {key: ErrorEnergy(signal, noise, 36.0) for key, noise in noises.items()}


def budget_of(model: Model, energies: Energies, *projections: Energies) -> NoiseBudget:
    return noise_at_output(model, Measurement(energies, projections))


def own(budget: NoiseBudget) -> dict[str, float]:
    return {name: float(noise.max()) for name, noise in budget.own.items()}


def test_rounding_for_the_next_layer_is_that_layers(tmp_path: Path) -> None:
    """The result of conv1 is not rounded where conv2 is fp32; all is scaled to what was measured, 3 %."""
    measured: dict[tuple[str, Noise], float] = {
        ("conv1", ACCUMULATED): 1.0,
        ("conv1", LOCAL): 1.0,
        ("conv1", ROUNDING): 0.25,
        ("conv2", ACCUMULATED): 3.0,
        ("conv2", LOCAL): 1.0,
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=False), energies(measured))
    scale = 3.0 / ((1.0 - 0.25) * 2.0 + 1.0)
    assert own(budget) == pytest.approx({"conv1": scale * (1.0 - 0.25) * 2.0 / 100, "conv2": scale * 1.0 / 100})
    assert budget.rounded == () and budget.parts == ("conv2",)


def test_a_clamp_that_folds_is_one_with_the_layer_before(tmp_path: Path) -> None:
    measured: dict[tuple[str, Noise], float] = {
        ("conv1", ACCUMULATED): 9.0,
        ("relu", ACCUMULATED): 1.0,
        ("relu", LOCAL): 1.0,
        ("conv2", ACCUMULATED): 3.0,
        ("conv2", LOCAL): 1.0,
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(measured))
    assert own(budget) == pytest.approx({"conv1": 1.0 * (3.0 - 1.0) / 1.0 / 100, "conv2": 1.0 / 100})


MEASURED: Final[dict[tuple[str, Noise], float]] = {("conv2", ACCUMULATED): 3.0}


def test_projected_noise_is_scaled_to_what_the_run_measured(tmp_path: Path) -> None:
    projected: Energies = {
        ("conv1", PROJECTED): ErrorEnergy(2.0, 0.5, 1.0),
        ("conv2", PROJECTED): ErrorEnergy(1.0, 1.0, 1.0),
        ("conv1", PROJECTED_LANES): ErrorEnergy(4.0, 0.0, 1.0),
        ("conv2", PROJECTED_LANES): ErrorEnergy(1.0, 0.0, 1.0),
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(MEASURED), projected)
    assert {name: noise.max() for name, noise in budget.alone.items()} == pytest.approx({"conv1": 0.03, "conv2": 0.01})
    scale = 0.03 / (0.03 * 0.25 + 0.01)
    assert own(budget) == pytest.approx({"conv1": scale * 0.03 * 0.25, "conv2": scale * 0.01})


@pytest.mark.parametrize(("measured", "total"), [(2.0, 2.0), (0.1, 3.0)])
def test_errors_that_cancel_do_not_make_each_smaller(tmp_path: Path, measured: float, total: float) -> None:
    """Of layers that alone bring 3 and 1, 2 may be left by chance; where next to nothing is, 3 is taken for the sum."""
    projected: Energies = {
        ("conv1", PROJECTED): ErrorEnergy(3.0, 3.0, 1.0),
        ("conv2", PROJECTED): ErrorEnergy(1.0, 1.0, 1.0),
        ("conv1", PROJECTED_LANES): ErrorEnergy(3.0, 0.0, 1.0),
        ("conv2", PROJECTED_LANES): ErrorEnergy(1.0, 0.0, 1.0),
    }
    at_output: dict[tuple[str, Noise], float] = {("conv2", ACCUMULATED): measured}
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(at_output), projected)
    assert own(budget) == pytest.approx({"conv1": total / 100 * 3 / 4, "conv2": total / 100 * 1 / 4})


def test_noise_that_no_projection_foresaw_is_blamed_on_whose_errors_have_grown(tmp_path: Path) -> None:
    """Behind conv1 there is what conv2 makes ten times as large; projected, conv1 and conv2 bring alike."""
    measured: dict[tuple[str, Noise], float] = {
        ("conv1", ACCUMULATED): 0.8,
        ("conv1", LOCAL): 0.8,
        ("conv2", ACCUMULATED): 8.1,
        ("conv2", LOCAL): 0.1,
    }
    projected: Energies = {
        (name, kind): ErrorEnergy(0.1, noise, 1.0)
        for name in ("conv1", "conv2")
        for kind, noise in ((PROJECTED, 0.1), (PROJECTED_LANES, 0.0))
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=False), energies(measured), projected)
    assert own(budget) == pytest.approx({"conv1": 0.08, "conv2": 0.001})


def test_noise_of_the_runs_that_were_probed_stands_for_that_of_all(tmp_path: Path) -> None:
    """Those have a thousandth of it: the one loud sample is not among them."""
    noises: dict[tuple[str, Noise], float] = {("conv2", ACCUMULATED): 0.003}
    noises |= {(name, kind): 0.0 for name in ("conv1", "conv2") for kind in (PROJECTED, PROJECTED_LANES)}
    projected: Energies = {
        key: ErrorEnergy(0.0015 if key[1] in (PROJECTED, PROJECTED_LANES) else 0.1, noise, 1.0)
        for key, noise in noises.items()
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(MEASURED), projected)
    assert {name: noise.max() for name, noise in budget.alone.items()} == pytest.approx(
        {"conv1": 0.015, "conv2": 0.015}
    )


@pytest.mark.parametrize("measured", [20.0, 60.0])
def test_as_much_noise_as_signal_adds_up_no_longer_where_less_was_measured(tmp_path: Path, measured: float) -> None:
    projected: Energies = {
        (name, kind): ErrorEnergy(noise, noise, 1.0)
        for name, noise in (("conv1", 39.0), ("conv2", 1.0))
        for kind in (PROJECTED, PROJECTED_LANES)
    }
    at_output: dict[tuple[str, Noise], float] = {("conv2", ACCUMULATED): measured}
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(at_output), projected)
    (halved_at,) = budget.halved_at
    if measured < 40:
        assert halved_at == pytest.approx(0.4) and own(budget)["conv1"] == pytest.approx(0.39)
    else:
        assert halved_at is None and own(budget)["conv1"] == pytest.approx(0.6 * 39 / 40)
    model = NoiseModel(budget.parts, budget.own, halved_at=np.array([halved_at or math.inf]))
    assert model.noise(dict.fromkeys(budget.own, INT8)) == pytest.approx([measured / 100])


def test_of_ruin_that_was_foreseen_worse_ruin_tells_nothing(tmp_path: Path) -> None:
    """Both beyond the signal, of 100: other plans have what was projected of their layers."""
    projected: Energies = {
        (name, kind): ErrorEnergy(noise, noise, 1.0)
        for name, noise in (("conv1", 150.0), ("conv2", 1.0))
        for kind in (PROJECTED, PROJECTED_LANES)
    }
    at_output: dict[tuple[str, Noise], float] = {("conv2", ACCUMULATED): 1200.0}
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(at_output), projected)
    assert own(budget) == pytest.approx({"conv1": 1.5, "conv2": 0.01})


def test_an_error_that_all_lanes_share_is_taken_as_a_whole(tmp_path: Path) -> None:
    projected: Energies = {
        ("conv1", PROJECTED): ErrorEnergy(2.0, 2.0, 1.0),
        ("conv1", PROJECTED_LANES): ErrorEnergy(0.1, 0.0, 1.0),
        ("conv2", PROJECTED): ErrorEnergy(1.0, 1.0, 1.0),
        ("conv2", PROJECTED_LANES): ErrorEnergy(0.5, 0.0, 1.0),
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), energies(MEASURED), projected)
    alone = {name: noise.max() for name, noise in budget.alone.items()}
    assert alone == pytest.approx({"conv1": (0.9 * 2.0 + 0.1 * 0.1) / 100, "conv2": 0.0075})


def test_what_is_not_known_counts_as_the_worst(tmp_path: Path) -> None:
    """Squares that overflow, or a NaN."""
    projected: Energies = {
        (name, kind): ErrorEnergy(noise, noise, 1.0)
        for name, noise in (("conv1", math.nan), ("conv2", 1.0))
        for kind in (PROJECTED, PROJECTED_LANES)
    }
    measured = {("conv2", ACCUMULATED): ErrorEnergy(100.0, math.nan, 1.0)}
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), measured, projected)
    assert own(budget) == pytest.approx({"conv1": WORST, "conv2": 0.01})


def test_nothing_measured_gives_an_empty_budget(tmp_path: Path) -> None:
    budget = budget_of(chain(tmp_path / "m.onnx", relu=True), {})
    assert (budget.own, budget.rounding, budget.parts) == ({}, 0.0, ())


def test_a_network_without_signal_has_no_noise_to_speak_of(tmp_path: Path) -> None:
    measured: dict[tuple[str, Noise], float] = {
        ("conv1", ACCUMULATED): 1.0,
        ("conv1", LOCAL): 1.0,
        ("conv2", ACCUMULATED): 3.0,
        ("conv2", LOCAL): 1.0,
    }
    budget = budget_of(chain(tmp_path / "m.onnx", relu=False), energies(measured, signal=0.0))
    assert own(budget) == {"conv1": 0.0, "conv2": 0.0} and budget.rounding == 0.0
