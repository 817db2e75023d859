"""Predicted beside measured noise of plans, at the worst part of the outputs; and each layer alone in int8.

A network is one of the zoo, of the gallery, or made here; nothing has to be labelled.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.parts import PartMeter
from quantune_mlir.planning.noise_model import WORST, NoiseModel, Powers
from quantune_mlir.planning.planner import Planner
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import find_costs
from quantune_mlir.workflow.rewriting import PlanRewriter
from tools.study.fronts import some_of
from tools.study.made import MADE
from tools.study.switchable import SwitchableModel
from tools.zoo import Zoo

PLANS: Final = 30
CHUNK: Final = 8
"""Plans that are run at once: what they have in common is computed once, but has to be kept."""


@dataclass(frozen=True)
class Unlabelled:
    """A model and samples to calibrate with; plans are measured on these, as the prediction is of them."""

    name: str
    model: Model
    samples: SampleSet

    @staticmethod
    def load(name: str, samples: int, gallery: Path) -> Unlabelled:
        """Of the zoo, `gallery/NAME`, or `made/NAME`."""
        kind, _, rest = name.partition("/")
        if kind == "gallery":
            from tools.gallery.stage import ENTRIES, Case

            case = Case(ENTRIES[rest], gallery, ())
            model = case.load()
            return Unlabelled(name, model, SampleSet.open(case.samples["calibration"], model.inputs))
        if kind == "made":
            made = MADE[rest]()
            with tempfile.TemporaryDirectory() as folder:
                onnx.save(made.model, Path(folder) / "made.onnx")
                model = Model.load(Path(folder) / "made.onnx")
            return Unlabelled(name, model, SampleSet.open({"x": made.samples(samples, 0)}, model.inputs))
        zoo = Zoo.find()
        model = Model.load(zoo.model(name))
        return Unlabelled(name, model, SampleSet.open(zoo.samples(name, "calib", samples), model.inputs))


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


def measure(name: str, granularity: Granularity, *, samples: int, gallery: Path) -> dict[str, Any]:
    """What goes into JSON of one network."""
    start = time.process_time()
    subject = Unlabelled.load(name, samples, gallery)
    options = QuantizeOptions(weights=granularity, samples=samples)
    watch = Stopwatch(SILENT)
    analyzed = analyze(subject.model, subject.samples, options, watch)
    model, sensitivity = analyzed.model, analyzed.sensitivity
    costs = find_costs(model, PlanRewriter(model, analyzed.profile, options), DEFAULT_POLICY, watch)
    planner = DEFAULT_POLICY.planner(sensitivity, model, costs)
    noise = NoiseModel.of(sensitivity)
    switchable = SwitchableModel(model, analyzed.profile, options)
    meter = PlanMeter(switchable, model, subject.samples)
    names = [name for name in switchable.names if name in noise.layers]
    alone = {layer.name: layer.alone_normalized_mse or 0.0 for layer in sensitivity.layers}
    plans = _plans(planner, names)
    measured = meter([*([name] for name in names), *plans.values()])
    rows = zip(plans.items(), measured[len(names) :], strict=True)
    return {
        "network": name,
        "granularity": granularity,
        "parts": [part.name for part in model.parts],
        "layers": [
            {"name": name, "predicted": alone[name], "measured": float(found.max())}
            for name, found in zip(names, measured, strict=False)
        ],
        "plans": [
            {
                "plan": label,
                "int8": len(int8),
                "predicted": float(noise.noise(dict.fromkeys(int8, INT8)).max()),
                "measured": float(found.max()),
            }
            for (label, int8), found in rows
        ],
        "seconds": time.process_time() - start,
    }


def _plans(planner: Planner, names: Sequence[str]) -> dict[str, list[str]]:
    """Thirty plans by name, as their int8 layers: of the front, at random, and networks with one end in fp32."""
    front = planner.problem.front[:-1]
    found = {f"front {i}": _left(names, point.moved) for i, point in enumerate(some_of(front, PLANS // 3))}
    draw = np.random.default_rng(len(names))
    for i, share in enumerate(np.linspace(0.1, 0.95, PLANS // 3)):
        found[f"random {i}"] = [name for name in names if draw.random() < share] or [names[i % len(names)]]
    for i in range(PLANS - len(found)):
        cut = 1 + (i * (len(names) - 1)) // (PLANS - len(found))
        found[f"front end {i}"] = list(names[:cut]) if i % 2 else list(names[-cut:])
    return found


def _left(names: Sequence[str], moved: Mapping[str, Any]) -> list[str]:
    return [name for name in names if name not in moved]
