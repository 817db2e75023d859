"""Changes to a model before it is imported: inputs pinned to constants, a part cut out between tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from quantune_mlir.errors import ModelError


@dataclass(frozen=True)
class Edits:
    """What to change.

    Attributes:
        constants: inputs that become constants: a number, an array, a text of either ("16000", "1,2"), or an .npy file.
        inputs: the tensors that become the model's inputs; none: its own.
        outputs: the tensors that become the model's outputs; none: its own.
    """

    constants: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.constants or self.inputs or self.outputs)

    @staticmethod
    def from_text(text: str) -> Edits:
        """Edits as `to_text` writes them."""
        return Edits(**json.loads(text))

    def to_text(self) -> str:
        """The edits as JSON, "" where there are none."""
        if not self:
            return ""
        values = {name: v if isinstance(v, str) else np.asarray(v).tolist() for name, v in self.constants.items()}
        return json.dumps({"constants": values, "inputs": list(self.inputs), "outputs": list(self.outputs)})


NO_EDITS: Final = Edits()


def pinned_value(name: str, value: Any, dtype: np.dtype, shape: Sequence[int | None] | None) -> np.ndarray:
    """What --constant gives for an input, in the input's type and shape; one number fills the shape.

    Raises:
        ModelError: it is no value, or does not fit.
    """
    where = f"--constant {name}"
    return _fitted(_array(value, where), dtype, shape, where)


def _array(value: Any, where: str) -> np.ndarray:
    if not isinstance(value, str):
        return np.asarray(value)
    try:
        if value.endswith(".npy"):
            return np.load(Path(value), allow_pickle=False)
        words = {"true": "1", "false": "0"}
        numbers = [words.get(part.strip().lower(), part) for part in value.split(",")]
        integers = all(part.strip().lstrip("+-").isdigit() for part in numbers)
        array = np.array([int(part) if integers else float(part) for part in numbers])
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(
            f"not a value: {error}", where=where, remedy="give a number, numbers with commas, or an .npy file"
        ) from error
    return array if "," in value else array.reshape(())


def _fitted(array: np.ndarray, dtype: np.dtype, shape: Sequence[int | None] | None, where: str) -> np.ndarray:
    """The array in the input's type and shape; one number fills the shape, whose dynamic dimensions become 1."""
    if shape is not None and array.size == 1:
        array = np.full([size or 1 for size in shape], array.reshape(()))
    elif shape is not None and array.ndim == 1 and array.size == math.prod(size or 0 for size in shape):
        array = array.reshape([size or 0 for size in shape])
    fits = shape is None or (
        len(shape) == array.ndim and all(k in (None, s) for k, s in zip(shape, array.shape, strict=True))
    )
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
    exact = dtype.kind == "f" or (converted.astype(np.float64) == array.astype(np.float64)).all()
    if not fits or not exact:
        wanted = "a tensor" if shape is None else "x".join(str(s or "?") for s in shape) or "one number"
        raise ModelError(
            f"the value does not fit the input, which is {wanted} of {dtype}", where=where, remedy="give such a value"
        )
    return converted
