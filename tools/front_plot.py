"""Draws the front that a run keeps in its summary.json: predicted time against noise.

python -m tools.front_plot demo/detector docs/images/front.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

from quantune_mlir.workflow.reports import open_run
from tools.svg import plt, write

_BLUE, _ORANGE = "#0072b2", "#d55e00"


def main(directory: Path, path: Path) -> None:
    summary = open_run(directory, profiled=False).summary
    assert summary.costs is not None, "its policy weighed costs"
    whole = summary.costs.fp32.time
    points = [(100 * point.time / whole, float(point.sqnr_db), point.chosen) for point in summary.front]
    points = [point for point in points if point[1] < 1e3]
    figure, axes = plt.subplots(figsize=(6.4, 3), layout="constrained")
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o", color=_BLUE, markersize=4, label="a plan")
    ((x, y, _),) = [point for point in points if point[2]]
    axes.plot([x], [y], "*", color=_ORANGE, markersize=13, label="the knee, which is chosen by default")
    axes.set_xlabel("predicted time, in percent of fp32's")
    axes.set_ylabel("worst part's SQNR in dB")
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="lower right")
    write(figure, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
