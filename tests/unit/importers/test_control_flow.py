"""An If whose condition is known at import stands for one of its branches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.graph.units import find_units
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.bodies import known_rounds
from quantune_mlir.mlir.function import entry_block, main_function
from tests.onnx_models import build_model, recurrence, reference
from tests.support import run_module

RNG = np.random.default_rng(4)
X = RNG.standard_normal((2, 8)).astype(np.float32)


def branch(name: str, nodes: Sequence[onnx.NodeProto], output: str, **stored: np.ndarray) -> onnx.GraphProto:
    """A body of an If with weights of its own."""
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [result], [onnx.numpy_helper.from_array(v, k) for k, v in stored.items()])


def linear(scale: float) -> onnx.GraphProto:
    """A product with a weight "w" and an activation, which every such branch calls the same."""
    w = (scale * RNG.standard_normal((8, 4))).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["a", "w"], ["p"], name="product"), helper.make_node("Relu", ["p"], ["r"])]
    return branch("linear", nodes, "r", w=w)


def random() -> onnx.GraphProto:
    """A branch that cannot be imported."""
    return branch("random", [helper.make_node("RandomNormalLike", ["a"], ["d"], name="random")], "d")


def if_node(condition: str, then: onnx.GraphProto, otherwise: onnx.GraphProto, output: str = "y") -> onnx.NodeProto:
    return helper.make_node("If", [condition], [output], name=f"if_{output}", then_branch=then, else_branch=otherwise)


def activation() -> onnx.NodeProto:
    return helper.make_node("Tanh", ["x"], ["a"], name="tanh")


def layers(model: onnx.ModelProto) -> list[str | None]:
    """The layers of the imported model, each once."""
    module = import_onnx(model)
    return list(dict.fromkeys(unit.layer for unit in find_units(entry_block(main_function(module)))))


@pytest.mark.parametrize("condition", [np.array([True]), np.array(False)])
def test_constant_condition(condition: np.ndarray) -> None:
    nodes = [activation(), if_node("c", linear(1), linear(-2))]
    model = build_model(nodes, {"x": X}, {"c": condition}, ["y"])
    np.testing.assert_allclose(run_module(import_onnx(model), X)[0], reference(model, {"x": X})[0], rtol=1e-5)


def test_condition_that_folds_from_shapes() -> None:
    nodes = [
        activation(),
        helper.make_node("Shape", ["a"], ["s"]),
        helper.make_node("Gather", ["s", "one"], ["size"]),
        helper.make_node("Equal", ["size", "eight"], ["c"]),
        if_node("c", linear(1), random()),
    ]
    model = build_model(nodes, {"x": X}, {"one": np.int64(1), "eight": np.int64(8)}, ["y"])
    assert "product" in layers(model)


def test_branches_in_branches_keep_their_weights_apart() -> None:
    inner = branch("inner", [if_node("c", linear(1), linear(2), "z")], "z")
    nodes = [
        activation(),
        if_node("c", linear(3), linear(4), "first"),
        if_node("c", inner, linear(5), "second"),
        helper.make_node("Sub", ["first", "second"], ["y"]),
    ]
    model = build_model(nodes, {"x": X}, {"c": np.array(True)}, ["y"])
    assert [name for name in layers(model) if name and name.startswith("product")] == ["product", "product_1"]
    np.testing.assert_allclose(run_module(import_onnx(model), X)[0], reference(model, {"x": X})[0], rtol=1e-5)


def test_condition_at_run_time_is_refused() -> None:
    nodes = [
        activation(),
        helper.make_node("ReduceMax", ["a"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "zero"], ["c"]),
        if_node("c", linear(1), linear(2)),
    ]
    model = build_model(nodes, {"x": X}, {"zero": np.float32(0)}, ["y"])
    with pytest.raises(UnsupportedOperatorsError, match="condition") as caught:
        import_onnx(model)
    assert [node.name for node in caught.value.nodes] == ["if_y"]


def test_what_a_branch_cannot_have_is_named() -> None:
    nodes = [activation(), if_node("c", random(), linear(1))]
    model = build_model(nodes, {"x": X}, {"c": np.array(True)}, ["y"])
    with pytest.raises(UnsupportedOperatorsError) as caught:
        import_onnx(model)
    assert [node.name for node in caught.value.nodes] == ["random"]


def loop(*, goes_on: str = "on", until: int = 3, count: str = "count") -> onnx.ModelProto:
    """A recurrence over the rows of x: h = tanh(h w + x[i]), each h yielded as well."""
    kinds = {"i": (TensorProto.INT64, []), "on": (TensorProto.BOOL, []), "h": (TensorProto.FLOAT, [1, 8])}
    inputs = [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()]
    nodes = [
        *recurrence(),
        helper.make_node("Less", ["i", "last"], ["before"]),
        helper.make_node("ReduceMax", ["s"], ["m"], keepdims=0),
        helper.make_node("Less", ["m", "limit"], ["small"]),
        helper.make_node("Identity", [goes_on], ["again"]),
        helper.make_node("Identity", ["next"], ["all"]),
    ]
    outputs = [helper.make_tensor_value_info("again", TensorProto.BOOL, []), *map(_anything, ("next", "all"))]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    node = helper.make_node("Loop", [count, "go", "start"], ["y", "rows"], name="loop", body=body)
    weights = RNG.standard_normal((8, 8)).astype(np.float32)
    numbers = {
        "count": np.array(5, np.int64),
        "last": np.array(until, np.int64),
        "limit": np.array(9, np.float32),
        "go": np.array(True),
    }
    model = build_model([node], {"x": ROWS}, {**numbers, "w": weights, "start": X[:1]}, ["y", "rows"])
    for output, shape in zip(model.graph.output, ([1, 8], [None, 1, 8]), strict=True):
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))
    return model


def _anything(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


ROWS = RNG.standard_normal((5, 8)).astype(np.float32)


@pytest.mark.parametrize("goes_on", ["on", "before"])
def test_loop_of_known_rounds(goes_on: str) -> None:
    """To the end, or until a condition that follows from the round."""
    model = loop(goes_on=goes_on)
    for mine, wanted in zip(run_module(import_onnx(model), ROWS), reference(model, {"x": ROWS}), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)
    products = [layer for layer in layers(model) if layer and layer.startswith("product")]
    assert len(products) == (4 if goes_on == "on" else 3)  # that of the first round is known


def test_loop_that_goes_on_as_long_as_is_known() -> None:
    model = loop(goes_on="before", count="")
    for mine, wanted in zip(run_module(import_onnx(model), ROWS), reference(model, {"x": ROWS}), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(Unsupported, match="more than 256 rounds"):
        list(known_rounds(None))


def test_loop_that_ends_by_values() -> None:
    with pytest.raises(UnsupportedOperatorsError, match="whose end depends on values"):
        import_onnx(loop(goes_on="small"))
