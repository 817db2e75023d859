"""What to do about nodes that cannot be imported: in terms of --constant, --inputs and --outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import onnx

from quantune_mlir.errors import UnsupportedNode
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import captured
from quantune_mlir.importers.onnx.expansion import is_defined
from quantune_mlir.importers.onnx.handlers import find_handler
from quantune_mlir.importers.onnx.pruning import live_values
from quantune_mlir.importers.onnx.runtime.operators import is_written_out
from quantune_mlir.importers.onnx.signature import model_inputs

_WORTH_QUANTIZING: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"})
_REASONS: Final = {
    "NonMaxSuppression": "the number of its results depends on values",
    "NonZero": "the number of its results depends on values",
    "Unique": "the number of its results depends on values",
}
_DECIDED: Final = ("constant", "run time", "type int")
"""In reasons why an input of whole numbers, if it were pinned, might mend it."""
_OF_SHAPES: Final = frozenset({"Shape", "Size"})


def unknown_operator(op_type: str, opset: int) -> str:
    """Why there is no such operator."""
    return _REASONS.get(op_type, f"this operator is not supported (opset {opset})")


def unknown_operators(graph: onnx.GraphProto, names: Sequence[str], opset: int) -> list[UnsupportedNode]:
    """Nodes that cannot be imported whatever the shapes are; those that follow from shapes alone may fold."""
    live = live_values(graph)
    computed = {i.name for i in model_inputs(graph)}
    found: list[UnsupportedNode] = []
    for node, name in zip(graph.node, names, strict=True):
        if node.op_type in _OF_SHAPES or not computed.intersection([*node.input, *captured(node)]):
            continue
        computed.update(node.output)
        is_known = (
            node.op_type in ("If", "Loop", "Scan")
            or is_written_out(node)
            or (
                node.domain in ("", "ai.onnx")
                and (find_handler(node.op_type, opset) is not None or is_defined(node.op_type, opset))
            )
        )
        if not is_known and live.intersection(node.output):
            found.append(UnsupportedNode(name, node.op_type, unknown_operator(node.op_type, opset)))
    return found


def remedy(
    graph: onnx.GraphProto, tensors: Mapping[str, Tensor | None], refused: Sequence[UnsupportedNode]
) -> str | None:
    """What to do about a graph of which some tensors are None, since nodes were refused. None: nothing is known."""
    live = live_values(graph)
    nodes = [node for node in graph.node if live.intersection(node.output)]
    blocked = [node for node in nodes if any(name and tensors.get(name) is None for name in node.output)]
    origins = [node for node in blocked if all(tensors.get(name, "stored") is not None for name in node.input if name)]
    decided = any(word in node.reason for node in refused for word in _DECIDED)
    advice = _pins(graph, origins) if decided else []
    known = [node for node in nodes if node not in blocked and any(_is_computed(tensors, n) for n in node.output)]
    before, after = (any(node.op_type in _WORTH_QUANTIZING for node in part) for part in (known, blocked))
    if before and not after:
        advice += [f"cut the model before them and do the rest outside: --outputs {_outputs(graph, blocked, tensors)}"]
    elif after and (inputs := _inputs(blocked, origins)):
        advice += [f"cut the model behind them and do what they do outside: --inputs {','.join(inputs)}"]
        if before:
            advice[-1] += f"; what is before them is a model of its own: --outputs {_outputs(graph, origins, tensors)}"
    return "; or ".join(advice) or None


def _is_computed(tensors: Mapping[str, Tensor | None], name: str) -> bool:
    tensor = tensors.get(name)
    return tensor is not None and tensor.value is not None


def _pins(graph: onnx.GraphProto, origins: Iterable[onnx.NodeProto]) -> list[str]:
    """The inputs of whole numbers that refused nodes depend on: often they only choose what is computed."""
    wanted = {name for node in origins for name in node.input}
    for node in reversed(graph.node):
        if wanted.intersection(node.output) and node.op_type not in _OF_SHAPES:
            wanted.update(node.input)
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    inputs = [i for i in model_inputs(graph) if i.name in wanted and i.type.tensor_type.elem_type not in floats]
    return [f"pin what decides: {' '.join(f'--constant {i.name}=VALUE' for i in inputs)}"] if inputs else []


def _outputs(graph: onnx.GraphProto, blocked: Sequence[onnx.NodeProto], tensors: Mapping[str, Tensor | None]) -> str:
    """What is known where the refused part begins, and the outputs that are known."""
    read = {name for node in blocked for name in (*node.input, *captured(node))} | {o.name for o in graph.output}
    made = [name for node in graph.node for name in node.output if name in read and _is_computed(tensors, name)]
    return ",".join(dict.fromkeys(made))


def _inputs(blocked: Sequence[onnx.NodeProto], origins: Sequence[onnx.NodeProto]) -> list[str]:
    """What refused nodes hand to those behind the last of them."""
    leading: set[str] = set()
    early: list[onnx.NodeProto] = []
    for node in reversed(blocked):
        if node in origins or leading.intersection(node.output):
            early.append(node)
            leading.update(node.input)
    late = [node for node in blocked if node not in early]
    made = [name for node in reversed(early) for name in node.output]
    return [name for name in made if any(name in node.input for node in late)]
