"""Sequences of tensors: their parts are found at import."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import build_model, reference
from tests.support import run_module

X = np.random.default_rng(5).standard_normal((2, 7, 3)).astype(np.float32)


def model(nodes: Sequence[onnx.NodeProto], *outputs: str) -> onnx.ModelProto:
    numbers = {"first": 0, "second": 1, "last": -1, "three": 3}
    stored = {name: np.array(number, np.int64) for name, number in numbers.items()}
    return build_model(nodes, {"x": X}, {**stored, "sizes": np.array([2, 5], np.int64)}, list(outputs))


def test_parts_are_split_put_together_and_counted() -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["x", "sizes"], ["two"], axis=1),
        helper.make_node("SequenceAt", ["two", "last"], ["five"]),
        helper.make_node("SplitToSequence", ["x", "three"], ["chunks"], axis=-2),
        helper.make_node("SequenceErase", ["chunks", "second"], ["fewer"]),
        helper.make_node("SequenceInsert", ["fewer", "five", "last"], ["more"]),
        helper.make_node("ConcatFromSequence", ["more"], ["joined"], axis=1),
        helper.make_node("SplitToSequence", ["x"], ["pairs"], axis=0, keepdims=0),
        helper.make_node("SequenceEmpty", [], ["none"]),
        *(
            node
            for made, row, after, at in (("none", "r0", "one", "last"), ("one", "r1", "both", "first"))
            for node in (
                helper.make_node("SequenceAt", ["pairs", at], [row]),
                helper.make_node("SequenceInsert", [made, row], [after]),
            )
        ),
        helper.make_node("ConcatFromSequence", ["both"], ["stacked"], axis=2, new_axis=1),
        helper.make_node("SequenceLength", ["both"], ["count"]),
        helper.make_node("Cast", ["count"], ["factor"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["stacked", "factor"], ["scaled"]),
    ]
    made = model(nodes, "joined", "scaled")
    for got, expected in zip(run_module(import_onnx(made), X), reference(made, {"x": X}), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("output", "expected"), [("five", "position 3 of 2"), ("two", "output 'two': a sequence of tensors")]
)
def test_places_that_are_not_there_and_sequences_as_outputs_are_refused(output: str, expected: str) -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["x", "sizes"], ["two"], axis=1),
        helper.make_node("SequenceAt", ["two", "three"], ["five"]),
    ]
    made = model(nodes, "five")
    if output == "two":
        del made.graph.node[1], made.graph.output[:]
        made.graph.output.append(helper.make_tensor_sequence_value_info("two", onnx.TensorProto.FLOAT, None))
    with pytest.raises(ModelError, match=expected):
        import_onnx(made)
