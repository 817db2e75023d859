"""TensorFlow Lite models: the same results as LiteRT, the layers' names, what is refused."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.importers.tflite import converter
from quantune_mlir.mlir.signature import model_hash, result_specs
from quantune_mlir.model import Model
from tests.support import run_module
from tests.tflite_models import Graph, litert, schema, small_network


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def message(path: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        Model.load(path, **options)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_network(tmp_path_factory.mktemp("tflite") / "small.tflite")


@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_computes_what_litert_computes(network: Path, batch: int) -> None:
    model = Model.load(network, batch=batch)
    assert [(spec.name, spec.shape) for spec in model.inputs] == [("image", (batch, 8, 8, 3))]
    x = image(batch, 8, 8, 3)
    (got,), (wanted,) = run_module(model.module, x), litert(network, x)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


def test_layers_are_called_as_the_tensors_are(network: Path) -> None:
    model = Model.load(network)
    assert [layer.name for layer in model.layers] == [
        "stem/Relu",
        "stem/Relu/activation",
        "deep/Relu6",
        "deep/Relu6/activation",
        "add",
        "pool",
        "mean",
        "dense/MatMul",
        "Identity",
    ]
    assert [name for name, *_ in result_specs(model.function)] == ["Identity"]
    assert model_hash(model.module.operation) == hashlib.sha256(network.read_bytes()).hexdigest()


def test_layers_whose_first_names_are_equal_get_numbers(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 4])
    first = graph.op("ABS", [x], "same;a", [1, 4])
    second = graph.op("EXP", [first], "same;b", [1, 4])
    path = graph.save(tmp_path / "m.tflite", graph.op("NEG", [second], "", [1, 4]))
    assert [layer.name for layer in Model.load(path).layers] == ["same", "same_1", "negate_0"]


def test_a_rectifier_has_no_upper_bound(network: Path) -> None:
    assert "max_val(3.40282" not in str(Model.load(network).module)


def test_shapes_that_the_converter_cannot_infer_are_those_of_the_file(tmp_path: Path) -> None:
    """It gives up behind a slice of a dynamic batch, and stacks nothing then."""
    graph = Graph()
    x = graph.input("x", [-1, 4, 3])
    begin, end, steps = (
        graph.constant(n, v, np.int32) for n, v in (("b", [0, 1, 0]), ("e", [0, 4, 3]), ("s", [1] * 3))
    )
    part = graph.op("STRIDED_SLICE", [x, begin, end, steps], "part", [-1, 3, 3], beginMask=1, endMask=1)
    turned = graph.op("TRANSPOSE", [part, graph.constant("p", [0, 2, 1], np.int32)], "turned", [-1, 3, 3])
    path = graph.save(
        tmp_path / "m.tflite", graph.op("PACK", [turned, part], "y", [-1, 3, 3, 2], axis=3, valuesCount=2)
    )
    value = image(1, 4, 3)
    np.testing.assert_array_equal(run_module(Model.load(path).module, value)[0], litert(path, value)[0])
    assert "PACK" in message(path, batch=2)


def test_dynamic_dimensions_are_those_of_samples_or_given(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [-1, -1, -1, 2])
    path = graph.save(tmp_path / "m.tflite", graph.op("ABS", [x], "y", [-1, -1, -1, 2]))
    assert "--shape x=1xN1xN2x2" in message(path)
    assert "does not fit" in message(path, shapes={"x": [1, 4, 4, 3]})
    assert "no input 'z'" in message(path, shapes={"z": [1]})
    assert Model.load(path, shapes={"x": [2, 4, 5, 2]}).inputs[0].shape == (2, 4, 5, 2)
    samples = {"x": np.zeros((7, 6, 5, 2), np.float32)}
    assert Model.load(path, samples=samples, batch=2).inputs[0].shape == (2, 6, 5, 2)


def test_a_part_of_a_model(network: Path) -> None:
    model = Model.load(network, outputs=["add"])
    assert [layer.name for layer in model.layers][-1] == "add"
    assert [name for name, *_ in result_specs(model.function)] == ["add"]
    rest = Model.load(network, inputs=["mean"])
    assert [(spec.name, spec.shape) for spec in rest.inputs] == [("mean", (1, 8))]
    assert rest.hash != "" and "mean" in str(rest.module)
    assert "no tensor 'nowhere'" in message(network, outputs=["nowhere"])
    assert "needs the input 'image' too" in message(network, inputs=["deep/Relu6"], outputs=["Identity"])


def test_the_hash_covers_edits(network: Path) -> None:
    whole, part, other = (Model.load(network, outputs=outputs).hash for outputs in ((), ("add",), ("pool",)))
    assert len({whole, part, other}) == 3
    assert Model.load(network, outputs=["add"]).hash == part


def test_tensors_that_are_too_large_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.input("x", [1 << 15, 1]), graph.input("y", [1, 1 << 15])
    path = graph.save(tmp_path / "m.tflite", graph.op("ADD", [x, y], "sum", [1 << 15, 1 << 15]))
    assert "at most 268435456 elements" in message(path)


def test_an_input_is_pinned_to_a_constant(tmp_path: Path) -> None:
    graph = Graph()
    x, scale = graph.input("x", [1, 3]), graph.input("scale", [1, 1])
    path = graph.save(tmp_path / "m.tflite", graph.op("MUL", [x, scale], "y", [1, 3]))
    model = Model.load(path, constants={"scale": 2.5})
    assert [spec.name for spec in model.inputs] == ["x"]
    np.testing.assert_array_equal(run_module(model.module, np.ones((1, 3), np.float32))[0], np.full((1, 3), 2.5))


def test_quantized_models_are_refused_by_name(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 4], np.int8, scale=[0.1])
    path = graph.save(tmp_path / "m.tflite", graph.op("ABS", [x], "y", [1, 4], np.int8, quantization={"scale": [0.1]}))
    assert "quantized already: 2 tensor(s) such as 'x' (int8)" in message(path)
    assert "quantune compile --keep-quantized" in message(path)


@pytest.mark.parametrize(
    ("dtype", "operator", "options"), [(np.float16, "DEQUANTIZE", {}), (np.float64, "CAST", {"inDataType": 10})]
)
def test_weights_of_other_floats_become_fp32(tmp_path: Path, dtype: Any, operator: str, options: Any) -> None:
    graph = Graph()
    x = graph.input("x", [1, 4])
    weights = graph.constant("w", np.linspace(-1, 1, 12).reshape(3, 4), dtype)
    wide = graph.op(operator, [weights], "w/fp32", [3, 4], **options)
    bias = graph.constant("b", [0.5, 0, -0.5])
    path = graph.save(tmp_path / "m.tflite", graph.op("FULLY_CONNECTED", [x, wide, bias], "y", [1, 3]))
    model = Model.load(path)
    assert not re.search("f16|f64", str(model.module))
    assert [layer.name for layer in model.layers] == ["y"]
    x = image(1, 4)
    np.testing.assert_allclose(run_module(model.module, x)[0], litert(path, x)[0], atol=1e-6)


def test_custom_operators_are_listed_and_can_be_cut_off(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 4])
    scores = graph.op("ABS", [x], "scores", [1, 4])
    boxes = graph.op("My_Detection_PostProcess", [scores], "boxes", [1, 4])
    path = graph.save(tmp_path / "m.tflite", boxes, graph.op("Other", [scores], "others", [1, 4]))
    with pytest.raises(UnsupportedOperatorsError) as caught:
        Model.load(path)
    assert [(node.name, node.op_type) for node in caught.value.nodes] == [
        ("boxes", "My_Detection_PostProcess"),
        ("others", "Other"),
    ]
    assert caught.value.remedy and "--outputs scores;" in caught.value.remedy
    assert [layer.name for layer in Model.load(path, outputs=["scores"]).layers] == ["scores"]


def test_what_the_converter_refuses_is_named_and_can_be_cut_off(tmp_path: Path) -> None:
    """It says no more than that it refuses the model: here for a piece without elements."""
    graph = Graph()
    x = graph.input("x", [-1, 4])
    y = graph.op("ABS", [x], "y", [-1, 4])
    pieces = [graph.tensor(f"piece{i}", [-1, size]) for i, size in enumerate((4, 0))]
    sizes, axis = graph.constant("sizes", [4, 0], np.int32), graph.constant("axis", 1, np.int32)
    graph.operator("SPLIT_V", [y, sizes, axis], pieces, numSplits=2)
    rest = graph.op("CONCATENATION", pieces, "rest", [-1, 4], axis=1)
    path = graph.save(tmp_path / "m.tflite", graph.op("EXP", [rest], "result", [-1, 4]), y)
    with pytest.raises(UnsupportedOperatorsError) as caught:
        Model.load(path)
    assert [(node.name, node.op_type) for node in caught.value.nodes] == [("piece0", "SPLIT_V")]
    assert caught.value.remedy and "--outputs" in caught.value.remedy
    behind = Model.load(path, inputs=["rest"], outputs=["result"], batch=2)
    assert [(spec.name, spec.shape) for spec in behind.inputs] == [("rest", (2, 4))]
    np.testing.assert_allclose(run_module(behind.module, image(2, 4))[0], np.exp(image(2, 4)), rtol=1e-6)
    assert [layer.name for layer in Model.load(path, outputs=["y"]).layers] == ["y"]
    with pytest.raises(UnsupportedOperatorsError, match="SPLIT_V"):
        Model.load(path, inputs=["x"], outputs=["result"])


def test_what_the_converter_crashes_over_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed = subprocess.CompletedProcess([], -signal.SIGSEGV, b"", b"")
    monkeypatch.setattr(converter, "run_child", lambda *_, **__: crashed)
    with pytest.raises(UnsupportedOperatorsError, match=r"\(CONV_2D\): it crashes over it \(signal 11\)"):
        Model.load(small_network(tmp_path / "m.tflite"))


def test_masks_of_attention_are_finite(tmp_path: Path) -> None:
    graph = Graph()
    scores = graph.input("scores", [4, 4])
    mask = graph.constant("mask", np.where(np.tri(4), 0, -np.inf))
    masked = graph.op("ADD", [scores, mask], "masked", [4, 4])
    path = graph.save(tmp_path / "m.tflite", masked, graph.op("SOFTMAX", [masked], "y", [4, 4], beta=1.0))
    x = image(4, 4)
    (got, share), (_, wanted) = run_module(Model.load(path).module, x), litert(path, x)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(share, wanted, atol=1e-6)


def branch(graph: Graph, kind: str) -> None:
    x = graph.input("bx", [1, 4])
    graph.subgraphs[-1].outputs = [graph.op(kind, [x], "by", [1, 4])]


@pytest.mark.parametrize("names", [("main", "one", "other"), ("", "", "")])
def test_control_flow_is_refused_by_name(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Whether the converter gets as far as to write it, or fails over subgraphs without names."""
    graph = Graph()
    z = graph.op("ABS", [graph.input("x", [1, 4])], "z", [1, 4])
    y = graph.op("IF", [graph.input("c", [1], np.bool_), z], "y", [1, 4], thenSubgraphIndex=1, elseSubgraphIndex=2)
    for kind in ("ABS", "NEG"):
        graph.subgraph(branch, kind)
    for subgraph, name in zip(graph.subgraphs, names, strict=True):
        subgraph.name = name
    assert "y (IF)" in message(graph.save(tmp_path / "m.tflite", y))


