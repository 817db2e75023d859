"""Which operators of other domains are written out, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import onnx

from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import all_nodes
from quantune_mlir.importers.onnx.node import attribute_values
from quantune_mlir.importers.onnx.runtime import classical, fused, transformers
from quantune_mlir.importers.onnx.runtime.body import Body, Call

RUNTIME_DOMAIN: Final = "com.microsoft"
RUNTIME_OPSET: Final = 23
"""Of ONNX, in which they are written out."""
_OF_RUNTIME: Final[dict[str, Callable[[Body, Call], list[str]]]] = {
    "Attention": transformers.attention,
    "BiasGelu": fused.gelu,
    "EmbedLayerNormalization": transformers.embed_layer_normalization,
    "FastGelu": fused.fast_gelu,
    "FusedConv": fused.fused_convolution,
    "FusedGemm": fused.fused_gemm,
    "FusedMatMul": fused.fused_matmul,
    "Gelu": fused.gelu,
    "LayerNormalization": transformers.layer_normalization,
    "MultiHeadAttention": transformers.multi_head_attention,
    "QuickGelu": fused.quick_gelu,
    "SimplifiedLayerNormalization": transformers.rms_normalization,
    "SkipLayerNormalization": transformers.skip_layer_normalization,
    "SkipSimplifiedLayerNormalization": transformers.skip_rms_normalization,
    "TransposeMatMul": fused.fused_matmul,
}
_OPERATORS: Final = {
    **{(RUNTIME_DOMAIN, name): write for name, write in _OF_RUNTIME.items()},
    ("ai.onnx.ml", "LinearRegressor"): classical.linear_regressor,
    ("ai.onnx.ml", "Scaler"): classical.scaler,
}
_UNDECLARED: Final = frozenset({"LayerNormalization", "SimplifiedLayerNormalization"})
"""What ONNX Runtime writes without its domain, in whatever opset."""


def with_domains(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model with the domain of operators that ONNX does not have in an opset; the model itself if it has none."""
    foreign = {name for name in _UNDECLARED if not onnx.defs.has(name, domain="", max_inclusive_version=opset)}
    if not any(node.op_type in foreign and not node.domain for node in all_nodes(model.graph)):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in all_nodes(copy.graph):
        if node.op_type in foreign and not node.domain:
            node.domain = RUNTIME_DOMAIN
    if all(known.domain != RUNTIME_DOMAIN for known in copy.opset_import):
        copy.opset_import.append(onnx.helper.make_opsetid(RUNTIME_DOMAIN, 1))
    return copy


def is_written_out(node: onnx.NodeProto) -> bool:
    """Whether it is one of these operators."""
    return (node.domain, node.op_type) in _OPERATORS


def written_out(proto: onnx.NodeProto, name: str, inputs: Sequence[Tensor | None]) -> onnx.GraphProto:
    """What one of these nodes stands for, over the same names and with its outputs, in opset RUNTIME_OPSET.

    Raises:
        Unsupported: it has an input, output or attribute that cannot be written out.
    """
    body = Body(name)
    results = _OPERATORS[proto.domain, proto.op_type](body, Call(proto.input, inputs, attribute_values(proto)))
    return body.graph(results, proto.output)
