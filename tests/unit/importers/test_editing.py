"""Inputs pinned to constants, and models cut at tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.editing import apply_edits
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.signature import argument_specs, model_edits
from tests.onnx_models import build_model, reference
from tests.support import run_module

RNG = np.random.default_rng(6)
X = RNG.standard_normal((2, 8)).astype(np.float32)
RATE = np.int64(16000)


def branch(name: str, scale: float) -> onnx.GraphProto:
    weight = onnx.numpy_helper.from_array(np.full((8, 4), scale, np.float32), "w")
    result = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([helper.make_node("MatMul", ["x", "w"], [name])], name, [], [result], [weight])


def by_rate() -> onnx.ModelProto:
    """Chooses its weights by an input, as voice activity detectors do by the sample rate."""
    nodes = [
        helper.make_node("Equal", ["sr", "rate"], ["c"]),
        helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch("a", 1), else_branch=branch("b", 2)),
    ]
    return build_model(nodes, {"x": X, "sr": RATE}, {"rate": RATE}, ["y"])


def detector() -> onnx.ModelProto:
    """A convolution and what no compiler of fixed shapes can have behind it, and a sum that it can."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["features"], name="backbone"),
        helper.make_node("Sigmoid", ["features"], ["scores"], name="head"),
        helper.make_node("NonZero", ["scores"], ["found"], name="find"),
        helper.make_node("Cast", ["found"], ["y"], to=TensorProto.FLOAT, name="after"),
        helper.make_node("ReduceSum", ["features"], ["total"], name="sum"),
    ]
    return build_model(nodes, {"x": X}, {"w": np.ones((8, 4), np.float32)}, ["y", "total"])


def by_length() -> onnx.ModelProto:
    """Sorts its rows by their lengths, as exporters of packed sequences do."""
    nodes = [
        helper.make_node("TopK", ["lengths", "k"], ["longest", "order"], name="sort"),
        helper.make_node("Gather", ["x", "order"], ["sorted"]),
        helper.make_node("MatMul", ["sorted", "w"], ["y"]),
    ]
    constants = {"k": np.array([2]), "w": np.ones((8, 4), np.float32)}
    return build_model(nodes, {"x": X, "lengths": np.array([3, 5])}, constants, ["y"])


def names(model: onnx.ModelProto, **edits: Any) -> list[str]:
    module = import_onnx(model, edits=Edits(**edits))
    return [name for name, _, _ in argument_specs(main_function(module))]


def message(model: onnx.ModelProto, **edits: Any) -> str:
    with pytest.raises(ModelError) as caught:
        import_onnx(model, edits=Edits(**edits))
    return str(caught.value)


@pytest.mark.parametrize("value", [16000, "16000", "8000"])
def test_a_pinned_input_decides_a_condition(value: int | str) -> None:
    module = import_onnx(by_rate(), edits=Edits(constants={"sr": value}))
    assert len(argument_specs(main_function(module))) == 1
    wanted = reference(by_rate(), {"x": X, "sr": np.array(int(value))})
    np.testing.assert_allclose(run_module(module, X)[0], wanted[0], rtol=1e-5)


@pytest.mark.parametrize(("model", "decides"), [(by_rate(), "sr"), (by_length(), "lengths")])
def test_what_to_pin_is_said(model: onnx.ModelProto, decides: str) -> None:
    assert f"--constant {decides}=VALUE" in message(model)


def test_one_number_fills_an_input(tmp_path: Path) -> None:
    model = build_model([helper.make_node("Add", ["x", "h"], ["y"])], {"x": X, "h": X}, {}, ["y"])
    np.save(tmp_path / "h.npy", X)
    for value, wanted in (("0", X), ("0.5", X + 0.5), (str(tmp_path / "h.npy"), X + X), (X, X + X)):
        (got,) = run_module(import_onnx(model, edits=Edits(constants={"h": value})), X)
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"rate": "1"}, "there is no input 'rate' to pin"),
        ({"sr": "fast"}, "--constant sr: not a value"),
        ({"sr": "1.5"}, "does not fit"),
        ({"sr": "1,2"}, "does not fit"),
        ({"sr": "absent.npy"}, "--constant sr: not a value"),
    ],
)
def test_values_that_cannot_be_pinned(constants: dict[str, str], words: str) -> None:
    assert words in message(by_rate(), constants=constants)


def test_post_processing_is_cut_off_at_the_tensors_that_the_error_names() -> None:
    with pytest.raises(UnsupportedOperatorsError) as caught:
        import_onnx(detector())
    assert "--outputs scores,total" in (caught.value.remedy or "")
    module = import_onnx(detector(), edits=Edits(outputs=["scores", "total"]))
    for got, wanted in zip(run_module(module, X), (1 / (1 + np.exp(-X.sum(1))), 4 * X.sum()), strict=True):
        np.testing.assert_allclose(got.reshape(-1)[0], np.ravel(wanted)[0], rtol=1e-4)


def test_what_leads_to_a_tensor_is_cut_off() -> None:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"], name="noise"),
        helper.make_node("Relu", ["noise"], ["a"], name="relu"),
        helper.make_node("MatMul", ["a", "w"], ["b"], name="product"),
        helper.make_node("Add", ["b", "z"], ["y"], name="sum"),
    ]
    inputs = {"x": X, "z": np.ones((2, 4), np.float32)}
    model = build_model(nodes, inputs, {"w": np.ones((8, 4), np.float32)}, ["y"])
    assert "--inputs noise" in message(model)
    assert "needs the input 'z' too" in message(model, inputs=["noise"])
    assert names(model, inputs=["z", "noise"]) == ["z", "noise"]
    assert names(model, inputs=["a"], constants={"z": 0}) == ["a"]


def test_inputs_that_a_part_does_not_need_are_gone() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Mul", ["a", "z"], ["y"])]
    model = build_model(nodes, {"x": X, "z": X}, {}, ["y"])
    assert names(model, outputs=["a"]) == ["x"]


def test_tensors_that_are_not_there() -> None:
    assert "there is no tensor 'nowhere'" in message(detector(), outputs=["nowhere"])
    assert "there is no tensor 'w'" in message(detector(), inputs=["w"])
    assert "does not read 'scores'" in message(detector(), inputs=["x", "scores"], outputs=["features"])


def test_a_module_tells_how_its_model_was_edited(tmp_path: Path) -> None:
    onnx.save(detector(), tmp_path / "m.onnx")
    edits = Edits(outputs=["scores"])
    told = model_edits(import_onnx(tmp_path / "m.onnx", edits=edits))
    assert told is not None
    again = apply_edits(Edits.from_text(told), detector(), "m")
    assert [o.name for o in again.graph.output] == ["scores"]
    constants = Edits(constants={"h": X, "sr": "16000"})
    np.testing.assert_array_equal(Edits.from_text(constants.to_text()).constants["h"], X)
