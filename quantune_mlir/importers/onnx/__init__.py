"""ONNX to TOSA, opsets 7 to 28."""
# pyright: reportUnusedImport=false

from quantune_mlir.importers.onnx.importer import import_onnx
from quantune_mlir.importers.onnx.ops import (  # noqa: F401  (each registers its handlers)
    activation,
    arithmetic,
    blocks,
    col2im,
    convolution,
    deformable,
    einsum,
    fourier,
    grid_sample,
    indexing,
    integers,
    linear,
    normalization,
    norms,
    padding,
    pooling,
    powers,
    quantization,
    recurrent,
    reduction,
    resize,
    scans,
    sequences,
    shaping,
    slicing,
    trigonometry,
)

__all__ = ["import_onnx"]
