from __future__ import annotations

import math

import numpy as np
import pytest

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.tosa.evaluate import evaluate, rearranged_constant
from tests.support import run_module

X = np.array([-np.inf, -90.0, -2.5, -1.5, -0.5, -0.0, 0.0, 0.25, 0.5, 1.5, 2.5, 3.7, 89.0, np.inf], np.float32)
POSITIVE = np.array([1e-30, 0.001, 0.3, 1.0, 2.0, 7.5, 1e10], np.float32)

EXACT = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
}
ROUNDED = {
    "exp": math.exp,
    "tanh": math.tanh,
    "erf": math.erf,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "sin": math.sin,
    "cos": math.cos,
    "log": math.log,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / math.sqrt(x),
}


def only_op(text: str, arguments: str, result: str) -> ir.Module:
    """A module whose @main computes one op of its arguments."""
    source = f"func.func @main({arguments}) -> {result} {{\n%r = {text}\nreturn %r : {result}\n}}"
    return ir.Module.parse(source, make_context())


def computed(module: ir.Module, *operands: np.ndarray) -> np.ndarray:
    """The value of the only op, which `evaluate` has to know."""
    result = evaluate(module.body.operations[0].body.blocks[0].operations[0], operands)
    assert result is not None
    return result


def unary(name: str, dtype: str = "f32", attributes: str = "") -> ir.Module:
    t = f"tensor<?x{dtype}>"
    return only_op(f'"tosa.{name}"(%x) {attributes} : ({t}) -> {t}', f"%x: {t}", t)


def binary(name: str, dtype: str = "f32", result: str | None = None, attributes: str = "") -> ir.Module:
    t, r = f"tensor<?x{dtype}>", f"tensor<?x{result or dtype}>"
    return only_op(f'"tosa.{name}"(%x, %y) {attributes} : ({t}, {t}) -> {r}', f"%x: {t}, %y: {t}", r)


def cast(source: str, target: str) -> ir.Module:
    s, t = f"tensor<?x{source}>", f"tensor<?x{target}>"
    return only_op(f'"tosa.cast"(%x) : ({s}) -> {t}', f"%x: {s}", t)


@pytest.mark.parametrize("name", EXACT)
def test_exact_functions(name: str) -> None:
    result = computed(unary(name), X)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, EXACT[name](X))


@pytest.mark.parametrize("name", ROUNDED)
def test_transcendental_functions_are_rounded_once(name: str) -> None:
    inputs = POSITIVE if name in ("log", "reciprocal", "rsqrt") else X[1:-2]
    expected = np.array([ROUNDED[name](float(v)) for v in inputs], np.float32)
    np.testing.assert_array_max_ulp(computed(unary(name), inputs), expected, 1)


@pytest.mark.parametrize(
    ("name", "at_minus_infinity", "at_infinity"),
    [("sigmoid", 0, 1), ("tanh", -1, 1), ("erf", -1, 1), ("exp", 0, np.inf)],
)
def test_limits(name: str, at_minus_infinity: float, at_infinity: float) -> None:
    result = computed(unary(name), np.array([-np.inf, np.inf, np.nan], np.float32))
    np.testing.assert_array_equal(result, [at_minus_infinity, at_infinity, np.nan])


def test_cast_of_floats_rounds_half_to_even_and_saturates() -> None:
    expected = np.array([-128, -90, -2, -2, 0, 0, 0, 0, 0, 2, 2, 4, 89, 127], np.int8)
    np.testing.assert_array_equal(computed(cast("f32", "i8"), X), expected)
    large = np.array([3e9, -3e9, np.nan], np.float32)
    np.testing.assert_array_equal(computed(cast("f32", "i32"), large), [2**31 - 1, -(2**31), 0])
    np.testing.assert_array_equal(computed(cast("f32", "i64"), np.array([1e30, -1e30], np.float32))[0], 2**63 - 1)


def test_cast_of_integers_wraps_and_of_booleans_is_zero_or_one() -> None:
    np.testing.assert_array_equal(computed(cast("i32", "i8"), np.array([300, -129], np.int32)), [44, 127])
    np.testing.assert_array_equal(computed(cast("i1", "f32"), np.array([True, False])), [1, 0])


