"""Permutations of axes, as tosa.transpose takes them: axis i of the result is axis p[i] of the operand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
Permutation = tuple[int, ...]


def permuted(items: Sequence[_T], permutation: Permutation) -> list[_T]:
    """`items`, one for each axis of the operand, in the order of the result's axes."""
    return [items[axis] for axis in permutation]


def inverse(permutation: Permutation) -> Permutation:
    """The permutation that undoes `permutation`."""
    return tuple(permutation.index(axis) for axis in range(len(permutation)))


def composed(first: Permutation, second: Permutation) -> Permutation:
    """The permutation that does `first`, then `second`."""
    return tuple(permuted(first, second))


def without_axis(permutation: Permutation, axis: int) -> Permutation:
    """What is left of `permutation` when `axis` of the result, and the operand's axis it stands for, are dropped."""
    dropped = permutation[axis]
    return tuple(p - (p > dropped) for i, p in enumerate(permutation) if i != axis)


def is_identity(permutation: Permutation) -> bool:
    """Whether nothing moves."""
    return list(permutation) == sorted(permutation)


def keeps_element_order(permutation: Permutation, shape: Sequence[int]) -> bool:
    """Whether transposing a tensor of `shape` leaves its elements in their order: only unit dimensions move."""
    return is_identity(tuple(axis for axis in permutation if shape[axis] != 1))


@dataclass(frozen=True)
class Segment:
    """Neighbouring axes of a tensor, and the axes a reshape makes of them."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def reshape_segments(before: Sequence[int], after: Sequence[int]) -> list[Segment] | None:
    """The smallest groups of axes that a reshape from shape `before` to `after` maps to one another, in order.

    Unit dimensions of `before` belong to no group; those of `after` are put to the group before them, or the first.

    Returns:
        None if the tensor has no elements, or only unit dimensions.
    """
    if 0 in before or all(size == 1 for size in before):
        return None
    sources = [axis for axis, size in enumerate(before) if size != 1]
    segments: list[Segment] = []
    start, size, taken = 0, 1, []
    for axis, length in enumerate(after):
        if size == 1 and length == 1 and segments:
            segments[-1] = Segment(segments[-1].before, (*segments[-1].after, axis))
            start = axis + 1
            continue
        size *= length
        if size == 1:
            continue
        have = 1
        for source in taken:
            have *= before[source]
        while have < size:
            source = sources.pop(0)
            taken.append(source)
            have *= before[source]
        if have == size:
            segments.append(Segment(tuple(taken), tuple(range(start, axis + 1))))
            start, size, taken = axis + 1, 1, []
    return segments


def transpose_after_reshape(
    shape: Sequence[int], permutation: Permutation, target: Sequence[int]
) -> tuple[list[int], Permutation] | None:
    """How to reshape first and transpose then.

    Args:
        shape: of a tensor x.
        target: the shape to which transpose(x, permutation) is reshaped.

    Returns:
        (s, q) such that reshape(transpose(x, permutation), target) == transpose(reshape(x, s), q); None if some
        group of axes that the reshape merges does not stand together, in that order, in x.
    """
    transposed = permuted(shape, permutation)
    segments = reshape_segments(transposed, target)
    if segments is None:
        return list(target), tuple(range(len(target)))
    order = [axis for axis, size in enumerate(shape) if size != 1]
    firsts: list[int] = []
    for segment in segments:
        places = [order.index(permutation[axis]) for axis in segment.before]
        if places != list(range(places[0], places[0] + len(places))):
            return None
        firsts.append(places[0])
    in_source_order = [segment for _, segment in sorted(zip(firsts, segments, strict=True), key=lambda pair: pair[0])]
    axes = [axis for segment in in_source_order for axis in segment.after]
    return permuted(target, tuple(axes)), inverse(tuple(axes))
