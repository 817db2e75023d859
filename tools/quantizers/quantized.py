"""What a quantizer's module gives back, and how it is asked for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from tools.quantizers.cases import NNCF, ONNXRUNTIME, OURS, REFERENCE, Case
from tools.quantizers.data import Data
from tools.quantizers.stages import Stages

Run = Callable[[NDArray[Any]], NDArray[Any]]
"""The output of one sample, (1, ...) to (1, ...)."""


@dataclass(frozen=True)
class Quantized:
    """Variants of a network, on disk.

    Attributes:
        variants: their names.
        details: whatever else is worth knowing, as JSON holds it.
    """

    variants: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Runners:
    """How a variant is run.

    Attributes:
        files: what is deployed; their bytes are counted.
        output: the network's own output.
        logits: what its closing softmax reads; None: it has none, or what the softmax read follows from its output.
    """

    files: list[Path]
    output: Run
    logits: Run | None


def load_operators() -> None:
    """ONNX's table of operators, which a process builds when it first asks for one: for all that read ONNX alike."""
    importlib.import_module("onnx.defs").has("Conv")


class Quantizer(Protocol):
    """A module of this package that quantizes."""

    def load(self) -> None:
        """Import all packages and tables that take long, so that no stage includes it."""
        ...

    def quantize(self, case: Case, data: Data, samples: int, directory: Path, stages: Stages) -> Quantized:
        """Quantize with the first `samples` calibration samples, into an empty directory."""
        ...

    def runners(self, case: Case, data: Data, directory: Path, variant: str) -> Runners:
        """Make a variant in `directory` ready."""
        ...


_MODULES: Final = {
    OURS: "ours",
    ONNXRUNTIME: "onnxruntime_static",
    REFERENCE: "onnxruntime_static",
    NNCF: "openvino_nncf",
}


def quantizer(case: Case) -> Quantizer:
    """The module that a case needs."""
    module: Any = importlib.import_module(f"tools.quantizers.{_MODULES[case.quantizer]}")
    return module
