"""Networks without labels, and what any of their plans gives, measured at the parts of their outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from quantune_mlir.model import Model
from quantune_mlir.numerics.parts import PartMeter
from quantune_mlir.planning.noise_model import WORST, Powers
from quantune_mlir.samples.sample_set import SampleSet
from tools.study.made import MADE
from tools.study.switchable import SwitchableModel
from tools.zoo import Zoo

SAMPLES: Final = Path(__file__).parents[2] / "tests" / "data"
"""Small trained networks, and what to calibrate them with."""
_SEEDS: Final = (0, 1000)
"""Of the samples that are made, and of the others."""
CHUNK: Final = 8
"""Plans that are run at once: what they have in common is computed once, but has to be kept."""


@dataclass(frozen=True)
class Unlabelled:
    """A model, samples to calibrate with, and others.

    Plans are measured on the former, as the prediction is of them.
    """

    name: str
    model: Model
    samples: SampleSet
    others: SampleSet

    @staticmethod
    def load(name: str, samples: int, gallery: Path) -> Unlabelled:
        """Of the zoo, `gallery/NAME`, `made/NAME`, or `sample/NAME`, which come with the tests."""
        kind, _, rest = name.partition("/")
        if kind == "gallery":
            from tools.gallery.stage import ENTRIES, Case

            case = Case(ENTRIES[rest], gallery, ())
            model = case.load()
            calibration = SampleSet.open(case.samples["calibration"], model.inputs, samples)
            return Unlabelled(name, model, calibration, SampleSet.open(case.samples["tests"], model.inputs, samples))
        if kind == "made":
            made = MADE[rest]()
            with tempfile.TemporaryDirectory() as folder:
                onnx.save(made.model, Path(folder) / "made.onnx")
                model = Model.load(Path(folder) / "made.onnx")
            drawn = (SampleSet.open({"x": made.samples(samples, seed)}, model.inputs) for seed in _SEEDS)
            return Unlabelled(name, model, *drawn)
        if kind == "sample":
            model = Model.load(SAMPLES / f"{rest}.onnx")
            files = (SAMPLES / f"{rest}_{kind}.npz" for kind in ("calibration", "test"))
            return Unlabelled(name, model, *(SampleSet.open(file, model.inputs, samples) for file in files))
        zoo = Zoo.find()
        model = Model.load(zoo.model(name))
        splits = (SampleSet.open(zoo.samples(name, split, samples), model.inputs) for split in ("calib", "val"))
        return Unlabelled(name, model, *splits)


@dataclass(frozen=True)
class PlanMeter:
    """Measures plans of one model as the verification does."""

    model: SwitchableModel
    network: Model
    samples: SampleSet

    def __call__(self, plans: Sequence[Sequence[str]]) -> list[Powers]:
        """Noise-to-signal power at each part of the outputs, of plans told by their int8 layers."""
        return [found for start in range(0, len(plans), CHUNK) for found in self._some(plans[start : start + CHUNK])]

    def _some(self, plans: Sequence[Sequence[str]]) -> Iterator[Powers]:
        meters = [PartMeter(self.network.parts) for _ in plans]
        wanted = [self.model.plan(int8) for int8 in ([], *plans)]
        for sample, outputs in zip(self.samples, self.model.results(wanted, self.samples), strict=True):
            reference, *candidates = outputs
            argument = sample[0] if len(sample) == 1 else None
            for meter, candidate in zip(meters, candidates, strict=True):
                meter.add(reference, candidate, argument)
        for meter in meters:
            yield np.array([min(part.normalized_mse, WORST) for part in meter.noise()])
