"""Every fact of the table of traits against what the op computes, by NumPy and by IREE."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iree.compiler.dialects import tosa

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.tosa.traits import TRAITS
from tests.support import call, compile_module, load_program
from tests.unit.mlir.tosa.sample_ops import EVALUATED, built, computed, element_types

SHAPE = (2, 3, 5)
ELEMENTWISE = [name for name, traits in TRAITS.items() if traits.elementwise]
seeds = st.integers(0, 2**32 - 1)


def random_data(name: str, seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """An array for each data operand, numbers of small integers and halves so that sums are exact."""
    random = np.random.default_rng(seed)
    kinds = element_types(name)
    found = []
    for kind, shape in zip(kinds, shapes or [SHAPE] * len(kinds), strict=True):
        numbers = random.integers(1, 40, shape)
        found.append(numbers > 20 if kind is np.bool_ else (numbers / 2 if kind is np.float32 else numbers % 31))
    return [array.astype(kind) for array, kind in zip(found, kinds, strict=True)]


def test_every_row_is_an_op_of_the_dialect() -> None:
    known = {getattr(member, "OPERATION_NAME", None) for member in vars(tosa).values()}
    assert known.issuperset(TRAITS)


def test_every_elementwise_op_has_an_evaluation_and_lets_transposes_through() -> None:
    assert [name for name in ELEMENTWISE if TRAITS[name].evaluate is None or not TRAITS[name].aligned] == []


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elements_of_a_result_depend_on_those_at_their_place(name: str) -> None:
    with built(name, *[SHAPE] * len(element_types(name))) as op:

        @given(seed=seeds)
        def holds(seed: int) -> None:
            data = random_data(name, seed)
            order = np.random.default_rng(seed).permutation(data[0].size)
            shuffled = computed(op, *(x.reshape(-1)[order] for x in data))
            np.testing.assert_array_equal(shuffled, computed(op, *data).reshape(-1)[order])

        holds()


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if TRAITS[name].data != 1])
def test_operands_of_elementwise_ops_broadcast(name: str) -> None:
    narrow = [SHAPE, (1, 3, 1), (1, 1, 5)][: TRAITS[name].data]
    data = random_data(name, 1, *narrow)
    with built(name, *narrow) as op:
        assert tuple(op.results[0].type.shape) == SHAPE
        wide = [np.broadcast_to(x, SHAPE) for x in data]
        np.testing.assert_array_equal(computed(op, *data), computed(op, *wide))


@pytest.mark.parametrize("name", EVALUATED)
def test_comparisons_give_truth_values_of_what_is_none(name: str) -> None:
    with built(name, *[SHAPE] * len(element_types(name))) as op:
        gives_truth = str(op.results[0].type.element_type) == "i1"
    assert (gives_truth and element_types(name)[0] is not np.bool_) == TRAITS[name].compares


@pytest.mark.parametrize("name", [name for name in EVALUATED if TRAITS[name].homogeneous])
def test_homogeneous_ops_scale_with_their_operands(name: str) -> None:
    with built(name, *[SHAPE] * len(element_types(name))) as op:

        @given(seed=seeds, power=st.integers(-6, 6))
        def holds(seed: int, power: int) -> None:
            first, *others = random_data(name, seed)
            scale = np.float32(2.0**power)
            scaled = others if name == "tosa.mul" else [scale * x for x in others]
            np.testing.assert_array_equal(computed(op, scale * first, *scaled), scale * computed(op, first, *others))

        holds()


@pytest.mark.parametrize("name", ["tosa.clamp", "tosa.exp", "tosa.reduce_product", "tosa.rsqrt", "tosa.select"])
def test_other_ops_do_not(name: str) -> None:
    data = random_data(name, 0)
    scaled = [x if x.dtype == np.bool_ else np.float32(4) * x for x in data]
    with built(name, *[SHAPE] * len(data)) as op:
        same = (computed(op, *scaled) == 4 * computed(op, *data)).all()
    assert same == (name == "tosa.select")  # which is none because its condition is no number
    assert not TRAITS[name].homogeneous


@pytest.mark.parametrize("name", [name for name in EVALUATED if TRAITS[name].affine])
def test_affine_ops_are_affine_in_either_operand(name: str) -> None:
    with built(name, SHAPE, SHAPE) as op:

        @given(seed=seeds)
        def holds(seed: int) -> None:
            one, other, constant = (random_data(name, seed + k)[0] for k in range(3))
            for of in (lambda x: computed(op, x, constant), lambda x: computed(op, constant, x)):
                np.testing.assert_array_equal(of(one) + of(other), of(one + other) + of(np.zeros_like(one)))

        holds()


@pytest.mark.parametrize("name", [name for name in EVALUATED if TRAITS[name].moves])
def test_moves_give_elements_of_the_operand(name: str) -> None:
    x = np.random.default_rng(0).permutation(np.prod(SHAPE)).reshape(SHAPE).astype(np.float32) + 1
    with built(name, SHAPE) as op:
        result = computed(op, x)
    moves = TRAITS[name].moves
    if moves == "stays":
        np.testing.assert_array_equal(result.reshape(-1), x.reshape(-1))
    elif moves == "reorders":
        np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(x, axis=None))
        assert (result.reshape(-1) != x.reshape(-1)).any()
    elif moves == "selects":
        assert set(result.flat) <= set(x.flat)
    else:
        assert set(result.flat) == {0.0, *x.flat}


NEUTRAL = """
  %zero = "tosa.const"() {values = dense<0.> : tensor<1xf32>} : () -> tensor<1xf32>
  %none = "tosa.const_shape"() {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %start = "tosa.const_shape"() {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>
  %size = "tosa.const_shape"() {values = dense<[2, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %once = "tosa.const_shape"() {values = dense<1> : tensor<2xindex>} : () -> !tosa.shape<2>
"""


def test_neutral_ops_change_nothing_if_the_type_stays() -> None:
    t, shape = "tensor<2x3xf32>", "!tosa.shape<2>"
    calls = {
        "tosa.identity": f"(%x) : ({t})",
        "tosa.cast": f"(%x) : ({t})",
        "tosa.concat": f"(%x) {{axis = 0 : i32}} : ({t})",
        "tosa.pad": f"(%x, %none, %zero) : ({t}, !tosa.shape<4>, tensor<1xf32>)",
        "tosa.reshape": f"(%x, %size) : ({t}, {shape})",
        "tosa.slice": f"(%x, %start, %size) : ({t}, {shape}, {shape})",
        "tosa.tile": f"(%x, %once) : ({t}, {shape})",
    }
    assert list(calls) == sorted((name for name, traits in TRAITS.items() if traits.neutral), key=list(calls).index)
    body = "\n".join(f'%r{i} = "{name}"{rest} -> {t}' for i, (name, rest) in enumerate(calls.items()))
    module = ir.Module.parse(f"func.func @main(%x: {t}) {{ {NEUTRAL} {body}\n return }}", make_context())
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for view in module.body.operations[0].body.blocks[0].operations:
        if view.operation.name in calls:
            np.testing.assert_array_equal(computed(view.operation, x), x, err_msg=view.operation.name)


@pytest.mark.parametrize("name", [name for name in EVALUATED if TRAITS[name].reduces])
def test_reductions_do_not_care_for_the_order_along_their_axis(name: str) -> None:
    with built(name, SHAPE) as op:

        @given(seed=seeds)
        def holds(seed: int) -> None:
            (x,) = random_data(name, seed)
            order = np.random.default_rng(seed).permutation(SHAPE[-1])
            result = computed(op, x)
            np.testing.assert_array_equal(computed(op, x[..., order]), result)
            assert result.shape == (*SHAPE[:-1], 1)

        holds()


WINDOWS = """
func.func @main(
    %x: tensor<1x4x4x3xf32>, %w: tensor<2x2x2x3xf32>, %b: tensor<2xf32>, %d: tensor<2x2x3x2xf32>, %e: tensor<6xf32>,
    %m: tensor<1x4x3xf32>, %n: tensor<1x3x2xf32>
) -> (tensor<1x3x3x2xf32>, tensor<1x3x3x6xf32>, tensor<1x5x5x2xf32>, tensor<1x4x2xf32>, tensor<1x3x3x3xf32>,
      tensor<1x3x3x3xf32>, tensor<1x7x7x3xf32>) {
  %zero = "tosa.const"() {values = dense<0.> : tensor<1xf32>} : () -> tensor<1xf32>
  %scale = "tosa.const_shape"() {values = dense<[2, 1, 2, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %none = "tosa.const_shape"() {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.conv2d"(%x, %w, %b, %zero, %zero) {acc_type = f32, pad = array<i64: 0, 0, 0, 0>,
    stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
    : (tensor<1x4x4x3xf32>, tensor<2x2x2x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x2xf32>
  %1 = "tosa.depthwise_conv2d"(%x, %d, %e, %zero, %zero) {acc_type = f32, pad = array<i64: 0, 0, 0, 0>,
    stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
    : (tensor<1x4x4x3xf32>, tensor<2x2x3x2xf32>, tensor<6xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x6xf32>
  %2 = "tosa.transpose_conv2d"(%x, %w, %b, %zero, %zero) {acc_type = f32, out_pad = array<i64: 0, 0, 0, 0>,
    stride = array<i64: 1, 1>}
    : (tensor<1x4x4x3xf32>, tensor<2x2x2x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x5x2xf32>
  %3 = "tosa.matmul"(%m, %n, %zero, %zero)
    : (tensor<1x4x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %4 = "tosa.max_pool2d"(%x) {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
    : (tensor<1x4x4x3xf32>) -> tensor<1x3x3x3xf32>
  %5 = "tosa.avg_pool2d"(%x, %zero, %zero) {acc_type = f32, kernel = array<i64: 2, 2>,
    pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
    : (tensor<1x4x4x3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x3xf32>
  %6 = "tosa.resize"(%x, %scale, %none, %none) {mode = #tosa.resize_mode<BILINEAR>}
    : (tensor<1x4x4x3xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x7x7x3xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<1x3x3x2xf32>, tensor<1x3x3x6xf32>, tensor<1x5x5x2xf32>,
    tensor<1x4x2xf32>, tensor<1x3x3x3xf32>, tensor<1x3x3x3xf32>, tensor<1x7x7x3xf32>
}
"""
LINEAR = ["tosa.conv2d", "tosa.depthwise_conv2d", "tosa.transpose_conv2d", "tosa.matmul"]
WINDOWED = [*LINEAR, "tosa.max_pool2d", "tosa.avg_pool2d", "tosa.resize"]
OPERANDS = [(0, 1, 2), (0, 3, 4), (0, 1, 2), (5, 6, None), (0, None, None), (0, None, None), (0, None, None)]
"""For each result: its input, weights and bias among the arguments."""
Run = Callable[[list[np.ndarray]], list[np.ndarray]]


@pytest.fixture(scope="module")
def run() -> Run:
    program = load_program(compile_module(ir.Module.parse(WINDOWS, make_context())))
    return lambda arguments: call(program, "main", tuple(arguments))


@pytest.fixture(scope="module")
def arguments() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    shapes = [(1, 4, 4, 3), (2, 2, 2, 3), (2,), (2, 2, 3, 2), (6,), (1, 4, 3), (1, 3, 2)]
    return [random.integers(1, 9, shape).astype(np.float32) for shape in shapes]


def test_the_ops_with_windows_are_those_below() -> None:
    assert [name for name in TRAITS if TRAITS[name].channels_last] == sorted(WINDOWED)
    assert [name for name in TRAITS if TRAITS[name].weights] == sorted(LINEAR)


@pytest.mark.parametrize("position", range(4))
def test_weights_say_which_channels_they_join(run: Run, arguments: list[np.ndarray], position: int) -> None:
    """Only weights of one output channel make that channel; those of an input channel are all that read it."""
    weights = TRAITS[LINEAR[position]].weights
    assert weights is not None
    source, kernel, bias = OPERANDS[position]
    assert (bias is not None) == weights.bias
    before = run(arguments)[position]
    sizes = [arguments[kernel].shape[axis] for axis in weights.output_axes]
    for channel in range(before.shape[-1]):
        changed = [array.copy() for array in arguments]
        place: list[object] = [slice(None)] * changed[kernel].ndim
        for axis, index in zip(weights.output_axes, np.unravel_index(channel, sizes), strict=True):
            place[axis] = index
        changed[kernel][tuple(place)] += 1
        differs = (run(changed)[position] != before).any(axis=tuple(range(before.ndim - 1)))
        assert differs.nonzero()[0].tolist() == [channel]
    silent = [array.copy() for array in arguments]
    np.moveaxis(silent[kernel], weights.input_axis, 0)[1] = 0
    without = run(silent)[position]
    silent[source][..., 1] += 5
    np.testing.assert_array_equal(run(silent)[position], without)
    assert (run([*silent[:source], silent[source] + 1, *silent[source + 1 :]])[position] != without).any()


@pytest.mark.parametrize("position", range(4))
def test_depthwise_and_scattering_weights(run: Run, arguments: list[np.ndarray], position: int) -> None:
    weights = TRAITS[LINEAR[position]].weights
    assert weights is not None
    source = OPERANDS[position][0]
    before = run(arguments)[position]
    changed = [array.copy() for array in arguments]
    changed[source][..., 1] += 1
    differs = (run(changed)[position] != before).any(axis=tuple(range(before.ndim - 1)))
    assert differs.all() == (not weights.depthwise)
    assert weights.scatters == (before.shape[1] > arguments[source].shape[1])


@pytest.mark.parametrize("position", range(4, 7))
def test_channels_of_pools_stay_apart_and_scale(run: Run, arguments: list[np.ndarray], position: int) -> None:
    before = run(arguments)[position]
    changed = [array.copy() for array in arguments]
    changed[0][..., 1] *= 2
    after = run(changed)[position]
    np.testing.assert_array_equal(after[..., [0, 2]], before[..., [0, 2]])
    assert TRAITS[WINDOWED[position]].homogeneous
    np.testing.assert_array_equal(after[..., 1], 2 * before[..., 1])
    if TRAITS[WINDOWED[position]].moves == "selects":
        assert set(before.flat) <= set(arguments[0].flat)
