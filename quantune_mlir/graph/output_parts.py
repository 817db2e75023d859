"""The parts that a function's results are made of, found from behind.

What a closing concatenation joins are parts: one from which reshapes, transposes and element-wise ops alone lead to the
result. A part is a box of the result, in the result's own layout; where what a concatenation joins is none, the result
(or the part of it) stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from quantune_mlir.graph.output_reading import Softmax, find_softmax, has_one_scale, holds_classes, is_ranked
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.mlir.edit import defining_op, shape_of
from quantune_mlir.mlir.permutation import reshape_segments
from quantune_mlir.mlir.signature import names
from quantune_mlir.mlir.tosa.traits import axis_of, data_operands, traits_of
from quantune_mlir.numerics.parts import AxisRange, Part

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network

MOST_PARTS: Final = 16
"""The most parts of one result; concatenations that would make more are not looked into."""
MOST_CHANNELS: Final = 1024
"""More are no channels but places."""


@dataclass(frozen=True)
class _Image:
    """Where an axis of a value lies in the result: index i at `first` + i * `step` of `axis`."""

    axis: int
    first: Fraction
    step: Fraction

    def range(self, start: int, stop: int) -> AxisRange | None:
        """The indices of `start` to `stop` - 1; None if they begin or end in the midst of one."""
        ends = [self.first + index * self.step for index in (start, stop)]
        whole = all(end.denominator == 1 for end in ends)
        return AxisRange(self.axis, int(ends[0]), int(ends[1])) if whole else None


_Images = tuple["_Image | None", ...]


@dataclass(frozen=True)
class _Region:
    """A box of the result: the elements of `value`, whose axes have `images`. `cut` is the axis it was cut along."""

    value: ir.Value
    images: _Images
    ranges: tuple[AxisRange, ...] = ()
    cut: int | None = None


def find_parts(network: Network) -> dict[Part, ir.Value]:
    """The parts of all results of a simplified function, in order, and the value that holds the elements of each."""
    *_, terminator = network.block
    results = list(terminator.operands)
    resembles = any(baseline.signal == "output - input" for baseline in network.baselines.values())
    parts: dict[Part, ir.Value] = {}
    for index, (name, value) in enumerate(
        zip(names(network.function, "res_attrs", len(results)), results, strict=True)
    ):
        whole = Part(index, name, shape_of(value), resembles_input=resembles)
        softmax = find_softmax(value)
        axis = None if softmax is None else _axis_in(value, softmax)
        if is_ranked(value):
            parts[replace(whole, reading="ranked")] = value
        elif holds_classes(value):
            parts[replace(whole, reading="classes")] = value
        elif softmax is not None and axis is not None:
            parts[replace(whole, reading=softmax.reading, scores=axis)] = value
        else:
            for region in _regions(value):
                channels = _channels(region, whole.shape)
                parts[replace(whole, ranges=region.ranges, channels=channels)] = region.value
    return parts


def _regions(result: ir.Value) -> list[_Region]:
    regions = [_whole(result)]
    while True:
        pieces = [piece for region in regions for piece in _pieces(region)]
        if len(pieces) == len(regions) or len(pieces) > MOST_PARTS:
            return regions
        regions = pieces


def _whole(result: ir.Value) -> _Region:
    axes = range(len(shape_of(result)))
    return _Region(result, tuple(_Image(axis, Fraction(0), Fraction(1)) for axis in axes))


def _pieces(region: _Region) -> list[_Region]:
    """What the closing concatenation of a region joins; the region itself if there is none, or not of boxes."""
    found = _closing(region.value, region.images, set())
    if found is None:
        return [region]
    concat, images = found
    axis = axis_of(concat)
    image = images[axis]
    pieces: list[_Region] = []
    start = 0
    for operand in concat.operands:
        stop = start + shape_of(operand)[axis]
        part = None if image is None else image.range(start, stop)
        if image is None or part is None:
            return [region]
        ranges = {r.axis: r for r in region.ranges} | {part.axis: part}
        inside = replace(image, first=image.first + start * image.step)
        moved = (*images[:axis], inside, *images[axis + 1 :])
        pieces.append(_Region(operand, moved, tuple(ranges[a] for a in sorted(ranges)), part.axis))
        start = stop
    return pieces


def _closing(value: ir.Value, images: _Images, seen: Set[ir.Value]) -> tuple[ir.Operation, _Images] | None:
    """The concatenation that a value comes from, and where the axes of its result lie."""
    op = defining_op(value)
    if op is None or value in seen:
        return None
    if op.name == "tosa.concat":
        return op, images
    for operand, there in _sources(op, images):
        if found := _closing(operand, there, seen):
            return found
    seen |= {value}
    return None


def _sources(op: ir.Operation, images: _Images) -> list[tuple[ir.Value, _Images]]:
    """The operands whose elements stand for those of the result, one each, and where their axes lie."""
    operand, shape = op.operands[0] if len(op.operands) else None, shape_of(op.results[0])
    if operand is not None and op.name == "tosa.transpose":
        permutation = list(ir.DenseI32ArrayAttr(op.attributes["perms"]))
        return [(operand, tuple(images[permutation.index(axis)] for axis in range(len(images))))]
    if operand is not None and op.name == "tosa.reshape":
        return [(operand, _before_reshape(shape_of(operand), shape, images))]
    if not traits_of(op).elementwise:
        return []
    values = [o for o in data_operands(op) if not is_constant(o)]
    return [(o, images) for o in values] if all(shape_of(o) == shape for o in values) else []


def _before_reshape(before: Sequence[int], after: Sequence[int], images: _Images) -> _Images:
    """The outermost of the axes that a reshape merges or splits keeps its place."""
    found: list[_Image | None] = [None] * len(before)
    for segment in reshape_segments(before, after):
        outer = next(axis for axis in segment.after if after[axis] != 1)
        image = images[outer]
        if image is not None:
            step = image.step * Fraction(after[outer], before[segment.before[0]])
            found[segment.before[0]] = replace(image, step=step)
    return tuple(found)


def _axis_in(result: ir.Value, softmax: Softmax) -> int | None:
    """The axis of a result along which its softmax was taken; None if it was merged with others or split."""
    region = _whole(result)
    value, images = region.value, region.images
    while value != softmax.value:
        op = defining_op(value)
        assert op is not None, "the softmax's value stands before the result"
        value, images = (_sources(op, images) or _as_large(op, images))[0]
    image = images[softmax.axis]
    return image.axis if image is not None and image.step == 1 else None


def _channels(region: _Region, shape: Sequence[int]) -> int | None:
    """The axis of a part's channels: those of the op that made it, or else where they lie by custom."""
    if has_one_scale(region.value):
        return None
    sizes = list(shape)
    for part in region.ranges:
        sizes[part.axis] = part.stop - part.start
    made = _made_along(region)
    customary = 1 if len(shape) > 2 and sizes[1] <= MOST_CHANNELS else len(shape) - 1
    candidates = (region.cut, customary) if made is None else (made,)
    return next((a for a in candidates if a is not None and a >= 0 and 1 < sizes[a] <= MOST_CHANNELS), None)


def _made_along(region: _Region) -> int | None:
    """The axis that the channels of the convolution, product or pool lie along that a region comes from."""
    value, images = region.value, region.images
    while (op := defining_op(value)) is not None and not traits_of(op).channels_last:
        sources = _sources(op, images) or _as_large(op, images)
        if not sources:
            return None
        value, images = sources[0]
    image = images[-1] if op is not None else None
    return image.axis if image is not None and image.step == 1 else None


def _as_large(op: ir.Operation, images: _Images) -> list[tuple[ir.Value, _Images]]:
    """The operands of an element-wise op that are as large as its result."""
    operands = data_operands(op) if traits_of(op).elementwise else []
    return [(o, images) for o in operands if shape_of(o) == shape_of(op.results[0])]
