"""Operators that ONNX itself defines by others: Attention, RotaryEmbedding and their kin, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import onnx
import onnx.inliner

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor

_NEWEST_OF: Final = onnx.defs.onnx_opset_version()


def expanded(proto: onnx.NodeProto, name: str, inputs: Sequence[Tensor | None], opset: int) -> onnx.GraphProto | None:
    """What ONNX defines a node as, over the same names and with its outputs; None where it defines nothing.

    The nodes are called NODE/OPERATOR.

    Raises:
        Unsupported: it is defined, but not for the inputs that the node has.
    """
    if not is_defined(proto.op_type, opset):
        return None
    types = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(t.dtype), t.shape)
        for name, t in {n: t for n, t in zip(proto.input, inputs, strict=True) if n}.items()
        if t is not None
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "expand", types, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    try:
        inlined = onnx.inliner.inline_selected_functions(model, [("", proto.op_type)], inline_schema_functions=True)
    except Exception as error:  # the inliner's own assertions, such as on inputs that are left out
        raise Unsupported("onnx cannot write it out in simpler operators") from error
    for node in inlined.graph.node:
        node.name = f"{name}/{node.op_type}"
    is_changed = all(node.op_type != proto.op_type for node in inlined.graph.node)
    return inlined.graph if is_changed else None


def is_defined(op_type: str, opset: int) -> bool:
    """Whether ONNX defines an operator by others."""
    if not onnx.defs.has(op_type, ""):
        return False
    schema = onnx.defs.get_schema(op_type, min(opset, _NEWEST_OF), "")
    return any(getattr(schema, kind, False) for kind in ("has_function", "has_context_dependent_function"))
