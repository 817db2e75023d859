"""Which ONNX node a convolution or matrix product of the simplified model is, proved by its weights.

Simplification folds what is affine in each channel (batch norm, factors, terms) into a product before or behind it, and
changes its weights. Here the same is done in ONNX's terms; only if what comes out are the model's weights and bias, the
node and what was folded into it are what the product computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.backend.deliverables.qdq.onnx_graph import OnnxGraph
from quantune_mlir.backend.deliverables.qdq.planned import has_weights
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.traits import traits_of

Array = NDArray[np.float64]

_TOLERANCE: Final = 1e-4
"""What of the largest weight two may differ by: folding is done in double precision, rounded to fp32 more than once."""
_PASSING: Final = {"Identity", "Dropout"}
PRODUCTS: Final = {"Conv", "Gemm", "MatMul"}


@dataclass(frozen=True)
class Counterpart:
    """A product of the model as a node.

    Attributes:
        node: Conv, Gemm or MatMul.
        source: the tensor that it reads, before what was folded into its input channels.
        result: the tensor that it makes, behind what was folded into its output channels.
        folded: the nodes that are behind it and go.
    """

    node: onnx.NodeProto
    source: str
    result: str
    folded: tuple[onnx.NodeProto, ...]


@dataclass(frozen=True)
class AffineNode:
    """A node that computes scale * x + shift, one number for each channel, or one for all."""

    node: onnx.NodeProto
    source: str
    scale: Array
    shift: Array


def counterparts(graph: OnnxGraph, units: Mapping[str, list[Unit]]) -> dict[str, Counterpart]:
    """The nodes that are products with constant weights, by name.

    Args:
        graph: the model's.
        units: those of the simplified fp32 model, by layer.
    """
    found: dict[str, Counterpart] = {}
    for node in graph.nodes:
        product = weighted_unit(units.get(node.name, ()))
        if product is not None and node.op_type in PRODUCTS and (known := _match(graph, node, product.op, units)):
            found[node.name] = known
    return found


def weighted_unit(units: list[Unit] | tuple[()]) -> Unit | None:
    """The one product with constant weights among the units of a layer."""
    products = [unit for unit in units if has_weights(unit)]
    return products[0] if len(products) == 1 and sum(unit.kind is Kind.DOT for unit in units) == 1 else None


def in_onnx_layout(
    weights: NDArray[np.generic], op: ir.Operation, node: onnx.NodeProto, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Weights of a TOSA product as those of its node, whose weights have `shape`.

    Convolutions [O, I / groups, ...], Gemm [O, I] (transB), MatMul [I, O].
    """
    if node.op_type == "Conv":
        weights = _whole_window(weights, op, node, shape)
        if op.name == "tosa.depthwise_conv2d":
            return weights.transpose(2, 3, 0, 1).reshape(shape)
        return _group_blocks(weights, shape[1]).transpose(0, 3, 1, 2).reshape(shape)
    if op.name == "tosa.matmul":
        return weights.reshape(shape)
    flat = weights.reshape(weights.shape[0], -1)
    return flat if node.op_type == "Gemm" else flat.T.reshape(shape)


