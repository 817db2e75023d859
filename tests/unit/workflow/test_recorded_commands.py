"""The analysis programs record their commands once: recording takes as long as the kernels of a small network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from iree.compiler import tools as iree_tools

from quantune_mlir.backend.compilation import program_source, with_kernels
from quantune_mlir.backend.compiler import Source
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.context_copy import in_own_context
from quantune_mlir.mlir.text import module_bytecode
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity import analysis, calibration
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.repairs import repaired
from quantune_mlir.workflow.rewriting import integer_options

DATA = Path(__file__).parents[2] / "data"
RECORDED = re.compile(r"util\.func private @__(\w+)_memoize_apply\(")


def recorded(module: ir.Module, target: Target) -> set[str]:
    """The functions whose commands are recorded when the program is loaded, as IREE compiles the module."""
    arguments = [*target.compile_flags(), "--compile-to=hal"]
    text = iree_tools.compile_str(module_bytecode(with_kernels(module, target)), extra_args=arguments)
    assert text is not None
    return set(RECORDED.findall(text.decode()))


def test_commands_are_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[ir.Module] = []

    def kept(module: ir.Module, target: Target) -> Source:
        modules.append(in_own_context(module))
        return program_source(module, target)

    for where in (calibration, analysis):
        monkeypatch.setattr(where, "program_source", kept)
    model, target, options = Model.load(DATA / "digits.onnx"), load_target("host"), QuantizeOptions()
    samples = SampleSet.open({"input": np.ones((1, 1, 8, 8), np.float32)}, model.inputs)
    profile = calibration.Calibrator(model, target).run(samples)
    analysis.Analyzer(repaired(model, profile, options), integer_options(options), target)
    observing, measuring = modules
    assert "main" in recorded(observing, target)
    assert {"main", "probe"} <= recorded(measuring, target)
