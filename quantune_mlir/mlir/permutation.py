"""Permutations of axes, as tosa.transpose takes them: axis i of the result is axis p[i] of the operand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from quantune_mlir.mlir.bindings import ir

_T = TypeVar("_T")
Permutation = tuple[int, ...]


def permutation_of(transpose: ir.Operation) -> Permutation:
    """The permutation of a tosa.transpose."""
    return tuple(transpose.attributes["perms"])


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


def reshape_segments(before: Sequence[int], after: Sequence[int]) -> list[Segment]:
    """The smallest groups of axes that a reshape from shape `before` to `after` maps to one another, in order.

    Unit dimensions of `before` belong to no group; those of `after` belong to the group before them, leading ones to
    none. A tensor without elements has no groups.
    """
    if 0 in before:
        return []
    segments: list[Segment] = []
    sources = [axis for axis, size in enumerate(before) if size != 1]
    taken: list[int] = []
    made: list[int] = []
    for axis, length in enumerate(after):
        if length == 1:
            if made:
                made.append(axis)
            elif segments:
                segments[-1] = Segment(segments[-1].before, (*segments[-1].after, axis))
            continue
        made.append(axis)
        size = prod(after[i] for i in made)
        while prod(before[i] for i in taken) < size:
            taken.append(sources.pop(0))
        if prod(before[i] for i in taken) == size:
            segments.append(Segment(tuple(taken), tuple(made)))
            taken, made = [], []
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
    order = [axis for axis, size in enumerate(shape) if size != 1]
    firsts: list[int] = []
    for segment in segments:
        places = [order.index(permutation[axis]) for axis in segment.before]
        if places != list(range(places[0], places[0] + len(places))):
            return None
        firsts.append(places[0])
    in_source_order = [segment for _, segment in sorted(zip(firsts, segments, strict=True), key=lambda pair: pair[0])]
    leading = range(segments[0].after[0] if segments else len(target))
    axes = [*leading, *(axis for segment in in_source_order for axis in segment.after)]
    return permuted(target, tuple(axes)), inverse(tuple(axes))
