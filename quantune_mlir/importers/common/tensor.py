"""What an ONNX value is during import: a constant array or a value of the module being built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class StoredScales:
    """What a tensor is stored with in int8: one scale and zero point, or one for each index of an axis."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int32]
    axis: int

    def is_equal(self, other: StoredScales) -> bool:
        """Whether the same integers are the same numbers."""
        alike = np.array_equal(self.scales, other.scales) and np.array_equal(self.zero_points, other.zero_points)
        return alike and (self.scales.size == 1 or self.axis == other.axis)


@dataclass(frozen=True, eq=False)
class Tensor:
    """An ONNX value with its ONNX dtype and static shape.

    `dtype` keeps what MLIR's signless integers lose: uint8 and int8 are both stored as i8. Exactly one of `array`
    (known at import), `value` (computed at run time) and `parts` (of a sequence of tensors) is given. What a
    quantized model stores in int8 may have `scales`; integers that were rounded have `rounded`, the fp32 value that
    they stand for.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    array: np.ndarray | None = None
    value: ir.Value | None = None
    scales: StoredScales | None = None
    rounded: ir.Value | None = None
    parts: tuple[Tensor, ...] | None = None

    @staticmethod
    def constant(array: np.ndarray) -> Tensor:
        """A tensor whose values are known at import."""
        array = np.asarray(array)
        return Tensor(array.dtype, array.shape, array=array)

    @staticmethod
    def computed(value: ir.Value, dtype: np.dtype | type) -> Tensor:
        """The tensor that `value`, of ranked tensor type, holds at run time."""
        return Tensor(np.dtype(dtype), tuple(ir.RankedTensorType(value.type).shape), value=value)

    @staticmethod
    def sequence(parts: Iterable[Tensor]) -> Tensor:
        """A sequence of tensors of one type; an empty one is said to be of fp32."""
        parts = tuple(parts)
        return Tensor(parts[0].dtype if parts else np.dtype(np.float32), (), parts=parts)

    @property
    def known(self) -> np.ndarray:
        """The array of a constant; asking a computed tensor for it is a mistake of the caller."""
        assert self.array is not None
        return self.array

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.kind == "f"

    @property
    def is_unsigned(self) -> bool:
        """Whether the elements are unsigned integers, stored as signless ones."""
        return self.dtype.kind == "u"
