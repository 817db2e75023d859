"""Predicted beside measured noise of plans, at the worst part of the outputs; and each layer alone in int8.

A network is one of the zoo, of the gallery, or made here; nothing has to be labelled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.planner import Planner
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import find_costs
from quantune_mlir.workflow.rewriting import PlanRewriter
from tools.study.fronts import some_of
from tools.study.switchable import SwitchableModel
from tools.study.unlabelled import PlanMeter, Unlabelled

PLANS: Final = 30


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
    rest = PLANS - len(found)
    for i in range(rest):
        cut = 1 + (i * (len(names) - 1)) // rest
        found[f"front end {i}"] = list(names[:cut]) if i % 2 else list(names[-cut:])
    return found


def _left(names: Sequence[str], moved: Mapping[str, Any]) -> list[str]:
    return [name for name in names if name not in moved]
