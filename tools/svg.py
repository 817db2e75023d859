"""Figures as SVG: same numbers, same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.use("svg")
from matplotlib import pyplot as plt

__all__ = ["plt", "write"]

mpl.rcParams.update({"svg.hashsalt": "quantune", "svg.fonttype": "path", "font.size": 8})


def write(figure: Figure, path: Path) -> None:
    """Writes a figure, without a date, and closes it."""
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
