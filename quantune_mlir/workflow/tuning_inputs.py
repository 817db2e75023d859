"""The programs whose kernels are tuned: of a model, of an output directory, or one module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.front_ends import MLIR, find_front_end
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import load_module
from quantune_mlir.model import Model
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.comparison import random_values
from quantune_mlir.workflow.inference_runs import calibrate
from quantune_mlir.workflow.options import DEFAULTS, QuantizeOptions
from quantune_mlir.workflow.progress import SILENT, Progress, Stopwatch
from quantune_mlir.workflow.rewriting import PlanRewriter
from quantune_mlir.workflow.variant import VARIANTS, Variant
from quantune_mlir.workflow.variants import Variants


@dataclass(frozen=True)
class TuningInput:
    """Where programs come from.

    Attributes:
        path: a model's file, an output directory of `quantune quantize`, or a module of TOSA.
        target: what they are compiled for.
        chosen: variants of an output directory; none: all.
        calibration: samples for a model's file; None: random ones, as speed does not depend on values.
        imported: how a model's file is imported, as Model.load takes it.
    """

    path: Path
    target: str
    chosen: Sequence[Variant] = ()
    calibration: Path | None = None
    imported: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def modules(self, progress: Progress = SILENT) -> dict[str, ir.Module]:
        """TOSA by name: the variants; of a model's file, fp32 and int8 throughout.

        Raises:
            QuantuneError: there is no such thing, or it is broken.
        """
        is_module = find_front_end(self.path) is MLIR
        if self.chosen and not self.path.is_dir():
            raise ModelError("has no variants", where=str(self.path), remedy="leave out --variant")
        if self.calibration is not None and (is_module or self.path.is_dir()):
            raise ModelError("needs no samples", where=str(self.path), remedy="leave out --calibration")
        if self.path.is_dir():
            with progress.stage("read"):
                variants = Variants(Artifacts.open(self.path), target=self.target)
                return {name: variants.tosa(name) for name in self.chosen or VARIANTS}
        if is_module:
            return {self.path.stem: load_module(self.path, make_context())}
        return self._both_precisions(progress)

    def _both_precisions(self, progress: Progress) -> dict[str, ir.Module]:
        with progress.stage("import"):
            model = Model.load(self.path, samples=self.calibration, **self.imported)
        samples = SampleSet.open(self.calibration or _random(model), model.inputs, count=DEFAULTS.samples)
        profile = calibrate(model, samples, Stopwatch(progress))
        options = QuantizeOptions(target=self.target)
        return {"fp32": model.module, "int8": PlanRewriter(model, profile, options).rewrite(ALL_INT8).module}


def _random(model: Model) -> dict[str, np.ndarray]:
    values = random_values(model.inputs, np.random.default_rng(0))
    return {spec.name: value for spec, value in zip(model.inputs, values, strict=True)}
