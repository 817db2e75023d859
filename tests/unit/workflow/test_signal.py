"""Networks that approximate their input: noise at the output is reckoned against output - input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.quantune_dialect import ACCUMULATED, RESIDUAL
from quantune_mlir.ir.reconstruction import find_reconstruction
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.policies import predicted_sqnr_db
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.compilation import compile_program
from quantune_mlir.workflow.model import Model
from quantune_mlir.workflow.noise import noise_at_output
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import Quantization, quantize
from tests.onnx_models import build_model

RNG = np.random.default_rng(11)
IMAGE = (1, 4, 6, 6)
SAMPLES = 5
make = onnx.helper.make_node


def near_identity(gain: float) -> dict[str, np.ndarray]:
    """Weights of a bottleneck that gives back `gain` times its input, and a little else."""
    mix = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    there, back = (RNG.normal(part, 0.01).astype(np.float32) for part in (mix, gain * mix.T))
    return {"w1": there[:, :, None, None], "w2": back[:, :, None, None]}


def convolutions(gain: float, *, ending: Sequence[onnx.NodeProto] = (), result: str = "y") -> onnx.ModelProto:
    nodes = [
        make("Conv", ["x", "w1"], ["c"], name="encoder"),
        make("Conv", ["c", "w2"], ["y"], name="decoder"),
        *ending,
    ]
    return build_model(nodes, {"x": np.zeros(IMAGE, np.float32)}, near_identity(gain), [result])


def loaded(model: onnx.ModelProto, folder: Path) -> Model:
    onnx.save(model, folder / "model.onnx")
    return Model.load(folder / "model.onnx")


def quantized(model: Model, policy: PlanPolicy, data: Mapping[str, np.ndarray]) -> Quantization:
    return quantize(model, SampleSet.open(data, model.inputs), QuantizeOptions(), policy=policy)


def images() -> np.ndarray:
    return RNG.uniform(0.5, 1.5, (SAMPLES, *IMAGE[1:])).astype(np.float32)


@pytest.mark.parametrize("flat", [False, True])
def test_the_signal_is_what_the_network_misses_of_its_input(tmp_path: Path, *, flat: bool) -> None:
    """Through the layout transposes at the boundary, and where the result is the input in another shape."""
    ending = [make("Flatten", ["y"], ["f"], name="flatten")] if flat else []
    model = loaded(convolutions(0.9, ending=ending, result="f" if flat else "y"), tmp_path)
    data = images()
    found = quantized(model, PlanPolicy(everything="int8"), {"x": data})
    fp32, int8 = (Program(compile_program(m, load_target("host"))) for m in (model.module, found.mixed.module))
    output, residual = ErrorEnergy(), ErrorEnergy()
    for sample in data:
        reference, result = (program(sample[None])[0].reshape(IMAGE) for program in (fp32, int8))
        output += ErrorEnergy.of(reference, result)
        residual += ErrorEnergy.of(reference, sample[None])
    assert found.sensitivity.residual_normalized_energy == pytest.approx(residual.normalized_mse, rel=1e-4)
    predicted = predicted_sqnr_db(found.sensitivity.layers, found.sensitivity.rounding_normalized_mse or 0.0)
    assert predicted == pytest.approx(ErrorEnergy(residual.noise, output.noise).sqnr_db, abs=0.02)
    assert output.sqnr_db is not None and output.sqnr_db > predicted + 15


@pytest.mark.parametrize(("gain", "counts"), [(0.9, True), (-0.9, False)])
def test_a_result_that_is_not_like_the_input_is_its_own_signal(tmp_path: Path, gain: float, *, counts: bool) -> None:
    model = loaded(convolutions(gain), tmp_path)
    sensitivity = quantized(model, PlanPolicy(everything="int8"), {"x": images()}).sensitivity
    assert (sensitivity.residual_normalized_energy is not None) == counts
    predicted = predicted_sqnr_db(sensitivity.layers, sensitivity.rounding_normalized_mse or 0.0)
    decoder = next(layer for layer in sensitivity.layers if layer.name == "decoder")
    assert counts or predicted == pytest.approx(decoder.activation_sqnr_db, abs=0.01)


def test_min_sqnr_and_reasons_speak_of_the_residual(tmp_path: Path) -> None:
    model = loaded(convolutions(0.95), tmp_path)
    data = images()
    sensitivity = quantized(model, PlanPolicy(everything="int8"), {"x": data}).sensitivity
    int8 = predicted_sqnr_db(sensitivity.layers, sensitivity.rounding_normalized_mse or 0.0)
    plan = quantized(model, PlanPolicy(min_sqnr_db=int8 + 1), {"x": data}).plan
    reasons = [layer.reason or "" for layer in plan.layers if layer.precision == "fp32"]
    assert any(f"raises the predicted SQNR of output - input from {int8:.1f} to" in reason for reason in reasons)


def find(model: Model) -> bool:
    return find_reconstruction(main_function(model.module), model.units, model.layers) is not None


def test_what_may_be_a_reconstruction(tmp_path: Path) -> None:
    assert find(loaded(convolutions(0.9), tmp_path))
    softmax = [make("Softmax", ["y"], ["s"], name="softmax", axis=1)]
    assert not find(loaded(convolutions(0.9, ending=softmax, result="s"), tmp_path)), "not the last layer's result"
    pool = [make("GlobalAveragePool", ["y"], ["g"], name="mean")]
    assert not find(loaded(convolutions(0.9, ending=pool, result="g"), tmp_path)), "fewer elements"
    two_inputs = build_model(
        [make("Conv", ["x", "w1"], ["c"], name="conv"), make("Add", ["c", "z"], ["y"], name="sum")],
        {"x": np.zeros(IMAGE, np.float32), "z": np.zeros(IMAGE, np.float32)},
        {"w1": near_identity(1.0)["w1"]},
        ["y"],
    )
    assert not find(loaded(two_inputs, tmp_path)), "two inputs"


@pytest.mark.parametrize(("residual", "expected"), [(25.0, 0.25), (0.0, None), (100.0, None), (180.0, None)])
def test_noise_is_reckoned_against_the_smaller_of_two_signals(
    tmp_path: Path, residual: float, expected: float | None
) -> None:
    """A network that copies its input has no residual, and one that has nothing to do with it has a large one."""
    model = loaded(convolutions(0.9), tmp_path)
    measured = {("decoder", ACCUMULATED): ErrorEnergy(100.0, 1.0, 1.0), ("%x", RESIDUAL): ErrorEnergy(100.0, residual)}
    budget = noise_at_output(model, measured)
    assert budget.residual == expected


def test_all_noise_scales(tmp_path: Path) -> None:
    model = loaded(convolutions(0.9), tmp_path)
    noise = {"encoder": (2.0, 0.5), "decoder": (1.0, 1.0)}
    measured = {("decoder", ACCUMULATED): ErrorEnergy(100.0, 3.0, 1.0)} | {
        (name, "projected"): ErrorEnergy(alone, removed, 1.0) for name, (alone, removed) in noise.items()
    }
    output = noise_at_output(model, measured)
    budget = noise_at_output(model, measured | {("%x", RESIDUAL): ErrorEnergy(100.0, 25.0)})
    assert budget.layers == pytest.approx({name: 4 * value for name, value in output.layers.items()})
    assert budget.alone == pytest.approx({name: 4 * value for name, value in output.alone.items()})
    assert budget.rounding == pytest.approx(4 * output.rounding) and output.rounding > 0
