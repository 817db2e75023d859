"""Sequences of tensors, as PyTorch's exporter writes splits and lists: taken apart and joined again at import.

A sequence is a Tensor with `parts`. How many there are, and which of them a node takes, must be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node

_MOST_PARTS: Final = 4096


@operator("SequenceConstruct")
def sequence_construct(_: Builder, node: Node) -> Tensor:
    return Tensor.sequence([node.input(i) for i in range(len(node.inputs))])


@operator("SequenceEmpty")
def sequence_empty(_: Builder, node: Node) -> Tensor:
    del node
    return Tensor.sequence([])


@operator("SequenceInsert")
def sequence_insert(_: Builder, node: Node) -> Tensor:
    parts, given = list(_parts(node)), node.constant_input(2, "position")
    position = len(parts) if given is None else int(given)
    if abs(position) > len(parts):
        raise Unsupported(f"position {position} of {len(parts)}")
    parts.insert(position, node.input(1))
    return Tensor.sequence(parts)


@operator("SequenceErase")
def sequence_erase(_: Builder, node: Node) -> Tensor:
    parts = list(_parts(node))
    del parts[_position(node, 1, len(parts))]
    return Tensor.sequence(parts)


@operator("SequenceAt")
def sequence_at(_: Builder, node: Node) -> Tensor:
    parts = _parts(node)
    return parts[_position(node, 1, len(parts))]


@operator("SequenceLength")
def sequence_length(_: Builder, node: Node) -> Tensor:
    return Tensor.constant(np.array(len(_parts(node)), np.int64))


@operator("SplitToSequence")
def split_to_sequence(b: Builder, node: Node) -> Tensor:
    x, split = node.input(0), node.constant_input(1, "split")
    axis = node.attribute("axis", 0) % x.rank
    length = x.shape[axis]
    if split is not None and split.ndim:
        sizes = [int(size) for size in split]
    else:
        most = 1 if split is None else int(split)
        if most < 1:
            raise Unsupported(f"parts of {most}")
        sizes = [min(most, length - start) for start in range(0, length, most)]
    if sum(sizes) != length or min(sizes, default=0) < 0 or len(sizes) > _MOST_PARTS:
        raise Unsupported(f"{len(sizes)} parts of {sum(sizes)} in all, of an axis of {length}")
    starts = [0, *accumulate(sizes)]
    parts = [b.slice_axis(x, axis, start, size) for start, size in zip(starts, sizes, strict=False)]
    if split is None and not node.attribute("keepdims", 1):
        parts = [b.reshape(part, (*x.shape[:axis], *x.shape[axis + 1 :])) for part in parts]
    return Tensor.sequence(parts)


@operator("ConcatFromSequence")
def concat_from_sequence(b: Builder, node: Node) -> Tensor:
    parts = _parts(node)
    if not parts:
        raise Unsupported("an empty sequence")
    is_new = bool(node.attribute("new_axis", 0))
    axis = node.attribute("axis") % (parts[0].rank + is_new)
    if is_new:
        parts = [b.reshape(part, (*part.shape[:axis], 1, *part.shape[axis:])) for part in parts]
    return b.concat(parts, axis)


def _parts(node: Node) -> Sequence[Tensor]:
    parts = node.input(0).parts
    if parts is None:
        raise Unsupported("its input is no sequence")
    return parts


def _position(node: Node, index: int, count: int) -> int:
    """The place in a sequence that an input says, the last one where it is left out."""
    given = node.constant_input(index, "position")
    position = -1 if given is None else int(given)
    if not -count <= position < count:
        raise Unsupported(f"position {position} of {count}")
    return position % count
