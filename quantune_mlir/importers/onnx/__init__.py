"""ONNX to TOSA, opsets 7 to 28."""
# pyright: reportUnusedImport=false

from quantune_mlir.importers.onnx import (  # noqa: F401  (each registers its handlers)
    activation,
    blocks,
    convolution,
    elementwise,
    indexing,
    integers,
    linear,
    normalization,
    norms,
    padding,
    pooling,
    powers,
    recurrent,
    reduction,
    resize,
    scans,
    shaping,
    slicing,
    trigonometry,
)
from quantune_mlir.importers.onnx.importer import import_onnx

__all__ = ["import_onnx"]
