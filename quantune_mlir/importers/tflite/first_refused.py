"""The first operator that the converter refuses: it need not say which."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from quantune_mlir.errors import UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.importers.tflite.converter import RefusedError, converted
from quantune_mlir.importers.tflite.labels import layer_names
from quantune_mlir.importers.tflite.model_file import OPERATORS, OUTPUTS, ModelFile

_REMEDY: Final = (
    "cut the model before it (--outputs) or behind it (--inputs and their --shape), at tensors as Netron names them; "
    "or convert the model to ONNX, with the package tf2onnx"
)


def refuse_first(model: ModelFile, where: str) -> None:
    """Raises UnsupportedOperatorsError with that operator, the first with which those up to it are refused.

    Halves are tried, hence a dozen conversions at most.
    """
    refusals: dict[int, RefusedError] = {}

    def is_refused(count: int) -> bool:
        try:
            converted(_first(model, count).data, where)
        except RefusedError as refused:
            refusals[count] = refused
        return count in refusals

    counts = range(1, len(model.operators) + 1)
    count = bisect_left(counts, True, key=is_refused) + 1
    if count in refusals:
        op = model.operators[count - 1]
        sizes = " and ".join(
            "x".join(map(str, model.tensors[n].declared.sizes or ())) or "one number" for n in op.inputs
        )
        reason = "; ".join(refusals[count].complaints) or f"the converter has no form for it, of {sizes}"
        node = UnsupportedNode(layer_names(model)[op], op.kind, reason)
        raise UnsupportedOperatorsError([node], where=where, remedy=_REMEDY) from refusals[count]


def _first(model: ModelFile, count: int) -> ModelFile:
    """A model of the first so many operators; all that they make are outputs."""
    part = ModelFile(bytearray(model.data))
    part.network.keep(OPERATORS, range(count))
    return part.with_ends(OUTPUTS, [number for op in model.operators[:count] for number in op.outputs])