def _whole_window(
    weights: NDArray[np.generic], op: ir.Operation, node: onnx.NodeProto, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Weights with zeros for the taps that the simplified model left out, since they meet padding only.

    Raises:
        ValueError: the node does not say how it pads.
    """
    first = 0 if op.name == "tosa.depthwise_conv2d" else 1
    window, left = (1,) * (4 - len(shape)) + shape[2:], weights.shape[first : first + 2]
    if window == left:
        return weights
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    axes = len(shape) - 2
    if len(given.get("pads", ())) != 2 * axes:
        raise ValueError("padding that is not given")
    before = (0,) * (2 - axes) + tuple(given["pads"][:axes])
    dilation = (1,) * (2 - axes) + tuple(given.get("dilations") or (1,) * axes)
    pad = list(ir.DenseI64ArrayAttr(op.attributes["pad"]))
    amounts = [(0, 0)] * weights.ndim
    for axis in range(2):
        cut = (before[axis] - pad[2 * axis]) // dilation[axis]
        amounts[first + axis] = (cut, window[axis] - left[axis] - cut)
    return np.pad(weights, amounts)


def _group_blocks(weights: NDArray[np.generic], inputs: int) -> NDArray[np.generic]:
    """[O, H, W, I / groups] of weights [O, H, W, I] that are 0 between groups."""
    groups = weights.shape[3] // inputs
    parts = np.split(weights, groups)
    return np.concatenate([part[..., g * inputs : (g + 1) * inputs] for g, part in enumerate(parts)])


def _is_cropped(op: ir.Operation, shape: tuple[int, ...]) -> bool:
    """Whether weights of `shape` in the model have fewer taps in the simplified one."""
    kind, sizes = traits_of(op).weights, shape_of(op.operands[1])
    if kind is None or len(sizes) != 4 or len(shape) < 3:
        return False
    return prod(sizes[kind.rows_axis : kind.rows_axis + 2]) < prod(shape[2:])


def _match(
    graph: OnnxGraph, node: onnx.NodeProto, op: ir.Operation, units: Mapping[str, list[Unit]]
) -> Counterpart | None:
    own = _own_weights(graph, node)
    if own is None:
        return None
    weights, bias, shape = own
    wanted, wanted_bias = _constants(op)
    try:
        target = in_onnx_layout(wanted, op, node, shape).astype(np.float64)
        if _is_cropped(op, shape):
            weights = weights * in_onnx_layout(np.ones_like(wanted), op, node, shape).astype(np.float64)
    except ValueError:
        return None
    behind = list(_chain(graph, node.output[0], units, _following(graph)))
    before = list(_chain(graph, node.input[0], units, _preceding(graph)))
    for count in range(len(before), -1, -1):
        read = _fold_inputs(weights, bias, before[:count], node)
        if read is None:
            continue
        for reach in range(len(behind), -1, -1):
            made = _fold_outputs(*read, behind[:reach], node)
            if (
                made is not None
                and _equal(made[0], target)
                and _equal(made[1], wanted_bias, np.abs(target).max(initial=0))
            ):
                folded = tuple(step.node for step in behind[:reach])
                return Counterpart(
                    node,
                    before[count - 1].source if count else node.input[0],
                    folded[-1].output[0] if folded else node.output[0],
                    folded,
                )
    return None


def _own_weights(graph: OnnxGraph, node: onnx.NodeProto) -> tuple[Array, Array, tuple[int, ...]] | None:
    """Weights and bias of a node as it stands, and the shape of the weights."""
    weights = graph.constant(node.input[1])
    if weights is None or weights.dtype != np.float32:
        return None
    weights = weights.astype(np.float64)
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Gemm":
        weights = (weights if attributes.get("transB", 0) else weights.T) * attributes.get("alpha", 1.0)
    elif node.op_type == "MatMul" and weights.ndim < 2:
        return None
    outputs = weights.shape[-1 if node.op_type == "MatMul" else 0]
    bias = np.zeros(outputs)
    if len(node.input) > 2 and node.input[2]:
        stored = graph.constant(node.input[2])
        if stored is None or stored.size not in (1, outputs):
            return None
        bias = np.broadcast_to(stored.reshape(-1).astype(np.float64) * attributes.get("beta", 1.0), (outputs,))
    return weights, bias, weights.shape


def _constants(op: ir.Operation) -> tuple[NDArray[np.float32], Array]:
    """Weights of a TOSA product and its bias, one number for each output."""
    weights = constant_value(op.operands[1])
    assert weights is not None
    outputs = op.results[0].type.shape[-1]
    bias = constant_value(op.operands[2]) if op.name != "tosa.matmul" else None
    return weights, np.broadcast_to(np.zeros(1) if bias is None else bias.astype(np.float64), (outputs,))


def _following(graph: OnnxGraph) -> Callable[[str], tuple[onnx.NodeProto, str] | None]:
    def step(name: str) -> tuple[onnx.NodeProto, str] | None:
        node = graph.only_reader(name)
        return None if node is None or len(node.output) == 0 else (node, node.output[0])

    return step


def _preceding(graph: OnnxGraph) -> Callable[[str], tuple[onnx.NodeProto, str] | None]:
    def step(name: str) -> tuple[onnx.NodeProto, str] | None:
        node = graph.maker.get(name)
        affine = None if node is None else match_affine(graph, node)
        return None if node is None or affine is None else (node, affine.source)

    return step


def _chain(
    graph: OnnxGraph,
    name: str,
    units: Mapping[str, list[Unit]],
    step: Callable[[str], tuple[onnx.NodeProto, str] | None],
) -> Iterator[AffineNode]:
    """The affine nodes beside a tensor of which the simplified model has no trace, the nearest first."""
    while (found := step(name)) is not None:
        node, beyond = found
        affine = match_affine(graph, node) if node.name not in units else None
        if affine is None:
            return
        yield affine
        name = beyond


def match_affine(graph: OnnxGraph, node: onnx.NodeProto) -> AffineNode | None:
    """A node as scale * x + shift, if it is one with constants."""
    one, zero = np.ones(1), np.zeros(1)
    if node.op_type in _PASSING:
        return AffineNode(node, node.input[0], one, zero)
    if node.op_type == "Neg":
        return AffineNode(node, node.input[0], -one, zero)
    constants = [graph.constant(name) for name in node.input]
    if node.op_type == "BatchNormalization":
        if any(c is None for c in constants[1:]):
            return None
        gain, offset, mean, variance = (c.reshape(-1).astype(np.float64) for c in constants[1:5] if c is not None)
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        scale = gain / np.sqrt(variance + epsilon)
        return AffineNode(node, node.input[0], scale, offset - mean * scale)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or sum(c is None for c in constants) != 1:
        return None
    place = 0 if constants[0] is None else 1
    other = constants[1 - place]
    if other is None or other.size != max(other.shape, default=1):
        return None
    values = other.reshape(-1).astype(np.float64)
    match node.op_type, place:
        case "Add", _:
            return AffineNode(node, node.input[place], one, values)
        case "Sub", 0:
            return AffineNode(node, node.input[0], one, -values)
        case "Sub", _:
            return AffineNode(node, node.input[1], -one, values)
        case "Mul", _:
            return AffineNode(node, node.input[place], values, zero)
        case "Div", 0:
            return AffineNode(node, node.input[0], 1 / values, zero)
        case _:
            return None


def _fold_outputs(
    weights: Array, bias: Array, steps: list[AffineNode], node: onnx.NodeProto
) -> tuple[Array, Array] | None:
    axis = -1 if node.op_type == "MatMul" else 0
    for step in steps:
        if step.scale.size not in (1, bias.size) or step.shift.size not in (1, bias.size):
            return None
        scale = np.broadcast_to(step.scale, bias.shape)
        weights = weights * scale.reshape([-1 if i == axis % weights.ndim else 1 for i in range(weights.ndim)])
        bias = bias * scale + step.shift
    return weights, bias


def _fold_inputs(
    weights: Array, bias: Array, steps: list[AffineNode], node: onnx.NodeProto
) -> tuple[Array, Array] | None:
    """Weights and bias of what reads the tensor before `steps`, the nearest first; of grouped convolutions as well."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1) if node.op_type == "Conv" else 1
    axis = weights.ndim - 2 if node.op_type == "MatMul" else 1
    inputs = weights.shape[axis] * groups
    for step in steps:
        if step.scale.size not in (1, inputs) or step.shift.size not in (1, inputs):
            return None
        scale, shift = (
            _by_output(np.broadcast_to(x, (inputs,)), weights, axis, groups) for x in (step.scale, step.shift)
        )
        summed = tuple(i for i in range(weights.ndim) if i != (weights.ndim - 1 if node.op_type == "MatMul" else 0))
        bias = bias + (weights * shift).sum(axis=summed)
        weights = weights * scale
    return weights, bias


def _by_output(values: Array, weights: Array, axis: int, groups: int) -> Array:
    """One number for each input channel, so that it broadcasts against weights."""
    if groups == 1:
        return values.reshape([-1 if i == axis else 1 for i in range(weights.ndim)])
    rows = np.repeat(values.reshape(groups, -1), weights.shape[0] // groups, axis=0)
    return rows.reshape(*rows.shape, *(1,) * (weights.ndim - 2))


def _equal(made: Array, wanted: Array, least: float = 0.0) -> bool:
    if made.shape != wanted.shape:
        return False
    largest = max(float(np.abs(wanted).max(initial=0)), float(np.abs(made).max(initial=0)), least)
    return bool((np.abs(made - wanted) <= _TOLERANCE * largest).all())
