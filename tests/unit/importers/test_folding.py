"""What is folded at import: the results of ONNX's rules, and constants that stay as they are."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import onnx
import pytest

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import build_model, reference
from tools.fuzz.graphs import grow, problem_of
from tools.fuzz.oracle import evaluated


def folded(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], outputs: list[str]) -> None:
    """Compares a model that adds its input to constants with ONNX Runtime."""
    x = np.ones(1, np.float32)
    sums = [onnx.helper.make_node("Add", ["x", name], [f"{name}_y"], name=f"add_{name}") for name in outputs]
    model = build_model([*nodes, *sums], {"x": x}, constants, [f"{name}_y" for name in outputs])
    for got, wanted in zip(evaluated(import_onnx(model), [x]), reference(model, {"x": x}), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


NUMBERS = np.random.default_rng(0).standard_normal((1, 7, 3, 4)).astype(np.float32)


def test_a_constant_is_not_changed_by_what_reads_it() -> None:
    nodes = [
        onnx.helper.make_node("HardSigmoid", ["c"], ["h"], name="h"),
        onnx.helper.make_node("Neg", ["c"], ["n"], name="n"),
    ]
    folded(nodes, {"c": NUMBERS}, ["h", "n"])


@pytest.mark.parametrize(
    ("op", "attributes", "constants"),
    [
        ("LRN", {"size": 5}, {}),
        ("GlobalMaxPool", {}, {}),
        ("MaxPool", {"kernel_shape": [3, 3], "ceil_mode": 1, "strides": [2, 2]}, {}),
        ("AveragePool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1], "ceil_mode": 1, "strides": [2, 2]}, {}),
        ("ConvTranspose", {"strides": [2, 1], "pads": [0, 1, 1, 0]}, {"w": NUMBERS[:, :, :2, :3].reshape(7, 1, 2, 3)}),
        ("Slice", {}, dict(zip("seat", np.array([[-9], [-9], [3], [-1]]), strict=True))),
        ("Slice", {}, dict(zip("seat", np.array([[9], [-9], [1], [-2]]), strict=True))),
    ],
)
def test_constants_of_what_the_reference_implementation_gets_wrong(op, attributes, constants) -> None:
    node = onnx.helper.make_node(op, ["c", *constants], ["y"], name="node", **attributes)
    folded([node], {"c": NUMBERS, **constants}, ["y"])


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_are_like_onnxruntime(seed: int) -> None:
    with suppress(UnsupportedOperatorsError):
        assert problem_of(grow(np.random.default_rng([24, seed]))) is None
