"""Plans and options on the sample network."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from quantune_mlir.cli.quantune_opt import main as quantune_opt
from quantune_mlir.mlir.text import module_text
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import RangeMethod, Scheme
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.inference_runs import InferenceRuns
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.rewriting import PlanRewriter
from tests.e2e.conftest import CALIBRATION, FILES, MODEL, TEST, Quantune, Refused, run_main
from tests.e2e.modules import dot_inputs, operations


class TestPlan:
    def test_an_edited_plan_is_honoured_exactly(self, digits: Path, quantized: Any, tmp_path: Path) -> None:
        plan = yaml.safe_load((digits / "plan.yaml").read_text())
        for layer in plan["layers"]:
            layer["precision"] = "fp32" if layer["name"] == "pointwise/conv" else "int8"
        file = tmp_path / "edited.yaml"
        file.write_text(yaml.safe_dump(plan))
        output = quantized("--plan", file, "--profile", digits / "profile.npz")
        assert dot_inputs(output / "mixed.mlir") == ["i8", "i8", "f32", "i8", "i8"]
        written = PrecisionPlan.load(output / "plan.yaml").precision_of()
        assert written == {name: FP32 if name == "pointwise/conv" else INT8 for name in written}
        summary = json.loads((output / "summary.json").read_text())
        assert {layer["name"] for layer in summary["layers"] if layer["precision"] == "fp32"} == {"pointwise/conv"}

    def test_values_are_quantized_once(self, digits: Path, tmp_path: Path) -> None:
        plan, made = tmp_path / "plan.yaml", tmp_path / "mixed.mlir"
        layers = [{"name": name, "precision": "fp32"} for name in ("depthwise/conv", "head/conv")]
        plan.write_text(yaml.safe_dump({"format": 1, "default": "int8", "layers": layers}))
        settings = ("--set", f"profile={digits / 'profile.npz'}", "--set", f"plan={plan}")
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "quantize", *settings, "-o", made) == 0
        casts = [op for op in operations(made) if op.name == "tosa.cast"]
        conversions = Counter((op.operand, op.result_type) for op in casts)
        assert {"i8", "f32"} <= {op.result_type for op in casts}
        assert max(conversions.values()) == 1
        dequantized = {op.result for op in casts if op.operand_type == "i8"}
        assert not [op for op in casts if op.result_type == "i8" and op.operand in dequantized]

    def test_keep_fp32_pins_every_layer_found(self, digits: Path) -> None:
        precision = planned(digits, PlanPolicy(everything="int8", keep_fp32="^stem/"))
        assert [name for name, value in precision.items() if value == "fp32"] == ["stem/conv", "stem/relu"]

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_fp32_layers(self, digits: Path, count: int) -> None:
        precision = planned(digits, PlanPolicy(fp32_layers=count))
        model, ranked = Model.load(digits / "fp32.mlir"), SensitivityList.load(digits / "sensitivity.yaml")
        deciding = {layer.name for layer in model.layers if layer.decides}
        first = [layer.name for layer in ranked.layers if layer.name in deciding][:count]
        computing = {layer.name for layer in ranked.layers if layer.macs}
        assert all(precision[name] == "fp32" for name in first)
        assert {name for name in computing if precision[name] == "fp32"} <= set(first)


def planned(digits: Path, policy: PlanPolicy) -> dict[str, str]:
    """The precision of each layer that a policy comes to."""
    model = Model.load(digits / "fp32.mlir")
    plan = policy.plan(SensitivityList.load(digits / "sensitivity.yaml"), model)
    return PlanRewriter(model, Profile.load(digits / "profile.npz"), QuantizeOptions()).rewrite(plan).precision


@pytest.mark.parametrize("command", ["quantize", "analyze"])
def test_a_mixed_module_is_not_quantized_again(refused: Refused, digits: Path, tmp_path: Path, command: str) -> None:
    output = tmp_path / "out"
    message = refused(command, digits / "mixed.mlir", "--calibration", CALIBRATION, "--output", output)
    assert "quantized already" in message and "fp32.mlir of the same folder" in message
    assert not output.exists()


def test_one_precision_throughout_and_force(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ("--calibration", CALIBRATION, "--profile", digits / "profile.npz", "--output", output, "--samples", 2)
    assert quantune("quantize", MODEL, *arguments, "--all", "fp32").status == 0
    assert set(dot_inputs(output / "mixed.mlir")) == {"f32"}
    raw: list[NDArray[np.float32]] = []
    for variant in ("fp32", "mixed"):
        file = tmp_path / f"{variant}.npy"
        assert quantune("evaluate", output, "--data", TEST, "--variant", variant, "--outputs", file).status == 0
        raw.append(np.load(file))
        file.unlink()
    np.testing.assert_array_equal(raw[0], raw[1])
    assert quantune("quantize", MODEL, *arguments, "--all", "int8", "--force").status == 0
    assert set(dot_inputs(output / "mixed.mlir")) == {"i8"}
    assert json.loads((output / "summary.json").read_text())["totals"]["int8_mac_share"] == 1.0
    assert sorted(path.name for path in output.iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        {"weights": "per-tensor"},
        {"scheme": Scheme.SYMMETRIC},
        {"scheme": Scheme.SYMMETRIC_WITH_UINT8},
        {"scheme": Scheme.SYMMETRIC_WITH_POWER2_SCALE},
        {"range": RangeMethod.PERCENTILE},
        {"range": RangeMethod.ENTROPY},
        {"range": RangeMethod.MSE},
        {"requantize": "integer"},
        {"requantize": "integer", "scheme": Scheme.SYMMETRIC_WITH_POWER2_SCALE, "weights": "per-tensor"},
    ],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
def test_options_keep_the_accuracy(digits: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    model, profile = Model.load(digits / "fp32.mlir"), Profile.load(digits / "profile.npz")
    options = QuantizeOptions(**changed)
    samples = SampleSet.open(CALIBRATION, model.inputs, count=10)
    made = quantize(model, samples, options, policy=PlanPolicy(everything="int8"), profile=profile)
    assert made.runs == InferenceRuns(fp32=0, int8=1, samples=10)
    program, test = made.program(), np.load(TEST)
    right = sum(
        int(program(image[None])[0].argmax()) == label
        for image, label in zip(test["input"], test["labels"], strict=True)
    )
    assert right >= 394 - 8
    plan, again = tmp_path / "plan.yaml", tmp_path / "mixed.mlir"
    plan.write_text(made.plan.to_yaml())
    settings = {name: str(value) for name, value in changed.items()} | {
        "equalize": str(options.equalizes).lower(),
        "profile": str(digits / "profile.npz"),
        "plan": str(plan),
    }
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    arguments = ("--pipeline", "quantize", *flags, "--mlir-print-op-generic", "-o", again)
    assert run_main(quantune_opt, digits / "fp32.mlir", *arguments) == 0
    assert again.read_text() == module_text(made.mixed.module, generic=True)
