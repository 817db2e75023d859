"""The opset that a model of QuantizeLinear and DequantizeLinear nodes needs, one scale for each channel among them."""

from __future__ import annotations

from typing import Final

import onnx
import onnx.version_converter

from quantune_mlir.errors import OutputError
from quantune_mlir.importers.onnx.loading import opset_version
from quantune_mlir.importers.onnx.naming import NodeNames

OLDEST: Final = 13
OLDEST_IR: Final = 7
"""The version of the file's format that came with opset 13 stands well behind what all engines read."""


def raised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at an opset that has per-channel scales, its nodes with the names of their layers.

    Raises:
        OutputError: ONNX's converter cannot raise it.
    """
    for node, name in zip(model.graph.node, NodeNames().of(model.graph.node), strict=True):
        node.name = name
    if opset_version(model) < OLDEST:
        try:
            model = onnx.version_converter.convert_version(model, OLDEST)
        except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
            raise OutputError(
                f"ONNX cannot raise the model from opset {opset_version(model)} to {OLDEST}, which scales for each "
                f"channel need: {str(error).strip().splitlines()[0]}",
                where="qdq-onnx",
                remedy=f"export the model at opset {OLDEST} or later, and quantize that",
            ) from error
    model.ir_version = max(model.ir_version, OLDEST_IR)
    return model
