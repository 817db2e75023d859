from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.mlir.permutation import (
    composed,
    inverse,
    keeps_element_order,
    transpose_after_reshape,
    without_axis,
)

sizes = st.sampled_from([1, 2, 3, 4, 6])


@st.composite
def transposed_shapes(draw: st.DrawFn) -> tuple[list[int], tuple[int, ...]]:
    shape = draw(st.lists(sizes, min_size=1, max_size=4))
    return shape, tuple(draw(st.permutations(range(len(shape)))))


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[list[int], tuple[int, ...], list[int]]:
    """A shape, a permutation of it, and a shape to which the transposed tensor can be reshaped."""
    shape, permutation = draw(transposed_shapes())
    factors: list[int] = []
    for axis in permutation:
        split = shape[axis] in (4, 6) and draw(st.booleans())
        factors += [2, shape[axis] // 2] if split else [shape[axis]]
    target: list[int] = []
    for factor in factors:
        if target and draw(st.booleans()):
            target[-1] *= factor
        else:
            target.append(factor)
        if draw(st.booleans()):
            target.insert(draw(st.integers(0, len(target))), 1)
    return shape, permutation, target


def counted(shape: list[int]) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@given(transposed_shapes(), st.data())
def test_composed_does_one_after_the_other(case: tuple[list[int], tuple[int, ...]], data: st.DataObject) -> None:
    shape, first = case
    second = tuple(data.draw(st.permutations(range(len(shape)))))
    x = counted(shape)
    np.testing.assert_array_equal(x.transpose(first).transpose(second), x.transpose(composed(first, second)))
    np.testing.assert_array_equal(x.transpose(first).transpose(inverse(first)), x)


@given(transposed_shapes())
def test_element_order_is_kept_exactly_when_a_reshape_does_it(case: tuple[list[int], tuple[int, ...]]) -> None:
    shape, permutation = case
    x = counted(shape)
    y = x.transpose(permutation)
    assert keeps_element_order(permutation, shape) == bool((x.reshape(y.shape) == y).all())


@given(transposed_shapes(), st.data())
def test_without_axis_is_the_transpose_of_what_is_left(
    case: tuple[list[int], tuple[int, ...]], data: st.DataObject
) -> None:
    shape, permutation = case
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = counted(shape)
    expected = x.transpose(permutation).max(axis)
    np.testing.assert_array_equal(x.max(permutation[axis]).transpose(without_axis(permutation, axis)), expected)


@given(reshapes())
def test_a_reshape_passes_a_transpose(case: tuple[list[int], tuple[int, ...], list[int]]) -> None:
    shape, permutation, target = case
    x = counted(shape)
    moved = transpose_after_reshape(shape, permutation, target)
    if moved is not None:
        reshaped, after = moved
        np.testing.assert_array_equal(x.reshape(reshaped).transpose(after), x.transpose(permutation).reshape(target))


def test_a_reshape_that_merges_what_stands_apart_does_not_pass() -> None:
    assert transpose_after_reshape([1, 4, 5, 3], (0, 3, 1, 2), [1, 60]) is None
    assert transpose_after_reshape([1, 4, 5, 3], (0, 3, 1, 2), [1, 3, 20]) == ([1, 20, 3], (0, 2, 1))
