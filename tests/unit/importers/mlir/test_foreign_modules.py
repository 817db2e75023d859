"""TOSA of other makers: taken with names of its own, or refused with a reason."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.signature import result_specs
from quantune_mlir.mlir.text import module_bytecode, parse_module
from quantune_mlir.model import Model
from tests.support import run_module

WEIGHTS = np.array([[1, 2], [3, 4]], np.float32)
BLOB = "0x04000000" + WEIGHTS.tobytes().hex().upper()
FORWARD = """
func.func @forward(%x: tensor<1x2x2xf32> loc("image")) -> tensor<1x2x2xf32> {
  %w = "tosa.const"() <{values = dense_resource<weights> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %wide = "tosa.const"() <{values = dense<0.5> : tensor<1x1x1xf64>}> : () -> tensor<1x1x1xf64>
  %half = tosa.cast %wide : (tensor<1x1x1xf64>) -> tensor<1x1x1xf32>
  %0 = tosa.matmul %x, %w, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>)
    -> tensor<1x2x2xf32> loc("encoder/dense")
  %1 = tosa.add %0, %half : (tensor<1x2x2xf32>, tensor<1x1x1xf32>) -> tensor<1x2x2xf32> loc("encoder/dense")
  %2 = tosa.matmul %1, %w, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>)
    -> tensor<1x2x2xf32> loc("encoder/dense")
  %3 = tosa.abs %2 : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %3 : tensor<1x2x2xf32>
}
{-#
  dialect_resources: { builtin: { weights: "BLOB" } }
#-}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text.replace("BLOB", BLOB))
    return path


def message(path: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        Model.load(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def one_op(op: str, *, argument: str = "tensor<1x4xf32>", result: str = "tensor<1x4xf32>") -> str:
    return f"func.func @main(%x: {argument}) -> {result} {{\n  %0 = {op}\n  return %0 : {result}\n}}\n"


@pytest.mark.parametrize("suffix", ["mlir", "mlirbc"])
def test_layers_are_called_by_location_else_by_op(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"m.{suffix}", FORWARD)
    if suffix == "mlirbc":
        path.write_bytes(module_bytecode(parse_module(path.read_text(), make_context())))
    model = Model.load(path)
    assert [layer.name for layer in model.layers] == ["encoder/dense", "encoder/dense_1", "abs_0"]
    assert [(spec.name, spec.shape) for spec in model.inputs] == [("image", (1, 2, 2))]
    assert [name for name, *_ in result_specs(model.function)] == ["output0"]
    assert model.hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["f64", "f16"])
def test_resources_and_tables_of_other_floats_are_read(tmp_path: Path, kind: str) -> None:
    model = Model.load(write(tmp_path / "m.mlir", FORWARD.replace("f64", kind)))
    assert kind not in str(model.module)
    assert "dense_resource" not in str(model.module)
    x = np.array([[[1, -2], [3, -4]]], np.float32)
    (got,) = run_module(model.module, x)
    np.testing.assert_allclose(got, np.abs((x @ WEIGHTS + 0.5) @ WEIGHTS), rtol=1e-6)


def test_a_foreign_module_can_be_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlir", FORWARD)
    model = Model.load(path, outputs=["encoder/dense"])
    assert [layer.name for layer in model.layers] == ["encoder/dense"]
    assert "no tensor 'nowhere'" in message(path, outputs=["nowhere"])
    two = one_op("tosa.add %x, %s : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>")
    path = write(tmp_path / "n.mlir", two.replace("%x: tensor<1x4xf32>", "%x: tensor<1x4xf32>, %s: tensor<1x4xf32>"))
    assert [spec.name for spec in Model.load(path, constants={"input1": 2.5}).inputs] == ["input0"]


def test_constants_and_reshapes_of_other_dialects(tmp_path: Path) -> None:
    text = """
    func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
      %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
      %0 = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
      %1 = tosa.add %0, %c : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
      %2 = tensor.expand_shape %1 [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
      return %2 : tensor<2x3xf32>
    }
    """
    model = Model.load(write(tmp_path / "m.mlir", text))
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(run_module(model.module, x)[0], np.arange(2, 8).reshape(2, 3))


def test_ops_that_are_not_taken_are_listed_with_reasons(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.mlir",
        """
        tosa.variable @counter = dense<0.0> : tensor<1x4xf32>
        func.func @main(%x: tensor<1x4xf32>, %c: tensor<i1>) -> (tensor<1x4xf32>, tensor<1x4xf16>) {
          %good = tosa.abs %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
          %0 = math.sin %good : tensor<1x4xf32>
          %1 = tosa.cast %0 : (tensor<1x4xf32>) -> tensor<1x4xf16>
          %2 = "tosa.custom"(%0) <{domain_name = "d", implementation_attrs = "", operator_name = "Own"}> :
            (tensor<1x4xf32>) -> tensor<1x4xf32>
          %3 = tosa.cond_if %c : tensor<i1> -> tensor<1x4xf32> {
            tosa.yield %2 : tensor<1x4xf32>
          } else {
            tosa.yield %x : tensor<1x4xf32>
          }
          %4 = tosa.variable_read @counter : tensor<1x4xf32>
          %5 = tosa.add %3, %4 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
          return %5, %1 : tensor<1x4xf32>, tensor<1x4xf16>
        }
        """,
    )
    with pytest.raises(UnsupportedOperatorsError) as caught:
        Model.load(path)
    assert [(node.name, node.reason) for node in caught.value.nodes] == [
        ("sin_0", "math.sin is no TOSA op, line 5"),
        ("cast_0", "element type f16, line 6"),
        ("custom_0", "custom operator Own, line 7"),
        ("cond_if_0", "tosa.cond_if is control flow, line 9"),
        ("variable_read_0", "state that one run leaves to the next, line 14"),
    ]
    assert caught.value.remedy and "--outputs abs_0;" in caught.value.remedy
    assert [layer.name for layer in Model.load(path, outputs=["abs_0"]).layers] == ["abs_0"]


DYNAMIC = "tensor<?x4xf32>"
IDENTITY = "func.func @b(%x: tensor<1xf32>) -> tensor<1xf32> {\n  return %x : tensor<1xf32>\n}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (one_op(f"tosa.abs %x : ({DYNAMIC}) -> {DYNAMIC}", argument=DYNAMIC, result=DYNAMIC), "static shape"),
        (IDENTITY + FORWARD, "@b, @forward"),
        ("func.func private @main(tensor<1xf32>) -> tensor<1xf32>", "there are: none"),
        ("module {}", "there are: none"),
        (IDENTITY, "computes nothing"),
        (FORWARD.split("{-#", maxsplit=1)[0], "'weights' are not in the file"),
        (FORWARD.replace("BLOB", "0x0400000000"), "has 1 bytes"),
        (FORWARD.replace("BLOB", "0x04000000" + 4 * "0000C07F"), "holds 4 NaN"),
        (FORWARD[:400], "m.mlir:6:"),
    ],
)
def test_refusals(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in message(write(tmp_path / "m.mlir", text))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    text = one_op('tosa.abs %x {LAYER} : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("n\\FF\\22")')
    named = Model.load(write(tmp_path / "m.mlir", text.replace("LAYER", "")))
    assert [layer.name for layer in named.layers] == ['n\ufffd"']
    assert "not UTF-8" in message(write(tmp_path / "n.mlir", text.replace("LAYER", 'quantune.layer = "\\FF"')))


def test_shapes_cannot_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlir", FORWARD)
    assert "fixed already" in message(path, batch=4)
    assert "fixed already" in message(path, shapes={"image": [1, 2, 2]})
