"""What the plans along the front lose: validation samples of which only fp32, or only the plan, is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.decisions import decided
from quantune_mlir.planning.front import Point
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import find_costs
from quantune_mlir.workflow.search import slower_and_cleaner
from tools.markdown import table
from tools.study.judge import Judge
from tools.study.subject import Subject
from tools.zoo import Zoo

POINTS: Final = 10
"""Plans of the front, the default plan and all fp32 not counted."""
DEFAULT: Final = "default"
FRONTS: Final = (
    "Plans from the quickest of the front to all fp32, the default one in bold: validation samples that only the plan "
    "(won) or only fp32 (lost) has right."
)


def measure_front(zoo: Zoo, network: str, granularity: Granularity, *, samples: int) -> dict[str, Any]:
    """Plans from the quickest to all fp32, and the default plan among them."""
    subject = Subject.load(zoo, network, samples)
    model, options = subject.model, QuantizeOptions(weights=granularity, samples=samples)
    watch = Stopwatch(SILENT)
    found = analyze(model, subject.calibration, options, watch)
    model, sensitivity = found.model, found.sensitivity
    costs = find_costs(model, found.rewriter, DEFAULT_POLICY, watch)
    planner = DEFAULT_POLICY.planner(sensitivity, model, costs)
    plans = {DEFAULT: DEFAULT_POLICY.plan(sensitivity, model, costs)}
    for number, point in enumerate(some_of(slower_and_cleaner(planner.problem.front), POINTS)):
        plans[str(number)] = planner.plan(lambda problem, chosen=point: decided(problem, chosen), "front").plan
    judge = Judge.of(subject, found.profile, options)
    int8 = {name: _int8(plan) for name, plan in plans.items()}
    in_fp32 = {name: [layer for layer in judge.model.names if layer not in kept] for name, kept in int8.items()}
    runs = [judge.model.plan(layers) for layers in int8.values()]
    right = judge.right([judge.model.plan([]), *runs])
    macs = {layer.name: layer.macs for layer in judge.model.layers}
    rows = [
        {
            "plan": name,
            "fp32_layers": len(in_fp32[name]),
            "int8_macs": 1 - sum(macs[layer] for layer in in_fp32[name]) / sum(macs.values()),
            "time": _time(costs, in_fp32[name]) / _time(costs, judge.model.names),
            "noise": noise,
            **_changes(right[:, 0], right[:, 1 + place]),
        }
        for place, (name, noise) in enumerate(zip(plans, judge.noise(runs), strict=True))
    ]
    rows.sort(key=lambda row: (row["time"], row["plan"]))
    return {
        "network": network,
        "granularity": granularity,
        "validation_samples": len(right),
        "top1": float(right[:, 0].mean()),
        "front": rows,
    }


def front_table(found: Mapping[str, Any]) -> Iterator[str]:
    """One network's front, as Markdown."""
    yield f"{found['network']}, {found['granularity']}, fp32 {found['top1']:.3f} of {found['validation_samples']}:"
    yield ""
    head = ["layers in fp32", "MACs in int8", "time / fp32", "SQNR, dB", "won", "lost", "drop, points"]
    yield table(head, [_cells(row, found["validation_samples"]) for row in found["front"]])


def _cells(row: Mapping[str, Any], samples: int) -> list[str]:
    cells = [
        str(row["fp32_layers"]),
        f"{100 * row['int8_macs']:.0f} %",
        f"{row['time']:.2f}",
        f"{decibels(row['noise']):.1f}" if row["noise"] else "exact",
        str(row["won"]),
        str(row["lost"]),
        f"{100 * (row['lost'] - row['won']) / samples:.2f}",
    ]
    return [f"**{cell}**" for cell in cells] if row["plan"] == DEFAULT else cells


def some_of(front: Sequence[Point], count: int) -> list[Point]:
    """Evenly spaced plans of a front with its ends."""
    places = np.linspace(0, len(front) - 1, min(count, len(front)))
    return [front[round(place)] for place in places]


def _int8(plan: PrecisionPlan) -> list[str]:
    return [layer.name for layer in plan.layers if layer.precision is INT8]


def _changes(fp32: NDArray[np.bool_], plan: NDArray[np.bool_]) -> dict[str, int]:
    return {"won": int((plan & ~fp32).sum()), "lost": int((fp32 & ~plan).sum())}


def _time(costs: CostModel, fp32: Sequence[str]) -> float:
    return costs.total(dict.fromkeys(fp32, FP32)).time
