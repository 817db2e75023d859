"""QLinearConv and QLinearMatMul as what they stand for: Conv and MatMul between DequantizeLinear and QuantizeLinear.

ONNX Runtime's own QuantizeLinear and DequantizeLinear (domain com.microsoft) compute what ONNX's do.
"""

from __future__ import annotations

from typing import Final

import onnx
from onnx import helper

from quantune_mlir.importers.onnx.bodies import all_graphs
from quantune_mlir.importers.onnx.naming import NodeNames

_PAIR: Final = frozenset({"QuantizeLinear", "DequantizeLinear"})
_QLINEAR: Final = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul"}
KEPT: Final = _PAIR | _QLINEAR.keys()
"""Operators of quantized models that are imported."""
_RUNTIME: Final = "com.microsoft"


def taken_apart(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with these nodes replaced; the model itself if it has none."""
    graphs = list(all_graphs(model.graph))
    if not any(n.op_type in _QLINEAR or (n.op_type in _PAIR and n.domain) for g in graphs for n in g.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = NodeNames()
    for graph in all_graphs(copy.graph):
        nodes: list[onnx.NodeProto] = []
        for node, name in zip(graph.node, names.of(graph.node), strict=True):
            if node.op_type in _PAIR and node.domain == _RUNTIME:
                node.domain = ""
            nodes += _parts(node, name) if node.op_type in _QLINEAR else [node]
        fresh = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        graph.ClearField("node")
        graph.node.extend(fresh)
    return copy


def _parts(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = node.input
    is_conv = node.op_type == "QLinearConv"
    axis = 0 if is_conv else 1
    parts = [
        helper.make_node("DequantizeLinear", [x, x_scale, x_zero], [f"{name}/x"], f"{name}/x"),
        helper.make_node("DequantizeLinear", [w, w_scale, w_zero], [f"{name}/w"], f"{name}/w", axis=axis),
    ]
    inputs = [f"{name}/x", f"{name}/w"]
    if bias and bias[0]:
        parts += [
            helper.make_node("Mul", [x_scale, w_scale], [f"{name}/bias_scale"], f"{name}/bias_scale"),
            helper.make_node("Cast", [bias[0]], [f"{name}/bias_f32"], f"{name}/bias_f32", to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}/bias_f32", f"{name}/bias_scale"], [f"{name}/bias"], f"{name}/bias"),
        ]
        inputs.append(f"{name}/bias")
    product = helper.make_node(_QLINEAR[node.op_type], inputs, [f"{name}/y"], name)
    product.attribute.extend(node.attribute)
    last = helper.make_node("QuantizeLinear", [f"{name}/y", y_scale, y_zero], list(node.output), f"{name}/quantize")
    return [*parts, product, last]
