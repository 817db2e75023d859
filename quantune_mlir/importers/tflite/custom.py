"""Custom operators that TOSA can compute, for which the converter leaves `tosa.custom`."""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.edit import is_static_tensor, replace, shape_of
from quantune_mlir.mlir.tosa.build import build

_TRANSPOSED: Final = "Convolution2DTransposeBias"
_SAME: Final = 1


def expand_custom(block: ir.Block) -> None:
    """Replace the custom operators that are known; the others stay."""
    for view in list(block.operations):
        op = view.operation
        if op.name == "tosa.custom" and _text(op, "operator_name") == _TRANSPOSED:
            _transposed_convolution(op)


def _transposed_convolution(op: ir.Operation) -> None:
    """MediaPipe's transposed convolution with a bias; its options are padding and strides, three integers.

    Rows grow to (H - 1) * stride + K; what is more than the output has is cut off at both ends, the larger half at the
    end, as TensorFlow's SAME does. Source: MediaPipe, util/tflite/operations/transpose_conv_bias.cc.
    """
    options = np.frombuffer(_bytes(op, "implementation_attrs"), "<i4") if len(op.operands) == 3 else np.zeros(0)
    tensors = (*op.operands, *op.results)
    if options.size < 3 or not all(is_static_tensor(value) and len(shape_of(value)) in (1, 4) for value in tensors):
        return
    x, weights, bias = op.operands
    padding, stride = int(options[0]), (int(options[2]), int(options[1]))
    shape, kernel = shape_of(op.results[0]), shape_of(weights)[1:3]
    cut = [shape_of(x)[1 + i] * stride[i] - stride[i] + kernel[i] - shape[1 + i] for i in range(2)]
    before = [surplus // 2 if padding == _SAME else 0 for surplus in cut]
    margins = [-before[0], before[0] - cut[0], -before[1], before[1] - cut[1]]
    with op.location, ir.InsertionPoint(op):
        zero = constant(np.zeros(1, np.float32))
        value = build(
            "transpose_conv2d",
            [x, weights, bias, zero, zero],
            shape,
            out_pad=ir.DenseI64ArrayAttr.get(margins),
            stride=ir.DenseI64ArrayAttr.get(stride),
            acc_type=ir.TypeAttr.get(ir.F32Type.get()),
        )
    for name in (LAYER, OP):
        value.owner.attributes[name] = op.attributes[name]
    replace(op, value)


def _text(op: ir.Operation, name: str) -> str:
    return ir.StringAttr(op.attributes[name]).value


def _bytes(op: ir.Operation, name: str) -> bytes:
    return ir.StringAttr(op.attributes[name]).value_bytes
