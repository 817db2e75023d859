"""Convolutions and pools of three spatial dimensions, as those of two: planes along the depth become a batch.

A convolution reads the planes under its kernel side by side, as channels; a transposed one makes a plane for each of
its taps along the depth, as channels, and adds those that fall together; a pool over boxes is one over rows and
columns, and then one along the depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import Handler
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.slicing import strided_slice
from quantune_mlir.importers.onnx.ops.sliding_window import resolve_window


def convolution_of_volume(b: Builder, node: Node, of_image: Handler) -> Tensor:
    """[N, C, D, H, W], by the handler of convolutions of [N, C, H, W]."""
    x, weights = node.input(0), node.input(1)
    kernel = node.attribute("kernel_shape") or weights.shape[2:]
    node = replace(node, attributes={**node.attributes, "kernel_shape": list(kernel)})
    window = resolve_window(_along_depth(node), (1, x.shape[2]), kernel[:1])
    begin, end = max(window.begin[1], 0), max(window.end[1], 0)
    padded = b.pad(x, (0, 0, begin, 0, 0), (0, 0, end, 0, 0))
    first = max(-window.begin[1], 0)
    n, channels, _, height, width = x.shape
    depth, groups = window.output[1], node.attribute("group", 1)
    taps: list[Tensor] = []
    for tap in range(kernel[0]):
        start = first + tap * window.dilation[1]
        size, stride = [n, channels, depth, height, width], [1, 1, window.stride[1], 1, 1]
        plane = strided_slice(b, padded, [0, 0, start, 0, 0], size, stride)
        plane = b.reshape(b.transpose(plane, (0, 2, 1, 3, 4)), (n * depth, channels, height, width))
        taps.append(plane)
    rest = _of_planes(node)
    if groups == channels and groups > 1:
        result = _result(of_image, b, replace(rest, inputs=[taps[0], _tap(b, weights, 0), node.optional_input(2)]))
        for tap in range(1, kernel[0]):
            further = _result(of_image, b, replace(rest, inputs=[taps[tap], _tap(b, weights, tap)]))
            result = b.add(result, further)
    else:
        apart = (n * depth, groups, channels // groups, height, width)
        joined = b.concat([b.reshape(tap, apart) for tap in taps], 2)
        joined = b.reshape(joined, (n * depth, channels * kernel[0], height, width))
        outputs, inputs = weights.shape[:2]
        flat = b.reshape(b.transpose(weights, (0, 2, 1, 3, 4)), (outputs, kernel[0] * inputs, *kernel[1:]))
        result = _result(of_image, b, replace(rest, inputs=[joined, flat, node.optional_input(2)]))
    _, outputs, height, width = result.shape
    return b.transpose(b.reshape(result, (n, depth, outputs, height, width)), (0, 2, 1, 3, 4))


def _result(handler: Handler, b: Builder, node: Node) -> Tensor:
    result = handler(b, node)
    assert isinstance(result, Tensor)
    return result


def _tap(b: Builder, weights: Tensor, tap: int) -> Tensor:
    """One plane of the weights."""
    plane = b.slice_axis(weights, 2, tap, 1)
    return b.reshape(plane, (*weights.shape[:2], *weights.shape[3:]))


def transposed_convolution_of_volume(b: Builder, node: Node, of_image: Handler) -> Tensor:
    """[N, C, D, H, W], by the handler of transposed convolutions of [N, C, H, W].

    With a stride s, tap q s + r of plane d falls on plane (d + q) s + r of the result.
    """
    x, weights, bias = node.input(0), node.input(1), node.optional_input(2)
    attributes = {**node.attributes, "kernel_shape": list(weights.shape[2:])}
    if "output_shape" in attributes or attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Unsupported("a transposed convolution of a volume whose padding is not given by numbers")
    node, taps = replace(node, attributes=attributes), weights.shape[2]
    along = _along_depth(node).attributes
    if along.get("dilations", [1]) != [1]:
        raise Unsupported(f"a transposed convolution with a dilation of {along['dilations'][0]} along the depth")
    (stride,), pads = along.get("strides", [1]), along.get("pads", [0, 0])
    (extra,) = along.get("output_padding", [0])
    n, channels, depth, height, width = x.shape
    rounds, outputs = -(-taps // stride), weights.shape[1] * node.attribute("group", 1)
    weights = b.pad(weights, [0] * 5, (0, 0, rounds * stride - taps, 0, 0))
    weights = b.reshape(weights, (channels, weights.shape[1] * rounds * stride, *weights.shape[3:]))
    planes = b.reshape(b.transpose(x, (0, 2, 1, 3, 4)), (n * depth, channels, height, width))
    made = _result(of_image, b, replace(_of_planes(node), inputs=[planes, weights]))
    height, width = made.shape[2:]
    made = b.reshape(made, (n, depth, outputs, rounds, stride * height * width))
    result = None
    for q in range(rounds):
        part = b.reshape(b.slice_axis(made, 3, q, 1), (*made.shape[:3], made.shape[4]))
        part = b.pad(part, (0, q, 0, 0), (0, rounds - 1 - q, 0, 0))
        result = part if result is None else b.add(result, part)
    assert result is not None
    full = result.shape[1] * stride
    result = b.reshape(b.transpose(result, (0, 2, 1, 3)), (n, outputs, full, height, width))
    size = (depth - 1) * stride + taps + extra - pads[0] - pads[1]
    result = b.pad(result, [0] * 5, (0, 0, max(0, pads[0] + size - full), 0, 0))
    result = b.slice_axis(result, 2, pads[0], size)
    return result if bias is None else b.add(result, b.reshape(bias, (1, outputs, 1, 1, 1)))


def pool_of_volume(b: Builder, node: Node, of_image: Handler) -> Tensor:
    """[N, C, D, H, W], by the handler of pools of [N, C, H, W] and [N, C, L]."""
    x = node.input(0)
    if node.attribute("storage_order", 0):
        raise Unsupported("storage_order 1")
    n, channels, depth = x.shape[:3]
    planes = b.reshape(x, (n, channels * depth, *x.shape[3:]))
    pooled = _result(of_image, b, replace(_of_planes(node), inputs=[planes]))
    height, width = pooled.shape[2:]
    lines = b.reshape(pooled, (n, channels, depth, height * width))
    lines = b.reshape(b.transpose(lines, (0, 1, 3, 2)), (n, channels * height * width, depth))
    lines = _result(of_image, b, replace(_along_depth(node), inputs=[lines]))
    result = b.reshape(lines, (n, channels, height * width, lines.shape[2]))
    return b.reshape(b.transpose(result, (0, 1, 3, 2)), (n, channels, lines.shape[2], height, width))


def _along_depth(node: Node) -> Node:
    """The node with the attributes of its first spatial dimension."""
    return _with(node, lambda values: values[:1], lambda pads: [pads[0], pads[3]])


def _of_planes(node: Node) -> Node:
    """The node with the attributes of its other two."""
    return _with(node, lambda values: values[1:], lambda pads: [pads[i] for i in (1, 2, 4, 5)])


def _with(node: Node, of_values: Callable[[list[int]], list[int]], of_pads: Callable[[list[int]], list[int]]) -> Node:
    changed: dict[str, Any] = dict(node.attributes)
    for name in ("kernel_shape", "strides", "dilations", "output_padding"):
        if name in changed:
            changed[name] = of_values(list(changed[name]))
    if "pads" in changed:
        changed["pads"] = of_pads(list(changed["pads"]))
    return replace(node, attributes=changed)
