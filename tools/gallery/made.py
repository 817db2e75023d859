"""Networks with weights at random, made by PyTorch where it is."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tools.gallery.fetch import FetchError
from tools.gallery.inputs import Maker
from tools.gallery.material import Material

PYTHON: Final = "TORCH_PYTHON"
"""The variable that names the interpreter of an environment with torch, torchvision, timm and onnxscript."""
_SAMPLES: Final = 16
"""That statistics of batch normalizations are of."""


@dataclass(frozen=True)
class Made:
    """A network that tools/gallery/torch_networks.py exports.

    Attributes:
        network: its name there.
        samples: makes the inputs that statistics of batch normalizations are of.
        dynamo: by which of PyTorch's two exporters.
    """

    network: str
    samples: Maker
    dynamo: bool = False

    @property
    def name(self) -> str:
        """As users should read it in messages."""
        return f"{self.network}{'-dynamo' if self.dynamo else ''}.onnx"

    def model(self, cache: Path) -> Path:
        """The file, made if it is not in the cache. Raises FetchError."""
        path = cache / "made" / self.name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as staging:
                samples, part = Path(staging) / "samples.npz", Path(staging) / self.name
                np.savez(samples, allow_pickle=False, **self.samples(Material(cache, path), _SAMPLES))
                self._export(samples, part)
                part.rename(path)
        return path

    def _export(self, samples: Path, output: Path) -> None:
        if PYTHON not in os.environ:
            raise FetchError(f"set {PYTHON} to the interpreter of an environment that has PyTorch")
        script = Path(__file__).with_name("torch_networks.py")
        command = [os.environ[PYTHON], str(script), self.network, str(samples), str(output)]
        command += ["--dynamo"] if self.dynamo else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise FetchError(f"{self.network} cannot be exported: {said}")
