"""The sample network in other tools: stock IREE, quantune-opt, terminals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quantune_mlir.backend.program import Program
from quantune_mlir.cli.quantune_opt import main as quantune_opt
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.sensitivity import SensitivityList
from tests.e2e.conftest import CALIBRATION, MODEL, TEST, Quantune, run_main
from tests.e2e.modules import operations, tensor_names


def outputs_of(program: Path, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first output of a compiled program."""
    return Program(program)(image)[0].astype(np.float32)


class TestStockTools:
    def test_iree_run_module(self, digits: Path) -> None:
        image = np.load(TEST)["input"][:1]
        expected = outputs_of(digits / "model.vmfb", image).reshape(-1).tolist()
        assert iree_run(digits / "model.vmfb", image) == pytest.approx(expected, rel=1e-4, abs=1e-4)

    def test_iree_compile_takes_the_mixed_module(self, digits: Path, tmp_path: Path) -> None:
        program = tmp_path / "stock.vmfb"
        command = [str(script("iree-compile")), str(digits / "mixed.mlir"), "--iree-hal-target-backends=llvm-cpu"]
        subprocess.run([*command, "--iree-llvmcpu-target-cpu=host", "-o", str(program)], check=True)
        image = np.load(TEST)["input"][:1]
        np.testing.assert_allclose(outputs_of(program, image), outputs_of(digits / "model.vmfb", image), atol=0.2)

    def test_mixed_module_is_plain_tosa(self, digits: Path) -> None:
        assert {op.name.split(".")[0] for op in operations(digits / "mixed.mlir")} == {"tosa"}
        assert "quantune.precision" not in (digits / "mixed.mlir").read_text()

    def test_compile_and_run(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        image = np.load(TEST)["input"][:1]
        np.save(tmp_path / "x.npy", image)
        program, result = tmp_path / "y.vmfb", tmp_path / "y.npy"
        made = quantune("compile", digits / "mixed.mlir", "--target", "host", "-o", program, "--json", "-")
        assert made.status == 0
        assert json.loads(made.stdout) == {
            "deliverable": "vmfb",
            "target": "host",
            "files": {"y.vmfb": program.stat().st_size},
        }
        assert quantune("run", program, "--input", tmp_path / "x.npy", "--output", result).status == 0
        np.testing.assert_array_equal(np.load(result), outputs_of(digits / "model.vmfb", image))
        assert quantune("run", program, "--input", tmp_path / "x.npy").stdout.startswith("logits: float32[1, 10]\n")
        assert quantune("run", digits, "--input", TEST, "--output", tmp_path / "y.npz").status == 0
        with np.load(tmp_path / "y.npz") as outputs:
            assert outputs["logits"].shape == (400, 10)
            np.testing.assert_array_equal(outputs["logits"][:1], np.load(result))


class TestQuantuneOpt:
    def test_pass_flags_reproduce_the_mixed_module(
        self, digits: Path, summary: Mapping[str, Any], tmp_path: Path
    ) -> None:
        options, made = summary["options"], tmp_path / "mixed.mlir"
        activations = f"scheme={options['scheme']} range={options['range']}"
        flags = [
            f"--quantune-assign-input-means=profile={digits / 'profile.npz'}",
            f"--quantune-assign-qparams=profile={digits / 'profile.npz'} {activations}",
            f"--quantune-assign-precision=plan={digits / 'plan.yaml'}",
            f"--quantune-quantize=weights={options['weights']} requantize={summary['requantize']}",
            "--quantune-remove-dead-code",
        ]
        assert run_main(quantune_opt, digits / "fp32.mlir", *flags, "--mlir-print-op-generic", "-o", made) == 0
        assert made.read_bytes() == (digits / "mixed.mlir").read_bytes()

    def test_named_pipeline_has_the_same_defaults(self, digits: Path, tmp_path: Path) -> None:
        made = tmp_path / "mixed.mlir"
        settings = ("--set", f"profile={digits / 'profile.npz'}", "--set", f"plan={digits / 'plan.yaml'}")
        arguments = ("--pipeline", "quantize", *settings, "--mlir-print-op-generic", "-o", made)
        assert run_main(quantune_opt, digits / "fp32.mlir", *arguments) == 0
        assert made.read_bytes() == (digits / "mixed.mlir").read_bytes()

    def test_named_pipelines_make_the_programs_of_both_runs(self, digits: Path, tmp_path: Path) -> None:
        made = tmp_path / "program.mlir"
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "observe", "-o", made) == 0
        assert tensor_names(made, "quantune.observed") == list(Profile.load(digits / "profile.npz"))
        settings = ("--set", f"profile={digits / 'profile.npz'}")
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "analyze", *settings, "-o", made) == 0
        layers = {layer.name for layer in SensitivityList.load(digits / "sensitivity.yaml").layers}
        assert set(tensor_names(made, "quantune.measured")) == {"%input", *layers}


class TestPrinting:
    def test_tables_are_never_cut(self, quantune: Quantune, digits: Path) -> None:
        arguments = ("--calibration", CALIBRATION, "--profile", digits / "profile.npz", "--samples", 2)
        outcome = quantune("analyze", MODEL, *arguments)
        assert outcome.status == 0, outcome.stderr
        header, *rows = [re.split(" {2,}", line) for line in outcome.stdout.splitlines()[1:]]
        assert header[:2] == ["layer", "op"] and header[-6:] == ["SQNR", "delta", "local", "weights", "MSE", "MMAC"]
        assert {len(row) for row in rows} == {len(header)}
        assert {row[0] for row in rows} == {
            layer.name for layer in SensitivityList.load(digits / "sensitivity.yaml").layers
        }
        assert "…" not in outcome.stdout
        assert outcome.stderr == ""

    def test_analyze_prints_and_writes_the_list(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        written = tmp_path / "list.yaml"
        arguments = ("--profile", digits / "profile.npz", "--metric", "weight_sqnr", "--json", "-", "--output", written)
        outcome = quantune("analyze", MODEL, "--calibration", CALIBRATION, *arguments)
        printed = SensitivityList.model_validate(json.loads(outcome.stdout))
        assert printed == SensitivityList.load(written)
        assert (
            printed.layers[0].name
            == min(
                (layer for layer in printed.layers if layer.weight_sqnr_db), key=lambda layer: layer.weight_sqnr_db or 0
            ).name
        )
        before = SensitivityList.load(digits / "sensitivity.yaml")
        assert {layer.name: layer for layer in printed.layers} == {layer.name: layer for layer in before.layers}


def iree_run(program: Path, image: NDArray[np.float32]) -> list[float]:
    """What iree-run-module prints for one image."""
    values = " ".join(map(repr, image.reshape(-1).tolist()))
    shape = "x".join(map(str, image.shape))
    command = [
        str(script("iree-run-module")),
        f"--module={program}",
        "--function=main",
        f"--input={shape}xf32={values}",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(value) for value in re.findall(r"[-+.\de]+", printed.split("=")[-1])]


def script(name: str) -> Path:
    """A command line tool installed beside this Python."""
    return Path(sys.executable).parent / name
