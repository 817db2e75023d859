"""Access to the model zoo: real networks and samples that belong to others and are no part of the project.

The zoo is a directory with MANIFEST.json and zoo.py, which loads samples and scores outputs. It is found by the
environment variable QUANTUNE_ZOO, else beside the repository.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Split = Literal["calib", "val"]

DEFAULT: Final = Path(__file__).resolve().parents[2] / "shared" / "zoo"
STAND_INS: Final = 20
"""Random samples of networks that come without data."""


@dataclass(frozen=True)
class Zoo:
    """The networks in a directory."""

    directory: Path

    @staticmethod
    def find() -> Zoo:
        """The zoo on this machine. Raises FileNotFoundError, saying where it was looked for."""
        directory = Path(os.environ.get("QUANTUNE_ZOO", DEFAULT))
        if not (directory / "MANIFEST.json").is_file():
            raise FileNotFoundError(f"no model zoo at {directory}: set QUANTUNE_ZOO to where its MANIFEST.json is")
        return Zoo(directory)

    @cached_property
    def _functions(self) -> Any:
        spec = importlib.util.spec_from_file_location("model_zoo", self.directory / "zoo.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @property
    def names(self) -> list[str]:
        """All networks, in the manifest's order."""
        return list(self._functions.MANIFEST)

    def model(self, name: str) -> Path:
        """The ONNX file of a network."""
        return self._functions.model_path(name)

    def metric(self, name: str) -> Literal["top1", "auc"] | None:
        """How outputs are scored; None: there is no labelled data."""
        task = self._functions.MANIFEST[name]["task"]
        if task not in self._functions._LOADERS:
            return None
        return "auc" if task == "ad" else "top1"

    def samples(self, name: str, split: Split, count: int | None = None) -> dict[str, npt.NDArray[np.generic]]:
        """The first `count` samples, (samples, ...), under the input's name; random ones where there is no data."""
        entry = self._functions.MANIFEST[name]["input"]
        if self.metric(name) is None:
            shape = (count or STAND_INS, *entry["shape"][1:])
            return {entry["name"]: np.random.default_rng(len(split)).random(shape, np.float32)}
        x, _ = self._functions.samples(name, split, count)
        return {entry["name"]: x}

    def labels(self, name: str, split: Split, count: int | None = None) -> npt.NDArray[np.int64]:
        """The classes of the first `count` samples of a network with labelled data."""
        return self._functions.samples(name, split, count)[1]

    def score(self, name: str, outputs: npt.NDArray[np.float32], count: int | None = None) -> float | None:
        """The metric of outputs, (samples, ...), over the first `count` validation samples (AUC: over all)."""
        metric = self.metric(name)
        return None if metric is None else self._functions.score(name, "val", outputs, count)[metric]
