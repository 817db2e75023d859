from __future__ import annotations

import pytest

from quantune_mlir.errors import PassError
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.dialects.quantune import LOCAL, ROUNDING, measure, observe, verify
from quantune_mlir.numerics.parameters import QuantParams

SOURCE = """
func.func @main(%x: tensor<1x4xf32>, %q: tensor<1x4xi8>) {
  return
}
"""


def test_what_the_builders_build_verifies_and_prints_its_attributes() -> None:
    with make_context(), ir.Location.unknown():
        module = ir.Module.parse(SOURCE)
        function = module.body.operations[0]
        x, q = function.arguments
        with ir.InsertionPoint(function.body.blocks[0].operations[0]):
            observe(x, "input")
            measure(x, q, "input", noise=LOCAL, params=QuantParams(0.25, -7))
            measure(x, x, "output", noise=ROUNDING, params=None)
        module.operation.verify()
        verify(module)
        assert '"quantune.observe"(%arg0) {tensor_name = "input"}' in str(module)
        measured = '{noise = "local", scale = 2.500000e-01 : f32, tensor_name = "input", zero_point = -7 : i32}'
        assert measured in str(module)
        assert '{noise = "rounding", scale = 1.000000e+00 : f32, tensor_name = "output"' in str(module)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ('"quantune.observe"(%q) {tensor_name = "a"} : (tensor<1x4xi8>) -> ()', "expects a tensor of f32 as operand 0"),
        ('"quantune.observe"(%x) {tensor_name = 3 : i32} : (tensor<1x4xf32>) -> ()', "of type string, got 3 : i32"),
        ('%r = "quantune.observe"(%x) {tensor_name = "a"} : (tensor<1x4xf32>) -> i32', "has no results"),
        ('"quantune.observe"() {tensor_name = "a"} : () -> ()', "expects 1 operand"),
        (
            '"quantune.measure"(%x, %q) {tensor_name = "a", scale = 1.0 : f32, zero_point = 0 : i32}'
            " : (tensor<1x4xf32>, tensor<1x4xi8>) -> ()",
            "lacks the attribute 'noise'",
        ),
        (
            '"quantune.measure"(%q, %q) {tensor_name = "a", noise = "local", scale = 1.0 : f32, zero_point = 0 : i32}'
            " : (tensor<1x4xi8>, tensor<1x4xi8>) -> ()",
            "expects a tensor of f32 as operand 0",
        ),
        ('"quantune.nothing"() : () -> ()', "is not defined in the quantune dialect"),
    ],
)
def test_what_breaks_the_definition_is_refused_with_its_place(op: str, message: str) -> None:
    module = ir.Module.parse(SOURCE.replace("  return", f"  {op}\n  return"), make_context())
    with pytest.raises(PassError, match="3:") as error:
        verify(module)
    assert message in str(error.value)
