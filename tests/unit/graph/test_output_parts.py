"""Which parts outputs are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.model import Model
from quantune_mlir.numerics.parts import Part
from tests.onnx_models import build_model

make = onnx.helper.make_node
IMAGE = {"x": np.zeros((1, 3, 4, 4), np.float32)}
RNG = np.random.default_rng(2)


def parts(
    nodes: Sequence[onnx.NodeProto],
    tmp_path: Path,
    *,
    inputs: dict[str, np.ndarray] | None = None,
    results: Sequence[str] = ("y",),
    **constants: np.ndarray,
) -> list[Part]:
    weights = {f"w{n}": RNG.standard_normal((n, 3, 1, 1)).astype(np.float32) for n in (1, 2, 4, 5, 6)}
    used = {name for node in nodes for name in node.input}
    needed = {name: array for name, array in {**weights, **constants}.items() if name in used}
    model = build_model(nodes, inputs or IMAGE, needed, results)
    onnx.save(model, tmp_path / "model.onnx")
    return Model.load(tmp_path / "model.onnx").parts


def conv(channels: int, result: str, source: str = "x") -> onnx.NodeProto:
    return make("Conv", [source, f"w{channels}"], [result], name=result)


def described(found: Sequence[Part]) -> list[tuple[str, int | None]]:
    return [(part.name, part.channels) for part in found]


def shape(*sizes: int) -> np.ndarray:
    return np.array(sizes, np.int64)


HEAD = [conv(4, "boxes"), conv(5, "logits"), make("Sigmoid", ["logits"], ["scores"], name="scores")]


def test_an_output_of_one_op_is_one_part_with_its_channels(tmp_path: Path) -> None:
    assert described(parts([conv(4, "y")], tmp_path)) == [("y", 1)]


def test_what_a_closing_concatenation_joins_are_parts(tmp_path: Path) -> None:
    nodes = [*HEAD, make("Concat", ["boxes", "scores"], ["y"], name="join", axis=1)]
    assert described(parts(nodes, tmp_path)) == [("y[:, 0:4]", 1), ("y[:, 4:9]", None)]


def test_through_transposes_reshapes_and_elementwise_ops(tmp_path: Path) -> None:
    nodes = [
        *HEAD,
        make("Concat", ["boxes", "scores"], ["c"], name="join", axis=1),
        make("Reshape", ["c", "flat"], ["f"], name="flatten"),
        make("Transpose", ["f"], ["t"], name="turn", perm=[0, 2, 1]),
        make("Mul", ["t", "half"], ["m"], name="half"),
        make("Tanh", ["m"], ["y"], name="tanh"),
    ]
    found = parts(nodes, tmp_path, flat=shape(1, 9, 16), half=np.full((9,), 0.5, np.float32))
    assert described(found) == [("y[:, :, 0:4]", 2), ("y[:, :, 4:9]", None)]


def test_scales_joined_of_heads_joined(tmp_path: Path) -> None:
    """A detector's: boxes and scores, and these of a finer and a coarser grid."""
    nodes = [
        *HEAD,
        make("Concat", ["boxes", "scores"], ["c"], name="join", axis=1),
        make("Reshape", ["c", "flat"], ["fine"], name="flatten"),
        make("MaxPool", ["c"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        make("Reshape", ["p", "flat2"], ["coarse"], name="flatten2"),
        make("Concat", ["fine", "coarse"], ["g"], name="grids", axis=2),
        make("Transpose", ["g"], ["y"], name="turn", perm=[0, 2, 1]),
    ]
    found = parts(nodes, tmp_path, flat=shape(1, 9, 16), flat2=shape(1, 9, 4))
    assert [part.name for part in found] == ["y[:, 0:16, 0:4]", "y[:, 0:16, 4:9]", "y[:, 16:20]"]


def test_every_element_is_of_one_part(tmp_path: Path) -> None:
    nodes = [
        *HEAD,
        make("Concat", ["boxes", "scores"], ["c"], name="join", axis=1),
        make("Reshape", ["c", "grid"], ["g"], name="grid"),
        make("Transpose", ["g"], ["t"], name="turn", perm=[0, 3, 2, 1]),
        make("Reshape", ["t", "flat"], ["y"], name="flatten"),
    ]
    found = parts(nodes, tmp_path, grid=shape(1, 9, 2, 8), flat=shape(8, 2, 9))
    assert [part.name for part in found] == ["y[:, :, 0:4]", "y[:, :, 4:9]"]
    counts = np.zeros((8, 2, 9), int)
    for part in found:
        part.of(counts)[...] += 1
    assert (counts == 1).all()


def test_what_is_no_box_of_the_output_stays_whole(tmp_path: Path) -> None:
    """Boxes and scores of each place in turn, in one row."""
    nodes = [
        *HEAD,
        make("Concat", ["boxes", "scores"], ["c"], name="join", axis=1),
        make("Transpose", ["c"], ["t"], name="turn", perm=[0, 2, 3, 1]),
        make("Reshape", ["t", "flat"], ["y"], name="flatten"),
    ]
    assert described(parts(nodes, tmp_path, flat=shape(1, 144))) == [("y", 1)]


def test_the_outermost_axis_of_a_row_is_a_box(tmp_path: Path) -> None:
    nodes = [
        *HEAD,
        make("Concat", ["boxes", "scores"], ["c"], name="join", axis=1),
        make("Flatten", ["c"], ["y"], name="flatten"),
    ]
    assert [part.name for part in parts(nodes, tmp_path)] == ["y[:, 0:64]", "y[:, 64:144]"]


def test_a_concatenation_of_many_is_one_part(tmp_path: Path) -> None:
    nodes = [conv(1, f"c{i}") for i in range(17)]
    nodes.append(make("Concat", [f"c{i}" for i in range(17)], ["y"], name="join", axis=1))
    assert [part.name for part in parts(nodes, tmp_path)] == ["y"]


def test_a_concatenation_that_a_convolution_reads_does_not_close(tmp_path: Path) -> None:
    nodes = [
        conv(1, "a"),
        conv(2, "b"),
        make("Concat", ["a", "b"], ["c"], name="join", axis=1),
        conv(4, "y", "c"),
    ]
    assert [part.name for part in parts(nodes, tmp_path)] == ["y"]


def test_each_output_is_a_part_and_classes_are_known(tmp_path: Path) -> None:
    nodes = [
        *HEAD,
        make("ReduceMax", ["scores"], ["best"], name="best", axes=[1], keepdims=1),
        make("ArgMax", ["scores"], ["class"], name="class", axis=1),
    ]
    found = parts(nodes, tmp_path, results=["boxes", "scores", "best", "class"])
    assert [(part.output, part.name, part.channels, part.reading) for part in found] == [
        (0, "boxes", 1, "values"),
        (1, "scores", None, "values"),
        (2, "best", None, "values"),
        (3, "class", None, "classes"),
    ]


def test_what_stands_for_classes_is_read_as_such_and_what_is_counted_is_not(tmp_path: Path) -> None:
    nodes = [
        *HEAD,
        make("Flatten", ["scores"], ["f"], name="flat"),
        make("TopK", ["f", "three"], ["best", "places"], name="top"),
        make("TopK", ["f", "forty"], ["good", "many"], name="top_in_a_loop"),
        make("ArgMax", ["scores"], ["class"], name="class", axis=1),
        make("Flatten", ["boxes"], ["b"], name="flat_boxes"),
        make("Gather", ["b", "many"], ["picked"], name="picked", axis=1),
        make("Gather", ["names", "class"], ["name"], name="name"),
        make("Greater", ["scores", "half"], ["found"], name="found"),
        make("Cast", ["found"], ["ones"], name="ones", to=onnx.TensorProto.INT64),
        make("ReduceSum", ["ones"], ["count"], name="count", keepdims=0),
    ]
    named = {"three": shape(3), "forty": shape(40), "names": shape(7, 90, 3, 4, 5), "half": np.float32(0.5)}
    found = parts(nodes, tmp_path, results=["places", "many", "good", "picked", "name", "ones", "count"], **named)
    readings = ["ranked", "ranked", "values", "ranked", "classes", "classes", "values"]
    assert [part.reading for part in found] == readings


def test_more_than_a_thousand_are_places(tmp_path: Path) -> None:
    nodes = [make("Gather", ["x", "some"], ["y"], name="gather", axis=2)]
    (found,) = parts(nodes, tmp_path, inputs={"x": np.zeros((1, 2000, 6), np.float32)}, some=shape(0, 4, 5))
    assert (found.name, found.channels) == ("y", 2)


@pytest.mark.parametrize(("op", "reading"), [("Softmax", "probabilities"), ("LogSoftmax", "log probabilities")])
def test_a_softmax_is_known_with_its_axis(tmp_path: Path, op: str, reading: str) -> None:
    (found,) = parts([conv(4, "c"), make(op, ["c"], ["y"], name="s", axis=1)], tmp_path)
    assert (found.reading, found.scores, found.channels) == (reading, 1, None)


def test_so_is_one_that_is_written_out(tmp_path: Path) -> None:
    nodes = [
        conv(4, "c"),
        make("Exp", ["c"], ["e"], name="exp"),
        make("ReduceSum", ["e", "axes"], ["s"], name="sum"),
        make("Div", ["e", "s"], ["y"], name="div"),
    ]
    (found,) = parts(nodes, tmp_path, axes=shape(1))
    assert (found.reading, found.scores) == ("probabilities", 1)


def test_a_softmax_inside_the_network_is_none_of_its_output(tmp_path: Path) -> None:
    nodes = [conv(4, "c"), make("Softmax", ["c"], ["s"], name="s", axis=1), make("Mul", ["s", "c"], ["y"], name="m")]
    (found,) = parts(nodes, tmp_path)
    assert (found.reading, found.scores) == ("values", None)


def test_features_of_an_attention_network_lie_along_the_last_axis(tmp_path: Path) -> None:
    weights = RNG.standard_normal((6, 6)).astype(np.float32)
    nodes = [make("MatMul", ["x", "w"], ["m"], name="dense"), make("Add", ["m", "x"], ["y"], name="residual")]
    (found,) = parts(nodes, tmp_path, inputs={"x": np.zeros((1, 7, 6), np.float32)}, w=weights)
    assert (found.name, found.channels) == ("y", 2)


def test_a_result_that_may_be_the_input_again(tmp_path: Path) -> None:
    square = RNG.standard_normal((3, 3, 1, 1)).astype(np.float32)
    (found,) = parts([make("Conv", ["x", "w"], ["y"], name="conv")], tmp_path, w=square)
    assert found.resembles_input
