"""The study's curves as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.metrics import decibels
from tools.study.correlation_tables import Found
from tools.svg import plt, write

Axis = Literal["layers", "macs", "time"]
LABELS: Final[dict[Axis, str]] = {
    "layers": "layers in fp32",
    "macs": "share of MACs in fp32",
    "time": "modelled time, of all fp32",
}
SHOWN: Final = ("alone_normalized_mse", "output_normalized_mse", "local_sqnr", "activation_sqnr", "weight_sqnr")


def plot_curves(found: Found, path: Path, against: Axis) -> None:
    """Output SQNR and top-1 of growing fp32 shares, for some metrics and all other orders."""
    curves = found["curves"]
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(6.4, 6.4), layout="constrained")
    drawn = [curve for name, curve in curves.items() if name.startswith("random_")]
    for name in (*SHOWN, "first_and_last", "greedy"):
        curve = curves[name]
        x = _places(curve, against)
        style = {"color": "black", "linestyle": "--"} if name == "greedy" else {}
        upper.plot(x[:-1], [decibels(noise) for noise in curve["noise"][:-1]], label=name, **style)
        lower.plot(x, curve["top1"], label=name, **style)
    if against == "layers":
        upper.plot(_mean([[decibels(noise) for noise in c["noise"][:-1]] for c in drawn]), ":", label="random (mean)")
        lower.plot(_mean([c["top1"] for c in drawn]), ":", label="random (mean)")
    upper.set_title(f"{found['network']}, weights {found['granularity']}")
    upper.set_ylabel("output SQNR, dB")
    lower.set_ylabel("top-1")
    lower.set_xlabel(LABELS[against])
    upper.legend()
    write(figure, path)


def _places(curve: Mapping[str, Any], against: Axis) -> list[float]:
    match against:
        case "layers":
            return list(range(len(curve["noise"])))
        case "macs":
            return curve["fp32_mac_share"]
        case "time":
            return curve["time_share"]


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    return [float(value) for value in np.mean(np.array(curves), axis=0)]


def plot_plans(networks: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Predicted beside measured SQNR of plans, float64[plans, 2] in dB by network, a colour for each of these."""
    figure, axes = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
    colours = mpl.colormaps["tab20"]
    for place, (label, points) in enumerate(networks.items()):
        predicted, measured = points.T
        axes.plot(measured, predicted, ".", color=colours(place % 20), label=label)
    ends = [0.0, 70.0]
    for offset, style in ((0, "-"), (3, "--"), (-3, "--"), (6, ":"), (-6, ":")):
        axes.plot(ends, [end + offset for end in ends], style, color="gray", linewidth=0.6)
    axes.set(xlim=ends, ylim=ends, xlabel="measured SQNR of the worst part, dB", ylabel="predicted, dB")
    axes.legend(fontsize=6)
    write(figure, path)
