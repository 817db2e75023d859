"""Programs without floating-point numbers: int8 in, int8 out, nothing else between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import PassError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.qparams import boundary_params
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.parameters import dequantize, quantize
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.planning.plan import ALL_INT8, LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.repairs import prepared
from quantune_mlir.workflow.rewriting import PlanRewriter

DATA = Path(__file__).parents[2] / "data"
HOST = load_target("host")


@pytest.fixture(scope="module")
def rewriter() -> PlanRewriter:
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=8)
    profile = Calibrator(model, HOST).run(samples)
    options = QuantizeOptions(requantize="integer")
    return PlanRewriter(prepared(model, profile, options), profile, options)


def test_it_computes_what_the_program_with_an_fp32_boundary_does(rewriter: PlanRewriter) -> None:
    module = rewriter.rewrite(ALL_INT8, "int8").module
    run_pipeline(module, [VerifyInteger()])
    function = main_function(module)
    (given,), (made,) = (boundary_params(function, key, 1) for key in ("arg_attrs", "res_attrs"))
    assert given is not None and made is not None
    integers = Program(compile_program(module, HOST))
    floats = Program(compile_program(rewriter.rewrite(ALL_INT8).module, HOST))
    with np.load(DATA / "digits_test.npz") as data:
        images = next(array for array in data.values() if array.ndim == 4)[:20]
    for image in images:
        (codes,) = integers(quantize(image[None], given))
        (expected,) = floats(image[None])
        assert codes.dtype == np.int8
        bounded = np.clip(expected, made.lo, made.hi)
        assert np.abs(dequantize(codes, made) - bounded).max() <= made.scale * 0.51


def test_what_stays_in_floating_point_is_named(rewriter: PlanRewriter) -> None:
    plan = PrecisionPlan(format=1, default=INT8, layers=(LayerPlan(name="head/conv", precision=FP32),))
    module = rewriter.rewrite(plan, "int8").module
    with pytest.raises(PassError, match="layer 'head/conv'"):
        run_pipeline(module, [VerifyInteger()])


def test_an_input_that_fp32_layers_alone_read_stays_fp32(rewriter: PlanRewriter) -> None:
    plan = PrecisionPlan(format=1, default=INT8, layers=(LayerPlan(name="stem/conv", precision=FP32),))
    function = main_function(rewriter.rewrite(plan, "int8").module)
    assert boundary_params(function, "arg_attrs", 1) == [None]
    assert boundary_params(function, "res_attrs", 1) != [None]
