"""Pads against IREE's own code for the same TOSA."""

from __future__ import annotations

import pytest

from tests.unit.kernels.programs import BY_LANES, Text, assert_equal, leftovers, run

CASES = {
    "rows and columns": ((2, 5, 7, 3), (0, 0, 1, 2, 3, 0, 0, 0)),
    "all axes": ((2, 3, 4, 5), (1, 0, 0, 2, 1, 1, 3, 17)),
    "zeros between pixels": ((1, 20, 1, 21, 1, 37), (0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0)),
    "so many that workgroups share them": ((1, 61, 31, 40), (0, 0, 2, 1, 0, 3, 0, 0)),
    "rows that workgroups share": ((33, 1000), (1, 0, 30, 1)),
}


@pytest.mark.parametrize("isa", BY_LANES)
def test_elements_stay_and_the_rest_is_filled(isa: str) -> None:
    text = Text()
    for shape, pads in CASES.values():
        for element, filler in (("f32", 0.0), ("i8", -7)):
            text.results.append(text.pad(text.input(shape, element), pads, filler))
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=True)


def test_channels_alone_are_left_to_the_pooling_before_them() -> None:
    text = Text()
    text.results.append(text.pad_channels(text.input((1, 4, 4, 8), "f32"), 0, 8, 0.0))
    assert leftovers(text, BY_LANES[0]) == ["tosa.pad"]


SLICES = {
    "rows and columns": ((2, 5, 7, 3), (0, 1, 2, 0), (2, 3, 5, 3)),
    "channels": ((1, 4, 5, 37), (0, 0, 0, 20), (1, 4, 5, 17)),
    "all axes": ((3, 4, 5, 6), (1, 0, 2, 3), (2, 3, 3, 2)),
    "so many that workgroups share them": ((1, 61, 31, 40), (0, 1, 0, 0), (1, 59, 31, 39)),
}


@pytest.mark.parametrize("isa", BY_LANES)
def test_slices_are_parts(isa: str) -> None:
    text = Text()
    for shape, start, size in SLICES.values():
        for element in ("f32", "i8"):
            text.results.append(text.slice(text.input(shape, element), start, size))
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=True)


def test_slices_of_neighbours_are_left_to_iree() -> None:
    text = Text()
    value = text.input((1, 6, 4, 8), "f32")
    text.results.append(text.slice(value, (0, 2, 0, 0), (1, 3, 4, 8)))
    assert leftovers(text, BY_LANES[0]) == ["tosa.slice"]
