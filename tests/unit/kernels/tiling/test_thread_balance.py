"""How evenly threads share workgroups, and the cuts that follow."""

from __future__ import annotations

from math import ceil, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.kernels.tiling.thread_balance import Load, most_even, part_sizes
from quantune_mlir.kernels.tiling.tiles import choose_tile, choose_workgroup, is_packed

ONES = (1, 1)


@pytest.mark.parametrize(
    ("load", "speeds", "span"),
    [
        (Load(5, (10.0,)), (1.0, 1.0), 30.0),
        (Load(4, (10.0,)), (1.0, 1.0), 20.0),
        (Load(1, (20.0, 10.0, 20.0, 10.0)), (1.0, 1.0), 30.0),
        (Load(4, (10.0,)), (1.0, 0.5), 30.0),
        (Load(1000, (10.0,)), (1.0, 1.0), 5000.0),
    ],
)
def test_span_ends_with_the_last_thread(load: Load, speeds: tuple[float, ...], span: float) -> None:
    assert load.span(speeds) == pytest.approx(span)


@given(st.integers(1, 40), st.lists(st.floats(1, 100), min_size=1, max_size=4), st.integers(1, 4))
def test_no_span_is_below_a_fair_share_or_above_the_total(times: int, cycles: list[float], threads: int) -> None:
    load = Load(times, tuple(cycles))
    span = load.span((1.0,) * threads)
    assert load.total / threads <= span * (1 + 1e-9)
    assert span <= load.total * (1 + 1e-9)


def test_an_even_cut_wins_unless_it_costs_one_thread_much() -> None:
    three, four, dear = Load(3, (40.0,)), Load(4, (30.5,)), Load(4, (33.0,))
    assert most_even([("three", three), ("four", four)]) == "four"
    assert most_even([("three", three), ("dear", dear)]) == "three"


@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 400))
def test_parts_are_whole_units_and_not_too_large(most: int, unit: int, total: int) -> None:
    most = min(max(most, unit), total)
    sizes = part_sizes(most, unit, total)
    assert len(set(sizes)) == len(sizes) <= 16
    assert all(0 < size <= most and (size % unit == 0 or size in (most, total)) for size in sizes)


@pytest.mark.parametrize("kind", ["int8", "fp32"])
@pytest.mark.parametrize(("size", "channels", "outputs"), [(55, 16, 64), (27, 32, 128), (13, 48, 192), (13, 64, 256)])
def test_two_threads_are_busy_in_fire_modules(kind: str, size: int, channels: int, outputs: int) -> None:
    """Those of SqueezeNet 1.1, whose sizes are odd: one of two threads would do up to a third of the work alone."""
    shape = ConvolutionShape(1, size, size, channels, size, size, outputs, (3, 3), ONES, ONES, ONES)
    isa = ISAS["avx512vnni"]
    step, stored = (isa.int8, "i8") if kind == "int8" else (isa.fp32, "f32")
    packed = is_packed(shape, step, stored)
    tile = choose_tile(shape, step, packed=packed)
    group = choose_workgroup(shape, step, tile, packed=packed)
    assert group is not None
    places = prod(ceil(size / pixels) for pixels in (group.rows, group.columns))
    blocks = outputs // (tile.vectors * step.lanes)
    ends = [ceil(split * blocks / group.splits) for split in range(group.splits + 1)]
    load = Load(places, tuple(float(ends[s + 1] - ends[s]) for s in range(group.splits)))
    assert load.total / load.span((1.0, 1.0)) >= 1.75
