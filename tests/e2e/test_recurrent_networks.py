"""Recurrent layers of many steps: one loop, of whose body the products are int8."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import Quantization, quantize
from tests.onnx_models import build_model
from tests.tosa_oracle import run_reference

pytestmark = [pytest.mark.slow, pytest.mark.conformance]
RNG = np.random.default_rng(5)
STEPS, INPUTS, HIDDEN = 40, 12, 20


def draw(*shape: int) -> np.ndarray:
    return (1.5 * RNG.uniform(-1, 1, shape) / np.sqrt(HIDDEN)).astype(np.float32)


def stacked() -> onnx.ModelProto:
    """A bidirectional LSTM, a GRU whose reset comes before its product and whose state begins with a product, and a
    dense layer."""
    weights = {
        "w0": draw(2, 4 * HIDDEN, INPUTS),
        "r0": draw(2, 4 * HIDDEN, HIDDEN),
        "b0": draw(2, 8 * HIDDEN),
        "shape": np.array([STEPS, 1, 2 * HIDDEN]),
        "w1": draw(1, 3 * HIDDEN, 2 * HIDDEN),
        "r1": draw(1, 3 * HIDDEN, HIDDEN),
        "first": draw(INPUTS, HIDDEN),
        "w2": draw(HIDDEN, 6),
        "zero": np.array([0]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node(
            "LSTM", ["x", "w0", "r0", "b0"], ["y0"], name="lstm", hidden_size=HIDDEN, direction="bidirectional"
        ),
        helper.make_node("Transpose", ["y0"], ["t0"], name="transpose", perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["t0", "shape"], ["f0"], name="reshape"),
        helper.make_node("Slice", ["x", "zero", "one", "zero"], ["row"], name="row"),
        helper.make_node("MatMul", ["row", "first"], ["h0"], name="first"),
        helper.make_node("GRU", ["f0", "w1", "r1", "", "", "h0"], ["", "h1"], name="gru", hidden_size=HIDDEN),
        helper.make_node("MatMul", ["h1", "w2"], ["y"], name="dense"),
    ]
    return build_model(nodes, {"x": np.zeros((STEPS, 1, INPUTS), np.float32)}, weights, ["y"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Quantization:
    file = tmp_path_factory.mktemp("recurrent") / "model.onnx"
    onnx.save(stacked(), file)
    model = Model.load(file)
    samples = SampleSet.open({"x": RNG.standard_normal((8, STEPS, 1, INPUTS)).astype(np.float32)}, model.inputs)
    return quantize(model, samples, plan=ALL_INT8)


def test_products_of_all_steps_are_int8_and_lose_little(found: Quantization) -> None:
    loops = {"lstm/steps", "lstm/back_steps", "gru/steps"}
    assert {name for name, precision in found.mixed.precision.items() if precision == "int8"} >= loops
    assert {layer.name: layer.macs for layer in found.model.layers}["gru/steps"] == STEPS * 3 * HIDDEN**2
    text = found.mixed.module.operation.get_asm()
    assert text.count("tosa.while_loop") == 3
    assert text.count("acc_type(i32)") == 2 + 2 + 1 + 2 + 2, "of inputs, of states, of dense layers"
    assert found.verification is not None
    assert min(part.noise.sqnr_db for part in found.verification.parts) > 25


def test_kernels_give_what_the_tosa_gives(found: Quantization) -> None:
    x = RNG.standard_normal((STEPS, 1, INPUTS)).astype(np.float32)
    programs = (
        Program(compile_program(found.mixed.module, load_target("host"), kernels=kernels)) for kernels in (True, False)
    )
    (mine,), (wanted,) = (program(x) for program in programs)
    (by_arm,) = run_reference(found.mixed.module.operation.get_asm(), [x])
    for other in (wanted, by_arm):
        np.testing.assert_allclose(mine, other, rtol=0, atol=0.02 * np.abs(other).max())
