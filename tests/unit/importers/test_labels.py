"""What the imported module says about the model: signature, layer names, locations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.naming import NodeNames
from quantune_mlir.mlir.bindings import ir
from tests.onnx_models import build_model

IMAGE = np.zeros((1, 2, 6, 5), np.float32)


def small_cnn() -> onnx.ModelProto:
    return build_model(
        [
            helper.make_node("Conv", ["image", "w"], ["a"], name="stem", pads=[0, 1, 1, 0]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("HardSwish", ["b"], ["c"], name="stem"),
            helper.make_node("GlobalAveragePool", ["c"], ["d"], name="head/pool"),
            helper.make_node("Flatten", ["d"], ["logits"], name="head/flatten"),
        ],
        {"image": IMAGE},
        {"w": np.ones((4, 2, 2, 2), np.float32)},
        ["logits", "b"],
    )


@pytest.fixture(scope="module")
def module() -> ir.Module:
    return import_onnx(small_cnn())


def main_of(module: ir.Module) -> ir.OpView:
    return next(iter(module.body))


def body(module: ir.Module) -> list[ir.Operation]:
    """The ops of `@main`; they live as long as the module does."""
    return [op.operation for op in main_of(module).regions[0].blocks[0]]


def layer(op: ir.Operation) -> str | None:
    return op.attributes["quantune.layer"].value if "quantune.layer" in op.attributes else None


def test_signature_is_the_models_own(module: ir.Module) -> None:
    main = main_of(module)
    assert str(main.type) == "(tensor<1x2x6x5xf32>) -> (tensor<1x4xf32>, tensor<1x4x6x5xf32>)"
    assert [a["quantune.name"].value for a in main.attributes["arg_attrs"]] == ["image"]
    assert [a["quantune.name"].value for a in main.attributes["res_attrs"]] == ["logits", "b"]


def test_layers_are_named_after_nodes(module: ir.Module) -> None:
    labelled = {(layer(op), op.attributes["quantune.op"].value) for op in body(module) if layer(op)}
    assert labelled == {
        ("stem", "Conv"),
        ("Relu_0", "Relu"),
        ("stem_1", "HardSwish"),
        ("head/pool", "GlobalAveragePool"),
        ("head/flatten", "Flatten"),
    }


def test_only_constants_and_layout_transposes_are_without_a_layer(module: ir.Module) -> None:
    without = {op.name for op in body(module) if layer(op) is None}
    assert without == {"tosa.const", "tosa.const_shape", "tosa.transpose", "func.return"}


def test_a_transpose_node_is_a_layer() -> None:
    model = build_model([helper.make_node("Transpose", ["x"], ["y"], name="t")], {"x": IMAGE}, {}, ["y"])
    module = import_onnx(model)
    assert next((op.name, layer(op)) for op in body(module)) == ("tosa.transpose", "t")


def test_locations_are_node_names(module: ir.Module) -> None:
    (conv,) = [op for op in body(module) if op.name == "tosa.conv2d"]
    assert str(conv.location) == 'loc("stem")'


def test_elementwise_activations_hold_no_constants_but_splats(module: ir.Module) -> None:
    for op in body(module):
        if layer(op) == "stem_1":
            for operand in op.operands:
                if isinstance(operand.owner, ir.Operation | ir.OpView) and operand.owner.name == "tosa.const":
                    assert all(d == 1 for d in ir.RankedTensorType(operand.type).shape)


def test_import_is_deterministic() -> None:
    first, second = (import_onnx(small_cnn()).operation.get_asm(enable_debug_info=True) for _ in range(2))
    assert first == second


def test_the_module_verifies_and_survives_a_round_trip() -> None:
    module = import_onnx(small_cnn())
    assert module.operation.verify()
    with module.context:
        text = module.operation.get_asm(print_generic_op_form=True)
        assert ir.Module.parse(text).operation.get_asm(print_generic_op_form=True) == text


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["", "", ""], ["Relu_0", "Relu_1", "Relu_2"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["", "Relu_0", ""], ["Relu_1", "Relu_0", "Relu_2"]),
        (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
    ],
)
def test_names_are_unique_and_kept_where_given(given: list[str], wanted: list[str]) -> None:
    nodes = [helper.make_node("Relu", [a], [b], name=n) for n, (a, b) in zip(given, pairwise("abcd"), strict=True)]
    assert NodeNames().of(nodes) == wanted