def test_clamp_keeps_or_drops_nan() -> None:
    bounds = "min_val = -1.0 : f32, max_val = 2.0 : f32"
    x = np.array([-3, 0.5, 7, np.nan], np.float32)
    propagate = unary("clamp", attributes=f"{{{bounds}, nan_mode = #tosa.nan_mode<PROPAGATE>}}")
    ignore = unary("clamp", attributes=f"{{{bounds}, nan_mode = #tosa.nan_mode<IGNORE>}}")
    np.testing.assert_array_equal(computed(propagate, x), [-1, 0.5, 2, np.nan])
    np.testing.assert_array_equal(computed(ignore, x), [-1, 0.5, 2, -1])


def test_clamp_of_integers() -> None:
    op = unary("clamp", "i8", "{min_val = -5 : i8, max_val = 100 : i8}")
    np.testing.assert_array_equal(computed(op, np.array([-128, -5, 7, 127], np.int8)), [-5, -5, 7, 100])


def test_mul_shifts_with_rounding() -> None:
    t = "tensor<?xi32>"
    op = only_op(f'"tosa.mul"(%x, %y, %s) : ({t}, {t}, tensor<1xi8>) -> {t}', f"%x: {t}, %y: {t}, %s: tensor<1xi8>", t)
    x, y = np.array([3, -3, 1 << 30], np.int32), np.array([5, 5, 1 << 30], np.int32)
    np.testing.assert_array_equal(computed(op, x[:2], y[:2], np.array([0], np.int8)), [15, -15])
    # (15 + 4) >> 3, (-15 + 4) >> 3, (2^60 + 2^30) >> 31
    np.testing.assert_array_equal(computed(op, x[:2], y[:2], np.array([3], np.int8)), [2, -2])
    np.testing.assert_array_equal(computed(op, x[2:], y[2:], np.array([31], np.int8)), [1 << 29])


def test_negate_of_integers_honours_zero_points_and_saturates() -> None:
    t, z = "tensor<?xi8>", "tensor<1xi8>"
    op = only_op(f'"tosa.negate"(%x, %a, %b) : ({t}, {z}, {z}) -> {t}', f"%x: {t}, %a: {z}, %b: {z}", t)
    zeros = [np.array([10], np.int8), np.array([3], np.int8)]
    # -(x - 10) + 3
    np.testing.assert_array_equal(computed(op, np.array([0, 20, -128], np.int8), *zeros), [13, -7, 127])


def test_integer_division_goes_towards_zero() -> None:
    x, y = np.array([7, -7, 7, -7], np.int32), np.array([2, 2, -2, -2], np.int32)
    np.testing.assert_array_equal(computed(binary("intdiv", "i32"), x, y), [3, -3, -3, 3])


def test_right_shifts() -> None:
    x, amount = np.array([-7, 7, -8], np.int32), np.array([1, 1, 2], np.int32)
    rounding = binary("arithmetic_right_shift", "i32", attributes="{round = true}")
    np.testing.assert_array_equal(computed(rounding, x, amount), [-3, 4, -2])
    plain = binary("arithmetic_right_shift", "i32", attributes="{round = false}")
    np.testing.assert_array_equal(computed(plain, x, amount), [-4, 3, -2])
    np.testing.assert_array_equal(computed(binary("logical_right_shift", "i32"), x[:1], amount[:1]), [2**31 - 4])


def test_table_looks_int8_up_from_minus_128() -> None:
    t = "tensor<?xi8>"
    op = only_op(f'"tosa.table"(%x, %t) : ({t}, tensor<256xi8>) -> {t}', f"%x: {t}, %t: tensor<256xi8>", t)
    table = np.arange(127, -129, -1).astype(np.int8)
    np.testing.assert_array_equal(computed(op, np.array([-128, 0, 127], np.int8), table), [127, -1, -128])


def test_an_elementwise_op_is_evaluated_on_any_shape() -> None:
    every_int8 = np.arange(-128, 128, dtype=np.float32).reshape(16, 16)
    result = computed(unary("tanh"), every_int8 / 32)
    assert result.shape == (16, 16)


