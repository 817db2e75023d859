"""An ONNX node as its handler sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.stored import stored_array


@dataclass(frozen=True)
class Node:
    """One node: its unique name, its inputs as tensors (None where absent), attributes and opset version."""

    name: str
    op_type: str
    opset: int
    inputs: Sequence[Tensor | None]
    attributes: dict[str, Any]
    outputs: Sequence[str]

    def input(self, index: int) -> Tensor:
        """Input `index`, which the operator requires."""
        tensor = self.optional_input(index)
        if tensor is None:
            raise Unsupported(f"input {index} is missing")
        return tensor

    def optional_input(self, index: int) -> Tensor | None:
        """Input `index`, None if absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant_input(self, index: int, meaning: str) -> np.ndarray | None:
        """The array of input `index`, None if absent; refuses an input that is computed at run time."""
        tensor = self.optional_input(index)
        if tensor is None:
            return None
        if tensor.array is None:
            raise Unsupported(f"{meaning} (input {index}) must be a constant")
        return tensor.array

    def integers_input(self, index: int, meaning: str) -> list[int] | None:
        """A constant 1-D integer input as a list, None if absent."""
        array = self.constant_input(index, meaning)
        return None if array is None else [int(v) for v in array.reshape(-1)]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or the operator's default."""
        return self.attributes.get(name, default)

    def uses_output(self, index: int) -> bool:
        """Whether output `index` is named, hence possibly used."""
        return index < len(self.outputs) and bool(self.outputs[index])


def attribute_values(proto: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values: str for strings, np.ndarray for tensors, lists for lists."""
    return {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in proto.attribute}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, onnx.TensorProto):
        return stored_array(value)
    if isinstance(value, list | tuple) or type(value).__name__.startswith("Repeated"):
        return [_plain(v) for v in value]
    return value
