"""Our quantizer: all int8 and mixed come of one analysis."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from quantune_mlir.backend.program import Program
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.pipeline import registry
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize as quantize_model
from quantune_mlir.workflow.save import save
from quantune_mlir.workflow.variant import VARIANTS, Variant
from quantune_mlir.workflow.variants import Variants
from tools.quantizers.cases import MAX_DROP, Case
from tools.quantizers.data import Data
from tools.quantizers.quantized import Quantized, Runners, load_operators
from tools.quantizers.stages import Stages

_OUTPUT = "out"


def load() -> None:
    """See `Quantizer`. Passes are imported when asked for; IREE's runtime takes its time at the first device."""
    load_operators()
    for name in registry.available():
        registry.get(name)
    importlib.import_module("iree.runtime").get_device("local-sync")


def quantize(case: Case, data: Data, samples: int, directory: Path, stages: Stages) -> Quantized:
    """See `Quantizer`."""
    weights, scheme, *more = case.settings
    options = QuantizeOptions(weights=cast(Granularity, weights), scheme=Scheme(scheme), samples=samples)
    decides = data.metric != "auc"  # what reconstructs its input decides nothing
    promise: dict[str, Any] = {"max_drop": 100 * MAX_DROP} if "max-drop" in more and decides else {}
    with stages.stage("import the model"):
        model = Model.load(data.model)
        found = _samples(data, samples, model)
    quantized = quantize_model(model, found, options, policy=PlanPolicy(**promise), progress=stages)
    summary: dict[str, Any] = save(quantized, directory / _OUTPUT, source=data.model, progress=stages)
    return Quantized(
        variants=VARIANTS,
        details={
            "int8_mac_share": summary["totals"]["int8_mac_share"],
            "fp32_layers": [
                layer.name
                for layer in model.layers
                if layer.decides and quantized.mixed.precision[layer.name] == "fp32"
            ],
        },
    )


def _samples(data: Data, count: int, model: Model) -> SampleSet:
    """The first ones, as all get them; a SampleSet itself would choose."""
    folder = data.directory / "calib"
    if count >= len(data.samples("calib")):
        return SampleSet.open(folder, model.inputs)
    return SampleSet.open({data.input: np.load(folder / f"{data.input}.npy", mmap_mode="r")[:count]}, model.inputs)


def runners(case: Case, data: Data, directory: Path, variant: str) -> Runners:
    """See `Quantizer`. fp32 and all int8 are compiled here."""
    file = Variants(Artifacts.open(directory / _OUTPUT)).compiled(cast(Variant, variant))
    program = Program(file)
    return Runners([file], output=lambda sample: program(sample)[0], logits=None)
