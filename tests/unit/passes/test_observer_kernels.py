"""The kernels that accumulate inside IREE count and sum as NumPy does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import element_type, tensor_type
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.dialects.quantune import KEPT, MADE
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.calibrate.lower_observers import LowerObservers, counting_stride
from quantune_mlir.pipeline.driver import run_pipeline

COUNTED_IN_FULL = 2048
SIZES = (1, 15, 16, 17, 4095, 4096, 4097, 10**6)
SPECIAL = {
    "negative zero": [-0.0],
    "both zeros": [0.0, -0.0],
    "negatives only": [-3.0, -1e-30, -2.5e7],
    "denormals": [1e-45, -1e-45, 1e-40, -7e-39],
    "extremes": [np.finfo(np.float32).max, np.finfo(np.float32).min],
    "a number": [0.1],
    "infinities": [np.inf, 1.0, -np.inf],
    "NaN": [np.nan, 1.0],
    "negative NaN": [-np.nan, 1.0],
}


def observing(sizes: Sequence[int]) -> bytes:
    """@main takes one f32 tensor of each size and observes it."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):

            @func.FuncOp.from_py_func(*(tensor_type([size], np.float32) for size in sizes), name="main")
            def main(*arguments: ir.Value) -> ir.Value:
                for index, argument in enumerate(arguments):
                    quantune.observe(argument, str(index))
                return arguments[0]

        run_pipeline(module, [LowerObservers()])
        return compile_module(module, load_target("host"))


