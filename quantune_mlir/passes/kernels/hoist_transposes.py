"""In: a transpose to NCHW of what a resize enlarges. Out: the transpose of what is not large yet.

    transpose(f(resize(x)))  ==  reshape(f(resize(reshape(transpose(x)))))

Each channel is resized as an image of its own; f are element-wise ops of one tensor and single numbers. Segmentation
networks end so: of 21 classes, 28 x 28 pixels are transposed instead of 224 x 224.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op, is_static_tensor, rebuild, replace, shape_of, users
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.mlir.permutation import permutation_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import data_operands, traits_of
from quantune_mlir.pipeline.base import Pass

_TO_NCHW: Final = (0, 3, 1, 2)
_LEAST_GROWTH: Final = 4
"""From this many times the pixels on it is worth two more dispatches."""


@dataclass(frozen=True)
class HoistTransposes(Pass):
    """Transpose to NCHW before resizes that enlarge."""

    name: ClassVar[str] = "quantune-hoist-transposes"

    def apply(self, module: ir.Module) -> None:
        for function in functions(module):
            for transpose in ops_named(function, "tosa.transpose"):
                enlarging = _enlarging(transpose)
                if enlarging is not None:
                    _hoist(transpose, enlarging)


def _enlarging(transpose: ir.Operation) -> list[ir.Operation] | None:
    """The resize that a transpose to NCHW is of, and the element-wise ops between them; None if it is of none."""
    if permutation_of(transpose) != _TO_NCHW or not is_static_tensor(transpose.operands[0]):
        return None
    found: list[ir.Operation] = []
    value = transpose.operands[0]
    while (op := defining_op(value)) is not None and len(users(value)) == 1:
        found.insert(0, op)
        value = op.operands[0]
        if op.name == "tosa.resize":
            is_worth_it = shape_of(value)[3] > 1 and _pixels(op.results[0]) >= _LEAST_GROWTH * _pixels(value)
            return found if is_worth_it and is_static_tensor(value) else None
        if not _is_function(op):
            return None
    return None


def _is_function(op: ir.Operation) -> bool:
    """Whether it computes each element of one tensor by itself, in the same way."""
    _, *numbers = data_operands(op) or [None]
    arrays = [constant_value(value) for value in numbers if value is not None]
    is_whole = op.name != "tosa.rescale" or not ir.BoolAttr(op.attributes["per_channel"]).value
    elementwise = traits_of(op).elementwise or op.name == "tosa.rescale"
    return elementwise and is_whole and all(array is not None and array.size == 1 for array in arrays)


def _hoist(transpose: ir.Operation, enlarging: list[ir.Operation]) -> None:
    resize = enlarging[0]
    source, (_, height, width, _) = resize.operands[0], shape_of(resize.results[0])
    batch, rows, columns, channels = shape_of(source)
    with ir.InsertionPoint(resize), transpose.location:
        value = build.reshape(build.transpose(source, _TO_NCHW), (batch * channels, rows, columns, 1))
    for op in enlarging:
        operands = [value, *list(op.operands)[1:]]
        value = rebuild(op, operands, shape=(batch * channels, height, width, 1)).results[0]
    with ir.InsertionPoint(transpose), transpose.location:
        result = build.reshape(value, shape_of(transpose.results[0]))
    replace(transpose, result)
    for op in reversed(enlarging):
        op.erase()


def _pixels(value: ir.Value) -> int:
    return prod(shape_of(value)[1:3])
