"""The sample network and its samples are what the README and tools/make_digits_model.py say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from tools.make_digits_model import load_samples

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def calibration() -> npt.NDArray[np.float32]:
    with np.load(DATA / "digits_calibration.npz") as archive:
        assert archive.files == ["input"]
        return archive["input"]


@pytest.fixture(scope="module")
def held_out() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    with np.load(DATA / "digits_test.npz") as archive:
        assert archive.files == ["input", "labels"]
        return archive["input"], archive["labels"]


def images_of(samples: npt.NDArray[np.float32]) -> set[bytes]:
    return {sample.astype(np.float32).tobytes() for sample in samples}


def test_the_model_is_right_on_97_percent_of_the_test_samples(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    inputs, labels = held_out
    session = onnxruntime.InferenceSession(str(DATA / "digits.onnx"))
    logits = np.concatenate([np.asarray(session.run(["logits"], {"input": x[None]})[0]) for x in inputs])
    assert np.mean(logits.argmax(axis=1) == labels) >= 0.97


def test_calibration_samples_are_training_samples_and_no_test_samples(
    calibration: np.ndarray, held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    train_images, _, held_out_images, held_out_labels = load_samples()
    assert len(images_of(calibration)) == len(calibration) == 100
    assert images_of(calibration) <= images_of(train_images)
    assert not images_of(held_out[0]) & images_of(train_images)
    np.testing.assert_array_equal(held_out[0].squeeze(1), held_out_images.squeeze(3))
    np.testing.assert_array_equal(held_out[1], held_out_labels)


def test_files_are_small_and_samples_have_the_shape_and_range_of_the_input(
    calibration: np.ndarray, held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    assert (DATA / "digits.onnx").stat().st_size < 300_000
    for samples in (calibration, held_out[0]):
        assert samples.shape[1:] == (1, 8, 8)
        assert samples.dtype == np.float32
        assert samples.min() == 0.0
        assert samples.max() == 1.0


def test_the_model_has_one_layer_of_each_kind_with_batch_norm_separate_and_every_node_named() -> None:
    nodes = onnx.load(DATA / "digits.onnx").graph.node
    operators = [node.op_type for node in nodes]
    assert operators.count("Conv") == operators.count("BatchNormalization") == 4
    assert {"Relu", "Clip", "HardSwish", "Add", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm"} <= set(operators)
    assert len({node.name for node in nodes if node.name}) == len(nodes)
