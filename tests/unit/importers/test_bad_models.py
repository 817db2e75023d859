"""A model that cannot be imported gives one clear error that names what is wrong and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import build_model

X = {"x": np.zeros((1, 2, 4, 4), np.float32)}
WEIGHTS = np.ones((3, 2, 1, 1), np.float32)


def conv_model(weights: np.ndarray = WEIGHTS) -> onnx.ModelProto:
    return build_model([helper.make_node("Conv", ["x", "w"], ["y"], name="c")], X, {"w": weights}, ["y"])


def with_input_shape(*dims: int | str | None) -> onnx.ModelProto:
    model = conv_model()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, dims))
    return model


def message(source: Path | onnx.ModelProto, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        import_onnx(source, **options)
    assert caught.value.remedy
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in message(tmp_path / "absent.onnx")


def test_directory(tmp_path: Path) -> None:
    assert "not a file" in message(tmp_path)


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "truncated.onnx"
    path.write_bytes(conv_model().SerializeToString()[:-20])
    text = message(path)
    assert "truncated" in text
    assert str(path) in text


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(100), b"name: not a protobuf\n"])
def test_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    assert "not an ONNX model" in message(path)


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(conv_model().SerializeToString())
    assert import_onnx(path).operation.verify()


def test_every_truncation_and_damaged_byte_is_told_as_such(tmp_path: Path) -> None:
    """Whatever happens to the file, the importer builds a module or raises an error of its own."""
    content = conv_model().SerializeToString()
    path = tmp_path / "damaged.onnx"
    refused = 0
    for position in range(len(content)):
        for damaged in (content[:position], content[:position] + b"\xf7" + content[position + 1 :]):
            path.write_bytes(damaged)
            try:
                import_onnx(path)
            except ModelError:
                refused += 1
    assert refused > len(content)


def test_missing_external_data(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(conv_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert import_onnx(path).operation.verify()
    (tmp_path / "weights.bin").unlink()
    assert "stored in other files" in message(path)


def test_checker_failure() -> None:
    model = conv_model()
    model.graph.node[0].input[1] = "nowhere"
    assert "not a valid ONNX model" in message(model)


@pytest.mark.parametrize("opset", [6, 10_000])
def test_opset_out_of_range(opset: int) -> None:
    model = conv_model()
    model.opset_import[0].version = opset
    assert f"opset {opset}" in message(model)


def test_quantized_model_is_named() -> None:
    model = build_model(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize_input"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ],
        X,
        {"s": np.float32(0.1), "z": np.uint8(3)},
        ["y"],
    )
    text = message(model)
    assert "quantized already" in text
    assert "quantize_input" in text
    assert "QuantizeLinear" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_weights_are_named(value: float) -> None:
    weights = WEIGHTS.copy()
    weights[2, 1] = value
    text = message(conv_model(weights))
    assert "'w'" in text
    assert "[2, 1, 0, 0]" in text


def test_infinity_is_allowed_where_nothing_is_multiplied_by_it() -> None:
    mask = np.array([0, -np.inf, 0, 0], np.float32)
    import_onnx(build_model([helper.make_node("Add", ["x", "m"], ["y"])], X, {"m": mask}, ["y"]))


def test_infinity_that_is_gathered_is_finite() -> None:
    """As a bias of attention that is looked up by distances."""
    table = np.array([0, -np.inf, 1], np.float32)
    inputs = {"i": np.zeros(4, np.int64)}
    module = import_onnx(build_model([helper.make_node("Gather", ["m", "i"], ["y"])], inputs, {"m": table}, ["y"]))
    assert "0xFF800000" not in str(module)


def test_no_inputs() -> None:
    constant = helper.make_tensor("c", TensorProto.FLOAT, [1], [1.0])
    model = build_model([helper.make_node("Constant", [], ["y"], value=constant)], {}, {}, ["y"])
    assert "no inputs" in message(model)


def test_symbolic_batch_is_pinned() -> None:
    module = import_onnx(with_input_shape("batch", 2, 4, 4), batch=3)
    assert "tensor<3x2x4x4xf32>" in str(next(iter(module.body)).type)


def test_other_symbolic_dimensions_need_a_shape() -> None:
    model = with_input_shape(1, 2, "height", None)
    text = message(model)
    assert "'x'" in text
    assert "height" in text
    assert "--shape x=1x2xHEIGHTxN3" in text
    module = import_onnx(model, shapes={"x": [1, 2, 8, 6]})
    assert "tensor<1x2x8x6xf32>" in str(next(iter(module.body)).type)


def test_dynamic_inputs_are_named_at_once_after_unknown_operators() -> None:
    inputs = {"x": np.zeros((1, 2, 4, 4), np.float32), "z": np.zeros((1, 6), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Shape", ["a"], ["s"]),
        helper.make_node("NonZero", ["s"], ["folds"]),
        helper.make_node("Relu", ["z"], ["b"]),
    ]
    model = build_model(nodes, inputs, {"w": WEIGHTS}, ["a", "b", "folds"])
    for info, dims in zip(model.graph.input, (["n", 2, -1, "w"], [1, None]), strict=True):
        info.CopyFrom(helper.make_tensor_value_info(info.name, TensorProto.FLOAT, dims))
    text = message(model)
    assert "input 'x' has dynamic dimensions: n, ?, w; input 'z' has dynamic dimensions: ?" in text
    assert "--shape x=1x2xN2xW --shape z=1xN1" in text
    model.graph.node.append(helper.make_node("NonZero", ["a"], ["found"], name="find"))
    model.graph.output.append(helper.make_tensor_value_info("found", TensorProto.INT64, [4, None]))
    assert "find (NonZero)" in message(model)


@pytest.mark.parametrize(("names", "asked"), [(["batch", "batch"], False), (["None", "None", "None"], True)])
def test_what_is_called_as_the_batch_is_as_large(names: list[str], asked: bool) -> None:
    """A name that an input has twice is that of whatever was not known."""
    inputs = {"x": np.zeros((1, 4), np.float32), "z": np.zeros((2, 1, 4), np.float32)}
    model = build_model([helper.make_node("Add", ["x", "z"], ["y"])], inputs, {}, ["y"])
    first, *others = names
    for info, dims in zip(model.graph.input, ([first, 4], [2, *others, 4][:4]), strict=True):
        info.CopyFrom(helper.make_tensor_value_info(info.name, TensorProto.FLOAT, dims))
    if asked:
        assert "input 'z' has dynamic dimensions: None, None" in message(model)
    else:
        assert "tensor<2x3x4xf32>" in str(import_onnx(model, batch=3))


def test_dynamic_dimensions_are_those_of_the_samples() -> None:
    model = with_input_shape("n", 2, -1, "w")
    for shape in ((20, 2, 8, 6), (20, 3, 2, 8, 6)):
        module = import_onnx(model, batch=3, samples={"x": shape})
        assert "tensor<3x2x8x6xf32>" in str(next(iter(module.body)).type)


def test_shape_that_contradicts_the_model() -> None:
    assert "1x2x?x4" in message(with_input_shape(1, 2, "h", 4), shapes={"x": [1, 3, 4, 4]})


def test_shape_for_an_unknown_input() -> None:
    text = message(conv_model(), shapes={"image": [1, 2, 4, 4]})
    assert "'image'" in text
    assert "the inputs are x" in text


@pytest.mark.parametrize("batch", [0, -1])
def test_batch_below_one(batch: int) -> None:
    assert "batch" in message(conv_model(), batch=batch)


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.COMPLEX64])
def test_input_of_a_type_without_tosa_tensors(kind: int) -> None:
    model = build_model([helper.make_node("Identity", ["x"], ["y"])], X, {}, ["y"])
    for info in (model.graph.input[0], model.graph.output[0]):
        info.type.tensor_type.elem_type = kind
    text = message(model)
    assert "'x'" in text
    assert TensorProto.DataType.Name(kind).lower() in text


def test_sparse_weights_are_refused_by_name() -> None:
    model = conv_model()
    values, indices = (helper.make_tensor(name, kind, [1], [1]) for name, kind in (("few", 1), ("at", 7)))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 4]))
    assert "1 sparse tensor(s) such as 'few'" in message(model)


def test_all_unsupported_nodes_are_listed_at_once() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="good"),
        helper.make_node("Det", ["a"], ["b"], name="first"),
        helper.make_node("Relu", ["b"], ["c"], name="depends_on_the_first"),
        helper.make_node("MaxPool", ["a"], ["p", "i"], name="second", kernel_shape=[2, 2]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("RandomNormalLike", ["c"], ["y"]),
        helper.make_node("Det", ["a"], ["unused"], name="dead"),
    ]
    model = build_model(nodes, X, {"w": WEIGHTS}, ["y", "f"])
    with pytest.raises(UnsupportedOperatorsError) as caught:
        import_onnx(model)
    assert [(n.name, n.op_type) for n in caught.value.nodes] == [
        ("first", "Det"),
        ("second", "MaxPool"),
        ("RandomNormalLike_0", "RandomNormalLike"),
    ]
    text = str(caught.value)
    assert "Indices" in text
    assert all(n.reason for n in caught.value.nodes)


def test_operator_of_another_domain() -> None:
    model = conv_model()
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    assert "domain 'com.example'" in message(model)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("strides", [0, 1]), ("pads", [1, 1]), ("group", 3), ("auto_pad", "SAME")],
)
def test_attributes_that_make_no_sense(attribute: str, value: object) -> None:
    model = conv_model()
    model.graph.node[0].attribute.append(helper.make_attribute(attribute, value))
    assert "c (Conv)" in message(model)


def test_node_whose_inputs_do_not_fit() -> None:
    model = conv_model(np.ones((3, 5, 1, 1), np.float32))
    assert "c (Conv)" in message(model)
