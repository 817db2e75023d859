"""IREE and Arm's TOSA reference model agree bit for bit on the integer forms that the precision rewrite emits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import iree.compiler.tools
import iree.runtime
import numpy as np
import numpy.typing as npt
import pytest

from quantune_mlir.mlir.bindings import ir
from tests.conformance.int8_modules import Int8Builder, build_module
from tests.tosa_oracle import run_reference
from tools.tosa_reference import ReferenceModelError

pytestmark = pytest.mark.conformance


@dataclass(frozen=True)
class Case:
    """Argument shapes, and what is built from the arguments."""

    shapes: Sequence[Sequence[int]]
    body: Callable[..., ir.Value]


def residual_block(build: Int8Builder, x: ir.Value) -> ir.Value:
    """What a network is made of, in one: convolutions, a residual addition, a table, pooling, a classifier."""
    y = build.conv2d(x, 8, 3, 1, (1, 1, 1, 1))
    y = build.conv2d(y, 1, 3, 1, (1, 1, 1, 1), depthwise=True)
    y = build.table(build.add(y, build.conv2d(x, 8, 1, 1, (0, 0, 0, 0))))
    y = build.avg_pool2d(build.max_pool2d(y, 2, 2, (0, 0, 0, 0)), 4, 4, (0, 0, 0, 0))
    return build.conv2d(y, 10, 1, 1, (0, 0, 0, 0))


IMAGE = (1, 8, 8, 5)
CASES = {
    "conv2d 3x3": Case([IMAGE], lambda b, x: b.conv2d(x, 7, 3, 1, (1, 1, 1, 1))),
    "conv2d 1x1": Case([IMAGE], lambda b, x: b.conv2d(x, 16, 1, 1, (0, 0, 0, 0))),
    "conv2d strided, padded unevenly": Case([(1, 9, 8, 3)], lambda b, x: b.conv2d(x, 8, 3, 2, (1, 1, 0, 1))),
    "conv2d stride 3, batch 2": Case([(2, 10, 7, 4)], lambda b, x: b.conv2d(x, 6, 4, 3, (0, 0, 2, 1))),
    "depthwise": Case([IMAGE], lambda b, x: b.conv2d(x, 1, 3, 1, (1, 1, 1, 1), depthwise=True)),
    "depthwise strided, multiplier 2": Case([IMAGE], lambda b, x: b.conv2d(x, 2, 3, 2, (0, 1, 1, 0), depthwise=True)),
    "matmul": Case([(2, 3, 17), (2, 17, 9)], lambda b, x, y: b.matmul(x, y)),
    "add": Case([IMAGE, IMAGE], lambda b, x, y: b.add(x, y)),
    "add, broadcast": Case([IMAGE, (1, 1, 1, 5)], lambda b, x, y: b.add(x, y)),
    "concat": Case([IMAGE, (1, 8, 8, 3)], lambda b, x, y: b.concat(x, y, 3)),
    "pad": Case([IMAGE], lambda b, x: b.pad(x, (0, 0, 1, 2, 3, 0, 0, 1))),
    "max_pool2d": Case([IMAGE], lambda b, x: b.max_pool2d(x, 3, 2, (1, 0, 0, 1))),
    "avg_pool2d": Case([IMAGE], lambda b, x: b.avg_pool2d(x, 2, 2, (0, 0, 0, 0))),
    "avg_pool2d, padded": Case([IMAGE], lambda b, x: b.avg_pool2d(x, 3, 1, (1, 1, 1, 1))),
    "avg_pool2d, global": Case([(1, 7, 7, 24)], lambda b, x: b.avg_pool2d(x, 7, 7, (0, 0, 0, 0))),
    "table": Case([IMAGE], lambda b, x: b.table(x)),
    "rescale": Case([IMAGE], lambda b, x: b.rescale(x, 0.75)),
    "residual block": Case([IMAGE], residual_block),
}


def run_iree(module_text: str, inputs: Sequence[npt.NDArray[np.int8]]) -> npt.NDArray[np.generic]:
    program = iree.compiler.tools.compile_str(module_text, target_backends=["llvm-cpu"], input_type="tosa")
    config = iree.runtime.Config("local-sync")
    module = iree.runtime.load_vm_module(iree.runtime.VmModule.copy_buffer(config.vm_instance, program), config)
    return module["main"](*inputs).to_host().copy()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_iree_equals_the_reference_model(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    module_text = build_module(case.shapes, case.body, rng)
    inputs = [rng.integers(-128, 128, shape, dtype=np.int8) for shape in case.shapes]
    (expected,) = run_reference(module_text, inputs)
    assert expected.dtype == np.int8
    assert np.unique(expected).size > 5, "a constant result would prove nothing"
    np.testing.assert_array_equal(run_iree(module_text, inputs), expected)


MIXED_NETWORK = """
  func.func @net(%x: tensor<2x2xf32> {quantune.name = "input"}) -> (tensor<2x2xi8>, tensor<2x2xf32>)
      attributes {quantune.stage = "mixed"} {
    %scale = "tosa.const"() <{values = dense<37.5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
    %y = tosa.mul %x, %scale, %shift : (tensor<2x2xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<2x2xf32>
    %q = tosa.cast %y {quantune.layer = "c", quantune.qparams = {zp = 0}} : (tensor<2x2xf32>) -> tensor<2x2xi8>
    %d = tosa.cast %q : (tensor<2x2xi8>) -> tensor<2x2xf32> loc("conv")
    return %q, %d : tensor<2x2xi8>, tensor<2x2xf32>
  }"""


def test_fp32_boundaries_several_results_and_our_attributes_are_understood() -> None:
    x = np.array([[0.5 / 37.5, 1.5 / 37.5], [-9.0, 1.0]], np.float32)
    quantized, dequantized = run_reference(MIXED_NETWORK, [x])
    np.testing.assert_array_equal(quantized, np.array([[0, 2], [-128, 38]], np.int8))
    np.testing.assert_array_equal(dequantized, quantized.astype(np.float32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MIXED_NETWORK.replace("return %q, %d", "return %q, %x"), "result 1 is an argument"),
        (MIXED_NETWORK.replace("2x2xf32", "4x1xf32").replace("2x2xi8", "4x1xi8"), "the function takes"),
        (MIXED_NETWORK + MIXED_NETWORK.replace("@net", "@other"), "this one has 2"),
    ],
)
def test_what_cannot_be_run_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_reference(text, [np.zeros((2, 2), np.float32)])


def test_operators_outside_tosa_are_refused_with_what_tosa_opt_says() -> None:
    module_text = """
      func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
        %y = math.sqrt %x : tensor<2xf32>
        return %y : tensor<2xf32>
      }"""
    with pytest.raises(ReferenceModelError, match=r"(?s)tosa-opt left with code 1.*unregistered dialect.*math\.sqrt"):
        run_reference(module_text, [np.ones(2, np.float32)])
