"""Layers whose int32 sums cannot be proved to fit stay in fp32, and say why; the others are exact."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from quantune_mlir.errors import QuantuneError
from quantune_mlir.files import resources
from quantune_mlir.graph.network import Network
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.keep_bounded import KeepBounded
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model
from tests.support import run_module
from tests.unit.integer.networks import CalibratedNetwork

TERMS = 65_536
INTEGER = IntegerOptions(requantize="integer")


def product(weights: np.ndarray) -> onnx.ModelProto:
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["p"], name="product"),
        onnx.helper.make_node("Flatten", ["p"], ["y"], name="flat"),
    ]
    return build_model(nodes, {"x": np.zeros((1, len(weights)), np.float32)}, {"w": weights}, ["y"])


def of_two_tensors(terms: int) -> onnx.ModelProto:
    nodes = [onnx.helper.make_node("MatMul", ["x", "t"], ["y"], name="product")]
    inputs = {"x": np.zeros((1, 2, terms), np.float32), "t": np.zeros((1, terms, 2), np.float32)}
    return build_model(nodes, inputs, {}, ["y"])


def pooled(size: int) -> onnx.ModelProto:
    nodes = [onnx.helper.make_node("GlobalAveragePool", ["x"], ["y"], name="product")]
    return build_model(nodes, {"x": np.zeros((1, 1, size, size), np.float32)}, {}, ["y"])


def refusal(model: onnx.ModelProto, values: tuple[float, float]) -> str | None:
    """What the layer's plan says of its integer form, with a profile in which all tensors have these extremes."""
    module = import_onnx(model)
    run_pipeline(module, resources.pipeline_text("simplify"))
    names = Network.of(module).tensors.names.values()
    histogram = Histogram.of(np.linspace(*values, 99, dtype=np.float32))
    run_pipeline(module, [KeepBounded(Profile("", 1, dict.fromkeys(names, histogram)))])
    (layer,) = (each for each in planned_layers(Network.of(module).layers) if each.name == "product")
    assert layer.quantizable == (layer.fp32_only is None)
    return layer.fp32_only


def extreme(terms: int) -> np.ndarray:
    """Every code of the weights is 127 or -127."""
    return np.where(np.arange(2 * terms).reshape(terms, 2) % 3, 1, -1).astype(np.float32)


def normal(terms: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((terms, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("model", "values", "bound"),
    [
        (product(normal(TERMS)), (0, 1), None),
        (product(extreme(TERMS)), (0, 1), None),  # 65,536 * 127 * 255 is 1.2 % below 2^31
        (product(extreme(TERMS + 1024)), (0, 1), (TERMS + 1024) * 127 * 255),
        (product(extreme(TERMS + 1024)), (-1, 1), None),  # the zero point is in the middle
        (product(normal(4 * TERMS)), (0, 1), None),
        (of_two_tensors(33_000), (0, 1), None),
        (of_two_tensors(33_100), (0, 1), 33_100 * 255 * 255),
        (of_two_tensors(TERMS), (-1, 1), None),
        (pooled(2901), (-1, 1), None),
        (pooled(2903), (0, 1), 2903**2 * 255),
    ],
)
def test_the_proof_decides(model: onnx.ModelProto, values: tuple[float, float], bound: int | None) -> None:
    reason = refusal(model, values)
    if bound is None:
        assert reason is None
    else:
        assert reason is not None and reason.startswith("its sums may reach ")
        told = int(reason.split()[4].rstrip(",").replace(",", ""))
        assert bound <= told <= 1.01 * bound


@pytest.mark.parametrize("weights", [normal(TERMS), extreme(TERMS)])
def test_a_sum_of_65536_terms_is_exact(weights: np.ndarray) -> None:
    """At its very bound: every product has the sign of the sum."""
    x = np.where(weights[:, 0] > 0, 1.0, 0.0).astype(np.float32)[None]
    network = CalibratedNetwork(product(weights), {"x": x}, INTEGER, make_context())
    int8 = network.in_int8(moves=True)
    (got,) = run_module(network.quantized(int8), x)
    (result,) = network.results
    np.testing.assert_array_equal(got, network.reference(int8).as_fp32(result))
    assert got[0, 0] > 0.8 * np.abs(weights[:, 0]).sum() / 2


def test_what_no_pass_has_marked_is_refused_where_it_is_emitted() -> None:
    weights = extreme(2 * TERMS)
    network = CalibratedNetwork(product(weights), {"x": np.ones((1, 2 * TERMS), np.float32)}, INTEGER, make_context())
    with pytest.raises(QuantuneError, match=r"no int8: its sums may reach 4,\d{3},\d{3},\d{3}, more than int32 holds"):
        network.quantized(network.in_int8(moves=True))
