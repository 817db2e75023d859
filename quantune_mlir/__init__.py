"""Post-training mixed-precision quantization for embedded CPUs, on MLIR and IREE.

The names below are imported when first used, so that importing the package stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from quantune_mlir._versions import check_iree

if TYPE_CHECKING:
    from quantune_mlir.backend.program import Program
    from quantune_mlir.errors import QuantuneError
    from quantune_mlir.model import Model
    from quantune_mlir.planning.plan import PrecisionPlan
    from quantune_mlir.pytorch import from_torch
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.options import QuantizeOptions
    from quantune_mlir.workflow.policy import PlanPolicy
    from quantune_mlir.workflow.quantization import Quantization, quantize
    from quantune_mlir.workflow.save import save
    from quantune_mlir.workflow.scoring import Scorer

__all__ = [
    "Model",
    "PlanPolicy",
    "PrecisionPlan",
    "Program",
    "Quantization",
    "QuantizeOptions",
    "QuantuneError",
    "SampleSet",
    "Scorer",
    "from_torch",
    "quantize",
    "save",
]

_HOMES = {
    "Model": "model",
    "PlanPolicy": "workflow.policy",
    "PrecisionPlan": "planning.plan",
    "Program": "backend.program",
    "Quantization": "workflow.quantization",
    "QuantizeOptions": "workflow.options",
    "QuantuneError": "errors",
    "SampleSet": "samples.sample_set",
    "Scorer": "workflow.scoring",
    "from_torch": "pytorch",
    "quantize": "workflow.quantization",
    "save": "workflow.save",
}

check_iree()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
