"""The sample detector, and how what it finds is counted and drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tools.detector.canvases import SIZE, Canvases
from tools.detector.detections import Count, Detections, overlaps
from tools.detector.picture import picture
from tools.make_digits_model import load_samples

DATA = Path(__file__).parents[2] / "data"


def output(*boxes: tuple[float, float, float, float, int, float]) -> np.ndarray:
    """What a detector says that finds these: centre, width, height, digit, score."""
    cells = np.zeros((14, 320), np.float32)
    for cell, (*box, digit, score) in enumerate(boxes):
        cells[:4, cell] = box
        cells[4 + digit, cell] = score
    return cells


def labels(*digits: tuple[float, float, float, float, float]) -> np.ndarray:
    rows = np.full((6, 5), -1, np.float32)
    rows[: len(digits)] = digits
    return rows


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 2, 2], [10, 10, 11, 11]])
    np.testing.assert_allclose(overlaps(boxes, np.array([[1, 0, 3, 2]])), [[1 / 3], [0]])


def test_a_box_is_right_once_where_a_digit_is_and_is_named() -> None:
    truth = labels((3, 0, 0, 10, 10), (7, 20, 20, 30, 30), (1, 40, 40, 50, 50))
    found = output(
        (5, 5, 10, 10, 3, 0.9),  # right
        (6, 5, 10, 10, 3, 0.8),  # overlaps the better one: dropped
        (25, 25, 10, 10, 8, 0.7),  # where the 7 is
        (45, 45, 4, 4, 1, 0.6),  # too small
        (60, 60, 4, 4, 1, 0.2),  # below the threshold
    )
    assert Detections.of(found).right(truth).tolist() == [True, False, False]
    count = Count.of(found[None], truth[None])
    assert count == Count(digits=3, found=1, false=2)
    assert count.f1 == pytest.approx(1 / 3)


def test_two_boxes_cannot_find_one_digit() -> None:
    found = output((5, 4, 10, 8, 3, 0.9), (5, 9.5, 10, 9, 3, 0.8))
    assert Detections.of(found).right(labels((3, 0, 0, 10, 10))).sum() == 1


def test_canvases_are_made_again_and_hold_what_their_labels_say() -> None:
    digits, classes, _, _ = load_samples()
    made = [Canvases.scattered(digits[..., 0], classes, 4, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(made[0].images, made[1].images)
    for image, rows in zip(made[0].images[:, 0], made[0].labels, strict=True):
        there = rows[rows[:, 0] >= 0]
        assert 2 <= len(there) <= 6
        for _, left, top, right, bottom in there.astype(int):
            assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
            assert image[top:bottom, left:right].max() > 0.5


def test_the_sample_detector_finds_nine_of_ten_digits() -> None:
    with np.load(DATA / "detector_test.npz") as archive:
        images, truth = archive["image"], archive["labels"]
    session = onnxruntime.InferenceSession(str(DATA / "detector.onnx"))
    found = np.concatenate([np.asarray(session.run(["detections"], {"image": image[None]})[0]) for image in images])
    count = Count.of(found, truth)
    assert count.found >= 0.9 * count.digits and count.false <= 0.12 * count.digits


def test_files_are_small() -> None:
    sizes = [
        (DATA / name).stat().st_size for name in ("detector.onnx", "detector_calibration.npz", "detector_test.npz")
    ]
    assert max(sizes) < 300_000


def test_the_picture_shows_every_variant_and_box() -> None:
    truth = labels((3, 0, 0, 10, 10))
    outputs = {"fp32": output((5, 5, 10, 10, 3, 0.9)), "int8": output()}
    root = ElementTree.fromstring(picture(np.zeros((SIZE, SIZE)), outputs, truth))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "fp32: 1 of 1 found" in texts and "int8: 0 of 1 found" in texts and "3 0.90" in texts