def test_what_is_not_known_gives_none() -> None:
    t = "tensor<1x4x4x1xf32>"
    module = only_op(
        '"tosa.max_pool2d"(%x) {kernel = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : '
        f"({t}) -> {t}",
        f"%x: {t}",
        t,
    )
    op = module.body.operations[0].body.blocks[0].operations[0]
    assert evaluate(op, [np.zeros((1, 4, 4, 1), np.float32)]) is None
    del module


COMPARED = """
func.func @main(%x: tensor<2x3x4xf32>, %y: tensor<1x3x1xf32>, %i: tensor<2x3xi32>, %j: tensor<2x3xi32>) -> (RESULTS) {
  %two = "tosa.const"() {values = dense<[0.5]> : tensor<1xf32>} : () -> tensor<1xf32>
  %shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %shift5 = "tosa.const"() {values = dense<5> : tensor<1xi8>} : () -> tensor<1xi8>
  %pads = "tosa.const_shape"() {values = dense<[0, 1, 2, 0, 0, 0]> : tensor<6xindex>} : () -> !tosa.shape<6>
  %start = "tosa.const_shape"() {values = dense<[1, 0, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %size = "tosa.const_shape"() {values = dense<[1, 2, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %times = "tosa.const_shape"() {values = dense<[2, 1, 3]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %flat = "tosa.const_shape"() {values = dense<[4, 6]> : tensor<2xindex>} : () -> !tosa.shape<2>
BODY
  return VALUES : TYPES
}
"""
OPS = [
    ('"tosa.add"(%x, %y) : (tensor<2x3x4xf32>, tensor<1x3x1xf32>)', "tensor<2x3x4xf32>"),
    ('"tosa.sub"(%x, %y) : (tensor<2x3x4xf32>, tensor<1x3x1xf32>)', "tensor<2x3x4xf32>"),
    ('"tosa.mul"(%x, %y, %shift) : (tensor<2x3x4xf32>, tensor<1x3x1xf32>, tensor<1xi8>)', "tensor<2x3x4xf32>"),
    ('"tosa.mul"(%i, %j, %shift5) : (tensor<2x3xi32>, tensor<2x3xi32>, tensor<1xi8>)', "tensor<2x3xi32>"),
    ('"tosa.maximum"(%x, %y) : (tensor<2x3x4xf32>, tensor<1x3x1xf32>)', "tensor<2x3x4xf32>"),
    ('"tosa.minimum"(%i, %j) : (tensor<2x3xi32>, tensor<2x3xi32>)', "tensor<2x3xi32>"),
    ('"tosa.greater"(%x, %y) : (tensor<2x3x4xf32>, tensor<1x3x1xf32>)', "tensor<2x3x4xi1>"),
    ('"tosa.greater_equal"(%i, %j) : (tensor<2x3xi32>, tensor<2x3xi32>)', "tensor<2x3xi1>"),
    ('"tosa.equal"(%i, %j) : (tensor<2x3xi32>, tensor<2x3xi32>)', "tensor<2x3xi1>"),
    ('"tosa.bitwise_xor"(%i, %j) : (tensor<2x3xi32>, tensor<2x3xi32>)', "tensor<2x3xi32>"),
    ('"tosa.transpose"(%x) {perms = array<i32: 2, 0, 1>} : (tensor<2x3x4xf32>)', "tensor<4x2x3xf32>"),
    ('"tosa.reshape"(%x, %flat) : (tensor<2x3x4xf32>, !tosa.shape<2>)', "tensor<4x6xf32>"),
    ('"tosa.concat"(%x, %x) {axis = 1 : i32} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>)', "tensor<2x6x4xf32>"),
    ('"tosa.slice"(%x, %start, %size) : (tensor<2x3x4xf32>, !tosa.shape<3>, !tosa.shape<3>)', "tensor<1x2x2xf32>"),
    ('"tosa.pad"(%x, %pads, %two) : (tensor<2x3x4xf32>, !tosa.shape<6>, tensor<1xf32>)', "tensor<3x5x4xf32>"),
    ('"tosa.tile"(%x, %times) : (tensor<2x3x4xf32>, !tosa.shape<3>)', "tensor<4x3x12xf32>"),
    ('"tosa.reverse"(%x) {axis = 2 : i32} : (tensor<2x3x4xf32>)', "tensor<2x3x4xf32>"),
    ('"tosa.reduce_sum"(%x) {axis = 1 : i32} : (tensor<2x3x4xf32>)', "tensor<2x1x4xf32>"),
    ('"tosa.reduce_max"(%x) {axis = 2 : i32} : (tensor<2x3x4xf32>)', "tensor<2x3x1xf32>"),
    ('"tosa.argmax"(%x) {axis = 2 : i32} : (tensor<2x3x4xf32>)', "tensor<2x3xi32>"),
]


