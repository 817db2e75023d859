"""The networks that speed is measured on: the zoo's, and four well-known architectures with synthetic weights."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tools.zoo import Zoo

ARCHITECTURES: Final = {
    "resnet18_v1": "resnet18_v1",
    "resnet50_v1": "resnet50_v1",
    "vgg16": "vgg16",
    "mobilenet_v2": "mobilenet_v2_1.0",
}
"""What the zoo's make_arch.py makes, by our name."""
SYNTHETIC_SAMPLES: Final = 8
ZOO_SAMPLES: Final = 100


@dataclass(frozen=True)
class Networks:
    """Their files and calibration samples.

    Attributes:
        zoo: where most come from.
        work: a directory for files that have to be made.
    """

    zoo: Zoo
    work: Path

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.zoo.names, *ARCHITECTURES]

    def model(self, name: str) -> Path:
        """The ONNX file of a network, made if it is not there."""
        if name not in ARCHITECTURES:
            return self.zoo.model(name)
        path = self.work / name / f"{name}.onnx"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            maker = self.zoo.directory / "make_arch.py"
            subprocess.run([sys.executable, str(maker), ARCHITECTURES[name], str(part)], check=True)
            part.rename(path)
        return path

    def calibration(self, name: str, shape: tuple[int, ...]) -> dict[str, NDArray[np.generic]]:
        """Samples of a network whose one input has `shape`; for synthetic weights random, of unit variance."""
        if name not in ARCHITECTURES:
            return self.zoo.samples(name, "calib", ZOO_SAMPLES)
        samples: NDArray[Any] = np.random.default_rng(0).standard_normal((SYNTHETIC_SAMPLES, *shape[1:]), np.float32)
        return {"input": samples}
