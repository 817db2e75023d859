"""Functions of one value against double precision, in relative error over the range of fp32."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import pytest

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import make_context
from tests.onnx_models import OneNode, combine
from tests.support import call, compile_module, load_program

Function = Callable[[np.ndarray], np.ndarray]

_SMALLEST, _LARGEST = 2.0**-120, 2.0**127
_NEWEST_OPSET = {"Gelu": 20, "Mish": 18, "HardSwish": 14}
_ALPHA, _GAMMA = np.float32(1.6732632), np.float32(1.0507010)


def values(largest: float = _LARGEST, smallest: float = _SMALLEST) -> np.ndarray:
    """fp32 numbers of both signs, as many of each magnitude, more of those below 20, and zero."""
    even = np.exp2(np.linspace(math.log2(smallest), math.log2(largest), 5000))
    dense = np.linspace(0.01, min(20, largest), 4000)
    positive = np.concatenate([even, dense, np.arange(1, min(20, largest))]).astype(np.float32)
    return np.concatenate([-positive, [0], positive]).astype(np.float32)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def unit(alpha: float, gamma: float = 1) -> Function:
    return lambda x: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def of_each(function: Callable[[float], float]) -> Function:
    return np.vectorize(function, otypes=[np.float64])


EXACT: Mapping[str, Function] = {
    "Abs": np.abs,
    "Acosh": np.arccosh,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Celu": unit(1),
    "Ceil": np.ceil,
    "Cosh": np.cosh,
    "Elu": unit(1),
    "Erf": of_each(math.erf),
    "Exp": np.exp,
    "Floor": np.floor,
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(softplus(x)),
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Round": np.rint,
    "Relu": lambda x: np.maximum(x, 0),
    "Selu": unit(float(_ALPHA), float(_GAMMA)),
    "Sign": np.sign,
    "Sinh": np.sinh,
    "Sigmoid": lambda x: np.exp(-softplus(-x)),
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
}
# Reduction to one turn is exact to some thousands of turns.
PERIODIC: Mapping[str, Function] = {"Cos": np.cos, "Sin": np.sin, "Tan": np.tan}
WITHIN_ONE: Mapping[str, Function] = {"Acos": np.arccos, "Asin": np.arcsin, "Atanh": np.arctanh}
# Differences of nearly equal numbers by definition: ONNX Runtime loses the same digits.
CANCELLING: Mapping[str, Function] = {
    "Gelu": of_each(lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2))),
    "HardSigmoid": lambda x: np.clip(float(np.float32(0.2)) * x + 0.5, 0, 1),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


def run_all(models: list[onnx.ModelProto], *inputs: np.ndarray) -> list[np.ndarray]:
    """The first results of models, compiled together."""
    context = make_context()
    program = load_program(compile_module(combine([import_onnx(m, context=context) for m in models], context)))
    return [call(program, f"f{index}", inputs)[0] for index in range(len(models))]


def assert_close(cases: Mapping[str, Function], x: np.ndarray, rtol: float, atol: float = 0) -> None:
    models = [OneNode(name, {"x": x}, opset=_NEWEST_OPSET.get(name, 13)).model() for name in cases]
    for (name, function), got in zip(cases.items(), run_all(models, x), strict=True):
        with np.errstate(all="ignore"):
            wanted = function(x.astype(np.float64))
            normal = (np.abs(wanted) > 1e-37) & (np.abs(wanted) < 3e38)
        assert (np.isnan(got) == np.isnan(wanted)).all(), name
        np.testing.assert_allclose(got[normal], wanted[normal], rtol=rtol, atol=atol, err_msg=name)
        assert (np.abs(got[np.abs(wanted) <= 1e-37]) <= 2e-37).all(), name


def test_relative_error() -> None:
    assert_close(EXACT, values(), rtol=4e-7)


def test_relative_error_within_one() -> None:
    assert_close(WITHIN_ONE, values(largest=1 - 2**-24), rtol=6e-7)


def test_relative_error_of_periodic_functions() -> None:
    assert_close(PERIODIC, values(largest=1e4), rtol=1e-6)


def test_periodic_functions_are_bounded_everywhere() -> None:
    (got,) = run_all([OneNode("Sin", {"x": values()}).model()], values())
    assert (np.abs(got) <= 1 + 1e-6).all()


def test_error_of_functions_that_cancel() -> None:
    assert_close(CANCELLING, values(), rtol=4e-7, atol=4e-7)


@pytest.mark.parametrize("at_run_time", [False, True])
def test_powers(at_run_time: bool) -> None:
    x = values(largest=2.0**20, smallest=2.0**-20)[:, None]
    exponents = np.array([-3, -2.5, -2, -1, -0.5, 0, 0.3, 0.5, 1, 1.5, 2, 3, 4, 5, 33], np.float32)
    names = [str(e) for e in exponents]
    if at_run_time:
        got = run_all([OneNode("Pow", {"x": x, "e": exponents}).model()], x, exponents)[0]
    else:
        models = [OneNode("Pow", {"x": x}, {"e": exponent}).model() for exponent in exponents]
        got = np.concatenate(run_all(models, x), axis=1)
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype(np.float64), exponents.astype(np.float64))
        normal = (np.abs(wanted) > 1e-37) & (np.abs(wanted) < 3e38)
    for column, name in enumerate(names):
        kept = normal[:, column]
        assert (np.isnan(got[:, column]) == np.isnan(wanted[:, column])).all(), name
        np.testing.assert_allclose(got[kept, column], wanted[kept, column], rtol=1e-5, err_msg=name)


def test_powers_of_integers() -> None:
    x, exponents = np.arange(1, 9, dtype=np.int32)[:, None], np.array([-0.5, 0.3, 1.5, 2, 5], np.float32)
    got = run_all([OneNode("Pow", {"x": x, "e": exponents}).model()], x, exponents)[0]
    np.testing.assert_array_equal(got, np.trunc(np.power(x.astype(np.float64), exponents)))
    got = run_all([OneNode("Pow", {"x": x, "e": (whole := np.arange(1, 6, dtype=np.int32))}).model()], x, whole)[0]
    np.testing.assert_array_equal(got, x**whole)
