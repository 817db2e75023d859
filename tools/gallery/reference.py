"""ONNX Runtime's fp32: what ours is compared with, and what prepares the inputs of networks that follow others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]


class Network:
    """A model in ONNX Runtime."""

    def __init__(self, file: Path) -> None:
        """Load it."""
        self._session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    @property
    def inputs(self) -> list[str]:
        """Their names."""
        return [each.name for each in self._session.get_inputs()]

    def __call__(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """The outputs of these names, or all."""
        return self._session.run(outputs, dict(feeds))
