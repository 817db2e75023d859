"""Draws what `network_bench` and `kernel_bench` measured.

    python -m tools.performance_plots --networks results.json --kernels kernels.json --output docs/performance

Writes networks.svg (our time over that of other engines, by network) and kernels.svg (each layer's share of the peak).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.network_report import HOST, ratios
from tools.svg import plt, write

_PAIRS: Final = (("int8", "onnxruntime-int8"), ("int8", "openvino-int8"), ("fp32", "onnxruntime"))


def plot_networks(rows: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Bars of our time over a peer's, three for each network; below 1 ours is quicker."""
    names = sorted(rows, key=lambda name: rows[name]["macs"])
    figure, axes = plt.subplots(figsize=(6.4, 0.36 * len(names) + 1), layout="constrained")
    height = 0.8 / len(_PAIRS)
    for position, (variant, peer) in enumerate(_PAIRS):
        found = ratios(rows, variant, peer)
        places = [i + (position - 1) * height for i, name in enumerate(names) if name in found]
        axes.barh(places, [found[name] for name in names if name in found], height, label=f"{variant} / {peer}")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("our time over theirs, one thread")
    figure.legend(loc="outside upper center", ncols=len(_PAIRS))
    write(figure, path)


def plot_kernels(layers: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Each layer's share of the peak against its multiply-accumulates, int8 above and fp32 below."""
    figure, panels = plt.subplots(2, 1, sharex=True, figsize=(6.4, 6), layout="constrained")
    for precision, axes in zip(("int8", "fp32"), panels, strict=True):
        for kind, marker in (("3x3", "s"), ("1x1", "o"), ("dw", "x")):
            chosen = [row for row in layers if row["precision"] == precision and _kind(row["layer"]) == kind]
            mmacs = [row["ms"] * row["gmacs"] for row in chosen]
            axes.plot(mmacs, [100 * row["of_peak"] for row in chosen], marker, label=kind, markersize=4)
        axes.set_xscale("log")
        axes.set_yticks(np.arange(0, 101, 20))
        axes.grid(visible=True, axis="y", linewidth=0.3)
        axes.set_ylabel(f"{precision}: % of peak")
        axes.legend(loc="lower right")
    panels[-1].set_xlabel("million multiply-accumulates")
    write(figure, path)


def _kind(layer: str) -> str:
    """The kind of a layer as `kernel_bench` names it: "56x56 64-64 dw 3x3/2"."""
    parts = layer.split()
    return "dw" if "dw" in parts else parts[-1].partition("/")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=Path, required=True, help="JSON of network_bench")
    parser.add_argument("--kernels", type=Path, required=True, help="JSON of kernel_bench")
    parser.add_argument("--output", type=Path, required=True, help="a directory")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    plot_networks(json.loads(arguments.networks.read_text())["targets"][HOST], arguments.output / "networks.svg")
    plot_kernels(json.loads(arguments.kernels.read_text()), arguments.output / "kernels.svg")


if __name__ == "__main__":
    main()
