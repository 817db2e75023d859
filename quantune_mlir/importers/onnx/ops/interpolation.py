"""Linear and cubic interpolation along one axis as a matrix. Plain NumPy.

Formulas: ONNX operator specification and reference implementation of Resize.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantune_mlir.importers.onnx.ops.sampling import AxisSampling


@dataclass(frozen=True)
class Interpolation:
    """A kernel with which neighbouring elements are weighted.

    Attributes:
        mode: "linear" or "cubic".
        cubic_a: the coefficient of the cubic kernel.
        antialias: widen the kernel when an axis shrinks.
        exclude_outside: weigh elements outside the axis with zero instead of repeating the border.
    """

    mode: str
    cubic_a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False

    def matrix(self, axis: AxisSampling) -> np.ndarray:
        """Weights [output, size] in float64; each row sums to one."""
        at = axis.coordinates()
        shrink = min(axis.scale, 1.0) if self.antialias else 1.0
        radius = 1 if self.mode == "linear" else 2
        first = int(np.floor(-radius / shrink)) + 1
        base = np.floor(at).astype(np.int64)
        result = np.zeros((axis.output, axis.size))
        rows = np.arange(axis.output)
        for tap in range(first, 2 - first):
            weight = self._kernel((base + tap - at) * shrink)
            index = base + tap
            if self.exclude_outside:
                weight = np.where((index < 0) | (index >= axis.size), 0.0, weight)
            np.add.at(result, (rows, np.clip(index, 0, axis.size - 1)), weight)
        return result / result.sum(1, keepdims=True)

    def _kernel(self, distance: np.ndarray) -> np.ndarray:
        d, a = np.abs(distance), self.cubic_a
        if self.mode == "linear":
            return np.clip(1 - d, 0, 1)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
