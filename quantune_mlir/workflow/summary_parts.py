"""Parts of summary.json: decisions, costs, the front, predicted noise, parameters of int8."""

from __future__ import annotations

from typing import Any

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.costs import Cost
from quantune_mlir.planning.decisions import Decision
from quantune_mlir.report.json_numbers import json_number
from quantune_mlir.workflow.quantized_model import QuantizedModel
from quantune_mlir.workflow.records import LayerRecord


def described(record: LayerRecord) -> dict[str, Any]:
    """Why a layer has its precision, what it costs, and how far its weights reach; null for what is not known."""
    decision = record.decision
    cost = None if decision is None else decision.cost
    return {
        "decision": None if decision is None else _decision(decision),
        "cost": None if cost is None else {format_.name: _cost(each) for format_, each in cost.items()},
        "weights": None
        if record.weights is None
        else {"channels": record.weights.channels, "largest": list(record.weights.largest)},
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "ground": decision.ground.value,
        "named": decision.named,
        "rank": decision.rank,
        "noise": _digits(decision.brings),
        "noise_int8": _digits(decision.noise_int8),
        "noise_fp32": _digits(decision.noise_fp32),
        "extra_time": _digits(decision.extra_time),
    }


def total_costs(quantization: QuantizedModel) -> dict[str, Any] | None:
    """Predicted, of the whole network, of three plans; None where the policy weighs no costs."""
    problem, costs = quantization.planned.problem, quantization.costs
    if costs is None:
        return None
    chosen = next(each for each in quantization.front if each.chosen)
    return {
        "unit": costs.unit,
        "int8": _cost(problem.start),
        "mixed": _cost(Cost(chosen.time, chosen.size)),
        "fp32": _cost(problem.end),
    }


def front(quantization: QuantizedModel) -> list[dict[str, Any]]:
    """The plans worth having; layers by their place in `layers`."""
    place = {layer.name: index for index, layer in enumerate(quantization.model.layers)}
    return [
        {
            "chosen": each.chosen,
            "sqnr_db": json_number(each.sqnr_db),
            **_cost(Cost(each.time, each.size)),
            "fp32": sorted(place[name] for name in each.fp32),
            "int16": sorted(place[name] for name in each.int16),
            "options": list(each.options),
        }
        for each in quantization.front
    ]


def predicted_noise(quantization: QuantizedModel) -> list[dict[str, Any]]:
    """At the layers that make the parts of the outputs: of this plan, and of int8 throughout."""
    return [
        {
            "layer": each.layer,
            "int8_sqnr_db": json_number(decibels(each.int8)),
            "mixed_sqnr_db": json_number(decibels(each.mixed)),
        }
        for each in quantization.predicted
    ]


def tensors(quantization: QuantizedModel) -> list[dict[str, Any]]:
    """The parameters of int8, and the range that these can hold."""
    return [
        {"name": name, "scale": each.scale, "zero_point": each.zero_point, "low": each.lo, "high": each.hi}
        for name, each in quantization.parameters.items()
    ]


def _cost(cost: Cost) -> dict[str, float | None]:
    return {"time": _digits(cost.time), "bytes": _digits(cost.size)}


def _digits(value: float | None) -> float | None:
    """To six significant digits; planning has no NaN, and no infinite noise."""
    return None if value is None else float(f"{value:.6g}")
