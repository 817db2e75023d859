"""Clamps under a plan: those that saturation does go, those whose bounds repairs have changed get the new ones."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.backend.deliverables.qdq.onnx_graph import OnnxGraph
from quantune_mlir.backend.deliverables.qdq.planned import PlannedModel, Stored
from quantune_mlir.errors import OutputError
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.epilogue import Bounds, End
from quantune_mlir.integer.rewriter import clamp_bounds
from quantune_mlir.numerics.parameters import QMAX, QMIN

_CLAMPS: Final = {"Clip", "Relu"}
_UNBOUNDED: Final = float(np.finfo(np.float32).max)


def fit_clamps(graph: OnnxGraph, planned: PlannedModel) -> dict[str, Stored]:
    """Changes the graph's clamps; how the results of those that went are stored, which other nodes make now.

    Raises:
        OutputError: repairs have changed the bounds of what is no clamp in ONNX.
    """
    found: dict[str, Stored] = {}
    for node in list(graph.nodes):
        clamp = planned.clamp(node.name)
        if clamp is None:
            continue
        alone = graph.only_reader(node.input[0]) is node
        if node.op_type in _CLAMPS and alone and _is_saturation(planned, clamp, clamp_bounds(clamp)):
            found[node.output[0]] = planned.stored(clamp.output)
            _bypass(graph, node)
        elif _is_changed(planned, clamp):
            _require_clamp(node)
            low, high = clamp_bounds(clamp)
            if _is_saturation(planned, clamp, (low, _UNBOUNDED)):
                # min(round(x), round(h)) == round(min(x, h)): rounded before, the product is all int8.
                found[node.input[0]], low = planned.stored(clamp.output), -_UNBOUNDED
            _set_bounds(graph, node, low, high)
    return found


def _is_saturation(planned: PlannedModel, clamp: Unit, bounds: Bounds) -> bool:
    """Whether int8 can hold nothing else than what is in the bounds of a clamp in an epilogue."""
    params, only_int8 = planned.stored(clamp.output)
    if params is None or not only_int8 or not planned.folds(clamp):
        return False
    end = End(params, bounds, planned.options.requantize)
    return end.integer_clamp() == (QMIN, QMAX) and end.channel_bounds() is None


def _bypass(graph: OnnxGraph, node: onnx.NodeProto) -> None:
    maker = graph.maker.get(node.input[0])
    if maker is None:
        return
    maker.output[list(maker.output).index(node.input[0])] = node.output[0]
    graph.nodes.remove(node)
    graph.index()


def _is_changed(planned: PlannedModel, clamp: Unit) -> bool:
    before = [unit for unit in planned.original.get(clamp.layer or "", []) if unit.kind is Kind.CLAMP]
    new, old = clamp_bounds(clamp), clamp_bounds(before[0]) if before else None
    return old is None or new[0] != old[0] or not np.array_equal(np.asarray(new[1]), np.asarray(old[1]))


def _require_clamp(node: onnx.NodeProto) -> None:
    if node.op_type not in _CLAMPS:
        raise OutputError(
            f"equalized ranges change the bounds of {node.name!r}, and ONNX's {node.op_type} cannot say so",
            where="qdq-onnx",
            remedy="quantize with --no-equalize",
        )


def _set_bounds(graph: OnnxGraph, node: onnx.NodeProto, low: float, high: float | NDArray[np.float32]) -> None:
    """Let nodes that know bounds for each channel do what a clamp does."""
    source, result = node.input[0], node.output[0]
    place = graph.nodes.index(node)
    steps = [("Max", low)] if abs(low) < _UNBOUNDED else []
    steps += [("Min", high)] if np.min(high) < _UNBOUNDED else []
    made: list[onnx.NodeProto] = []
    for number, (op_type, bound) in enumerate(steps, 1):
        output = result if number == len(steps) else graph.free(f"{node.name}/{op_type}")
        if op_type == "Max" and bound == 0:
            made.append(onnx.helper.make_node("Relu", [source], [output], graph.free(f"{node.name}/Relu")))
        else:
            name = graph.store(_along_channels(graph, bound, result), f"{node.name}/{op_type.lower()}")
            made.append(onnx.helper.make_node(op_type, [source, name], [output], graph.free(f"{node.name}/{op_type}")))
        source = output
    made[-1].name = node.name
    graph.nodes[place : place + 1] = made
    graph.index()


def _along_channels(graph: OnnxGraph, bound: float | NDArray[np.float32], name: str) -> NDArray[np.float32]:
    values = np.asarray(bound, np.float32)
    shape = graph.shape(name)
    behind = 2 if shape is None else len(shape) - 2
    return values.reshape(-1, *(1,) * behind) if values.ndim else values
