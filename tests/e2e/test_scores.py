"""`evaluate` and `--max-drop` on what is no classification: a detector, and a reader of text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from quantune_mlir.cli.quantune import main
from tests.e2e.conftest import Quantune
from tests.e2e.models import images, make_model, save_model, save_samples, weights

SAMPLES = 8

MATCHED_BOXES = """
import numpy as np

def found(output):
    boxes, scores = output[:, :, :4], output[:, :, 4:]
    return [sample_boxes[sample_scores.max(axis=1) > 0.6] for sample_boxes, sample_scores in zip(boxes, scores)]

def score(outputs, references, labels):
    assert labels is None
    matched = total = 0
    for mine, theirs in zip(found(outputs[0]), found(references[0])):
        total += len(theirs)
        near = np.abs(mine[None] - theirs[:, None]).max(axis=2) < 5 if len(mine) else np.zeros((len(theirs), 1))
        matched += int((near.sum(axis=1) > 0).sum())
    return matched / total
"""

CHARACTERS = """
def read(scores):
    return ["".join("abcde"[k] for k in sample.argmax(axis=1)) for sample in scores]

def score(outputs, references, labels):
    pairs = zip(read(outputs[0]), read(references[0]))
    return sum(a == b for mine, theirs in pairs for a, b in zip(mine, theirs))
"""


def detector(folder: Path) -> Path:
    """Boxes of tens beside scores below one, one of each for each of 16 places."""
    nodes = [
        helper.make_node("Conv", ["x", "box"], ["boxes"], name="box"),
        helper.make_node("Conv", ["x", "cls"], ["logits"], name="cls"),
        helper.make_node("Sigmoid", ["logits"], ["scores"], name="sigmoid"),
        helper.make_node("Concat", ["boxes", "scores"], ["joined"], name="join", axis=1),
        helper.make_node("Flatten", ["joined"], ["flat"], name="flat", axis=2),
        helper.make_node("Reshape", ["flat", "sizes"], ["grid"], name="grid"),
        helper.make_node("Transpose", ["grid"], ["y"], name="turn", perm=[0, 2, 1]),
    ]
    sizes = helper.make_tensor("sizes", 7, [3], [1, 7, 16])
    constants = [weights("box", 4, 2, 1, 1, scale=50.0), weights("cls", 3, 2, 1, 1), sizes]
    return save_model(make_model(nodes, constants, output="y"), folder / "detector.onnx")


def reader(folder: Path) -> Path:
    """One of five characters at each of six places."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="hidden"),
        helper.make_node("Tanh", ["h"], ["t"], name="tanh"),
        helper.make_node("MatMul", ["t", "v"], ["s"], name="scores"),
        helper.make_node("LogSoftmax", ["s"], ["y"], name="softmax", axis=-1),
    ]
    model = make_model(nodes, [weights("w", 8, 16), weights("v", 16, 5)], output="y", input_shape=(1, 6, 8))
    return save_model(model, folder / "reader.onnx")


