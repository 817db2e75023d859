"""summary.json: what was done, with what, how long it took, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.kernel_compiler import peak_with_compilers
from quantune_mlir.numerics.formats import INT16_ACTIVATIONS, format_named
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.report.json_numbers import json_number
from quantune_mlir.workflow.quantized_model import QuantizedModel
from quantune_mlir.workflow.rewriting import integer_options
from quantune_mlir.workflow.summary_parts import described, front, predicted_noise, tensors, total_costs
from quantune_mlir.workflow.verification import Verification
from quantune_mlir.workflow.warnings import warnings

FORMAT: Final = 3
_VERSIONED: Final = ("quantune-mlir", "iree-base-compiler", "iree-base-runtime", "numpy", "onnx")
_METRICS: Final = (
    "activation_sqnr_db",
    "sqnr_delta_db",
    "local_sqnr_db",
    "mse",
    "normalized_mse",
    "local_normalized_mse",
    "output_normalized_mse",
    "alone_normalized_mse",
    "weight_sqnr_db",
)


def summarize(
    quantization: QuantizedModel,
    *,
    source: Path | str,
    mixed_bytes: int,
    seconds: dict[str, float],
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of summary.json. Infinite metrics are written as strings, as JSON has no infinity."""
    sensitivity = {layer.name: layer for layer in quantization.sensitivity.layers}
    planned = {layer.name: layer for layer in quantization.plan.layers}
    macs = Counter[str]()
    layers: list[dict[str, Any]] = []
    for record in quantization.records:
        layer, precision = record.layer, record.precision
        macs[precision] += layer.macs
        metrics = {name: json_number(getattr(sensitivity[layer.name], name)) for name in _METRICS}
        reason = planned[layer.name].reason if layer.name in planned else "follows its neighbours"
        layers.append(
            {
                "name": layer.name,
                "op": layer.op_type,
                "precision": precision,
                "macs": layer.macs,
                "weight_bytes": round(layer.weight_elements * format_named(precision).weight_bytes),
                "shape": list(record.shape),
                "inputs": list(record.inputs),
                "boundaries": list(record.boundaries),
                **metrics,
                "reason": reason,
                **described(record),
            }
        )
    total = macs.total()
    saved = sum(4 * layer.weight_elements for layer in quantization.model.layers)
    saved -= sum(layer["weight_bytes"] for layer in layers)
    return {
        "format": FORMAT,
        "versions": {name: installed_version(name) for name in _VERSIONED},
        "model": {"file": Path(source).name, "path": str(Path(source).absolute()), "sha256": quantization.model.hash},
        "options": quantization.options.as_dict(),
        "requantize": integer_options(quantization.options).requantize,
        "repairs": {
            "equalize": quantization.options.equalizes,
            "correct_bias": quantization.options.correct_bias,
        },
        "signal": quantization.sensitivity.signal,
        "policy": quantization.plan.policy,
        "command": {
            "arguments": list(command),
            "policy": list(quantization.policy.arguments),
            "circumstances": list(quantization.policy.circumstances),
        },
        "trials": [
            {
                "fp32_layers": trial.fp32_layers,
                "predicted_sqnr_db": json_number(trial.predicted_sqnr_db),
                **trial.drop.as_dict(),
                "accepted": trial.accepted,
            }
            for trial in quantization.trials
        ],
        "inference_runs": {
            "fp32": quantization.runs.fp32,
            "int8": quantization.runs.int8,
            "samples": quantization.runs.samples,
            "int8_samples": quantization.sensitivity.samples,
        },
        "predicted": predicted_noise(quantization),
        "verification": None if quantization.verification is None else _verification(quantization.verification),
        "warnings": warnings(quantization),
        "timings_s": {name: round(value, 4) for name, value in seconds.items()},
        "peak_mib": peak_with_compilers(),
        "costs": total_costs(quantization),
        "front": front(quantization),
        "tensors": tensors(quantization),
        "layers": layers,
        "totals": {
            "fp32_program_bytes": mixed_bytes + saved,
            "mixed_program_bytes": mixed_bytes,
            "macs": total,
            "int8_mac_share": macs["int8"] / total if total else 0.0,
            "int16_mac_share": sum(macs[name] for name in macs if _is_wide(name)) / total if total else 0.0,
            "int8_layers": sum(layer["precision"] == "int8" for layer in layers),
            "int16_layers": sum(_is_wide(layer["precision"]) for layer in layers),
            "layers": len(layers),
        },
    }


def _is_wide(precision: str) -> bool:
    return format_named(precision).activations == INT16_ACTIVATIONS


def _verification(verification: Verification) -> dict[str, Any]:
    return {
        "samples": verification.samples,
        "parts": [
            {
                "name": part.noise.part.name,
                "output": part.noise.part.output_name,
                "judged": part.noise.part.is_judged,
                "signal": part.noise.signal,
                "measured_sqnr_db": json_number(part.noise.sqnr_db),
                "likely_sqnr_db": json_number(decibels(part.noise.likely_mse)),
                "predicted_sqnr_db": json_number(part.predicted_db),
                "whole_sqnr_db": json_number(part.noise.whole_sqnr_db),
            }
            for part in verification.parts
        ],
    }
