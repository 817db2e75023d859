"""What the study's numbers say: correlations and areas, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.metric import Metric
from tools.study.correlation import kendall, spearman
from tools.study.onnxruntime_metrics import METRICS

Found = Mapping[str, Any]
"""What ground_truth.measure found of one network at one granularity."""

OTHER_ORDERS: Final = ("first_and_last", "random")


def sensitivities(found: Found) -> dict[str, list[float]]:
    """By metric, how sensitive it holds each layer to be: higher is more. A layer without it counts as insensitive."""
    values = {
        metric.value: [_signed(layer[metric.field], high=metric.high_is_sensitive) for layer in found["layers"]]
        for metric in Metric
    }
    for metric in METRICS:
        rows = (found["onnxruntime"][layer["name"]] for layer in found["layers"])
        values[f"ORT {metric}"] = [_signed(row[metric], high=False) for row in rows]
    return values


def correlations(found: Found) -> dict[str, tuple[float, float]]:
    """Spearman and Kendall of each metric with the noise at the output where only the layer is int8."""
    truth = [layer["only_int8"]["noise"] for layer in found["layers"]]
    return {name: (spearman(x, truth), kendall(x, truth)) for name, x in sensitivities(found).items()}


def area(noise: Sequence[float]) -> float:
    """Under output SQNR in dB, not below 0, against the number of fp32 layers, up to all but one."""
    return float(np.trapezoid([max(decibels(x), 0.0) for x in noise[:-1]]))


def areas(found: Found) -> dict[str, float]:
    """By order, over that of the greedy oracle; random: the mean of all."""
    whole = {name: area(curve["noise"]) for name, curve in found["curves"].items()}
    drawn = [value for name, value in whole.items() if name.startswith("random_")]
    means = {name: value for name, value in whole.items() if not name.startswith("random_")}
    return {name: value / whole["greedy"] for name, value in (means | {"random": float(np.mean(drawn))}).items()}


def markdown(all_found: Sequence[Found]) -> Iterator[str]:
    """The tables, line by line."""
    columns = [f"{f['network']}, {f['granularity']}" for f in all_found]
    yield from _table("network, weights", _summary(all_found))
    yield ""
    yield "Spearman (Kendall) correlation with the noise at the output where only this layer is int8:"
    yield ""
    found = [correlations(f) for f in all_found]
    rows = {name: [f"{f[name][0]:.2f} ({f[name][1]:.2f})" for f in found] for name in found[0]}
    truth = [
        spearman([x["only_int8"]["noise"] for x in f["layers"]], [-x["all_but_int8"]["noise"] for x in f["layers"]])
        for f in all_found
    ]
    rows["measured, all but this layer int8"] = [f"{value:.2f}" for value in truth]
    yield from _table("metric", {"": columns} | rows)
    with_curves = [f for f in all_found if "curves" in f]
    if with_curves:
        yield ""
        yield "Area under output SQNR against the number of fp32 layers, over that of the greedy oracle:"
        yield ""
        columns = [f"{f['network']}, {f['granularity']}" for f in with_curves]
        by_order = [areas(f) for f in with_curves]
        orders = {name: [f"{f[name]:.3f}" for f in by_order] for name in by_order[0]}
        runs = [str(f["curves"]["greedy"]["runs"]) for f in with_curves]
        yield from _table("order", {"": columns} | orders | {"runs of the greedy oracle": runs})


def _summary(all_found: Sequence[Found]) -> dict[str, list[str]]:
    head = {"": ["layers", "samples", "images", "int8 dB", "top-1 fp32", "top-1 int8"]}
    return head | {
        f"{f['network']}, {f['granularity']}": [
            str(len(f["layers"])),
            str(f["samples"]),
            str(f["validation_samples"]),
            f"{decibels(f['int8']['noise']):.1f}",
            f"{f['fp32']['top1']:.3f}",
            f"{f['int8']['top1']:.3f}",
        ]
        for f in all_found
    }


def _table(title: str, rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A Markdown table; the row without a name is its head."""
    (_, head), *body = rows.items()
    yield f"| {title} | " + " | ".join(head) + " |"
    yield "|---" * (len(head) + 1) + "|"
    for name, cells in body:
        yield f"| {name} | " + " | ".join(cells) + " |"


def _signed(value: float | None, *, high: bool) -> float:
    if value is None:
        return -np.inf
    return value if high else -value