@pytest.fixture(scope="module")
def detected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector, all in int8; data.npz and score.py lie beside its directory."""
    folder = tmp_path_factory.mktemp("detector")
    save_samples(folder / "data.npz", x=images(SAMPLES))
    (folder / "score.py").write_text(MATCHED_BOXES)
    arguments = ["quantize", detector(folder), "--calibration", folder / "data.npz", "--all", "int8"]
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in (*arguments, "--output", folder / "out")])
    assert ended.value.code == 0
    return folder


def evaluated(quantune: Quantune, folder: Path, *options: object) -> tuple[str, Mapping[str, Any]]:
    scores = folder / "scores.json"
    made = quantune("evaluate", folder / "out", "--data", folder / "data.npz", "--json", scores, *options)
    assert made.status == 0, made.stderr
    return made.stdout, json.loads(scores.read_text())


class TestDetector:
    def test_each_part_has_its_sqnr_and_nothing_else_is_told(self, quantune: Quantune, detected: Path) -> None:
        told, found = evaluated(quantune, detected)
        assert list(found) == ["fp32", "int8", "mixed"]
        for score in found.values():
            assert set(score) == {"samples", "output_sqnr_db", "worst_sqnr_db", "parts"}
            assert [part["name"] for part in score["parts"]] == ["y[:, :, 0:4]", "y[:, :, 4:7]"]
            assert float(score["worst_sqnr_db"]) == min(float(part["sqnr_db"]) for part in score["parts"])
        assert float(found["fp32"]["worst_sqnr_db"]) == math.inf
        assert all(20 < part["sqnr_db"] < 80 for part in found["int8"]["parts"][:1])
        assert "agreement" not in told and "top1" not in told
        assert max(map(len, told.splitlines())) <= 80
        noisiest = min(found["int8"]["parts"], key=lambda part: part["sqnr_db"])["name"]
        *_, first, _ = told.splitlines()
        assert first.startswith(noisiest), "the noisiest first"

    def test_a_score_of_matched_boxes(self, quantune: Quantune, detected: Path) -> None:
        told, found = evaluated(quantune, detected, "--score", detected / "score.py")
        assert found["fp32"]["score"] == 1.0
        assert 0 <= found["int8"]["score"] <= 1
        assert told.splitlines()[1].split()[:2] == ["variant", "score"]

    def test_labels_are_for_classes(self, quantune: Quantune, detected: Path) -> None:
        data = save_samples(detected / "labelled.npz", x=images(SAMPLES), labels=np.zeros(SAMPLES, np.int64))
        made = quantune("evaluate", detected / "out", "--data", data)
        assert made.status == 1
        assert "the model's first output has no scores of classes\nremedy: leave `labels` out" in made.stderr

    def test_a_score_that_fails_is_told_with_its_line(self, quantune: Quantune, detected: Path) -> None:
        data = save_samples(detected / "labelled.npz", x=images(SAMPLES), labels=np.zeros(SAMPLES, np.int64))
        made = quantune("evaluate", detected / "out", "--data", data, "--score", detected / "score.py")
        assert made.status == 1
        assert f"{detected / 'score.py'}, line 9: AssertionError" in made.stderr and "Traceback" not in made.stderr

    def test_a_drop_of_samples_means_nothing(self, quantune: Quantune, detected: Path) -> None:
        arguments = ("--calibration", detected / "data.npz", "--max-drop", "1", "--output", detected / "other")
        made = quantune("quantize", detected / "detector.onnx", *arguments)
        assert made.status == 1
        assert "--max-drop: counts samples that are decided otherwise" in made.stderr and "--score" in made.stderr


class TestReader:
    def test_max_drop_of_characters(self, quantune: Quantune, tmp_path: Path) -> None:
        (tmp_path / "score.py").write_text(CHARACTERS)
        data = save_samples(tmp_path / "data.npz", x=images(SAMPLES, (6, 8)))
        arguments = ("--calibration", data, "--max-drop", "10", "--score", tmp_path / "score.py")
        made = quantune("quantize", reader(tmp_path), *arguments, "--output", tmp_path / "out")
        assert made.status == 0, made.stderr
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        accepted = [trial for trial in summary["trials"] if trial["accepted"]]
        for trial in accepted:
            assert trial["fp32_score"] == 6 * SAMPLES
            assert trial["lost_percent"] == pytest.approx(100 * (1 - trial["score"] / (6 * SAMPLES)), abs=1e-3)
            assert trial["lost_percent"] <= 10
        assert accepted and "losses in percent of fp32's score" in made.stdout
        _, found = evaluated(quantune, tmp_path, "--score", tmp_path / "score.py", "--variant", "mixed")
        assert found["mixed"]["score"] == accepted[-1]["score"], "it is run over the same samples"

    def test_a_score_is_asked_for_by_max_drop_alone(self, quantune: Quantune, tmp_path: Path) -> None:
        arguments = ("--calibration", tmp_path / "data.npz", "--score", tmp_path / "score.py")
        made = quantune("quantize", reader(tmp_path), *arguments, "--output", tmp_path / "out")
        assert made.status == 1 and "--score: only --max-drop asks for a score" in made.stderr
