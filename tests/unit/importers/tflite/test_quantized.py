"""Quantized TensorFlow Lite models, compiled as they are: the same integers as LiteRT's, computed by our kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from quantune_mlir.backend.compilation import with_kernels
from quantune_mlir.backend.program import Program
from quantune_mlir.cli.compile_command import command
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.qparams import boundary_params
from quantune_mlir.mlir.signature import result_specs
from quantune_mlir.model import Model
from quantune_mlir.numerics.parameters import QuantParams
from tests.support import run_module
from tests.tflite_models import RELU, SAME, Graph, litert

RNG = np.random.default_rng(11)
INPUT, WEIGHT, OUTPUT = 0.04, np.array([0.01, 0.02, 0.005, 0.008]), 0.11


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution with a rectifier, weights per channel."""
    graph = Graph()
    x = graph.input("x", [-1, 6, 6, 3], np.int8, scale=[INPUT], zero_point=-3)
    w = graph.constant("w", RNG.integers(-127, 128, (4, 3, 3, 3)), np.int8, scale=WEIGHT)
    b = graph.constant("b", RNG.integers(-800, 800, 4), np.int32, scale=INPUT * WEIGHT)
    y = graph.op(
        "CONV_2D",
        [x, w, b],
        "y",
        [-1, 6, 6, 4],
        np.int8,
        quantization={"scale": [OUTPUT], "zero_point": -7},
        padding=SAME,
        strideH=1,
        strideW=1,
        fusedActivationFunction=RELU,
    )
    return graph.save(tmp_path_factory.mktemp("int8") / "m.tflite", y)


def test_integers_are_those_of_litert(network: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(network), "--keep-quantized", "-o", str(tmp_path / "m.vmfb")])
    assert done.exit_code == 0, done.output
    program = Program((tmp_path / "m.vmfb").read_bytes())
    x = RNG.integers(-128, 128, (1, 6, 6, 3)).astype(np.int8)
    (got,), (wanted,) = program(x), litert(network, x)
    assert got.dtype == np.int8
    assert len(np.unique(wanted)) > 20
    np.testing.assert_array_equal(got, wanted)


def test_they_run_in_kernels(network: Path) -> None:
    model = Model.load(network, keep_quantized=True)
    assert "DOUBLE_ROUND" not in str(model.module)
    lowered = str(with_kernels(model.module, load_target("x86-64-avx512vnni"), None))
    assert "flow.dispatch" in lowered and "tosa.conv2d" not in lowered and "tosa.rescale" not in lowered


def test_it_is_told_what_codes_stand_for(network: Path) -> None:
    function = Model.load(network, keep_quantized=True).function
    told = [boundary_params(function, key, 1) for key in ("arg_attrs", "res_attrs")]
    assert told == [[QuantParams(float(np.float32(INPUT)), -3)], [QuantParams(float(np.float32(OUTPUT)), -7)]]


def test_bytes_without_sign(tmp_path: Path) -> None:
    """Quantized to uint8, as older models are; the results are bytes, whose sign the caller knows."""
    told = {"scale": [0.1], "zero_point": 10}
    graph = Graph()
    y = graph.op("RELU", [graph.input("x", [1, 256], np.uint8, **told)], "y", [1, 256], np.uint8, quantization=told)
    model = Model.load(graph.save(tmp_path / "m.tflite", y), keep_quantized=True)
    assert model.inputs[0].dtype == np.uint8
    assert [dtype for *_, dtype in result_specs(model.function)] == [np.uint8]
    x = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(run_module(model.module, x)[0].view(np.uint8), np.maximum(x, 10))


def test_images_of_bytes(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 256], np.uint8)
    path = graph.save(tmp_path / "m.tflite", graph.op("CAST", [x], "y", [1, 256], inDataType=3, outDataType=0))
    values = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(run_module(Model.load(path).module, values)[0], values.astype(np.float32))


def test_a_float_model_is_compiled_in_fp32(tmp_path: Path) -> None:
    graph = Graph()
    path = graph.save(tmp_path / "m.tflite", graph.op("ABS", [graph.input("x", [-1, 4])], "y", [-1, 4]))
    done = CliRunner().invoke(command, [str(path), "--batch", "2", "-o", str(tmp_path / "m.vmfb")])
    assert done.exit_code == 0, done.output
    x = -np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(Program((tmp_path / "m.vmfb").read_bytes())(x)[0], -x)
