"""The tables that commands print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from quantune_mlir.cli.console import decibels, table
from quantune_mlir.planning.sensitivity import SensitivityList


def sensitivity(ranked: SensitivityList, precision: Mapping[str, str] | None = None) -> Table:
    """The sensitivity list, most sensitive first; with what became of each layer if that is known."""
    rows = [
        [
            layer.name,
            layer.op,
            *([precision[layer.name]] if precision else []),
            decibels(layer.activation_sqnr_db),
            decibels(layer.sqnr_delta_db),
            decibels(layer.local_sqnr_db),
            decibels(layer.weight_sqnr_db),
            "-" if layer.mse is None else f"{layer.mse:.2e}",
            f"{layer.macs / 1e6:.2f}" if layer.macs else "-",
        ]
        for layer in ranked.layers
    ]
    columns = [
        "op",
        *(["precision"] if precision else []),
        "SQNR dB",
        "delta dB",
        "local dB",
        "weights dB",
        "MSE",
        "MMAC",
    ]
    title = f"Sensitivity over {ranked.samples} samples, most sensitive first ({ranked.metric})"
    return table(title, "layer", *columns, rows=rows)


def outcome(summary: Mapping[str, Any]) -> Table:
    """What a quantization came to, from the content of summary.json."""
    totals, runs, seconds = summary["totals"], summary["inference_runs"], summary["timings_s"]
    rows = [
        ["policy", summary["policy"]],
        ["layers in int8", f"{totals['int8_layers']} of {totals['layers']}"],
        ["MACs in int8", f"{100 * totals['int8_mac_share']:.1f} % of {totals['macs'] / 1e6:.2f} M"],
        ["program", f"{_kib(totals['mixed_program_bytes'])}, fp32 {_kib(totals['fp32_program_bytes'])}"],
        ["inference runs", f"{runs['fp32']} fp32, {runs['int8']} int8, over {runs['samples']} samples"],
        [
            "time",
            ", ".join(f"{name.replace('_', ' ')} {value:.2f} s" for name, value in seconds.items() if value >= 0.005),
        ],
    ]
    made = table("Outcome", "what", "value", rows=rows)
    made.show_header = False
    for column in made.columns:
        column.justify, column.no_wrap = "left", False
    return made


def evaluation(scores: Mapping[str, Mapping[str, Any]]) -> Table:
    """Accuracy by variant."""
    labelled = any("top1" in score for score in scores.values())
    rows = [
        [
            variant,
            str(score["samples"]),
            *([f"{score['top1']:.4f}", f"{score['top5']:.4f}"] if labelled else []),
            f"{score['agreement']:.4f}",
            decibels(score["output_sqnr_db"]),
        ]
        for variant, score in scores.items()
    ]
    return table(
        "Accuracy", "variant", "samples", *(["top-1", "top-5"] if labelled else []), "agreement", "output dB", rows=rows
    )


def latency(results: Mapping[str, Mapping[str, Any]], *, threads: int) -> Table:
    """Latency by variant, and against the first."""
    first = next(iter(results.values()))["median_ms"]
    rows = [
        [
            name,
            f"{r['median_ms']:.3f}",
            f"{r['p10_ms']:.3f}",
            f"{r['p90_ms']:.3f}",
            str(r["runs"]),
            f"{r['median_ms'] / first:.2f}",
        ]
        for name, r in results.items()
    ]
    title = f"Latency, {threads} thread{'s' if threads > 1 else ''}"
    return table(title, "variant", "median ms", "p10 ms", "p90 ms", "runs", f"/ {next(iter(results))}", rows=rows)


def _kib(size: int) -> str:
    return f"{size / 1024:.0f} KiB"
