"""Pad: constant, reflect, edge and wrap; negative padding crops."""

from __future__ import annotations

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.masks import finite_mask, is_mask
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node


@operator("Pad", until=10)
def pad_attributes(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return _pad(b, x, node.attributes["pads"], node.attribute("mode", "constant"), node.attribute("value", 0.0))


@operator("Pad", since=11)
def pad_inputs(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    given = node.integers_input(1, "pads") or []
    axes = node.integers_input(3, "axes")
    pads = [0] * (2 * x.rank)
    axes = list(range(x.rank)) if axes is None else [normalized_axis(a, x.rank) for a in axes]
    for i, axis in enumerate(axes):
        pads[axis], pads[x.rank + axis] = given[i], given[len(axes) + i]
    value = node.constant_input(2, "the padding value")
    return _pad(b, x, pads, node.attribute("mode", "constant"), 0 if value is None else value.reshape(-1)[0])


def _pad(b: Builder, x: Tensor, pads: list[int], mode: str, value: float) -> Tensor:
    before, after = list(pads[: x.rank]), list(pads[x.rank :])
    starts = [max(0, -p) for p in before]
    sizes = [s - p - max(0, -q) for s, p, q in zip(x.shape, starts, after, strict=True)]
    x = b.slice(x, starts, sizes)
    before, after = [max(0, p) for p in before], [max(0, p) for p in after]
    if mode == "constant":
        border = np.asarray(value)
        return b.pad(x, before, after, float(finite_mask(border)) if is_mask(border) else value)
    if mode not in _BORDERS:
        raise Unsupported(f"mode {mode!r}")
    for axis in range(x.rank):
        x = _BORDERS[mode](b, x, axis, before[axis], after[axis])
    return x


def _reflect(b: Builder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Mirror about the first and last element, which are not repeated."""
    size = x.shape[axis]
    if max(before, after) >= size:
        raise Unsupported(f"reflecting {max(before, after)} of {size} elements")
    parts = [b.reverse(b.slice_axis(x, axis, 1, before), axis)] if before else []
    parts.append(x)
    parts += [b.reverse(b.slice_axis(x, axis, size - 1 - after, after), axis)] if after else []
    return b.concat(parts, axis)


def _edge(b: Builder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    def repeated(index: int, count: int) -> Tensor:
        return b.tile(b.slice_axis(x, axis, index, 1), [count if i == axis else 1 for i in range(x.rank)])

    parts = [repeated(0, before)] if before else []
    parts.append(x)
    parts += [repeated(x.shape[axis] - 1, after)] if after else []
    return b.concat(parts, axis)


def _wrap(b: Builder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = x.shape[axis]
    if max(before, after) > size:
        raise Unsupported(f"wrapping {max(before, after)} of {size} elements")
    parts = [b.slice_axis(x, axis, size - before, before)] if before else []
    parts.append(x)
    parts += [b.slice_axis(x, axis, 0, after)] if after else []
    return b.concat(parts, axis)


_BORDERS = {"reflect": _reflect, "edge": _edge, "wrap": _wrap}
