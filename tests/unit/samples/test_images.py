"""Folders of pictures as samples, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quantune_mlir.errors import DataError
from quantune_mlir.samples.preprocess import Preprocess
from quantune_mlir.samples.sample_set import InputSpec, SampleSet

NCHW = [InputSpec("x", (1, 3, 4, 4), np.dtype(np.float32))]


def save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_pixels_are_scaled_ordered_and_laid_out(tmp_path: Path) -> None:
    pixels = np.arange(48).reshape(4, 4, 3)
    save(tmp_path / "b.png", pixels)
    save(tmp_path / "a.png", 2 * pixels)
    chosen = Preprocess.parse("mean=0.1:0.2:0.3,std=0.5,order=bgr")
    first, second = (run[0] for run in SampleSet.open(tmp_path, NCHW, preprocess=chosen))
    expected = ((pixels[..., ::-1] / 255 - [0.1, 0.2, 0.3]) / 0.5).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(second, expected, atol=1e-6)
    assert first.shape == (1, 3, 4, 4) and first.dtype == np.float32 and (first >= second).all()


@pytest.mark.parametrize(("shape", "axis"), [((1, 4, 4, 3), 3), ((1, 4, 4, 1), 3), ((1, 1, 4, 4), 1)])
def test_layout_and_channels_are_the_inputs(tmp_path: Path, shape: tuple[int, ...], axis: int) -> None:
    save(tmp_path / "a.png", np.full((8, 8, 3), 51))
    inputs = [InputSpec("x", shape, np.dtype(np.float32))]
    ((value,),) = SampleSet.open(tmp_path, inputs, preprocess=Preprocess.parse("scale=1"))
    assert value.shape == shape and shape[axis] in (1, 3)
    np.testing.assert_array_equal(value, 51)


def test_the_middle_is_cut_out_of_the_resized_picture(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16, 3))
    pixels[:, 4:12] = 255
    save(tmp_path / "wide.png", pixels)
    ((value,),) = SampleSet.open(tmp_path, NCHW, preprocess=Preprocess.parse("size=8"))
    np.testing.assert_array_equal(value, 1)


@pytest.mark.parametrize("text", ["mean=a", "std=0", "size=-3", "size=1000000", "layout=hwc", "colour=red", "mean=nan"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="--preprocess"):
        Preprocess.parse(text)


def test_pictures_without_preprocessing_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((4, 4, 3)))
    with pytest.raises(DataError, match="how they become inputs"):
        SampleSet.open(tmp_path, NCHW)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png"):
        list(SampleSet.open(tmp_path, NCHW, preprocess=Preprocess()))


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3)))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.png: cannot be read as a picture"):
        list(SampleSet.open(tmp_path, NCHW, preprocess=Preprocess()))


def test_bombs_are_not_decoded(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    Image.new("1", (1, 30_000)).save(tmp_path / "line.png")
    for name in ("bomb.png", "line.png"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (tmp_path / name).rename(folder / name)
        inputs = [InputSpec("x", (1, 3, 4096, 4096), np.dtype(np.float32))]
        with pytest.raises(DataError, match=name):
            list(SampleSet.open(folder, inputs, preprocess=Preprocess()))
