"""Files of numbers: profiles, samples and labels, arrays by themselves, pictures."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from quantune_mlir.numerics.channels import BINS, ChannelStatistics
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.samples.preprocess import Preprocess
from quantune_mlir.samples.sample_set import InputSpec, SampleSet
from tools.fuzz.mutate import mutated_bytes, mutated_npz
from tools.fuzz.surface import Surface

_SPEC: Final = InputSpec("x", (1, 3), np.dtype(np.float32))
_PICTURE: Final = InputSpec("x", (1, 3, 4, 4), np.dtype(np.float32))
_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


def profile() -> Profile:
    """A small one."""
    channels = ChannelStatistics(4, np.ones((3, BINS), np.int64), np.zeros(3, np.float32), np.ones(3, np.float32))
    values = np.linspace(-2, 3, 99, dtype=np.float32)
    return Profile("ab" * 32, 4, {"conv": Histogram.of(values), "%x": Histogram.of(values * 0)}, {"conv": channels})


def _read_profile(path: Path) -> None:
    found = Profile.load(path)
    Profile.merge([found, found])


def _sample_seeds() -> list[bytes]:
    file = io.BytesIO()
    np.savez(file, x=np.ones((6, 3), np.float32), labels=np.arange(6))
    return [file.getvalue()]


def _read_samples(path: Path) -> None:
    samples = SampleSet.open(path, [_SPEC], count=4)
    samples.require_finite()
    _ = samples.labels


def _array_seeds() -> list[bytes]:
    files = [io.BytesIO() for _ in range(4)]
    for file, dtype in zip(files, (np.float32, np.float64, np.uint8, np.int64), strict=True):
        np.save(file, np.ones((6, 3), dtype))
    return [file.getvalue() for file in files]


def _read_array(path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=path.parent))
    try:
        shutil.copy(path, folder / "x.npy")
        shutil.copy(path, folder / "labels.npy")
        _read_samples(folder)
    finally:
        shutil.rmtree(folder)


def _picture_seeds() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    files = [io.BytesIO() for _ in range(2 * len(_FORMATS))]
    for number, file in enumerate(files):
        picture = Image.fromarray(pixels)
        (picture if number % 2 else picture.convert("L")).save(file, _FORMATS[number // 2])
    return [file.getvalue() for file in files]


def _read_picture(path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=path.parent))
    try:
        shutil.copy(path, folder / "picture.png")
        samples = SampleSet.open(folder, [_PICTURE], preprocess=Preprocess.parse("mean=0.5,std=0.5,size=6"))
        samples.require_finite()
    finally:
        shutil.rmtree(folder)


DATA_FILES = (
    Surface("profile", ".npz", lambda: [profile().to_bytes()], mutated_npz, _read_profile, 10),
    Surface("samples", ".npz", _sample_seeds, mutated_npz, _read_samples, 10),
    Surface("array", ".npy", _array_seeds, mutated_bytes, _read_array, 10),
    Surface("picture", ".png", _picture_seeds, mutated_bytes, _read_picture, 10),
)
