"""Where each output position of a Resize reads its input, along one axis. Plain NumPy.

Formulas: ONNX operator specification, Resize, `coordinate_transformation_mode` and `nearest_mode`; TOSA
specification, RESIZE.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import DTypeLike

from quantune_mlir.importers.common.resize_scale import TosaScale

_LARGEST_DENOMINATOR = 1 << 9


@dataclass(frozen=True)
class AxisSampling:
    """How one axis is resized.

    Attributes:
        size: input positions.
        output: output positions.
        scale: output / input as the model says, before `output` was rounded.
        transformation: the coordinate_transformation_mode.
        region: begin and end of the region of interest as fractions, for tf_crop_and_resize.
    """

    size: int
    output: int
    scale: float
    transformation: str
    region: tuple[float, float] = (0.0, 1.0)

    @property
    def unchanged(self) -> bool:
        """Whether the axis is copied as it is."""
        return self.size == self.output and self.scale == 1 and self.region == (0.0, 1.0)

    def coordinates(self, dtype: DTypeLike = np.float64) -> np.ndarray:
        """The input position that each output position stands for, computed in a type of floating-point numbers.

        Raises:
            KeyError: an unknown transformation.
        """
        shift, rise, run, offset = self._line()
        return (np.arange(self.output, dtype=dtype) + shift) * rise / run + offset

    def step(self) -> float:
        """How far apart two neighbouring output positions lie in the input."""
        _, rise, run, _ = self._line()
        return rise / run

    def _line(self) -> tuple[float, float, float, float]:
        """(shift, rise, run, offset): output position o stands for (o + shift) * rise / run + offset.

        The division comes last, so that positions that are whole numbers come out as such. The corners of a size that
        was rounded are those of the result, as in PyTorch and ONNX Runtime; ONNX's reference aligns those of `length`.
        """
        last, one = self.size - 1, self.output == 1
        begin, end = self.region
        length = self.size * self.scale
        length = self.output if abs(length - self.output) < 1e-4 else length
        centre = self.size / 2 * (1 - self.output / length)
        return {
            "asymmetric": (0, 1, self.scale, 0),
            "half_pixel": (0.5, 1, self.scale, -0.5),
            "half_pixel_symmetric": (0.5, 1, self.scale, centre - 0.5),
            "pytorch_half_pixel": (0, 0, 1, 0) if one else (0.5, 1, self.scale, -0.5),
            "tf_half_pixel_for_nn": (0.5, 1, self.scale, 0),
            "align_corners": (0, 0, 1, 0) if one else (0, last, self.output - 1, 0),
            "tf_crop_and_resize": (0, 0, 1, (begin + end) / 2 * last)
            if one
            else (0, (end - begin) * last, self.output - 1, begin * last),
        }[self.transformation]

    def outside(self) -> np.ndarray:
        """Which output positions lie outside the input, where tf_crop_and_resize extrapolates."""
        at = self.coordinates(np.float32)
        return (self.transformation == "tf_crop_and_resize") & ((at < 0) | (at > self.size - 1))

    def nearest(self, rounding: str) -> np.ndarray:
        """The int32 input index of each output position.

        As ONNX Runtime has it: in float32, and to five digits where it matters what is half way.

        Raises:
            KeyError: an unknown rounding.
        """
        at = self.coordinates(np.float32)
        if rounding.startswith("round"):
            at = np.round(at.astype(np.float64), 5)
        index = {
            "round_prefer_floor": lambda: np.ceil(at - 0.5),
            "round_prefer_ceil": lambda: np.floor(at + 0.5),
            "floor": lambda: np.floor(at),
            "ceil": lambda: np.ceil(at),
        }[rounding]()
        return np.clip(index, 0, self.size - 1).astype(np.int32)


def tosa_scale(axis: AxisSampling, rounding: str | None) -> TosaScale | None:
    """tosa.resize's parameters for an axis if it then reads the very same places, else None.

    `rounding` is the nearest_mode, or None for linear interpolation. TOSA's nearest mode rounds half up, so that
    rounding down is had by an offset that is smaller by half.
    """
    step, offset = axis.step(), axis.coordinates()[0]
    ratio = Fraction(step).limit_denominator(_LARGEST_DENOMINATOR) if step else Fraction(1)
    if axis.outside().any() or ratio <= 0:
        return None
    numerator, denominator = 2 * ratio.denominator, 2 * ratio.numerator
    shift = {"floor": -0.5, "ceil": 0.5}.get(rounding or "", 0.0)
    start = round((offset + shift) * numerator)
    for begin in (start, start - 1, start + 1):
        border = (axis.output - 1) * denominator - (axis.size - 1) * numerator + begin
        scale = TosaScale(numerator, denominator, begin, border)
        if scale.legal() and _reads_like(scale, axis, rounding):
            return scale
    return None


def output_size(size: int, scale: float) -> int:
    """floor(size * scale) as float32 has the product: a tenth of 10 is 1, and 3.3 of 30 are 99."""
    return math.floor(np.float32(size) * np.float32(scale))


def _reads_like(scale: TosaScale, axis: AxisSampling, rounding: str | None) -> bool:
    """Whether tosa.resize reads what the model's Resize does; see `tosa_scale` for `rounding`."""
    at = np.arange(axis.output) * scale.denominator + scale.offset
    if rounding is None:
        limits = (0, axis.size - 1)
        return np.allclose(np.clip(at / scale.numerator, *limits), np.clip(axis.coordinates(), *limits), 0, 1e-6)
    whole, rest = np.divmod(at, scale.numerator)
    index = np.clip(whole + (2 * rest >= scale.numerator), 0, axis.size - 1)
    return np.array_equal(index, axis.nearest(rounding))
