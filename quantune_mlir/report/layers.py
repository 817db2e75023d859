"""What a report's scripts know of each layer, as JSON can hold it."""

from __future__ import annotations

import math
from typing import Any, Final

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.report.bins import evenly_binned
from quantune_mlir.report.run import Run
from quantune_mlir.report.summary_file import LayerRead, PairOfCosts, TensorSummary

METRICS: Final = {
    "activation_sqnr_db": "SQNR at its output, all layers in int8 (dB)",
    "sqnr_delta_db": "SQNR that it loses (dB)",
    "local_sqnr_db": "SQNR at its output, it alone in int8 (dB)",
    "weight_sqnr_db": "SQNR of its weights (dB)",
    "mse": "MSE at its output",
    "normalized_mse": "normalized MSE at its output",
    "local_normalized_mse": "normalized MSE, it alone in int8",
    "alone_normalized_mse": "normalized MSE at the network's output, it alone in int8",
    "output_normalized_mse": "normalized MSE that goes from the network's output if it is fp32",
}
"""Titles of the metrics that are shown of each layer."""
_MOST_DB: Final = 300.0


def layers(run: Run) -> list[dict[str, Any]]:
    """One record for each layer, in graph order."""
    tensors = _tensors(run)
    return [_layer(layer, run, tensors.get(layer.name, [])) for layer in run.summary.layers]


def noise_share(layer: LayerRead, run: Run) -> float | None:
    """The noise that a layer brings in int8, of all that int8 throughout is predicted to have."""
    all_int8 = max((_power(part.int8_sqnr_db) for part in run.summary.predicted), default=0.0)
    if layer.decision is None or layer.decision.noise is None or not 0 < all_int8 < math.inf:
        return None
    return layer.decision.noise / all_int8


def _power(sqnr_db: float) -> float:
    """The noise-to-signal power of an SQNR."""
    return 10 ** (-min(max(sqnr_db, -_MOST_DB), _MOST_DB) / 10)


def digits(value: float | None) -> float | str | None:
    """Five significant digits; infinities as JavaScript's Number() reads them."""
    if value is None or math.isnan(value):
        return None
    return f"{'-' if value < 0 else ''}Infinity" if math.isinf(value) else float(f"{value:.5g}")


def _layer(layer: LayerRead, run: Run, tensors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "op": layer.op,
        "precision": layer.precision,
        "shape": "×".join(map(str, layer.shape)),
        "inputs": list(layer.inputs),
        "boundaries": list(layer.boundaries),
        "macs": layer.macs,
        "reason": layer.reason,
        "rank": None if layer.decision is None else layer.decision.rank,
        "share": digits(noise_share(layer, run)),
        "without": _without(layer),
        "cost": _cost(layer.cost),
        "tensors": tensors,
        "weights": None if layer.weights is None else layer.weights.model_dump(),
        **{name: digits(getattr(layer, name)) for name in METRICS},
    }


def _without(layer: LayerRead) -> dict[str, Any] | None:
    """The network's predicted SQNR with the layer in either format, and what fp32 takes more."""
    decision = layer.decision
    if decision is None or decision.noise_int8 is None or decision.noise_fp32 is None:
        return None
    return {
        "int8": digits(decibels(decision.noise_int8)),
        "fp32": digits(decibels(decision.noise_fp32)),
        "time": decision.extra_time,
    }


def _cost(cost: PairOfCosts | None) -> dict[str, Any] | None:
    return None if cost is None else {"int8": cost.int8.model_dump(), "fp32": cost.fp32.model_dump()}


def _tensors(run: Run) -> dict[str, list[dict[str, Any]]]:
    """The histograms of each layer's tensors, `name` and `name:1`, and those of the network's inputs, `%x`."""
    ranges = {tensor.name: tensor for tensor in run.summary.tensors}
    names = {layer.name for layer in run.summary.layers}
    found: dict[str, list[dict[str, Any]]] = {}
    for name in run.profile or ():
        owner = name if name in names else name.rpartition(":")[0]
        if owner in names:
            found.setdefault(owner, []).append(_tensor(run, name, ranges.get(name)))
    return found


def _tensor(run: Run, name: str, parameters: TensorSummary | None) -> dict[str, Any]:
    assert run.profile is not None
    low, high, counts = evenly_binned(run.profile[name])
    clip = None if parameters is None else [digits(parameters.low), digits(parameters.high)]
    return {"name": name, "low": digits(low), "high": digits(high), "counts": counts, "clip": clip}