def test_the_first_of_several_signatures_is_imported(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 4])
    y = graph.op("ABS", [x], "y", [1, 4])
    graph.subgraph(branch, "EXP")
    graph.signature("encode", 0, x, y)
    graph.signature("decode", 1, 0, 1)
    assert "tosa.abs" in str(Model.load(graph.save(tmp_path / "m.tflite", y)).module)


def test_integers_that_are_not_computed_in_are_refused_by_name(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", [1, 8], np.int16, scale=[0.1])
    y = graph.op("ABS", [x], "y", [1, 8], np.int16, quantization={"scale": [0.1]})
    wide = graph.save(tmp_path / "wide.tflite", y)
    assert "'x' (int16) are activations of 16 bits" in message(wide, keep_quantized=True)
    graph = Graph()
    w = graph.constant("w", np.zeros((4, 4)), np.int8, scale=[0.1])
    graph.tensors[w].type, graph.tensors[w].shape = schema.TensorType.INT4, [4, 8]
    y = graph.op("FULLY_CONNECTED", [graph.input("x", [1, 8]), w], "y", [1, 4])
    assert "'w' (int4) are not imported" in message(graph.save(tmp_path / "narrow.tflite", y))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    x, w = graph.input("x", [1, 2]), graph.constant("w", [[np.nan, 1], [1, 1]])
    path = graph.save(tmp_path / "m.tflite", graph.op("FULLY_CONNECTED", [x, w], "y", [1, 2]))
    assert "layer 'y' holds 1 NaN" in message(path)


def test_broken_files_are_errors(network: Path, tmp_path: Path) -> None:
    content = network.read_bytes()
    path = tmp_path / "broken.tflite"
    for size in (0, 6, 8, 30, 500, len(content) - 200):
        path.write_bytes(content[:size])
        message(path)
    for place in range(8, 400, 9):
        path.write_bytes(content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :])
        try:
            Model.load(path)
        except ModelError as error:
            assert str(path) in str(error)  # noqa: PT017  (some changes do no harm)


def test_names_that_are_no_text_are_refused(network: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(network.read_bytes().replace(b"Identity", b"Ident\xff\xfey"))
    assert "a name is not UTF-8" in message(path)


def test_stored_values_must_fill_their_tensors(tmp_path: Path) -> None:
    graph = Graph()
    x, w = graph.input("x", [1, 2]), graph.constant("w", [[1, 2], [3, 4]])
    graph.tensors[w].shape = [1 << 12, 2]
    path = graph.save(tmp_path / "m.tflite", graph.op("FULLY_CONNECTED", [x, w], "y", [1, 1 << 12]))
    assert "tensor 'w' of shape [4096, 2] with 16 bytes" in message(path)


def test_a_crash_of_the_converter_is_an_error(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converter, "_MEMORY", 1 << 20)
    assert "the TFLite converter" in message(network)


def test_without_the_converter_the_error_says_how_to_install_it(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converter, "_PACKAGE", "no_such_package")
    assert "pip install 'quantune-mlir[tflite]'" in message(network)
