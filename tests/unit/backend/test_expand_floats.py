from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import parse_module

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 0.49999997, 8388607.5, -8388607.5, 3e38]
X = np.array([*SPECIAL, *np.linspace(-3, 3, 33)], np.float32)
ROUNDING = ["floor", "ceil", "roundeven", "round", "trunc"]


def computed(body: str, *inputs: np.ndarray, count: int = X.size) -> np.ndarray:
    """What @main makes of the inputs where the CPU has no minima, maxima and rounding."""
    vector, parameters = f"tensor<{count}xf32>", ", ".join(f"%x{i}: tensor<{x.size}xf32>" for i, x in enumerate(inputs))
    text = f"func.func @main({parameters}) -> {vector} {{\n{body}\n  return %r : {vector}\n}}"
    target = load_target("host").model_copy(update={"floats": "basic"})
    (result,) = Program(compile_module(parse_module(text, make_context()), target))(*inputs)
    return result


@pytest.mark.parametrize("name", ROUNDING)
def test_rounding(name: str) -> None:
    result = computed(f"  %r = math.{name} %x0 : tensor<{X.size}xf32>", X)
    numpy = {"floor": np.floor, "ceil": np.ceil, "roundeven": np.rint, "trunc": np.trunc}
    expected = numpy[name](X) if name in numpy else np.sign(X) * np.floor(np.abs(X.astype(np.float64)) + 0.5)
    expected = np.where(np.abs(X) >= 2.0**23, X, expected).astype(np.float32)
    np.testing.assert_array_equal(result, expected)
    assert (np.signbit(result) == np.signbit(X))[~np.isnan(X)].all() or name in ("floor", "ceil")


@pytest.mark.parametrize(
    ("op", "numpy"),
    [("maximumf", np.maximum), ("minimumf", np.minimum), ("maxnumf", np.fmax), ("minnumf", np.fmin)],
)
def test_extrema(op: str, numpy: np.ufunc) -> None:
    y = np.roll(X, 7)
    result = computed(f"  %r = arith.{op} %x0, %x1 : tensor<{X.size}xf32>", X, y)
    np.testing.assert_array_equal(result, numpy(X, y))


def test_largest_element() -> None:
    x = np.linspace(-2, 5, 37, dtype=np.float32)
    result = computed('  %r = "tosa.reduce_max"(%x0) {axis = 0 : i32} : (tensor<37xf32>) -> tensor<1xf32>', x, count=1)
    assert result.tolist() == [5.0]


@pytest.mark.parametrize("target", ["cortex-m4", "armv7a", "riscv32"])
def test_softmax_links_where_there_is_no_mathematics_library(target: str) -> None:
    text = """
    func.func @main(%x: tensor<1x12xf32>) -> tensor<1x12xf32> {
      %most = "tosa.reduce_max"(%x) {axis = 1 : i32} : (tensor<1x12xf32>) -> tensor<1x1xf32>
      %less = tosa.sub %x, %most : (tensor<1x12xf32>, tensor<1x1xf32>) -> tensor<1x12xf32>
      %exp = tosa.exp %less : (tensor<1x12xf32>) -> tensor<1x12xf32>
      %sum = "tosa.reduce_sum"(%exp) {axis = 1 : i32} : (tensor<1x12xf32>) -> tensor<1x1xf32>
      %inverse = tosa.reciprocal %sum : (tensor<1x1xf32>) -> tensor<1x1xf32>
      %shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
      %result = tosa.mul %exp, %inverse, %shift :
        (tensor<1x12xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x12xf32>
      return %result : tensor<1x12xf32>
    }
    """
    module = parse_module(text, make_context())
    assert b"\x7fELF" in compile_module(module, load_target(target))
