"""Modules to text."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import load_module, module_text, write_text

SOURCE = """
func.func @main(%x: tensor<2xf32> {quantune.name = "x"}) -> tensor<2xf32> {
  %c = "tosa.const"() {values = dense<[1.5, -2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %r = "tosa.add"(%x, %c) {quantune.layer = "a"} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}
"""


@pytest.mark.parametrize("generic", [True, False])
def test_a_file_holds_the_text_of_the_module(tmp_path: Path, generic: bool) -> None:
    module = ir.Module.parse(SOURCE, make_context())
    path = tmp_path / "module.mlir"
    write_text(module, path, generic=generic)
    assert path.read_text() == module_text(module, generic=generic)
    assert module_text(load_module(path, make_context())) == module_text(module)
