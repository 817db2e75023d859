"""Figures of a quantization for notebooks and papers, drawn by Matplotlib (extra `plots`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from quantune_mlir.errors import QuantuneError
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.planning.alternatives import Alternative
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.bins import evenly_binned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = {"int8": "#2f6fb3", "fp32": "#d1702b"}
"""Of formats; those between them are grey. Told apart by colour-blind people too."""
_BETWEEN: Final = "#777777"


def draw_front(plans: Sequence[Alternative], unit: str) -> Figure:
    """Predicted SQNR of the worst part of the outputs, in dB, over the predicted time; the plan that was made marked.

    Plans without noise have no place on the axis of dB, and are left out.

    Raises:
        QuantuneError: Matplotlib is not installed, or no plan is known.
    """
    shown = [plan for plan in plans if math.isfinite(plan.sqnr_db)]
    if not shown:
        raise QuantuneError(
            "there is no front to draw: this policy weighs no costs", remedy="quantize with another policy"
        )
    figure, axes = _axes()
    others = [plan for plan in shown if not plan.chosen]
    best = [plan for place, plan in enumerate(others) if all(plan.noise < each.noise for each in others[:place])]
    _plot(axes, best, "o-", color=_BETWEEN, label="least noise in this time")
    _plot(axes, [plan for plan in others if plan not in best], ".", color=_BETWEEN, label="smaller")
    _plot(axes, [plan for plan in shown if plan.chosen], "*", color=COLOURS["fp32"], markersize=14, label="this plan")
    axes.set(xlabel=f"predicted time of one inference, {unit}", ylabel="SQNR of the worst part, dB, predicted")
    axes.legend()
    return figure


def draw_sensitivity(sensitivity: SensitivityList, precision: Mapping[str, str], most: int) -> Figure:
    """Noise that each layer alone brings to the outputs in int8, the `most` most sensitive first, coloured by format.

    Raises:
        QuantuneError: Matplotlib is not installed.
    """
    layers = [layer for layer in sensitivity.layers if layer.alone_normalized_mse][:most]
    figure, axes = _axes(height=1 + 0.22 * len(layers))
    colours = [COLOURS.get(precision[layer.name], _BETWEEN) for layer in layers]
    axes.barh([layer.name for layer in layers], [layer.alone_normalized_mse or 0 for layer in layers], color=colours)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="noise at the outputs, of their power")
    for name in sorted({precision[layer.name] for layer in layers}):
        axes.scatter([], [], marker="s", color=COLOURS.get(name, _BETWEEN), label=name)
    axes.legend(title="in the plan")
    return figure


def draw_histogram(tensor: str, histogram: Histogram, params: QuantParams | None) -> Figure:
    """How often each value was seen in a tensor; what int8 can hold shaded, if it is known.

    Raises:
        QuantuneError: Matplotlib is not installed.
    """
    figure, axes = _axes()
    low, high, counts = evenly_binned(histogram)
    width = (high - low) / max(len(counts), 1)
    starts = [low + width * place for place in range(len(counts))]
    axes.bar(starts, counts, width=width, align="edge", color=_BETWEEN)
    if params is not None:
        ends = [params.scale * (code - params.zero_point) for code in (params.qmin, params.qmax)]
        axes.axvspan(*ends, color=COLOURS["int8"], alpha=0.15, label=f"integers of {params.codes.bits} bits")
        axes.legend()
    axes.set(title=tensor, xlabel="value", ylabel="how often", yscale="log")
    return figure


def _plot(axes: Axes, plans: Sequence[Alternative], marks: str, **style: Any) -> None:
    if plans:
        axes.plot([plan.time for plan in plans], [plan.sqnr_db for plan in plans], marks, **style)


def _axes(height: float = 4.0) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise QuantuneError("drawing needs Matplotlib", remedy="pip install 'quantune-mlir[plots]'") from error
    figure = Figure(figsize=(6.4, height), layout="constrained")
    return figure, figure.subplots()
