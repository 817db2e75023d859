"""The samples that every quantizer gets: written once for each network, read one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tools.networks import ARCHITECTURES, Networks
from tools.zoo import Split

DIGITS: Final = "digits"
"""The sample network of the repository: it needs no zoo."""
_DIGITS_DIRECTORY: Final = Path(__file__).resolve().parents[2] / "tests" / "data"

CALIBRATION_SAMPLES: Final = 100
UNLABELLED_SAMPLES: Final = 50
"""Validation samples of networks without labels: their outputs are only compared with fp32's."""
_IMAGES: Final = "tiny_darknet_imagenet"
"""The network whose samples are RGB images in [0, 1], 224×224: what networks without data of their own get."""
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)

Metric = Literal["top1", "auc"]


@dataclass(frozen=True)
class Data:
    """A network's file and samples, in a directory.

    Attributes:
        directory: holds `calib/` and `val/`, each with `<input>.npy` and, where there are classes, `labels.npy`.
        model: the ONNX file.
        input: the name of the one input.
        metric: how outputs are scored; None: only against fp32's.
    """

    directory: Path
    model: Path
    input: str
    metric: Metric | None

    @staticmethod
    def open(directory: Path) -> Data:
        """What `save` described."""
        fields = json.loads((directory / "data.json").read_text(encoding="utf-8"))
        return Data(directory, Path(fields["model"]), fields["input"], fields["metric"])

    def save(self) -> None:
        """Describe it, once its samples are there."""
        fields = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        (self.directory / "data.json").write_text(json.dumps(fields), encoding="utf-8")

    def put(self, split: Split, samples: NDArray[Any], labels: NDArray[Any] | None) -> None:
        """Write the samples of a split, (samples, ...), and their labels."""
        folder = self.directory / split
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{self.input}.npy", np.ascontiguousarray(samples))
        if labels is not None:
            np.save(folder / "labels.npy", labels)

    def labels(self, split: Split) -> NDArray[np.int64] | None:
        """One class for each sample, where there are classes."""
        path = self.directory / split / "labels.npy"
        return np.load(path) if path.is_file() else None

    def samples(self, split: Split, count: int | None = None) -> Samples:
        """The first `count` samples of a split (None: all)."""
        return Samples(self.directory / split / f"{self.input}.npy", count)


class Samples:
    """Rows of an .npy file, each read when it is asked for: what a quantizer keeps, it keeps itself."""

    def __init__(self, path: Path, count: int | None) -> None:
        self._path = path
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, self._dtype = np.lib.format.read_array_header_1_0(file)
            self._start = file.tell()
        self._length = shape[0] if count is None else min(count, shape[0])
        self._shape = (1, *shape[1:])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Sample `index`, (1, ...)."""
        count = int(np.prod(self._shape))
        offset = self._start + index * count * self._dtype.itemsize
        return np.fromfile(self._path, self._dtype, count, offset=offset).reshape(self._shape)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))


def prepared(networks: Networks | None, name: str, directory: Path) -> Data:
    """The data of a network, written if it is not there. Without a zoo there is only the sample network."""
    if not (directory / "data.json").is_file():
        _export(networks, name, directory).save()
    return Data.open(directory)


def _export(networks: Networks | None, name: str, directory: Path) -> Data:
    if name == DIGITS or networks is None:
        data = Data(directory, _DIGITS_DIRECTORY / "digits.onnx", "input", "top1")
        files: dict[Split, str] = {"calib": "digits_calibration.npz", "val": "digits_test.npz"}
        for split, file in files.items():
            with np.load(_DIGITS_DIRECTORY / file) as arrays:
                _put_first(data, split, arrays["input"], arrays.get("labels"))
        return data
    metric = None if name in ARCHITECTURES else networks.zoo.metric(name)
    data = Data(directory, networks.model(name), "input", metric)
    for split in ("calib", "val"):
        if metric is None:
            data.put(split, _images(networks, name, split), None)
            continue
        count = CALIBRATION_SAMPLES if split == "calib" else None
        samples = networks.zoo.samples(name, split, count)["input"]
        data.put(split, samples, networks.zoo.labels(name, split, count))
    return data


def _put_first(data: Data, split: Split, samples: NDArray[Any], labels: NDArray[Any] | None) -> None:
    count = CALIBRATION_SAMPLES if split == "calib" else None
    data.put(split, samples[:count], labels if labels is None else labels[:count])


def _images(networks: Networks, name: str, split: Split) -> NDArray[np.float32]:
    """Images of others for a network without data: (samples, 3, height, width)."""
    count = CALIBRATION_SAMPLES if split == "calib" else UNLABELLED_SAMPLES
    images: NDArray[np.float32] = networks.zoo.samples(_IMAGES, split, count)["input"].astype(np.float32)
    if name in ARCHITECTURES:
        return (images - _MEAN) / _DEVIATION
    middle = images[:, :, 16:-16, 16:-16]
    return middle.reshape(len(middle), 3, 96, 2, 96, 2).mean(axis=(3, 5))
