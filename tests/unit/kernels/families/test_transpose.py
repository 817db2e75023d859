"""Transposes against IREE's own code for the same TOSA."""

from __future__ import annotations

import pytest

from tests.unit.kernels.programs import BY_LANES, Text, assert_equal, leftovers, run

CASES = {
    "to NCHW": ((1, 48, 48, 21), (0, 3, 1, 2)),
    "to NHWC": ((2, 40, 4, 4), (0, 2, 3, 1)),
    "phases of a transposed convolution": ((1, 16, 16, 2, 2, 16), (0, 1, 3, 2, 4, 5)),
    "shuffled channels": ((4, 2, 24, 6, 6), (0, 3, 4, 2, 1)),
    "heads": ((1, 64, 4, 16), (0, 2, 1, 3)),
    "heads of keys": ((1, 64, 4, 16), (0, 2, 3, 1)),
    "a matrix": ((37, 53), (1, 0)),
    "backwards": ((2, 7, 5, 3), (3, 1, 0, 2)),
    "short runs": ((300, 70, 3), (1, 0, 2)),
}


@pytest.mark.parametrize("isa", BY_LANES)
def test_elements_go_where_tosa_says(isa: str) -> None:
    text = Text()
    for shape, permutation in CASES.values():
        for element in ("f32", "i8"):
            order = ", ".join(map(str, permutation))
            sizes = [shape[axis] for axis in permutation]
            value = text.input(shape, element)
            text.results.append(text.op("transpose", [value], sizes, element, f"perms = array<i32: {order}>"))
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=True)


def test_where_nothing_moves_there_is_no_kernel() -> None:
    text = Text()
    text.results.append(
        text.op("transpose", [text.input((1, 16, 1), "i8")], (1, 1, 16), "i8", "perms = array<i32: 0, 2, 1>")
    )
    assert leftovers(text, BY_LANES[0]) == ["tosa.transpose"]
