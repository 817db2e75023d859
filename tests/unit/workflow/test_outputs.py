"""Which outputs tell classes, and which labels fit them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.errors import DataError
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.outputs import Classification, by_sample, class_labels
from tests.onnx_models import build_model

make = onnx.helper.make_node
CONV = make("Conv", ["x", "w"], ["c"], name="conv")
POOL = make("GlobalAveragePool", ["c"], ["p"], name="pool")


def model(folder: Path, nodes: list[onnx.NodeProto], *outputs: str) -> Model:
    weight = np.random.default_rng(1).standard_normal((5, 3, 1, 1)).astype(np.float32)
    onnx.save(build_model(nodes, {"x": np.zeros((1, 3, 4, 4), np.float32)}, {"w": weight}, outputs), folder / "m.onnx")
    return Model.load(folder / "m.onnx")


SOFTMAX = make("Softmax", ["p"], ["y"], name="softmax", axis=1)
ARGMAX = make("ArgMax", ["p"], ["y"], name="argmax", axis=1)
FLATTEN = make("Flatten", ["p"], ["y"], name="flatten")
SEGMENTS = make("ArgMax", ["c"], ["y"], name="argmax", axis=1)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([CONV, POOL, SOFTMAX], Classification(5, certain=True)),
        ([CONV, POOL, FLATTEN], Classification(5, certain=False)),
        ([CONV, POOL, ARGMAX], Classification(None, certain=True)),
        ([CONV, SEGMENTS], None),
        ([make("Conv", ["x", "w"], ["y"], name="conv")], None),
    ],
    ids=["softmax", "scores", "argmax", "segments", "features"],
)
def test_what_tells_the_class_of_a_sample(
    tmp_path: Path, nodes: list[onnx.NodeProto], expected: Classification | None
) -> None:
    assert Classification.of(model(tmp_path, nodes, "y"), batch=1) == expected


def test_decisions() -> None:
    scores = np.array([[[0.1], [0.9]], [[0.8], [0.2]]])
    assert Classification(2, certain=True).decisions(scores).tolist() == [1, 0]
    assert Classification(None, certain=True).decisions(np.array([[[4]], [[7]]])).tolist() == [4, 7]


def labelled(labels: np.ndarray, found: Model) -> SampleSet:
    return SampleSet.open({"x": np.zeros((3, 3, 4, 4), np.float32), "labels": labels}, found.inputs)


@pytest.mark.parametrize(("label", "place"), [(5, 1), (-1, 2)])
def test_labels_outside_the_scores_are_an_error(tmp_path: Path, label: int, place: int) -> None:
    found = model(tmp_path, [CONV, POOL, FLATTEN], "y")
    labels = np.array([0, 4, 2])
    assert class_labels(labelled(labels, found), Classification.of(found, 1)) is not None
    labels[place] = label
    with pytest.raises(DataError, match=rf"sample {place} is labelled {label}, .* labels are 0 to 4\nremedy: "):
        class_labels(labelled(labels, found), Classification.of(found, 1))


def test_samples_lie_along_the_first_axis() -> None:
    assert by_sample(np.zeros((4, 3)), 4).shape == (4, 3)
    assert by_sample(np.zeros(3), 1).shape == (1, 3)
    assert by_sample(np.zeros((6, 7)), 1).shape == (1, 6, 7)
    assert by_sample(np.zeros(()), 1).shape == (1,)
    assert by_sample(np.zeros((2, 6)), 4).shape == (4, 3)
    assert by_sample(np.zeros((1, 5)), 4).shape == (1, 1, 5), "no samples of their own"
