"""Post-training mixed-precision quantization for embedded CPUs, on MLIR and IREE.

The names below are imported when first used, so that importing the package stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantune_mlir.backend.dask_workers import DaskWorkers
    from quantune_mlir.backend.program import Program
    from quantune_mlir.backend.workers import Workers
    from quantune_mlir.errors import QuantuneError
    from quantune_mlir.model import Model
    from quantune_mlir.numerics.profile import Profile
    from quantune_mlir.planning.plan import PrecisionPlan
    from quantune_mlir.pytorch import from_torch
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.sensitivity.analysis import Analyzer
    from quantune_mlir.sensitivity.calibration import Calibrator
    from quantune_mlir.sensitivity.run_sums import RunSums
    from quantune_mlir.workflow.options import QuantizeOptions
    from quantune_mlir.workflow.policy import PlanPolicy
    from quantune_mlir.workflow.quantization import Quantization, quantize
    from quantune_mlir.workflow.save import save
    from quantune_mlir.workflow.scoring import Scorer

__all__ = [
    "Analyzer",
    "Calibrator",
    "DaskWorkers",
    "Model",
    "PlanPolicy",
    "PrecisionPlan",
    "Profile",
    "Program",
    "Quantization",
    "QuantizeOptions",
    "QuantuneError",
    "RunSums",
    "SampleSet",
    "Scorer",
    "Workers",
    "from_torch",
    "quantize",
    "save",
]

_HOMES = {
    "Analyzer": "sensitivity.analysis",
    "Calibrator": "sensitivity.calibration",
    "DaskWorkers": "backend.dask_workers",
    "Model": "model",
    "PlanPolicy": "workflow.policy",
    "PrecisionPlan": "planning.plan",
    "Profile": "numerics.profile",
    "Program": "backend.program",
    "Quantization": "workflow.quantization",
    "QuantizeOptions": "workflow.options",
    "QuantuneError": "errors",
    "RunSums": "sensitivity.run_sums",
    "SampleSet": "samples.sample_set",
    "Scorer": "workflow.scoring",
    "Workers": "backend.workers",
    "from_torch": "pytorch",
    "quantize": "workflow.quantization",
    "save": "workflow.save",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
