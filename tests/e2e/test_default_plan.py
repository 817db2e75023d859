"""What the default plan keeps in fp32 where int8 ruins more than a classifier's convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import Quantization, quantize
from tests.onnx_models import build_model

make = helper.make_node
RNG = np.random.default_rng(11)


def draw(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def quantized(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    outputs: Sequence[str],
) -> Quantization:
    shapes = {name: array[:1] for name, array in inputs.items()}
    onnx.save(build_model(nodes, shapes, weights, outputs), folder / "model.onnx")
    model = Model.load(folder / "model.onnx")
    return quantize(model, SampleSet.open(dict(inputs), model.inputs))


def fp32(found: Quantization) -> set[str]:
    return {name for name, precision in found.mixed.precision.items() if precision == "fp32"}


def measured(found: Quantization) -> list[float]:
    assert found.verification is not None
    return [part.noise.sqnr_db for part in found.verification.parts]


BODY = [
    make("Conv", ["f", "w1"], ["b1"], name="body/conv1", pads=[1, 1, 1, 1]),
    make("Relu", ["b1"], ["b2"], name="body/relu"),
    make("Conv", ["b2", "w2"], ["y"], name="body/conv2", pads=[1, 1, 1, 1]),
]
BODY_WEIGHTS = {"w1": draw(8, 4, 3, 3), "w2": draw(4, 8, 3, 3)}


@pytest.mark.slow
def test_a_front_end_that_compresses_stays_fp32_and_all_macs_int8(tmp_path: Path) -> None:
    """exp makes few large numbers among many small ones; x / (1 + |x|) brings the small ones back."""
    front = [
        make("Conv", ["x", "w0"], ["c"], name="front/conv"),
        make("Exp", ["c"], ["e"], name="front/exp"),
        make("Softsign", ["e"], ["f"], name="front/softsign"),
    ]
    images = 2.5 * RNG.standard_normal((10, 4, 12, 12)).astype(np.float32)
    weights = {"w0": 1.5 * draw(4, 4, 1, 1), **BODY_WEIGHTS}
    found = quantized(tmp_path, [*front, *BODY], {"x": images}, weights, ["y"])
    assert {"front/exp", "front/softsign"} <= fp32(found)
    assert not {"body/conv1", "body/conv2"} & fp32(found)
    assert min(measured(found)) >= 20


@pytest.mark.slow
def test_what_a_logarithm_makes_of_noise_in_silence_is_measured_and_mended(tmp_path: Path) -> None:
    """A loud half and a silent one: noise of the first convolution is nothing beside the one, all beside the other."""
    front = [
        make("Conv", ["x", "w0"], ["c"], name="front/conv"),
        make("Mul", ["c", "c"], ["p"], name="front/power"),
        make("Max", ["p", "least"], ["m"], name="front/max"),
        make("Log", ["m"], ["f"], name="front/log"),
    ]
    images = RNG.standard_normal((10, 4, 12, 12)).astype(np.float32)
    images[..., 6:] *= 1e-4
    weights = {"w0": draw(4, 4, 1, 1), "least": np.array(1e-10, np.float32), **BODY_WEIGHTS}
    found = quantized(tmp_path, [*front, *BODY], {"x": images}, weights, ["y"])
    assert {"front/conv", "front/power", "front/max", "front/log"} <= fp32(found)
    assert not {"body/conv1", "body/conv2"} & fp32(found)
    assert min(measured(found)) >= 20
    assert "it may have to take 0" in next(layer.reason for layer in found.plan.layers if layer.name == "front/log")


@pytest.mark.slow
def test_boxes_do_not_drown_scores(tmp_path: Path) -> None:
    """One concatenation of both: what is int8 for the boxes' sake has one scale for all."""
    nodes = [
        make("Conv", ["x", "w0"], ["h"], name="stem", pads=[1, 1, 1, 1]),
        make("Relu", ["h"], ["r"], name="stem/relu"),
        make("Conv", ["r", "wb"], ["b"], name="boxes/conv"),
        make("Mul", ["b", "stride"], ["boxes"], name="boxes/scale"),
        make("Conv", ["r", "ws"], ["s"], name="scores/conv"),
        make("Sigmoid", ["s"], ["scores"], name="scores/sigmoid"),
        make("Concat", ["boxes", "scores"], ["y"], name="head", axis=1),
    ]
    weights = {
        "w0": draw(8, 4, 3, 3),
        "wb": draw(4, 8, 1, 1),
        "ws": draw(3, 8, 1, 1),
        "stride": np.full((1, 1, 1, 1), 400, np.float32),
    }
    images = RNG.standard_normal((10, 4, 12, 12)).astype(np.float32)
    found = quantized(tmp_path, nodes, {"x": images}, weights, ["y"])
    assert [part.noise.part.name for part in found.verification.parts] == ["y[:, 0:4]", "y[:, 4:7]"]
    assert min(measured(found)) >= 20
    assert not {"stem", "boxes/conv", "scores/conv"} & fp32(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["square root of a square", "quotient", "logarithm of a sigmoid"])
def test_functions_with_an_end_to_what_they_take(kind: str, tmp_path: Path) -> None:
    """Finite differences leave their domains, int8 denominators are 0: no metric is NaN, no output is infinite."""
    middle = {
        "square root of a square": [
            make("Mul", ["a", "a"], ["q"], name="mul"),
            make("Sqrt", ["q"], ["f"], name="sqrt"),
        ],
        "quotient": [
            make("Mul", ["a", "a"], ["q"], name="mul"),
            make("Add", ["q", "some"], ["d"], name="add"),
            make("Div", ["a", "d"], ["f"], name="div"),
        ],
        "logarithm of a sigmoid": [
            make("Sigmoid", ["a"], ["q"], name="sigmoid"),
            make("Log", ["q"], ["f"], name="log"),
        ],
    }[kind]
    nodes = [
        make("MatMul", ["x", "w0"], ["a"], name="first"),
        *middle,
        make("MatMul", ["f", "w1"], ["y"], name="last"),
    ]
    weights = {"w0": 6 * draw(8, 16), "w1": draw(16, 4), "some": np.array(0.2, np.float32)}
    weights = {name: w for name, w in weights.items() if name != "some" or kind == "quotient"}
    vectors = RNG.standard_normal((16, 8)).astype(np.float32)
    found = quantized(tmp_path, nodes, {"x": vectors}, weights, ["y"])
    assert min(measured(found)) >= 20
