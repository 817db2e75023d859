"""What int8 inputs and outputs of a quantized model stand for, told by its function's attributes."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer
from quantune_mlir.importers.tflite.model_file import ModelFile, TensorInfo
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.qparams import set_integer_boundary
from quantune_mlir.numerics.parameters import QuantParams


def tell_scales(function: ir.Operation, model: ModelFile) -> None:
    """Annotate a function that has the model's own inputs and outputs. Raises BrokenBuffer if a scale is none."""
    with function.context:
        set_integer_boundary(function, _parameters(model.inputs), _parameters(model.outputs))


def _parameters(tensors: Sequence[TensorInfo]) -> dict[int, QuantParams]:
    """By place; uint8 has no such attribute."""
    return {place: _of(each) for place, each in enumerate(tensors) if each.element_type == "int8" and each.scaled}


def _of(tensor: TensorInfo) -> QuantParams:
    try:
        return QuantParams(tensor.scales[0], tensor.zero_point)
    except ValueError as error:
        raise BrokenBuffer(f"tensor {tensor.name!r}: {error}") from error
