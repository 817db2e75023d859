"""TensorFlow Lite models that are refused for what they hold, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from quantune_mlir.errors import ModelError, UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.importers.tflite.labels import layer_names
from quantune_mlir.importers.tflite.model_file import ModelFile, OperatorInfo, TensorInfo

_UNCONVERTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("IF", "WHILE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE"), "control flow"),
    **dict.fromkeys(
        ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM"), "the converter has no form for it"
    ),
}
"""Operators over which the converter fails as a whole, or which it writes as nobody else reads them."""
_QUANTIZED: Final = ("int8", "uint8", "int16", "int4")
_NARROW: Final = ("int4", "uint4", "int2", "float8_e4m3fn", "float8_e5m2")


def refuse_unconverted(model: ModelFile, where: str) -> None:
    """Raises UnsupportedOperatorsError if it has operators over which the converter fails as a whole."""
    _refuse(model, _UNCONVERTED, where, "export the model without them; or to ONNX, where docs/importing.md has more")


def refuse_quantized(model: ModelFile, where: str) -> None:
    """Raises ModelError if activations are quantized."""
    made = _activations(model)
    found = [tensor for number, tensor in enumerate(model.tensors) if number in made and _is_quantized(tensor)]
    if found:
        raise ModelError(
            f"the model is quantized already: {_such(found)}",
            where=where,
            remedy="give the float model that it was made from, "
            "or compile it as it is: quantune compile --keep-quantized",
        )


def refuse_formats(model: ModelFile, where: str) -> None:
    """Raises ModelError if it has integers that there are no programs for: of four bits, or activations of 16."""
    _refuse_tensors(model, lambda number, tensor: tensor.element_type in _NARROW, where, "are not imported")
    made = _activations(model)
    _refuse_tensors(
        model,
        lambda number, tensor: tensor.scaled and tensor.element_type == "int16" and number in made,
        where,
        "are activations of 16 bits, whose sums of 48 bits no program here computes",
    )


def _refuse_tensors(model: ModelFile, is_refused: Callable[[int, TensorInfo], bool], where: str, reason: str) -> None:
    found = [tensor for number, tensor in enumerate(model.tensors) if is_refused(number, tensor)]
    if found:
        raise ModelError(
            f"{_such(found)} {reason}", where=where, remedy="export the model in float, or quantized to int8"
        )


def _activations(model: ModelFile) -> set[int]:
    """Tensors that are computed or given, by number."""
    inputs = (number for number, tensor in enumerate(model.tensors) if tensor in model.inputs)
    return {number for op in model.operators for number in op.outputs} | set(inputs)


def _is_quantized(tensor: TensorInfo) -> bool:
    return tensor.scaled and tensor.element_type in _QUANTIZED


def _such(found: list[TensorInfo]) -> str:
    return f"{len(found)} tensor(s) such as {found[0].name!r} ({found[0].element_type})"


def _refuse(model: ModelFile, reasons: Mapping[str, str], where: str, remedy: str) -> None:
    names: Mapping[OperatorInfo, str] = layer_names(model)
    found = [UnsupportedNode(name, op.kind, reasons[op.kind]) for op, name in names.items() if op.kind in reasons]
    if found:
        raise UnsupportedOperatorsError(found, where=where, remedy=remedy)
