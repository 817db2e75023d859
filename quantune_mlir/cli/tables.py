"""The tables that commands print."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from quantune_mlir.cli.console import OUT, Column, print_table
from quantune_mlir.hardware.sources import sources_of
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.tiling.tuning import Kernel
from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.workflow.comparison import Comparison
from quantune_mlir.workflow.search import Trial
from quantune_mlir.workflow.tuning import Choice, Site
from quantune_mlir.workflow.variant import Variant

_ACCURACY: Final = {"score": "score", "top1": "top1", "top5": "top5", "agreement": "agreement with fp32"}
_FIGURES: Final = {
    "score": "score",
    "fp32_score": "fp32's",
    "lost_percent": "lost",
    "won_percent": "won",
    "expected_lost_percent": "expected to be lost",
    "unseen_lost_percent": "on other samples",
}
_SHOWN: Final = {Metric.ACTIVATION_SQNR, Metric.SQNR_DELTA, Metric.LOCAL_SQNR, Metric.WEIGHT_SQNR, Metric.MSE}


def print_sensitivity(ranked: SensitivityList, precision: Mapping[str, str] | None = None) -> None:
    """The sensitivity list, most sensitive first; with what became of each layer if that is known."""
    layers = ranked.layers
    print_table(
        f"Sensitivity over {ranked.samples} samples, most sensitive first (by {ranked.metric}); SQNR in dB",
        [
            Column("layer", [layer.name for layer in layers], text=True),
            Column("op", [layer.op for layer in layers], text=True, optional=2),
            *([Column("precision", [precision[layer.name] for layer in layers])] if precision else []),
            *_sorting_column(ranked),
            Column("SQNR", [_activation_sqnr(layer) for layer in layers]),
            Column("delta", [_decibels(layer.sqnr_delta_db) for layer in layers], optional=1),
            Column("local", [_decibels(layer.local_sqnr_db) for layer in layers]),
            Column("weights", [_decibels(layer.weight_sqnr_db) for layer in layers], optional=4),
            Column("MSE", ["-" if layer.mse is None else f"{layer.mse:.2e}" for layer in layers], optional=5),
            Column("MMAC", [f"{layer.macs / 1e6:.3f}" if layer.macs else "-" for layer in layers], optional=3),
        ],
    )


def print_trials(trials: Sequence[Trial]) -> None:
    """The plans that were run to find one that loses few samples; nothing if there are none."""
    if not trials:
        return
    drops = [trial.drop.as_dict() for trial in trials]
    figures = {name: title for name, title in _FIGURES.items() if name in drops[0]}
    print_table(
        "Plans tried; losses in percent of " + ("fp32's score" if "score" in figures else "the samples"),
        [
            Column("fp32 layers", [str(trial.fp32_layers) for trial in trials]),
            Column("predicted SQNR", [f"{trial.predicted_sqnr_db:.1f}" for trial in trials]),
            *(Column(title, [_figure(name, drop[name]) for drop in drops]) for name, title in figures.items()),
            Column("accepted", ["yes" if trial.accepted else "no" for trial in trials]),
        ],
    )
    OUT.print()


def print_evaluation(scores: Mapping[Variant, Mapping[str, Any]]) -> None:
    """Accuracy by variant, then the SQNR of each part of the outputs: the noisiest first, what is not judged last."""
    results = list(scores.values())
    shown = [name for name in _ACCURACY if name in results[0]]
    print_table(
        f"Accuracy over {results[0]['samples']} samples",
        [
            Column("variant", list(scores), text=True),
            *(Column(_ACCURACY[name], [_accuracy(name, score[name]) for score in results]) for name in shown),
            Column("worst part in dB", [_decibels(score["worst_sqnr_db"]) for score in results]),
        ],
    )
    parts = {part["name"]: part["judged"] for part in results[0]["parts"]}
    noise = {name: [float(score["parts"][i]["sqnr_db"]) for score in results] for i, name in enumerate(parts)}
    names = sorted(parts, key=lambda name: (not parts[name], min(noise[name])))
    OUT.print()
    print_table(
        "Outputs, and their parts, beside fp32: SQNR in dB",
        [
            Column("part", [name if parts[name] else f"{name} (not judged)" for name in names], text=True),
            *(Column(variant, [_decibels(noise[name][i]) for name in names]) for i, variant in enumerate(scores)),
        ],
    )


def print_latency(comparison: Comparison, *, threads: int) -> None:
    """Latency by variant and peer, and against the first; then our time over the peers'."""
    first, *_ = names = list(comparison.times)
    rows = [comparison.latency(name) for name in names]
    print_table(
        f"Latency in ms, {threads} thread{'s' if threads > 1 else ''}",
        [
            Column("program", names, text=True),
            Column("median", [f"{row.median_ms:.3f}" for row in rows]),
            Column("p10", [f"{row.p10_ms:.3f}" for row in rows]),
            Column("p90", [f"{row.p90_ms:.3f}" for row in rows]),
            Column("rounds", [str(row.runs) for row in rows]),
            Column(f"of {first}", [f"{row.median_ms / rows[0].median_ms:.2f}" for row in rows]),
        ],
    )
    ours = [name for name in names if name not in comparison.peers]
    pairs = [(name, peer) for name in ours for peer in comparison.peers]
    if pairs:
        ratios = [comparison.ratio(*pair) for pair in pairs]
        OUT.print()
        print_table(
            "Our time over the peer's, in each round",
            [
                Column("variant", [name for name, _ in pairs], text=True),
                Column("peer", [peer for _, peer in pairs], text=True),
                Column("median", [f"{ratio.median:.3f}" for ratio in ratios]),
                Column("p10", [f"{ratio.p10:.3f}" for ratio in ratios]),
                Column("p90", [f"{ratio.p90:.3f}" for ratio in ratios]),
            ],
        )