def test_agrees_with_iree() -> None:
    body = "\n".join(f"%r{n} = {text} -> {kind}" for n, (text, kind) in enumerate(OPS))
    kinds = ", ".join(kind for _, kind in OPS)
    values = ", ".join(f"%r{n}" for n in range(len(OPS)))
    source = COMPARED.replace("BODY", body).replace("VALUES", values).replace("TYPES", kinds)
    module = ir.Module.parse(source.replace("RESULTS", kinds), make_context())
    random = np.random.default_rng(0)
    inputs = {
        "%x": random.normal(size=(2, 3, 4)).astype(np.float32),
        "%y": random.normal(size=(1, 3, 1)).astype(np.float32),
        "%i": random.integers(-1000, 1000, (2, 3)).astype(np.int32),
        "%j": random.integers(-1000, 1000, (2, 3)).astype(np.int32),
    }
    arrays: dict[ir.Value, np.ndarray] = {}
    function = module.body.operations[0]
    arrays.update(zip(function.arguments, inputs.values(), strict=True))
    ours: list[np.ndarray] = []
    for view in list(function.body.blocks[0].operations)[:-1]:
        op = view.operation
        if op.name.startswith("tosa.const"):
            arrays[op.results[0]] = np.array(op.attributes["values"])
            continue
        result = evaluate(op, [arrays[operand] for operand in op.operands])
        assert result is not None, op.name
        ours.append(result)
    theirs = run_module(module, *inputs.values())
    for (text, _), our, their in zip(OPS, ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-6, err_msg=text)
        assert our.shape == their.shape, text


def test_a_rearranged_constant_is_a_view_where_it_can_be() -> None:
    module = ir.Module.parse(
        """
        func.func @main(%x: tensor<2x3xf32>) {
          %w = "tosa.const"() {values = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>} : () -> tensor<2x3xf32>
          %zero = "tosa.const"() {values = dense<0.> : tensor<1xf32>} : () -> tensor<1xf32>
          %sizes = "tosa.const_shape"() {values = dense<[0, 1, 0, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
          %shape = "tosa.const_shape"() {values = dense<[3, 1, 3]> : tensor<3xindex>} : () -> !tosa.shape<3>
          %turned = "tosa.reverse"(%w) {axis = 1 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
          %view = "tosa.transpose"(%turned) {perms = array<i32: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
          %more = tosa.pad %w, %sizes, %zero : (tensor<2x3xf32>, !tosa.shape<4>, tensor<1xf32>) -> tensor<3x3xf32>
          %copy = tosa.reshape %more, %shape : (tensor<3x3xf32>, !tosa.shape<3>) -> tensor<3x1x3xf32>
          %computed = "tosa.reverse"(%x) {axis = 1 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
          return
        }
        """,
        make_context(),
    )
    constant, *_, view, _, copy, computed, _ = module.body.operations[0].body.blocks[0].operations
    weights, turned, padded = (rearranged_constant(op.results[0]) for op in (constant, view, copy))
    assert weights is not None
    assert turned is not None
    assert padded is not None
    assert turned.tolist() == [[3, 6], [2, 5], [1, 4]]
    assert np.shares_memory(turned, weights)
    assert padded.tolist() == [[[1, 2, 3]], [[4, 5, 6]], [[0, 0, 0]]]
    assert rearranged_constant(computed.results[0]) is None
