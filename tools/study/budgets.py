"""What `--min-sqnr` keeps in fp32, beside the least that a greedy search finds by measuring every candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from quantune_mlir.errors import PlanError
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.costs import Ledger
from quantune_mlir.planning.front import Problem
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize
from tools.study.switchable import SwitchableModel
from tools.study.unlabelled import PlanMeter, Unlabelled

WANTED: Final = (20.0, 30.0, 40.0)

Meter = Callable[[Sequence[Sequence[str]]], list[Powers]]


def measure(name: str, granularity: Granularity, *, samples: int, gallery: Path) -> dict[str, Any]:
    """What goes into JSON of one network."""
    subject = Unlabelled.load(name, samples, gallery)
    options = QuantizeOptions(weights=granularity, samples=samples)
    macs = {layer.name: layer.macs for layer in subject.model.layers}
    rows: list[dict[str, Any]] = []
    meters: tuple[PlanMeter, PlanMeter] | None = None
    for wanted in WANTED:
        try:
            found = quantize(subject.model, subject.samples, options, policy=PlanPolicy(min_sqnr_db=wanted))
        except PlanError as error:
            rows.append({"wanted": wanted, "refused": str(error)})
            continue
        if meters is None:
            switchable = SwitchableModel(found.model, found.profile, options)
            meters = (
                PlanMeter(switchable, found.model, subject.samples),
                PlanMeter(switchable, found.model, subject.others),
            )
        names = [layer.name for layer in found.model.layers if layer.decides and layer.quantizable]
        ours = [name for name in names if name in found.plan.integer_layers]
        searched = greedy(names, macs, meters[0], wanted)
        assert found.verification is not None
        rows.append(
            {
                "wanted": wanted,
                "measured": min(part.noise.sqnr_db for part in found.verification.parts),
                **{
                    f"{whose}{key}": value
                    for whose, int8 in (("", ours), ("greedy_", searched))
                    for key, value in _told_of(int8, names, macs, meters, found.planned.problem).items()
                },
            }
        )
    total = sum(macs.values())
    return {"network": name, "granularity": granularity, "macs": total, "budgets": rows}


def greedy(names: Sequence[str], macs: Mapping[str, int], meter: Meter, wanted: float) -> list[str]:
    """Layers that stay int8 with the SQNR that is wanted: at each step the best buy becomes fp32.

    That is the layer that takes most noise away for its multiply-accumulates, by measuring each; in the end layers go
    back to int8 as far as they may, the dearest first.
    """

    def worst(plans: Sequence[Sequence[str]]) -> list[float]:
        return [float(noise.max()) for noise in meter(plans)]

    most = 10 ** (-wanted / 10)
    free = 0.001 * sum(macs.values())
    int8 = list(names)
    while int8 and (now := worst([int8])[0]) > most:
        candidates = [[name for name in int8 if name != moved] for moved in int8]
        bought = [
            (now - max(left, most)) / (macs[moved] + free) for moved, left in zip(int8, worst(candidates), strict=True)
        ]
        int8 = candidates[max(range(len(bought)), key=bought.__getitem__)]
    for moved in sorted({*names} - {*int8}, key=lambda name: (-macs[name], name)):
        candidate = [name for name in names if name in int8 or name == moved]
        if worst([candidate])[0] <= most:
            int8 = candidate
    return int8


def _told_of(
    int8: Sequence[str], names: Sequence[str], macs: Mapping[str, int], meters: Sequence[PlanMeter], problem: Problem
) -> dict[str, float | None]:
    """Of a plan: its multiply-accumulates in fp32, its predicted time beside fp32's, its dB; None: no noise."""
    fp32 = [name for name in names if name not in int8]
    samples, others = (decibels(float(meter([int8])[0].max())) if int8 else None for meter in meters)
    time = Ledger(problem.costs, INT8, [*problem.kept, *fp32]).total.time / problem.end.time
    return {"fp32_macs": sum(macs[name] for name in fp32), "time": time, "db": samples, "others_db": others}