def print_tuning(sites: Sequence[Site], found: Mapping[Kernel, Choice]) -> None:
    """What was found for each kernel, and what that makes of each program; µs on one thread."""
    known = [site for site in sites if site.kernel in found]
    choices = [found[site.kernel] for site in known]
    print_table(
        "Tiles: rows x columns x vectors, in workgroups of rows x columns x splits; µs a call",
        [
            Column("kernel", [str(site.kernel) for site in known], text=True),
            Column("calls", [str(sum(site.counts.values())) for site in known], optional=1),
            Column("model's tile", [str(choice.model) for choice in choices], text=True),
            Column("µs", [f"{choice.model_us:.1f}" for choice in choices]),
            Column("best tile", [str(choice.best) if choice.gain > 1 else "the same" for choice in choices], text=True),
            Column("µs", [f"{choice.best_us:.1f}" for choice in choices]),
            Column("gain", [_gain(choice.gain) for choice in choices]),
        ],
    )
    names = list(dict.fromkeys(name for site in known for name in site.counts))
    times = {
        name: [
            sum(time * site.counts.get(name, 0) for time, site in zip(each, known, strict=True))
            for each in ([c.model_us for c in choices], [c.best_us for c in choices])
        ]
        for name in names
    }
    OUT.print()
    print_table(
        "All of these kernels of a program, in µs",
        [
            Column("program", names, text=True),
            Column("model's tiles", [f"{times[name][0]:.1f}" for name in names]),
            Column("best tiles", [f"{times[name][1]:.1f}" for name in names]),
            Column("gain", [_gain(times[name][0] / times[name][1]) for name in names]),
        ],
    )


def print_target(target: Target) -> None:
    """All that is known of a target, and what it means."""
    tables = {"": target, "memory.": target.memory, "throughput.": target.throughput, "c.": target.c}
    rows = [
        (f"{prefix}{key}", getattr(table, key), meaning)
        for prefix, table in tables.items()
        for key, meaning in _meanings(type(table)).items()
        if prefix or (f"{key}." not in tables and key not in ("name", "description"))
    ]
    sources = sources_of(target)
    print_table(
        f"Target {target.name}: {target.description}",
        [
            Column("key", [key for key, _, _ in rows], text=True),
            Column("value", [_told(value) for _, value, _ in rows], text=True, prose=True),
            Column("meaning", [meaning for _, _, meaning in rows], text=True, prose=True),
            Column("source", [sources.get(key, "") for key, _, _ in rows], text=True, prose=True),
        ],
    )


def _meanings(record: type) -> dict[str, str]:
    """The fields of a class, and the first line of the string after each."""
    [definition] = ast.parse(inspect.getsource(record)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: told.value.value.split("\n")[0]
        for field, told in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(told, ast.Expr)
        and isinstance(told.value, ast.Constant)
        and isinstance(told.value.value, str)
    }


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)


def print_targets(targets: list[Target]) -> None:
    """The targets, with what each is for."""
    print_table(
        "Targets",
        [
            Column("target", [target.name for target in targets], text=True),
            Column("kernels", [target.isa or "-" for target in targets], text=True),
            Column("requantize", [target.requantize for target in targets], text=True),
            Column("description", [target.description for target in targets], text=True, prose=True),
        ],
    )


def _figure(name: str, value: float) -> str:
    return f"{value:.4g}" if name.endswith("score") else f"{value:.2f}"


def _accuracy(name: str, value: float) -> str:
    return f"{value:.6g}" if name == "score" else f"{value:.4f}"


def _gain(ratio: float) -> str:
    return f"{100 * (ratio - 1):.1f} %" if ratio > 1 else "-"


def _sorting_column(ranked: SensitivityList) -> list[Column]:
    """What the list is sorted by, if no other column shows it."""
    if ranked.metric in _SHOWN:
        return []
    title = str(ranked.metric).replace("normalized_mse", "NMSE").replace("_", " ")
    values: list[float | None] = [getattr(layer, ranked.metric.field) for layer in ranked.layers]
    return [Column(title, ["-" if value is None else f"{value:.2e}" for value in values])]


def _activation_sqnr(layer: LayerSensitivity) -> str:
    """`zero` where the layer's output is zero throughout, which has no SQNR."""
    silent = layer.activation_sqnr_db is None and layer.elements > 0
    return "zero" if silent else _decibels(layer.activation_sqnr_db)


def _decibels(value: float | str | None) -> str:
    """A ratio for people: one decimal, inf, or a dash where it is undefined."""
    return "-" if value is None else f"{float(value):.1f}"
