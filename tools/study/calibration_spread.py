"""How calibration samples spread the layers' SQNRs: 1, 10, 100 real samples, and noise.

A profile is made of each set of samples; the SQNRs are measured on the same 100 samples throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from tools.zoo import Zoo

COUNTS: Final = (1, 10, 100)
FIELDS: Final = ("activation_sqnr_db", "local_sqnr_db")


def measure_spread(zoo: Zoo, network: str, samples: int) -> dict[str, Any]:
    """By the samples that the profile is of: activation and local SQNR of each deciding layer, in dB."""
    model = Model.load(zoo.model(network))
    arrays = zoo.samples(network, "calib", samples)
    judged_on = SampleSet.open(arrays, model.inputs)
    calibrator = Calibrator(model, load_target("host"))
    draw = np.random.default_rng(0)
    noise: dict[str, NDArray[np.generic]] = {
        name: draw.standard_normal(array.shape).astype(np.float32) for name, array in arrays.items()
    }
    sources = {str(count): {name: array[:count] for name, array in arrays.items()} for count in COUNTS}
    sources["noise"] = noise
    profiles = {name: calibrator.run(SampleSet.open(source, model.inputs)) for name, source in sources.items()}
    return {"network": network, "profiles": {name: _sqnrs(model, judged_on, p) for name, p in profiles.items()}}


def _sqnrs(model: Model, samples: SampleSet, profile: Profile) -> dict[str, list[float]]:
    sensitivity = analyze(model, samples, QuantizeOptions(), Stopwatch(SILENT), profile).sensitivity
    deciding = {layer.name for layer in model.layers if layer.decides}
    rows = sorted((row for row in sensitivity.layers if row.name in deciding), key=lambda row: row.index)
    return {field: [value for row in rows if (value := getattr(row, field)) is not None] for field in FIELDS}


def spread_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Mean, standard deviation and range of the layers' SQNRs, as Markdown."""
    yield f"| {found['network']}: profile of | activation SQNR: mean, std, range dB | local SQNR: mean, std, range dB |"
    yield "|---|---|---|"
    for name, fields in found["profiles"].items():
        cells = (
            f"{np.mean(x):.1f}, {np.std(x):.1f}, {np.ptp(x):.1f}" for x in (np.array(fields[field]) for field in FIELDS)
        )
        yield f"| {name} | " + " | ".join(cells) + " |"
