"""Rounds of a Scan or of a long Loop as one tosa.while_loop, and what goes into it and comes out.

A row of what the loop makes holds all that its round yields side by side, and the states after it that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.node import attribute_values
from quantune_mlir.mlir.attributes import FP32_ONLY
from quantune_mlir.mlir.bindings import ir

MOST_WRITTEN_OUT: Final = 16
"""Rounds; more are a loop if they can be one."""
_REASON: Final = "a loop of the model's own: the range of what its products read is not known"
Round = Callable[[Builder, Tensor, list[Tensor], list[Tensor]], list[Tensor]]
"""(inside, number, states, captured): the states after a round, and what it yields."""


@dataclass(frozen=True)
class Scan:
    """What a Scan node goes over.

    Attributes:
        states: what is carried, at first.
        scanned: what has a slice for each round.
        axes: of `scanned`, where its rounds are.
        backwards: of `scanned`, whether the last slice is the first.
        result_axes: of each tensor of slices that comes out, where its rounds are to be.
        turned: of these, whether the last round comes first.
    """

    states: list[Tensor]
    scanned: list[Tensor]
    axes: list[int]
    backwards: list[bool]
    result_axes: list[int]
    turned: list[bool]

    @classmethod
    def of(cls, proto: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int) -> Scan:
        """Raises Unsupported: it is a Scan as it was before opset 9, or what it goes over differs in length."""
        given = [tensor for tensor in inputs if tensor is not None]
        if opset < 9 or len(given) != len(inputs):
            raise Unsupported("a Scan as it was before opset 9")
        values = attribute_values(proto)
        count = values["num_scan_inputs"]
        states, scanned = given[:-count], given[-count:]
        found = len(proto.output) - len(states)
        axes = values.get("scan_input_axes") or [0] * count
        result_axes = values.get("scan_output_axes") or [0] * found
        turned = list(map(bool, values.get("scan_output_directions") or [0] * found))
        axes = [normalized_axis(axis, tensor.rank) for axis, tensor in zip(axes, scanned, strict=True)]
        backwards = list(map(bool, values.get("scan_input_directions") or [0] * count))
        scan = cls(states, scanned, axes, backwards, result_axes, turned)
        if len({tensor.shape[axis] for axis, tensor in zip(axes, scanned, strict=True)}) != 1:
            raise Unsupported("what it goes over differs in length")
        return scan

    @property
    def rounds(self) -> int:
        """How often it goes round."""
        return self.scanned[0].shape[self.axes[0]]

    def rows(self, b: Builder) -> list[Tensor]:
        """What it goes over with the rounds first and in order."""
        found: list[Tensor] = []
        for tensor, axis, backwards in zip(self.scanned, self.axes, self.backwards, strict=True):
            others = [i for i in range(tensor.rank) if i != axis]
            row = b.transpose(tensor, (axis, *others)) if axis else tensor
            found.append(b.reverse(row, 0) if backwards else row)
        return found

    def placed(self, b: Builder, stacked: Sequence[Tensor]) -> list[Tensor]:
        """What comes out, with the rounds where they are to be."""
        found: list[Tensor] = []
        for tensor, axis in zip(stacked, self.result_axes, strict=True):
            at = normalized_axis(axis, tensor.rank)
            order = [*range(1, at + 1), 0, *range(at + 1, tensor.rank)]
            found.append(b.transpose(tensor, order) if at else tensor)
        return found


def slices_of(b: Builder, rows: Sequence[Tensor], number: Tensor, merged: Tensor) -> list[Tensor]:
    """The slice of a round of each of `rows`, which are `merged` side by side, [T, C]."""
    row = b.gather_rows(merged, number)
    found: list[Tensor] = []
    first = 0
    for shape, size in ((tensor.shape[1:], tensor.size // tensor.shape[0]) for tensor in rows):
        part = row if size == row.shape[1] else b.slice_axis(row, 1, first, size)
        found.append(b.reshape(part, shape))
        first += size
    return found


def merged(b: Builder, rows: Sequence[Tensor]) -> Tensor:
    """Tensors with as many rows side by side, [T, C]."""
    flat = [b.reshape(tensor, (tensor.shape[0], tensor.size // tensor.shape[0])) for tensor in rows]
    return flat[0] if len(flat) == 1 else b.concat(flat, 1)


def looped(
    b: Builder,
    rounds: int,
    states: Sequence[Tensor],
    captured: Sequence[Tensor],
    one_round: Round,
    turned: Sequence[bool] = (),
) -> tuple[list[Tensor], list[Tensor]]:
    """The states after the last round, and what each round yields, stacked.

    Args:
        b: where the loop is built.
        rounds: how many.
        states: before the first.
        captured: what is computed outside and read inside.
        one_round: builds a round.
        turned: of what rounds yield, whether the last round comes first.

    Raises:
        Unsupported: something in it is not fp32, or changes its shape.
    """
    shapes: list[tuple[int, ...]] = []

    def step(inner: Builder, number: Tensor, before: list[Tensor], unchanged: list[Tensor]) -> list[Tensor]:
        made = one_round(inner, number, before, unchanged)
        after = made[: len(before)]
        if any(tensor.dtype != np.float32 for tensor in (*before, *made)):
            raise Unsupported(f"a loop of {rounds} rounds that makes other numbers than fp32")
        if [tensor.shape for tensor in after] != [tensor.shape for tensor in before]:
            raise Unsupported(f"a loop of {rounds} rounds whose states change their shape")
        shapes.extend(tensor.shape for tensor in made)
        return [merged(inner, [inner.reshape(tensor, (1, tensor.size)) for tensor in made]), *after]

    made = b.stacked_rounds(rounds, states, captured, step)
    assert made.value is not None
    made.value.owner.attributes[FP32_ONLY] = ir.StringAttr.get(_REASON)
    last = b.slice_axis(made, 0, rounds - 1, 1)
    reversed_rows = b.reverse(made, 0) if any(turned) else made
    after: list[Tensor] = []
    stacked: list[Tensor] = []
    first = 0
    for i, shape in enumerate(shapes):
        size = int(np.prod(shape, dtype=np.int64))
        if i < len(states):
            after.append(b.reshape(b.slice_axis(last, 1, first, size), shape))
        else:
            rows = reversed_rows if i - len(states) < len(turned) and turned[i - len(states)] else made
            stacked.append(b.reshape(b.slice_axis(rows, 1, first, size), (rounds, *shape)))
        first += size
    return after, stacked