def measuring(sizes: Sequence[int], params: QuantParams) -> bytes:
    """@main takes, for each size, an f32 tensor, an i8 one and an f32 one, and measures both against the first."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            kinds = [np.float32, np.int8, np.float32]
            types = [ir.RankedTensorType.get([size], element_type(kind)) for size in sizes for kind in kinds]

            @func.FuncOp.from_py_func(*types, name="main")
            def main(*arguments: ir.Value) -> ir.Value:
                for index in range(0, len(arguments), 3):
                    x, q, y = arguments[index : index + 3]
                    quantune.measure(x, q, str(index), noise="local", params=params)
                    quantune.measure(x, y, str(index), noise="accumulated", params=None)
                return arguments[0]

        run_pipeline(module, [LowerObservers()])
        return compile_module(module, load_target("host"))


@pytest.fixture(scope="module")
def observing_program() -> bytes:
    return observing(SIZES)


def drained(program: Program, rows: int, first: int = 0) -> list[np.ndarray]:
    """For each row from the first on, the counts of all buckets."""
    found: list[np.ndarray] = []
    while first + len(found) < rows:
        pairs, numbers = program.call("drain", first + len(found))
        ends = np.cumsum(numbers[first + len(found) :])
        read = int((numbers[first + len(found) :] >= 0).sum())
        assert read and (numbers[first + len(found) :][:read] >= 0).all(), "rows are read in order"
        assert ends[read - 1] <= len(pairs)
        for part in np.split(pairs[: ends[read - 1]].view(np.uint32), ends[: read - 1]):
            assert (np.diff(part[:, 0].astype(np.int64)) > 0).all()
            assert part[:, 1].all()
            counts = np.zeros(65536, np.uint32)
            counts[part[:, 0]] = part[:, 1]
            found.append(counts)
    return found


def extremes(program: Program, inputs: Sequence[np.ndarray]) -> list[tuple[np.float32, np.float32]]:
    """The smallest and the largest value of each row in a run."""
    return [(value_of(~low), value_of(high)) for high, low in program(*inputs)[-1].view(np.uint32)]


def buckets_of(x: np.ndarray) -> np.ndarray:
    """Counts of the elements of a tensor that are to be counted."""
    whole = x[: len(x) // 16 * 16].reshape(-1, 16)[:: counting_stride(len(x))]
    counted = np.concatenate([whole.reshape(-1), x[len(x) // 16 * 16 :]])
    return np.bincount(counted.view(np.uint32) >> 16, minlength=65536)


def value_of(key: np.uint32) -> np.float32:
    """The f32 of an order-preserving key, as kernels/texts/observe.mlir defines it."""
    bits = key ^ np.uint32(1 << 31) if key >> 31 else ~key
    return np.uint32(bits).view(np.float32)


def test_counts_are_those_of_all_runs_and_extremes_those_of_each(observing_program) -> None:
    rng = np.random.default_rng(0)
    program = Program(observing_program)
    runs = [
        [(rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)).astype(np.float32) for n in SIZES] for _ in range(3)
    ]
    for run in runs:
        assert extremes(program, run) == [(array.min(), array.max()) for array in run]
    for row, counts in enumerate(drained(program, len(SIZES))):
        np.testing.assert_array_equal(counts, sum(buckets_of(run[row]) for run in runs))


@pytest.mark.parametrize(("row", "value"), [(0, 7.0), (5, -9.0), (3, np.inf), (2, -np.inf), (7, np.nan)])
def test_keys_tell_what_is_not_finite(observing_program, row: int, value: float) -> None:
    program = Program(observing_program)
    inputs = [np.full(n, 0.5, np.float32) for n in SIZES]
    inputs[row][-1] = value
    keys = program(*inputs)[-1].view(np.uint32)
    assert (keys.max(axis=1) >= 0xFF800000).tolist() == [n == row and not np.isfinite(value) for n in range(len(SIZES))]


SMALL = (1, 15, 16, 33, 64)
smallest_or_any = st.integers(0, 20 << 16) | st.sampled_from([0, 1 << 31]) | st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def small_program() -> Program:
    return Program(observing(SMALL))


@given(st.tuples(*(hnp.arrays(np.uint32, size, elements=smallest_or_any) for size in SMALL)))
@settings(deadline=None)
def test_every_pattern_is_counted_in_its_own_bucket(small_program, patterns) -> None:
    small_program(*(array.view(np.float32) for array in patterns))
    for counts, array in zip(drained(small_program, len(SMALL)), patterns, strict=True):
        np.testing.assert_array_equal(counts, buckets_of(array.view(np.float32)))


def test_draining_clears_the_rows_read_and_no_other(observing_program) -> None:
    rng = np.random.default_rng(1)
    program = Program(observing_program)
    first, second = ([rng.standard_normal(n).astype(np.float32) for n in SIZES] for _ in range(2))
    program(*first)
    for counts, array in zip(drained(program, len(SIZES), first=2), first[2:], strict=True):
        np.testing.assert_array_equal(counts, buckets_of(array))
    program(*second)
    for row, counts in enumerate(drained(program, len(SIZES))):
        expected = buckets_of(second[row]) + (buckets_of(first[row]) if row < 2 else 0)
        np.testing.assert_array_equal(counts, expected)


def test_a_drain_reads_as_many_rows_as_there_is_room_for() -> None:
    """That is for four rows that occupy all buckets; here twelve rows together occupy more than three."""
    rng = np.random.default_rng(5)
    sizes = (7, *[10**4] * 10, 9)
    program = Program(observing(sizes))
    totals = np.zeros((len(sizes), 65536), np.uint32)
    for _ in range(20):
        inputs = [(rng.integers(0, 0xFF00, size, np.uint32) << 16).view(np.float32) for size in sizes]
        inputs = [np.where(np.isfinite(array), array, np.float32(1)) for array in inputs]
        program(*inputs)
        totals += np.stack([buckets_of(array) for array in inputs]).astype(np.uint32)
    assert (totals > 0).sum() > 3 * 65536, "not all rows are read at once"
    for counts, expected in zip(drained(program, len(sizes)), totals, strict=True):
        np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("shape", [(32, 32, 16), (56, 56, 24), (14, 14, 512), (7, 7, 960), (13, 13, 1000), (64, 64, 3)])
def test_all_channels_are_counted_as_often(shape: tuple[int, int, int]) -> None:
    elements = int(np.prod(shape))
    stride = counting_stride(elements)
    counted = np.arange(elements // 16 * 16).reshape(-1, 16)[::stride].reshape(-1)
    assert COUNTED_IN_FULL / 2 < len(counted) <= COUNTED_IN_FULL + 16
    every = np.arange(elements)
    for divisor, size in ((1, shape[2]), (shape[2], shape[1])):
        quarters, whole = (
            np.bincount(places // divisor % size * 4 // size, minlength=4) for places in (counted, every)
        )
        shares = quarters[whole > 0] / whole[whole > 0]
        assert shares.min() > 0.8 * shares.max(), "a quarter of the channels, or of the columns, is preferred"


def test_small_tensors_are_counted_in_full() -> None:
    assert {counting_stride(n) for n in range(COUNTED_IN_FULL + 1)} == {1}
    assert counting_stride(COUNTED_IN_FULL + 16) > 1


def test_two_programs_loaded_at_once_do_not_interfere(observing_program) -> None:
    rng = np.random.default_rng(2)
    programs = [Program(observing_program) for _ in range(2)]
    inputs = [[rng.standard_normal(n).astype(np.float32) for n in SIZES] for _ in programs]
    for program, run in zip(programs, inputs, strict=True):
        program(*run)
    for program, run in zip(programs, inputs, strict=True):
        np.testing.assert_array_equal(drained(program, len(SIZES))[5], buckets_of(run[5]))


def test_special_values() -> None:
    arrays = [np.array(values, np.float32) for values in SPECIAL.values()]
    program = Program(observing([array.size for array in arrays]))
    ends = extremes(program, arrays)
    for counts, (low, high), name, array in zip(drained(program, len(arrays)), ends, SPECIAL, arrays, strict=True):
        np.testing.assert_array_equal(counts, buckets_of(array), err_msg=name)
        if np.isnan(array).any():
            assert np.isnan([high, low]).any(), name
        else:
            assert (low.view(np.int32), high.view(np.int32)) == tuple(ordered(array)[[0, -1]].view(np.int32)), name


def ordered(array: np.ndarray) -> np.ndarray:
    """Sorted, with -0 before +0."""
    return array[np.lexsort((~np.signbit(array), array))]


@pytest.mark.parametrize("params", [QuantParams(0.0625, 0), QuantParams(float(np.float32(0.021)), -77)], ids=str)
def test_energies_are_those_of_float64(params: QuantParams) -> None:
    rng = np.random.default_rng(3)
    program = Program(measuring(SIZES, params))
    expected = np.zeros((2 * len(SIZES), 2))
    for _ in range(3):
        arguments: list[np.ndarray] = []
        for index, size in enumerate(SIZES):
            x = rng.standard_normal(size).astype(np.float32)
            q = rng.integers(-128, 128, size).astype(np.int8)
            y = (x + 1e-3 * rng.standard_normal(size)).astype(np.float32)
            real = (q.astype(np.float64) - params.zero_point) * params.scale
            wide = x.astype(np.float64)
            expected[2 * index] += np.sum(wide**2), np.sum((wide - real) ** 2)
            expected[2 * index + 1] += np.sum(wide**2), np.sum((wide - y.astype(np.float64)) ** 2)
            arguments += [x, q, y]
        program(*arguments)
    (energies,) = program.call("energies")
    assert energies.dtype == np.float64
    np.testing.assert_allclose(energies.astype(np.float64), expected, rtol=1e-6)


def test_equal_tensors_have_no_noise() -> None:
    params = QuantParams(0.25, 5)
    program = Program(measuring([40], params))
    q = np.arange(-20, 20).astype(np.int8)
    x = ((q.astype(np.float32) - 5) * np.float32(0.25)).astype(np.float32)
    program(x, q, x)
    (energies,) = program.call("energies")
    assert energies[0, 1] == energies[1, 1] == 0
    assert energies[0, 0] == np.sum(x.astype(np.float64) ** 2)
    assert not program.call("energies")[0].any(), "reading clears"


@pytest.mark.parametrize("size", [10, 64, 5000, 9984])
def test_projections_are_squared_as_a_whole_and_in_lanes(size: int) -> None:
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            kind = tensor_type([size], np.float32)

            @func.FuncOp.from_py_func(kind, kind, kind, kind, name="main")
            def main(c: ir.Value, x: ir.Value, made: ir.Value, kept: ir.Value) -> ir.Value:
                quantune.project(c, x, made, "layer", part=MADE, params=None)
                quantune.project(c, x, kept, "layer", part=KEPT, params=None)
                return c

        run_pipeline(module, [LowerObservers()])
        program = Program(compile_module(module, load_target("host")))
    rng = np.random.default_rng(size)
    whole = removed = lanes = 0.0
    for _ in range(3):
        c, x, made, kept = rng.standard_normal((4, size)).astype(np.float32)
        program(c, x, made, kept)
        products = np.pad(c.astype(np.float64) * (made - x), (0, -size % 64))
        whole += products.sum() ** 2
        removed += (products.sum() - (c.astype(np.float64) * (kept - x)).sum()) ** 2
        lanes += (products.reshape(-1, 64).sum(axis=0) ** 2).sum()
    np.testing.assert_allclose(program.call("energies")[0], [[whole, removed], [lanes, 0]], rtol=1e-4)
