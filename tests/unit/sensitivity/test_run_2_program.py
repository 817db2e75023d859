"""The programs of run 1 and run 2, forward and back, with our kernels and as IREE compiles the same TOSA."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.compilation import compile_program, with_kernels
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import LOCAL, PROJECTED, PROJECTED_LANES, PROJECTED_ROUNDING
from quantune_mlir.model import Model
from quantune_mlir.passes.calibrate.lower_observers import MEASURED
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from tests.onnx_models import build_model

RNG = np.random.default_rng(8)
make = onnx.helper.make_node
Energies = dict[tuple[str, str], np.ndarray]


def network() -> onnx.ModelProto:
    """Pools whose windows lie apart or overlap, gates, activations in parts, a concatenation and a softmax."""
    shapes = {"stem": (8, 3, 3, 3), "deep": (8, 1, 3, 3), "mix": (12, 8, 1, 1), "gate": (12, 12, 1, 1), "last": (24, 5)}
    weights = {name: RNG.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        make("Conv", ["x", "stem"], ["c"], name="stem", pads=[1, 1, 1, 1]),
        make("HardSwish", ["c"], ["h"], name="swish"),
        make("Conv", ["h", "deep"], ["d"], name="deep", group=8, pads=[1, 1, 1, 1], strides=[2, 2]),
        make("Relu", ["d"], ["r"], name="relu"),
        make("Conv", ["r", "mix"], ["m"], name="mix"),
        make("GlobalAveragePool", ["m"], ["g"], name="mean"),
        make("Conv", ["g", "gate"], ["s"], name="gate"),
        make("HardSigmoid", ["s"], ["k"], name="bounded"),
        make("Mul", ["m", "k"], ["p"], name="gated"),
        make("AveragePool", ["p"], ["a"], name="apart", kernel_shape=[3, 2], strides=[3, 2]),
        make("MaxPool", ["p"], ["b"], name="largest", kernel_shape=[3, 2], strides=[3, 2]),
        make("Concat", ["a", "b"], ["j"], name="both", axis=1),
        make("GlobalAveragePool", ["j"], ["f"], name="pooled"),
        make("Flatten", ["f"], ["v"], name="flat"),
        make("Gemm", ["v", "last"], ["l"], name="last"),
        make("Softmax", ["l"], ["y"], name="softmax"),
    ]
    return build_model(nodes, {"x": np.zeros((1, 3, 12, 12), np.float32)}, weights, ["y"])


def energies(module: ir.Module, samples: np.ndarray, *, kernels: bool) -> Energies:
    program = Program(compile_program(module, load_target("host"), kernels=kernels))
    for sample in samples:
        program.call("probe", sample[None], keep=slice(0))
    found = program.call("energies", keep=slice(1))[0]
    rows = (ir.DictAttr(row) for row in ir.ArrayAttr(module.operation.attributes[MEASURED]))
    names = ((ir.StringAttr(row["tensor_name"]).value, ir.StringAttr(row["noise"]).value) for row in rows)
    return dict(zip(names, found.astype(np.float64), strict=True))


def test_kernels_measure_what_the_tosa_does(tmp_path: Path) -> None:
    """What is projected on one vector alone depends on signs far behind the point, and is told by its lanes as well."""
    onnx.save(network(), tmp_path / "model.onnx")
    model = Model.load(tmp_path / "model.onnx")
    data = RNG.standard_normal((4, 3, 12, 12)).astype(np.float32)
    profile = Calibrator(model, load_target("host")).run(SampleSet.open({"x": data}, model.inputs))
    options = IntegerOptions()
    module = model.after("repair", profile=profile).apart("compare", **vars(options), plan=ALL_INT8)
    ours, theirs = (energies(module, data, kernels=kernels) for kernels in (True, False))
    compared = [row for row in ours if row[1] not in (PROJECTED, PROJECTED_ROUNDING)]
    assert {row for row in compared if ours[row][0] > 0} >= {("stem", PROJECTED_LANES), ("gated", LOCAL)}
    for row in compared:
        assert ours[row] == pytest.approx(theirs[row], rel=0.05), row


def test_nothing_of_run_1_is_left_to_iree(tmp_path: Path) -> None:
    """Each step of the softmax is observed. IREE links its C library where it compiles a single op."""
    onnx.save(network(), tmp_path / "model.onnx")
    module = with_kernels(Model.load(tmp_path / "model.onnx").apart("observe"), load_target("host"))
    left = set(re.findall(r" tosa\.(\w+)", str(module)))
    assert left <= {"const", "const_shape", "reshape", "concat"}
